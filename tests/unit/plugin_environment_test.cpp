// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>

#include <map>

#include "plugin/decision.hpp"
#include "plugin/environment.hpp"
#include "plugin/settings.hpp"
#include "policy/policy_yaml.hpp"

namespace ckpt {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

Environment environment(std::map<std::string, std::string> variables) {
    return [variables = std::move(variables)](const char* name) -> const char* {
        const auto found = variables.find(name);
        return found == variables.end() ? nullptr : found->second.c_str();
    };
}

TEST(PluginEnvironment, TransportNamesAreSlurms) {
    EXPECT_EQ(transport_name(option_row(Option::checkpoint)), "_SLURM_SPANK_OPTION_checkpoint_checkpoint");
    EXPECT_EQ(transport_name(option_row(Option::max_restarts)),
              "_SLURM_SPANK_OPTION_checkpoint_checkpoint_max_restarts");
}

TEST(PluginEnvironment, FormsBecomeWhatSlurmReadsBetweenScriptAndCommandLine) {
    const auto forms = forms_as_transport("SBATCH_", environment({{"SBATCH_CHECKPOINT", ""},
                                                                  {"SBATCH_CHECKPOINT_KEEP", "3"},
                                                                  {"SLURM_CHECKPOINT_ON", "x"}}));
    ASSERT_TRUE(forms);
    EXPECT_THAT(*forms, ElementsAre(Pair("SLURM_SPANK__SLURM_SPANK_OPTION_checkpoint_checkpoint", ""),
                                    Pair("SLURM_SPANK__SLURM_SPANK_OPTION_checkpoint_checkpoint_keep", "3")));
}

TEST(PluginEnvironment, AWrongFormIsReportedByTheNameTheUserTyped) {
    const auto forms = forms_as_transport("SBATCH_", environment({{"SBATCH_CHECKPOINT_INTERVAL", "soon"}}));
    ASSERT_FALSE(forms);
    EXPECT_THAT(forms.error().what, HasSubstr("SBATCH_CHECKPOINT_INTERVAL"));
}

TEST(PluginEnvironment, ASubmissionFromInsideAJobInheritsNothing) {
    const auto names = inherited_variables();
    for (const char* name :
         {"SLURM_RESTART_COUNT", "SLURM_SPANK_CKPT_UUID", "SLURM_SPANK_CKPT_OPEN_MODE",
          "SLURM_SPANK_CKPT_ALLOCATION", "SLURM_SPANK__SLURM_SPANK_OPTION_checkpoint_checkpoint_dir",
          "_SLURM_SPANK_OPTION_checkpoint_checkpoint_dir"})
        EXPECT_THAT(names, Contains(name));
}

TEST(PluginEnvironment, OnlyTheFirstIncarnationTruncates) {
    EXPECT_FALSE(must_truncate(environment({})));
    EXPECT_TRUE(must_truncate(environment({{"SLURM_SPANK_CKPT_OPEN_MODE", "made-append"}})));
    EXPECT_FALSE(must_truncate(
        environment({{"SLURM_SPANK_CKPT_OPEN_MODE", "made-append"}, {"SLURM_RESTART_COUNT", "1"}})));
    EXPECT_FALSE(must_truncate(environment({{"SLURM_SPANK_CKPT_OPEN_MODE", "something"}})));
}

TEST(PluginEnvironment, OptionsInTheJobsEnvironmentKeepTheirValues) {
    const GivenOptions options = options_in_job_environment(
        environment({{"SLURM_SPANK__SLURM_SPANK_OPTION_checkpoint_checkpoint", "(null)"},
                     {"SLURM_SPANK__SLURM_SPANK_OPTION_checkpoint_checkpoint_keep", "5"}}));
    EXPECT_THAT(options.list(), ElementsAre(Pair("checkpoint", "(null)"), Pair("checkpoint-keep", "5")));
}

GivenOptions given(const std::map<Option, std::string>& values) {
    GivenOptions options;
    for (const auto& [option, value] : values)
        options.set(option_row(option), value);
    return options;
}

TEST(PluginDecision, OptionsDecideBeforeThePolicy) {
    Settings on;
    on.policy = "/nonexistent";
    on.default_on = true;
    Settings off = on;
    off.default_on = false;
    EXPECT_TRUE(is_ours({}, on, {}));
    EXPECT_FALSE(is_ours({}, off, {}));
    EXPECT_TRUE(is_ours(given({{Option::checkpoint, ""}}), off, {}));
    EXPECT_TRUE(is_ours(given({{Option::keep, "2"}}), off, {}));
    EXPECT_FALSE(is_ours(given({{Option::checkpoint, "off"}, {Option::keep, "2"}}), on, {}));
    // set by hand or by an older plugin; ckptd says what is wrong with it
    EXPECT_TRUE(is_ours(given({{Option::keep, "many"}}), off, {}));
}

TEST(PluginDecision, ThePolicyDecidesOnlyWhatItStates) {
    Settings on;
    on.default_on = true;
    Policy silent;
    EXPECT_TRUE(on_by_default(on, silent, {}));
    EXPECT_TRUE(on_by_argument(on, silent, {}));
    EXPECT_FALSE(on_by_argument(Settings{}, silent, {}));
    Policy stated;
    stated.stated = {{"defaults.enabled", ""}};
    EXPECT_FALSE(on_by_default(on, stated, {}));
    stated.defaults.enabled = true;
    EXPECT_TRUE(on_by_default(Settings{}, stated, {}));
    EXPECT_FALSE(on_by_argument(on, stated, {}));
    EXPECT_FALSE(on_by_default(Settings{}, fail(Code::policy_syntax, "broken"), {}));
}

TEST(PluginDecision, AScopeDecidesAboutItsJobs) {
    const auto policy =
        parse_policy("p", "version: 1\nscopes: [{match: {partition: short}, defaults: {enabled: true}}, "
                          "{match: {user: bob}, defaults: {enabled: false}}]");
    ASSERT_TRUE(policy) << policy.error().what;
    const ScopeFacts alice{"alice", "", "", "short", ""};
    const ScopeFacts bob{"bob", "", "", "short", ""};
    const ScopeFacts other{"alice", "", "", "long", ""};
    Settings on;
    on.default_on = true;
    EXPECT_TRUE(on_by_default(Settings{}, policy, alice));
    EXPECT_FALSE(on_by_default(on, policy, bob)) << "the policy states it for him";
    EXPECT_FALSE(on_by_default(Settings{}, policy, other));
    EXPECT_TRUE(on_by_argument(on, policy, other)) << "the policy leaves it open";
    EXPECT_FALSE(on_by_argument(on, policy, alice));
}

TEST(PluginSettings, ArgumentsOfPlugstack) {
    std::string words[] = {"policy=/etc/x.yaml", "default=on", "colour=red"};
    char* argv[] = {words[0].data(), words[1].data(), words[2].data()};
    const Settings settings = settings_from(3, argv);
    EXPECT_EQ(settings.policy, "/etc/x.yaml");
    EXPECT_TRUE(settings.default_on);
    EXPECT_EQ(settings.unknown, "colour=red");
    EXPECT_EQ(settings_from(0, nullptr).policy, "/etc/slurm/checkpoint.yaml");
}

} // namespace
} // namespace ckpt
