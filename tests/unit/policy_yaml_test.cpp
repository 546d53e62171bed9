// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <csignal>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/policy_yaml.hpp"

namespace ckpt {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;
using namespace std::chrono_literals;

std::string repository_file(const std::string& path) {
    const std::ifstream file(std::string(CKPT_SOURCE_DIR) + "/" + path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

TEST(PolicyYaml, EveryKeyReachesItsField) {
    const auto policy = parse_policy("p.yaml", R"(
version: 1
defaults: {enabled: true, interval: 2h, on: [preempt, cancel], method: "app:USR1", keep: 3, max_restarts: 4, files: none}
limits: {min_interval: 90s, max_keep: 5, max_restarts: 6, directories: [/work/%u, /shared]}
storage: {base: /s/%u, local: /l, local_copies: 7G, compression: 9}
retention: {after_end: 3d, max_age: 1000d, user_limit: 2T, min_free: 7.5%, every: 6h}
admission: {dumps: 4, commits: 20, leases: /leases, bandwidth: 300M}
engine: {criu: /opt/criu, dump_timeout: 7m, restore_timeout: 1:00:00, ghost_limit: 10M, node_local: [/t], node_local_limit: 3G,
         copy_limit: 5G, tail_limit: 6K}
auto: {node_mtbf: 2000d, max_overhead: 2.5%, first: 3m, min_run_time: none, jitter: 5%}
time_limit: {safety: 2.25, reserve: 20s}
app: {patience: 4m}
slurmctld: {comment: false, comment_every: 5m, spread: 2m}
network: {port: 7000}
compat: {kernel: any, features: [skylake, zen3]}
failure: {restore_impossible: requeue-elsewhere, changed_file: ignore, epilog_wait: 2m, no_progress: 7}
metrics: {textfile: /m/ckpt.prom, every: 1m}
maintenance: {jobs: 9}
)");
    ASSERT_TRUE(policy) << policy.error().what;
    EXPECT_TRUE(policy->defaults.enabled);
    EXPECT_EQ(policy->defaults.interval, Interval{Seconds{2h}});
    EXPECT_EQ(policy->defaults.on.bits, 2 | 16);
    EXPECT_EQ(policy->defaults.method, (Method{Method::Kind::app, SIGUSR1}));
    EXPECT_EQ(policy->defaults.keep, 3U);
    EXPECT_EQ(policy->defaults.max_restarts, 4U);
    EXPECT_EQ(policy->defaults.files, FilesMode::none);
    EXPECT_EQ(policy->limits.min_interval, 90s);
    EXPECT_EQ(policy->limits.max_keep, 5U);
    EXPECT_EQ(policy->limits.max_restarts, 6U);
    EXPECT_THAT(policy->limits.directories, ElementsAre("/work/%u", "/shared"));
    EXPECT_EQ(policy->storage.base, "/s/%u");
    EXPECT_EQ(policy->storage.local, "/l");
    EXPECT_EQ(policy->storage.local_copies, 7ULL << 30);
    EXPECT_EQ(policy->storage.compression, 9U);
    EXPECT_EQ(policy->retention.after_end, 3 * 24h);
    EXPECT_EQ(policy->retention.max_age, 1000 * 24h);
    EXPECT_EQ(policy->retention.user_limit, 2ULL << 40);
    EXPECT_DOUBLE_EQ(policy->retention.min_free, 0.075);
    EXPECT_EQ(policy->retention.every, 6h);
    EXPECT_EQ(policy->admission.dumps, 4U);
    EXPECT_EQ(policy->admission.commits, 20U);
    EXPECT_EQ(policy->admission.leases, "/leases");
    EXPECT_EQ(policy->admission.bandwidth, 300ULL << 20);
    EXPECT_EQ(policy->engine.criu, "/opt/criu");
    EXPECT_EQ(policy->engine.dump_timeout, 7min);
    EXPECT_EQ(policy->engine.restore_timeout, 1h);
    EXPECT_EQ(policy->engine.ghost_limit, 10U << 20);
    EXPECT_THAT(policy->engine.node_local, ElementsAre("/t"));
    EXPECT_EQ(policy->engine.node_local_limit, 3ULL << 30);
    EXPECT_EQ(policy->engine.copy_limit, 5ULL << 30);
    EXPECT_EQ(policy->engine.tail_limit, 6ULL << 10);
    EXPECT_EQ(policy->automatic.node_mtbf, 2000 * 24h);
    EXPECT_DOUBLE_EQ(policy->automatic.max_overhead, 0.025);
    EXPECT_DOUBLE_EQ(policy->time_limit.safety, 2.25);
    EXPECT_EQ(policy->automatic.first, 3min);
    EXPECT_EQ(policy->automatic.min_run_time, 0s);
    EXPECT_DOUBLE_EQ(policy->automatic.jitter, 0.05);
    EXPECT_EQ(policy->maintenance.jobs, 9U);
    EXPECT_EQ(policy->time_limit.reserve, 20s);
    EXPECT_EQ(policy->app.patience, 4min);
    EXPECT_FALSE(policy->slurmctld.comment);
    EXPECT_EQ(policy->slurmctld.comment_every, 5min);
    EXPECT_EQ(policy->slurmctld.spread, 2min);
    EXPECT_EQ(policy->network.port, 7000);
    EXPECT_TRUE(policy->compat.any_kernel);
    EXPECT_EQ(policy->compat.features, (std::vector<std::string>{"skylake", "zen3"}));
    EXPECT_EQ(policy->failure.restore_impossible, RestoreFailure::requeue_elsewhere);
    EXPECT_EQ(policy->failure.changed_file, ChangedFile::ignore);
    EXPECT_EQ(policy->failure.epilog_wait, 2min);
    EXPECT_EQ(policy->failure.no_progress, 7U);
    EXPECT_EQ(policy->stated.size(), policy_keys().size() - 2)
        << "all but version and scopes are stated above";
}

TEST(PolicyYaml, LessIsFine) {
    EXPECT_EQ(parse_policy("p", "version: 1\n")->defaults.keep, 2U);
    EXPECT_TRUE(parse_policy("p", "---\nversion: 1\nlimits:\n  # max_keep: 3\n"))
        << "a section all commented out";
    EXPECT_EQ(parse_policy("p", "version: 1\ndefaults: {on: []}")->defaults.on.bits, 0);
    EXPECT_EQ(parse_policy("p", "version: 1\ndefaults: {on: 'drain,cancel'}")->defaults.on.bits, 8 | 16);
}

// Names by number: the values would be in the names of the ctest cases.
constexpr auto k_numbered = [](const auto& test) { return "case_" + std::to_string(test.index); };

struct BadPolicy {
    const char* text;
    const char* error; // its beginning
};
class PolicyError : public testing::TestWithParam<BadPolicy> {};

TEST_P(PolicyError, SaysWhereAndWhat) {
    const auto policy = parse_policy("p.yaml", GetParam().text);
    ASSERT_FALSE(policy);
    EXPECT_THAT(policy.error().what, StartsWith(GetParam().error));
    EXPECT_THAT(policy.error().what, HasSubstr(", expected "));
    EXPECT_TRUE(policy.error().code == Code::policy_syntax || policy.error().code == Code::policy_value);
}

INSTANTIATE_TEST_SUITE_P(
    Structure, PolicyError,
    testing::Values(
        BadPolicy{"", "p.yaml:1:1: an empty document"},
        BadPolicy{"# nothing\n", "p.yaml:2:1: an empty document"},
        BadPolicy{"hello", "p.yaml:1:1: not a mapping"},
        BadPolicy{"- version: 1", "p.yaml:1:1: not a mapping"},
        BadPolicy{"defaults: {}\n", "p.yaml:1:1: no version, expected \"version: 1\""},
        BadPolicy{"version: 2\nnew: {}\n", "p.yaml:1:10: version: \"2\" is not known, expected 1"},
        BadPolicy{
            "version: 1\ndefault:\n  keep: 2\n",
            "p.yaml:2:1: unknown key \"default\", expected version, defaults, limits, storage, retention, "
            "admission, engine, auto, time_limit, app, slurmctld, network, compat, failure, metrics, "
            "maintenance, scopes, did "
            "you "
            "mean \"defaults\""},
        BadPolicy{"version: 1\ndefaults:\n  keap: 2\n",
                  "p.yaml:3:3: unknown key \"keap\" in defaults, expected enabled, "
                  "interval, on, method, keep, max_restarts, files, did you mean \"keep\""},
        BadPolicy{"version: 1\nkeep: 2\n", "p.yaml:2:1: unknown key \"keep\", expected version"},
        BadPolicy{"version: 1\ndefaults: [keep]\n", "p.yaml:2:11: defaults: not a mapping"},
        BadPolicy{"version: 1\ndefaults: 3\n", "p.yaml:2:11: defaults: not a mapping"},
        BadPolicy{"version: 1\nversion: 1\n", "p.yaml:2:1: key \"version\" is here twice"},
        BadPolicy{"version: 1\ndefaults: {keep: 2, keep: 3}", "p.yaml:2:21: key \"keep\" is here twice"},
        BadPolicy{"version: &v 1\n", "p.yaml:1:10: an anchor"},
        BadPolicy{"version: *v\n", "p.yaml:1:10: an alias"},
        BadPolicy{"version: !!int 1\n", "p.yaml:1:10: a tag"},
        BadPolicy{"? [a]\n: 1\n", "p.yaml:1:3: a list or mapping"},
        BadPolicy{"version: 1\n---\nversion: 1\n", "p.yaml:2:1: a second document"},
        BadPolicy{"version: 1\n\tdefaults: {}\n", "p.yaml:2:"}, BadPolicy{"version: [1\n", "p.yaml:2:1: "},
        BadPolicy{"version: 1\nauto: {\xff: 1}\n", "p.yaml:2:8: "},
        BadPolicy{"version: \x01", "p.yaml:1:10: "}),
    k_numbered);

INSTANTIATE_TEST_SUITE_P(
    Values, PolicyError,
    testing::Values(
        BadPolicy{"version: 1\ndefaults:\n  enabled: yes\n",
                  "p.yaml:3:12: defaults.enabled: \"yes\" is not a truth value, expected true or false, did "
                  "you mean \"true\""},
        BadPolicy{"version: 1\ndefaults: {interval: often}",
                  "p.yaml:2:22: defaults.interval: \"often\" is not a time, expected a time such as"},
        BadPolicy{"version: 1\ndefaults: {on: [preempt, drian]}",
                  "p.yaml:2:16: defaults.on: \"drian\" is not an ending, expected a list of timelimit, "
                  "preempt, requeue, "
                  "drain and cancel, or none, did you mean \"drain\""},
        BadPolicy{"version: 1\ndefaults: {on: [[drain]]}", "p.yaml:2:16: defaults.on: a list or mapping"},
        BadPolicy{"version: 1\ndefaults: {keep: 0}",
                  "p.yaml:2:18: defaults.keep: \"0\" is not between 1 and 1000"},
        BadPolicy{"version: 1\ndefaults: {keep: }", "p.yaml:2:18: defaults.keep: no value"},
        BadPolicy{"version: 1\ndefaults: {keep: [2]}", "p.yaml:2:18: defaults.keep: a list or mapping"},
        BadPolicy{"version: 1\nlimits: {directories: /work}", "p.yaml:2:23: limits.directories: not a list"},
        BadPolicy{"version: 1\nlimits: {directories: [work]}",
                  "p.yaml:2:23: limits.directories: \"work\" is not an absolute"},
        BadPolicy{"version: 1\nstorage: {base: /s/%j}", "p.yaml:2:17: storage.base: \"/s/%j\" contains a %"},
        BadPolicy{"version: 1\nstorage: {local: \"/a\\nb\"}",
                  "p.yaml:2:18: storage.local: \"/a?b\" contains a control"},
        BadPolicy{"version: 1\nengine: {ghost_limit: 4G}",
                  "p.yaml:2:23: engine.ghost_limit: \"4G\" is too large for CRIU"},
        BadPolicy{"version: 1\nengine: {node_local: [/a/../b]}",
                  "p.yaml:2:22: engine.node_local: \"/a/../b\""},
        BadPolicy{"version: 1\nauto: {max_overhead: 0.01}",
                  "p.yaml:2:22: auto.max_overhead: \"0.01\" is not a percentage"},
        BadPolicy{"version: 1\nauto: {max_overhead: 0%}",
                  "p.yaml:2:22: auto.max_overhead: \"0%\" is not between"},
        BadPolicy{"version: 1\nauto: {max_overhead: nan%}", "p.yaml:2:22: auto.max_overhead: "},
        BadPolicy{
            "version: 1\ntime_limit: {safety: 150%}",
            "p.yaml:2:22: time_limit.safety: \"150%\" is not a plain number, expected a number from 1 to "
            "10 such as 1.5 or 2"},
        BadPolicy{"version: 1\ntime_limit: {safety: 0.999}",
                  "p.yaml:2:22: time_limit.safety: \"0.999\" is not between 1 and 10"},
        BadPolicy{"version: 1\ntime_limit: {safety: 1.2345}",
                  "p.yaml:2:22: time_limit.safety: \"1.2345\" has more than three decimals"},
        BadPolicy{"version: 1\ntime_limit: {reserve: 0}",
                  "p.yaml:2:23: time_limit.reserve: \"0\" is shorter than one second"},
        BadPolicy{"version: 1\nfailure: {no_progress: 0}",
                  "p.yaml:2:24: failure.no_progress: \"0\" is not between 1 and 1000"},
        BadPolicy{"version: 1\nfailure: {no_progress: 1001}",
                  "p.yaml:2:24: failure.no_progress: \"1001\" is not between 1 and 1000"},
        BadPolicy{"version: 1\ncompat: {kernel: older}",
                  "p.yaml:2:18: compat.kernel: \"older\" is not a kind of kernel, expected newer or any"},
        BadPolicy{
            "version: 1\ncompat: {features: [a&b]}",
            "p.yaml:2:20: compat.features: \"a&b\" is not a plain name, expected a list of names of node "
            "features"},
        BadPolicy{"version: 1\nfailure: {restore_impossible: held}",
                  "p.yaml:2:31: failure.restore_impossible: \"held\" is not a reaction, expected hold or "
                  "requeue-elsewhere, did you mean \"hold\""},
        BadPolicy{"version: 1\nlimits: {max_keep: 3}\ndefaults: {keep: 4}",
                  "p.yaml:3:18: defaults.keep: beyond limits.max_keep"},
        BadPolicy{"version: 1\ndefaults: {interval: 30s}",
                  "p.yaml:2:22: defaults.interval: beyond limits.min_interval"}),
    k_numbered);

INSTANTIATE_TEST_SUITE_P(
    StoreValues, PolicyError,
    testing::Values(
        BadPolicy{"version: 1\nstorage: {compression: 0}",
                  "p.yaml:2:24: storage.compression: \"0\" is not between 1 and 19"},
        BadPolicy{"version: 1\nstorage: {compression: 20}",
                  "p.yaml:2:24: storage.compression: \"20\" is not between 1 and 19"},
        BadPolicy{
            "version: 1\nstorage: {local_copies: 10GB}",
            "p.yaml:2:25: storage.local_copies: \"10GB\" is not a size, expected a size such as 512M, 4G "
            "or 1T, or none"},
        BadPolicy{
            "version: 1\nretention: {after_end: 0s}",
            "p.yaml:2:24: retention.after_end: \"0s\" is shorter than one second, expected a time such"},
        BadPolicy{"version: 1\nretention: {after_end: never}",
                  "p.yaml:2:24: retention.after_end: \"never\" is not a time"},
        BadPolicy{"version: 1\nretention: {max_age: 36501d}",
                  "p.yaml:2:22: retention.max_age: \"36501d\" is longer than 36500 days"},
        BadPolicy{"version: 1\nretention: {min_free: 0.02}",
                  "p.yaml:2:23: retention.min_free: \"0.02\" is not a percentage"},
        BadPolicy{"version: 1\nretention: {min_free: 50.1%}",
                  "p.yaml:2:23: retention.min_free: \"50.1%\" is not between 0% and 50%"},
        BadPolicy{"version: 1\nretention: {min_free: -1%}",
                  "p.yaml:2:23: retention.min_free: \"-1%\" is not"},
        BadPolicy{"version: 1\nadmission: {dumps: 1001}",
                  "p.yaml:2:20: admission.dumps: \"1001\" is not between 1 and 1000"},
        BadPolicy{"version: 1\nadmission: {bandwidth: 300}",
                  "p.yaml:2:24: admission.bandwidth: \"300\" is less than 1M a second"},
        BadPolicy{"version: 1\nadmission: {leases: leases}",
                  "p.yaml:2:21: admission.leases: \"leases\" is not an absolute path"},
        BadPolicy{"version: 1\nadmission: {leases: }", "p.yaml:2:21: admission.leases: no value"},
        BadPolicy{
            "version: 1\nadmission: {commits: 3}",
            "p.yaml:2:22: admission.commits: a limit without admission.leases, expected a directory that"},
        BadPolicy{"version: 1\nadmission:\n  leases: none\n  commits: 3\n",
                  "p.yaml:4:12: admission.commits: a limit without admission.leases"},
        BadPolicy{"version: 1\nengine: {copy_limit: none}", "p.yaml:2:22: engine.copy_limit: \"none\""},
        BadPolicy{
            "version: 1\nfailure: {changed_file: ingore}",
            "p.yaml:2:25: failure.changed_file: \"ingore\" is not a reaction, expected refuse or ignore, "
            "did you mean \"ignore\""}),
    k_numbered);

TEST(PolicyYaml, NoneAndZeroMeanTheSame) {
    for (const std::string none : {"none", "None", "0"}) {
        std::string text = "version: 1\nstorage: {local_copies: N}\n"
                           "retention: {after_end: N, max_age: N, user_limit: N, min_free: N}\n"
                           "admission: {dumps: N, commits: N, leases: N, bandwidth: N}\n";
        for (std::size_t at = text.find('N'); at != std::string::npos; at = text.find('N', at + none.size()))
            text.replace(at, 1, none);
        const auto policy = parse_policy("p", text);
        ASSERT_TRUE(policy) << policy.error().what;
        EXPECT_EQ(policy->storage.local_copies, 0U);
        EXPECT_EQ(policy->retention.after_end, 0s);
        EXPECT_EQ(policy->retention.max_age, 0s);
        EXPECT_EQ(policy->retention.user_limit, 0U);
        EXPECT_DOUBLE_EQ(policy->retention.min_free, 0);
        EXPECT_EQ(policy->admission.dumps, 0U);
        EXPECT_EQ(policy->admission.commits, 0U);
        EXPECT_EQ(policy->admission.leases, "");
        EXPECT_EQ(policy->admission.bandwidth, 0U);
    }
}

TEST(PolicyYaml, CommitsAreLimitedWhereNodesCanAgree) {
    const auto stated = [](const std::string& text) { return parse_policy("p", "version: 1\n" + text); };
    EXPECT_TRUE(stated("admission: {leases: /l, commits: 3}"));
    EXPECT_TRUE(stated("admission: {commits: none}"));
    EXPECT_TRUE(stated("admission: {leases: /l}")) << "nothing is limited, and nothing is wrong";
}

TEST(PolicyYaml, SafetyIsAPlainNumber) {
    const auto safety = [](const std::string& text) {
        return parse_policy("p", "version: 1\ntime_limit:\n  safety: " + text + "\n")
            .map([](const Policy& policy) { return policy.time_limit.safety; });
    };
    for (const auto& [text, value] :
         {std::pair{"1", 1.0}, {"1.5", 1.5}, {"2.125", 2.125}, {"10", 10.0}, {"10.000", 10.0}, {"'3'", 3.0}})
        EXPECT_DOUBLE_EQ(safety(text).value_or(0.0), value) << text;
    for (const char* text :
         {"0",     "0.5", "10.001", "11",  "1.5000", "-2",  "+2",   ".5",  "2.",  ".",  "1..5",
          "1.5.1", "1,5", "1e0",    "0x2", "1.5x",   "2 3", "' 2'", "nan", "inf", "''", "[2]"})
        EXPECT_FALSE(safety(text)) << text;
    EXPECT_FALSE(safety(std::string(500, '9'))) << "more than a double holds";
}

TEST(PolicyYaml, HintsAtTheRightSection) {
    EXPECT_THAT(parse_policy("p", "version: 1\nlimits: {ghost_limit: 1G}").error().what,
                HasSubstr("did you mean ghost_limit in engine"));
}

// Bounds: each input is refused, quickly, whatever it nests or repeats.
TEST(PolicyYaml, IsBounded) {
    const auto nested = [](std::size_t levels) {
        return "version: 1\na: " + std::string(levels, '[') + std::string(levels, ']');
    };
    EXPECT_THAT(parse_policy("p", nested(19)).error().what, HasSubstr("unknown key")) << "20 levels are read";
    EXPECT_THAT(parse_policy("p", nested(20)).error().what, HasSubstr("nested too deeply"));
    EXPECT_THAT(parse_policy("p", nested(500'000)).error().what, HasSubstr("nested too deeply"));
    EXPECT_THAT(parse_policy("p", "a: " + std::string(1U << 20, 'x')).error().what,
                HasSubstr("at most 1 MiB"));
    std::string many = "version: 1\nlist:\n";
    for (int i = 0; i < 30'000; ++i)
        many += "- a\n";
    EXPECT_THAT(parse_policy("p", many).error().what, HasSubstr("too much"));
    EXPECT_FALSE(parse_policy("p", std::string(1U << 20, '\0')));
    EXPECT_FALSE(parse_policy("p", std::string(1U << 19, '{')));
}

TEST(PolicyYaml, MessagesHoldNoControlCharacters) {
    const auto error = parse_policy("p\n.yaml", "version: 1\n\"a\\e[2J\\u0085\": 1\n").error().what;
    EXPECT_TRUE(std::ranges::none_of(error, [](char c) { return static_cast<unsigned char>(c) < 0x20; }))
        << error;
    EXPECT_THAT(error, HasSubstr("\"a?[2J??\""));
}

// A valid file cut off anywhere is an error or a smaller policy, never a crash.
TEST(PolicyYaml, AnyPrefixAndAnyChangedByteIsHandled) {
    const std::string text = repository_file("conf/examples/checkpoint.yaml");
    for (std::size_t i = 0; i < text.size(); i += 7)
        (void)parse_policy("p", text.substr(0, i));
    for (std::size_t i = 0; i < text.size(); i += 5)
        for (const char c : {'\0', '\xff', '&', '*', '!', '{', ':', '\t', '\''}) {
            std::string changed = text;
            changed[i] = c;
            (void)parse_policy("p", changed);
        }
}

TEST(PolicyExample, StatesEveryKeyWithItsBuiltInValue) {
    const auto policy = parse_policy("checkpoint.yaml", repository_file("conf/examples/checkpoint.yaml"));
    ASSERT_TRUE(policy) << policy.error().what;
    std::vector<std::string> stated{"version", "scopes"};
    std::ranges::transform(policy->stated, std::back_inserter(stated), &StatedKey::key);
    EXPECT_THAT(stated, testing::UnorderedElementsAreArray(policy_keys()));
    const Policy built_in;
    EXPECT_EQ(policy->defaults.enabled, built_in.defaults.enabled);
    EXPECT_EQ(policy->defaults.interval, built_in.defaults.interval);
    EXPECT_EQ(policy->defaults.on, built_in.defaults.on);
    EXPECT_EQ(policy->defaults.method, built_in.defaults.method);
    EXPECT_EQ(policy->defaults.keep, built_in.defaults.keep);
    EXPECT_EQ(policy->defaults.max_restarts, built_in.defaults.max_restarts);
    EXPECT_EQ(policy->defaults.files, built_in.defaults.files);
    EXPECT_EQ(policy->limits.min_interval, built_in.limits.min_interval);
    EXPECT_EQ(policy->limits.max_keep, built_in.limits.max_keep);
    EXPECT_EQ(policy->limits.max_restarts, built_in.limits.max_restarts);
    EXPECT_EQ(policy->limits.directories, built_in.limits.directories);
    EXPECT_EQ(policy->storage.base, built_in.storage.base);
    EXPECT_EQ(policy->storage.local, built_in.storage.local);
    EXPECT_EQ(policy->storage.local_copies, built_in.storage.local_copies);
    EXPECT_EQ(policy->storage.compression, built_in.storage.compression);
    EXPECT_EQ(policy->retention.after_end, built_in.retention.after_end);
    EXPECT_EQ(policy->retention.max_age, built_in.retention.max_age);
    EXPECT_EQ(policy->retention.user_limit, built_in.retention.user_limit);
    EXPECT_DOUBLE_EQ(policy->retention.min_free, built_in.retention.min_free);
    EXPECT_EQ(policy->retention.every, built_in.retention.every);
    EXPECT_EQ(policy->admission.dumps, built_in.admission.dumps);
    EXPECT_EQ(policy->admission.commits, built_in.admission.commits);
    EXPECT_EQ(policy->admission.leases, built_in.admission.leases);
    EXPECT_EQ(policy->admission.bandwidth, built_in.admission.bandwidth);
    EXPECT_EQ(policy->engine.criu, built_in.engine.criu);
    EXPECT_EQ(policy->engine.dump_timeout, built_in.engine.dump_timeout);
    EXPECT_EQ(policy->engine.restore_timeout, built_in.engine.restore_timeout);
    EXPECT_EQ(policy->engine.ghost_limit, built_in.engine.ghost_limit);
    EXPECT_EQ(policy->engine.node_local, built_in.engine.node_local);
    EXPECT_EQ(policy->engine.node_local_limit, built_in.engine.node_local_limit);
    EXPECT_EQ(policy->engine.copy_limit, built_in.engine.copy_limit);
    EXPECT_EQ(policy->engine.tail_limit, built_in.engine.tail_limit);
    EXPECT_EQ(policy->automatic.node_mtbf, built_in.automatic.node_mtbf);
    EXPECT_DOUBLE_EQ(policy->automatic.max_overhead, built_in.automatic.max_overhead);
    EXPECT_DOUBLE_EQ(policy->time_limit.safety, built_in.time_limit.safety);
    EXPECT_EQ(policy->time_limit.reserve, built_in.time_limit.reserve);
    EXPECT_EQ(policy->compat.any_kernel, built_in.compat.any_kernel);
    EXPECT_EQ(policy->compat.features, built_in.compat.features);
    EXPECT_EQ(policy->failure.restore_impossible, built_in.failure.restore_impossible);
    EXPECT_EQ(policy->failure.changed_file, built_in.failure.changed_file);
    EXPECT_EQ(policy->failure.epilog_wait, built_in.failure.epilog_wait);
    EXPECT_EQ(policy->failure.no_progress, built_in.failure.no_progress);
}

// The schema is YAML too, so it can be searched section by section with what is at hand: plain text.
TEST(PolicyDocuments, SchemaAndManualKnowEveryKey) {
    const std::string schema = repository_file("conf/schema/checkpoint.schema.json");
    const std::string manual = repository_file("docs/policy.md");
    for (const std::string& key : policy_keys()) {
        EXPECT_THAT(manual, HasSubstr("| `" + key + "` |"));
        const std::size_t dot = key.find('.');
        const std::string section = key.substr(0, dot);
        const std::size_t start = schema.find("\n    \"" + section + "\": {");
        ASSERT_NE(start, std::string::npos) << section;
        if (dot == std::string::npos) continue;
        const std::string part = schema.substr(start, schema.find("\n    }", start) - start);
        EXPECT_THAT(part, HasSubstr("\n        \"" + key.substr(dot + 1) + "\": {")) << key;
    }
    const auto is_row = [](const std::string& line) { return line.starts_with("| `"); };
    std::istringstream lines(manual);
    std::size_t rows = 0;
    for (std::string line; std::getline(lines, line);)
        rows += is_row(line) ? 1 : 0;
    EXPECT_EQ(rows, policy_keys().size()) << "no row for a key that is gone";
}

} // namespace
} // namespace ckpt
