// SPDX-License-Identifier: GPL-2.0-or-later
// `sckpt explain`: from a plan and what the daemon has measured to what is printed.
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/explain.hpp"
#include "daemon/explain.hpp"
#include "policy/interval.hpp"

namespace ckpt {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

using Row = std::tuple<std::string, std::string, std::string>; // name, value, from

std::vector<Row> section(const std::vector<wire::Explained>& all, const std::string& name) {
    std::vector<Row> rows;
    for (const wire::Explained& one : all)
        if (one.section == name) rows.emplace_back(one.name, one.value, one.from);
    return rows;
}

Plan plan_of(const std::vector<std::pair<std::string, std::string>>& options, const Policy& policy) {
    Request request;
    for (const auto& [name, value] : options)
        EXPECT_TRUE(request.set(name, value)) << name;
    JobFacts facts;
    facts.user = "alice";
    return resolve(request, facts, policy).value();
}

ExplainFacts gigabyte_with_an_hour() {
    ExplainFacts facts;
    facts.cost = {1'000'000'000, {1e9, 5e8}, {0, 1e8}};
    facts.opened_at = 10'000;
    facts.end_time = 13'600;
    facts.now = 10'060;
    return facts;
}

TEST(Explain, EveryValueHasItsOrigin) {
    Policy policy;
    policy.limits.max_keep = 3;
    policy.defaults.max_restarts = 7;
    policy.stated = {{"defaults.max_restarts", "checkpoint.yaml:7"}};
    const Plan plan = plan_of({{"checkpoint-interval", "90s"}, {"checkpoint-keep", "5"}}, policy);
    EXPECT_THAT(section(explain(plan, policy, {}), "plan"),
                ElementsAre(Row{"enabled", "on", "user"}, Row{"interval", "90s", "user"},
                            Row{"dir", "/var/spool/slurm-checkpoint/store/alice", "built-in"},
                            Row{"on", "timelimit,preempt,requeue,drain", "built-in"},
                            Row{"signal", "none", "built-in"}, Row{"method", "auto", "built-in"},
                            Row{"keep", "3", "limit of policy"}, Row{"restore", "auto", "built-in"},
                            Row{"max-restarts", "7", "policy, checkpoint.yaml:7"},
                            Row{"files", "append", "built-in"}));
}

TEST(Explain, OnlyWhatIsTakenIsExplained) {
    const auto sections = [](const char* interval, const char* on, std::int64_t end_time) {
        ExplainFacts facts;
        facts.end_time = end_time;
        const Plan plan = plan_of({{"checkpoint-interval", interval}, {"checkpoint-on", on}}, {});
        const auto all = explain(plan, {}, facts);
        return std::pair(section(all, "interval").empty(), section(all, "time_limit").empty());
    };
    EXPECT_EQ(sections("auto", "timelimit", 1000), std::pair(false, false));
    EXPECT_EQ(sections("1h", "timelimit", 1000), std::pair(true, false));
    EXPECT_EQ(sections("none", "preempt", 1000), std::pair(true, true));
    EXPECT_EQ(sections("auto", "timelimit", 0), std::pair(false, true)) << "no limit is known";
    EXPECT_THAT(section(explain(plan_of({{"checkpoint", "off"}}, {}), {}, {}), "plan"),
                ElementsAre(Row{"enabled", "off", "user"}));
}

TEST(Explain, TheIntervalIsThatOfTheTimer) {
    Policy policy;
    policy.stated = {{"auto.node_mtbf", "checkpoint.yaml:9"}};
    ExplainFacts facts;
    facts.schedule.interval = IntervalAuto{};
    facts.schedule.nodes = 2;
    facts.schedule.last_cost = 3s;
    const auto rows = section(explain(plan_of({{"checkpoint", ""}}, policy), policy, facts), "interval");
    ASSERT_EQ(rows.size(), 7U);
    EXPECT_EQ(rows[0], (Row{"pause", "3", "measured on this job, in whole seconds"}));
    EXPECT_EQ(rows[1], (Row{"node_mtbf", "2592000", "policy auto.node_mtbf, checkpoint.yaml:9"}));
    EXPECT_EQ(rows[2], (Row{"nodes", "2", ""}));
    EXPECT_EQ(rows[4], (Row{"affordable", "297", "built-in auto.max_overhead"}));
    EXPECT_EQ(rows[5], (Row{"least", "60", "built-in limits.min_interval"}));
    const Seconds timer = auto_interval(3s, 2, policy.automatic, policy.limits.min_interval).interval;
    EXPECT_EQ(std::get<1>(rows[6]), std::to_string(timer.count()));
}

TEST(Explain, TheMarginIsThatOfTheTimer) {
    const Policy policy;
    const Plan plan = plan_of({{"checkpoint", ""}}, policy);
    const ExplainFacts facts = gigabyte_with_an_hour();
    EXPECT_THAT(section(explain(plan, policy, facts), "time_limit"),
                ElementsAre(Row{"ends", "13600", "slurm, when last asked"},
                            Row{"memory", "1000000000", "resident, or newest checkpoint"},
                            Row{"dump_rate", "1e+09", "measured on this job"},
                            Row{"commit_rate", "1e+08", "measured on this node"},
                            Row{"dump", "1", "memory / dump_rate"},
                            Row{"commit", "10", "memory / commit_rate"},
                            Row{"safety", "1.5", "built-in time_limit.safety"},
                            Row{"reserve", "10", "built-in time_limit.reserve"},
                            Row{"place", "0", "built-in slurmctld.spread"},
                            Row{"wanted", "27", "safety * (dump + commit) + reserve + place"},
                            Row{"most", "1800", "half the time from start to end"},
                            Row{"margin", "27", "the shorter of these two"},
                            Row{"taken", "13573", "ends - margin, as of now"}));
}

TEST(Explain, AProgramThatSavesItselfHasItsPatience) {
    const Policy policy;
    const Plan plan = plan_of({{"checkpoint-method", "app:USR1"}}, policy);
    EXPECT_THAT(section(explain(plan, policy, gigabyte_with_an_hour()), "time_limit"),
                ElementsAre(Row{"ends", "13600", "slurm, when last asked"},
                            Row{"patience", "120", "built-in app.patience"},
                            Row{"reserve", "10", "built-in time_limit.reserve"},
                            Row{"place", "0", "built-in slurmctld.spread"},
                            Row{"wanted", "130", "patience + reserve + place"},
                            Row{"most", "1800", "half the time from start to end"},
                            Row{"margin", "130", "the shorter of these two"},
                            Row{"taken", "13470", "ends - margin, as of now"}));
    EXPECT_THAT(section(explain(plan, policy, gigabyte_with_an_hour()), "interval"), testing::IsEmpty());
}

wire::Explanation explanation() {
    const Plan plan = plan_of({{"checkpoint-interval", "1h"}}, {});
    return {8, 2, "n1", {}, explain(plan, {}, gigabyte_with_an_hour())};
}

TEST(Explain, AsTables) {
    const std::string text = cli::explanation_text(explanation());
    EXPECT_THAT(text, testing::StartsWith("job 8 on n1, incarnation 2\n\nSTATE "));
    EXPECT_THAT(text, HasSubstr("\n\nTIME LIMIT   VALUE "));
    EXPECT_THAT(text, testing::ContainsRegex("\ninterval +1h +user\n"));
    EXPECT_THAT(text, testing::ContainsRegex("\nmemory +954 MiB +resident"));
    EXPECT_THAT(text, testing::ContainsRegex("\nmost +1800 s \\(30 min\\) +half"));
    EXPECT_THAT(text, testing::ContainsRegex("\nmargin +27 s +the shorter"));
    EXPECT_THAT(text, Not(HasSubstr("without")));
    const wire::Explanation off{8, 0, "n1", "no key [CKPT-604]", {}};
    EXPECT_EQ(cli::explanation_text(off),
              "job 8 on n1, incarnation 0\nruns without checkpoints: no key [CKPT-604]\n");
}

TEST(Explain, AsJson) {
    const auto json = nlohmann::json::parse(cli::explanation_json(explanation()));
    EXPECT_EQ(json["job"], 8);
    EXPECT_EQ(json["plan"]["keep"]["value"], 2);
    EXPECT_EQ(json["plan"]["interval"]["from"], "user");
    EXPECT_EQ(json["time_limit"]["margin"]["value"], 27);
    EXPECT_EQ(json["time_limit"]["margin"]["unit"], "s");
    EXPECT_EQ(json["time_limit"]["dump_rate"]["value"], 1e9);
    EXPECT_FALSE(json.contains("without_checkpoints"));
}

TEST(Explain, GoesOverTheWire) {
    const auto sent = explanation();
    const auto received = wire::decode<wire::Explanation>(wire::encode(sent));
    ASSERT_TRUE(received);
    EXPECT_EQ(cli::explanation_json(*received), cli::explanation_json(sent));
}

} // namespace
} // namespace ckpt
