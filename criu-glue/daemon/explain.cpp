// SPDX-License-Identifier: GPL-2.0-or-later
#include "explain.hpp"

#include <algorithm>
#include <format>
#include <string_view>
#include <utility>

#include "policy/schedule.hpp"

namespace ckpt {
namespace {

using wire::Unit;

const char* to_string(Origin origin) {
    switch (origin) {
    case Origin::built_in:
        return "built-in";
    case Origin::policy:
        return "policy";
    case Origin::user:
        return "user";
    case Origin::limit:
        return "limit of policy";
    }
    return "";
}

const char* to_string(Predicted::From from) {
    switch (from) {
    case Predicted::From::job:
        return "measured on this job";
    case Predicted::From::node:
        return "measured on this node";
    case Predicted::From::assumed:
        return "assumed, not yet measured";
    }
    return "";
}

// The rows of one section.
class Rows {
public:
    Rows(std::vector<wire::Explained>& out, const Policy& policy, std::string section)
        : m_out(out), m_policy(policy), m_section(std::move(section)) {}

    void text(const char* name, std::string value, std::string from) {
        m_out.push_back({m_section, name, Unit::text, std::move(value), std::move(from)});
    }
    void number(const char* name, Unit unit, double value, std::string from) {
        m_out.push_back({m_section, name, unit, std::format("{}", value), std::move(from)});
    }
    void whole(const char* name, Unit unit, std::int64_t value, std::string from) {
        m_out.push_back({m_section, name, unit, std::to_string(value), std::move(from)});
    }
    // Of policy, under the key by which the file states it.
    std::string key(std::string_view key) const {
        const StatedKey* stated = find(key);
        return stated != nullptr ? std::format("policy {}, {}", key, stated->where)
                                 : std::format("built-in {}", key);
    }
    // `key` and `limit`: of policy, where it may have decided.
    template <typename T>
    void planned(const char* name, const Planned<T>& value, std::string_view key = {},
                 std::string_view limit = {}) {
        text(name, ckpt::to_string(value.value), from(value.origin, key, limit));
    }
    void planned(const char* name, const Planned<std::uint32_t>& value, std::string_view key = {},
                 std::string_view limit = {}) {
        whole(name, Unit::number, value.value, from(value.origin, key, limit));
    }
    [[nodiscard]] std::string from(Origin origin, std::string_view policy, std::string_view limit) const {
        std::string text = to_string(origin);
        const StatedKey* stated = origin == Origin::policy  ? find(policy)
                                  : origin == Origin::limit ? find(limit)
                                                            : nullptr;
        if (stated != nullptr) text += ", " + stated->where;
        return text;
    }

private:
    [[nodiscard]] const StatedKey* find(std::string_view key) const {
        const auto found = std::ranges::find(m_policy.stated, key, &StatedKey::key);
        return found != m_policy.stated.end() ? &*found : nullptr;
    }
    std::vector<wire::Explained>& m_out;
    const Policy& m_policy;
    std::string m_section;
};

void explain_state(Rows rows, const ExplainFacts& facts) {
    rows.text("checkpoints", facts.switched_off ? "off" : "on", facts.switched_off ? "sckpt disable" : "");
    rows.text("newest", facts.saved == 0 ? "none" : "generation " + std::to_string(facts.saved), "");
    rows.text("error", facts.last_error.empty() ? "none" : facts.last_error, "of the newest attempt");
}

void explain_plan(Rows rows, const Plan& plan) {
    rows.text("enabled", plan.enabled.value ? "on" : "off",
              rows.from(plan.enabled.origin, "defaults.enabled", {}));
    if (!plan.enabled.value) return;
    rows.planned("interval", plan.interval, "defaults.interval", "limits.min_interval");
    rows.text("dir", plan.base.value, rows.from(plan.base.origin, "storage.base", {}));
    rows.planned("on", plan.on, "defaults.on");
    rows.text("signal", plan.signal.value == 0 ? "none" : signal_name(plan.signal.value),
              to_string(plan.signal.origin));
    rows.planned("method", plan.method, "defaults.method");
    rows.planned("keep", plan.keep, "defaults.keep", "limits.max_keep");
    rows.planned("restore", plan.restore);
    rows.planned("max-restarts", plan.max_restarts, "defaults.max_restarts", "limits.max_restarts");
    rows.planned("files", plan.files, "defaults.files");
}

void explain_interval(Rows rows, const Policy& policy, const ScheduleFacts& facts,
                      const AutoInterval& parts) {
    rows.number("pause", Unit::seconds, parts.cost_s,
                facts.last_cost.count() > 0 ? "measured on this job, in whole seconds"
                                            : "assumed, not yet measured");
    rows.whole("node_mtbf", Unit::seconds, policy.automatic.node_mtbf.count(), rows.key("auto.node_mtbf"));
    rows.whole("nodes", Unit::number, facts.nodes, "");
    rows.number("optimum", Unit::seconds, parts.optimum_s, "Daly: pause, node_mtbf / nodes");
    rows.number("affordable", Unit::seconds, parts.affordable_s, rows.key("auto.max_overhead"));
    rows.whole("least", Unit::seconds, policy.limits.min_interval.count(), rows.key("limits.min_interval"));
    rows.whole("interval", Unit::seconds, parts.interval.count(), "the longest of these three");
}

std::string rule_of(const Rows& rows, const Schedule& schedule) {
    switch (schedule.rule) {
    case Schedule::Rule::none:
        return "there are none";
    case Schedule::Rule::too_short:
        return "none, the run is too short: " + rows.key("auto.min_run_time");
    case Schedule::Rule::first:
        return "the first one of a job: " + rows.key("auto.first");
    case Schedule::Rule::interval:
        return "interval - jitter";
    case Schedule::Rule::aligned:
        return std::format("until_last / {} - jitter", schedule.parts);
    case Schedule::Rule::last:
        return "none, the last one before the time limit comes first";
    }
    return "";
}

// When it was chosen the times below may have been others: `due` is what it has come to.
void explain_next(Rows rows, const Policy& policy, const ExplainFacts& facts) {
    const Schedule schedule = next_checkpoint(facts.schedule, policy.automatic, policy.limits.min_interval);
    using Rule = Schedule::Rule;
    const bool is_timed = schedule.rule != Rule::none && schedule.rule != Rule::too_short;
    if (schedule.interval > Seconds{0}) rows.whole("interval", Unit::seconds, schedule.interval.count(), "");
    if (facts.schedule.until_last > Seconds{0})
        rows.whole("until_last", Unit::seconds, facts.schedule.until_last.count(),
                   "until the last one before the time limit, as of now");
    if (schedule.rule == Rule::interval || schedule.rule == Rule::aligned)
        rows.whole("jitter", Unit::seconds, schedule.jitter.count(), rows.key("auto.jitter"));
    if (is_timed && schedule.rule != Rule::last)
        rows.whole("delay", Unit::seconds, schedule.delay.count(), rule_of(rows, schedule));
    else
        rows.text("delay", "none", rule_of(rows, schedule));
    if (facts.checkpoint_due != 0 && schedule.rule != Rule::last)
        rows.whole("due", Unit::unix_time, facts.checkpoint_due, "as chosen after the one before");
}

void explain_margin(Rows& rows, const ExplainFacts& facts, Seconds allowance, const LimitMargin& parts) {
    if (allowance.count() > 0)
        rows.whole("most", Unit::seconds, (allowance / 2).count(), "half the time from start to end");
    rows.whole("margin", Unit::seconds, parts.margin.count(), "the shorter of these two");
    rows.whole("taken", Unit::unix_time, std::max(facts.end_time - parts.margin.count(), facts.now),
               "ends - margin, as of now");
}

void explain_time_limit(Rows rows, const Policy& policy, const ExplainFacts& facts) {
    const Seconds allowance{facts.end_time - facts.opened_at};
    const LimitMargin parts = limit_margin(facts.cost, policy.time_limit, allowance);
    rows.whole("ends", Unit::unix_time, facts.end_time, "slurm, when last asked");
    rows.whole("memory", Unit::bytes, static_cast<std::int64_t>(facts.cost.bytes),
               "resident, or newest checkpoint");
    rows.number("dump_rate", Unit::bytes_per_s, parts.dump.bytes_per_s, to_string(parts.dump.from));
    rows.number("commit_rate", Unit::bytes_per_s, parts.commit.bytes_per_s, to_string(parts.commit.from));
    rows.number("dump", Unit::seconds, parts.dump.seconds, "memory / dump_rate");
    rows.number("commit", Unit::seconds, parts.commit.seconds, "memory / commit_rate");
    rows.number("safety", Unit::number, policy.time_limit.safety, rows.key("time_limit.safety"));
    rows.whole("reserve", Unit::seconds, policy.time_limit.reserve.count(), rows.key("time_limit.reserve"));
    rows.whole("place", Unit::seconds, facts.cost.place.count(), rows.key("slurmctld.spread"));
    rows.whole("wanted", Unit::seconds, parts.wanted.count(), "safety * (dump + commit) + reserve + place");
    explain_margin(rows, facts, allowance, parts);
}
// A program that saves itself.
void explain_time_limit_of_app(Rows rows, const Policy& policy, const ExplainFacts& facts) {
    const Seconds allowance{facts.end_time - facts.opened_at};
    const LimitMargin parts = limit_margin(policy.app, facts.cost.place, policy.time_limit, allowance);
    rows.whole("ends", Unit::unix_time, facts.end_time, "slurm, when last asked");
    rows.whole("patience", Unit::seconds, policy.app.patience.count(), rows.key("app.patience"));
    rows.whole("reserve", Unit::seconds, policy.time_limit.reserve.count(), rows.key("time_limit.reserve"));
    rows.whole("place", Unit::seconds, facts.cost.place.count(), rows.key("slurmctld.spread"));
    rows.whole("wanted", Unit::seconds, parts.wanted.count(), "patience + reserve + place");
    explain_margin(rows, facts, allowance, parts);
}

} // namespace

std::vector<wire::Explained> explain(const Plan& plan, const Policy& policy, const ExplainFacts& facts) {
    std::vector<wire::Explained> out;
    if (plan.enabled.value) explain_state({out, policy, "state"}, facts);
    explain_plan({out, policy, "plan"}, plan);
    if (!plan.enabled.value) return out;
    if (std::holds_alternative<IntervalAuto>(plan.interval.value))
        explain_interval(
            {out, policy, "interval"}, policy, facts.schedule,
            next_checkpoint(facts.schedule, policy.automatic, policy.limits.min_interval).automatic);
    explain_next({out, policy, "next"}, policy, facts);
    if (!plan.on.value.has(Trigger::timelimit) || facts.end_time == 0) return out;
    if (plan.method.value.kind == Method::Kind::app)
        explain_time_limit_of_app({out, policy, "time_limit"}, policy, facts);
    else
        explain_time_limit({out, policy, "time_limit"}, policy, facts);
    return out;
}

} // namespace ckpt
