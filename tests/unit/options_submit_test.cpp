// SPDX-License-Identifier: GPL-2.0-or-later
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "options/command_line.hpp"
#include "options/options.hpp"
#include "options/slurm_settings.hpp"

namespace ckpt {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

// An Environment over a map, which has to outlive it.
Environment over(const std::map<std::string, std::string>& variables) {
    return [&variables](const char* name) {
        const auto found = variables.find(name);
        return found == variables.end() ? nullptr : found->second.c_str();
    };
}

TEST(RequestFromEnvironment, ReadsEveryOptionUnderItsPrefix) {
    const std::map<std::string, std::string> variables{{"SBATCH_CHECKPOINT", ""},
                                                       {"SBATCH_CHECKPOINT_MAX_RESTARTS", "3"},
                                                       {"SBATCH_CHECKPOINT_INTERVAL", "2h"},
                                                       {"SLURM_CHECKPOINT_KEEP", "9"},
                                                       {"CHECKPOINT_ON", "drain"}};
    const auto request = request_from_environment("SBATCH_", over(variables));
    ASSERT_TRUE(request) << request.error().what;
    EXPECT_EQ(request->enabled, true);
    EXPECT_EQ(request->max_restarts, 3U);
    EXPECT_EQ(request->interval, Interval{Seconds{7200}});
    EXPECT_FALSE(request->keep);
    EXPECT_FALSE(request->on);
}

TEST(RequestFromEnvironment, EveryVariableIsCheckedAndNamed) {
    for (const OptionRow& row : option_table()) {
        const std::string variable = std::string("SLURM_") + row.environment;
        const std::map<std::string, std::string> variables{{variable, "bo\ngus"}};
        const auto request = request_from_environment("SLURM_", over(variables));
        ASSERT_FALSE(request) << variable;
        EXPECT_TRUE(request.error().what.starts_with(variable + ": \"bo?gus\" ")) << request.error().what;
        EXPECT_THAT(request.error().what, HasSubstr(row.accepts));
    }
}

TEST(ApplyOptions, LaterReplacesEarlier) {
    const auto request =
        apply_options({{"checkpoint", "(null)"}, {"checkpoint-keep", "3"}, {"checkpoint-keep", "4"}});
    ASSERT_TRUE(request);
    EXPECT_EQ(request->enabled, true);
    EXPECT_EQ(request->keep, 4U);
    EXPECT_FALSE(apply_options({{"checkpoint-keep", "3"}, {"checkpoint-kept", "4"}}));
    EXPECT_FALSE(apply_options({})->enabled);
}

TEST(Overlay, CommandLineWinsFieldByField) {
    const Request below =
        apply_options({{"checkpoint", ""}, {"checkpoint-interval", "1h"}, {"checkpoint-keep", "3"}}).value();
    const Request merged =
        overlay(below, apply_options({{"checkpoint", "30"}, {"checkpoint-on", "none"}}).value());
    EXPECT_EQ(merged.enabled, true);
    EXPECT_EQ(merged.interval, Interval{Seconds{1800}});
    EXPECT_EQ(merged.keep, 3U);
    EXPECT_EQ(merged.on, Triggers{});
    EXPECT_EQ(overlay(below, apply_options({{"checkpoint", "off"}}).value()).enabled, false);
}

const JobFacts k_alices = [] {
    JobFacts facts;
    facts.user = "alice";
    return facts;
}();

TEST(SubmitAdvice, TellsWhatWasCapped) {
    const auto advice = [](const std::vector<std::pair<std::string, std::string>>& options) {
        return submit_advice(apply_options(options).value(), k_alices, {});
    };
    EXPECT_THAT(advice({{"checkpoint", ""}})->notes, IsEmpty());
    const Plan plan = advice({{"checkpoint", ""}, {"checkpoint-keep", "50"}}).value();
    ASSERT_EQ(plan.notes.size(), 1U);
    EXPECT_THAT(one_line(plan.notes[0]),
                AllOf(HasSubstr("--checkpoint-keep: 50"), HasSubstr("10 is used"), HasSubstr("CKPT-103")));
    EXPECT_EQ(advice({{"checkpoint-dir", "/etc"}}).error().code, Code::option_value);
}

TEST(SubmitAdvice, RefusesWhatOnlyCriuDoesForAProgramThatSavesItself) {
    const std::pair<std::string, std::string> app{"checkpoint-method", "app:USR1"};
    EXPECT_TRUE(submit_advice(apply_options({app}).value(), k_alices, {}));
    for (const auto& [name, value] : std::vector<std::pair<std::string, std::string>>{
             {"checkpoint-files", "copy"}, {"checkpoint-restore", "17"}, {"checkpoint-signal", "USR1"}}) {
        const auto advice = submit_advice(apply_options({app, {name, value}}).value(), k_alices, {});
        ASSERT_FALSE(advice) << name;
        EXPECT_EQ(advice.error().code, Code::option_conflict);
        EXPECT_THAT(advice.error().what, HasSubstr("--checkpoint-method=app:USR1"));
        EXPECT_NE(advice.error().hint, "");
    }
    Policy policy;
    policy.defaults.files = FilesMode::copy;
    EXPECT_TRUE(submit_advice(apply_options({app}).value(), k_alices, policy)) << "not this user's wish";
}

TEST(SubmitAdvice, AProgramThatSavesItselfIsAskedAtIntervalsOnlyWhereThatIsNamed) {
    const std::pair<std::string, std::string> app{"checkpoint-method", "app:USR1"};
    const auto interval = [](const std::vector<std::pair<std::string, std::string>>& options) {
        return submit_advice(apply_options(options).value(), k_alices, {})->interval.value;
    };
    EXPECT_EQ(interval({app}), Interval{IntervalNone{}});
    EXPECT_EQ(interval({app, {"checkpoint-interval", "1h"}}), Interval{Seconds{3600}});
}

TEST(SlurmSettings, SignalsMustReachTheShimAlone) {
    EXPECT_FALSE(unsupported_setting("proctrack/cgroup", false));
    EXPECT_FALSE(unsupported_setting("", false)) << "not known";
    EXPECT_EQ(
        one_line(unsupported_setting("proctrack/linuxproc", false).value()),
        "with ProctrackType=proctrack/linuxproc in slurm.conf Slurm's SIGTERM ends the program before it "
        "is saved; an admin can set proctrack/cgroup [CKPT-105]");
    EXPECT_EQ(one_line(unsupported_setting("proctrack/cgroup", true).value()),
              "with SignalChildrenProcesses=yes in cgroup.conf Slurm's SIGTERM ends the program before it is "
              "saved; an admin can set it to no [CKPT-105]");
}

TEST(SlurmSettings, CgroupConfIsReadAsSlurmReadsIt) {
    for (const char* text :
         {"SignalChildrenProcesses=yes", "CgroupPlugin=autodetect\nSignalChildrenProcesses=YES\n",
          "  signalchildrenprocesses = true # why\r\nConstrainCores=no", "SignalChildrenProcesses=\"1\"",
          "SignalChildrenProcesses=no\nSignalChildrenProcesses=up\n"})
        EXPECT_TRUE(signals_children(text)) << text;
    for (const char* text :
         {"", "\n\n", "=", "SignalChildrenProcesses", "SignalChildrenProcesses=",
          "SignalChildrenProcesses=no", "#SignalChildrenProcesses=yes", "ConstrainCores=yes",
          "XSignalChildrenProcesses=yes", "SignalChildrenProcesses=yes\nSignalChildrenProcesses=no"})
        EXPECT_FALSE(signals_children(text)) << text;
}

std::vector<std::string> words(const std::string& line) {
    std::istringstream stream(line);
    std::vector<std::string> result;
    for (std::string word; stream >> word;)
        result.push_back(word);
    return result;
}

TEST(CommandLine, FindsOurOptionsBeforeTheScript) {
    for (const char* line :
         {"sbatch --checkpoint job.sh", "sbatch --checkpoint=30m job.sh",
          "sbatch --checkpoint-interval=30m job.sh", "sbatch --checkpoint-interval 30m job.sh",
          "sbatch --checkpoint-inter 30m job.sh", "sbatch -n 4 --checkpoint job.sh",
          "sbatch -n4 --checkpoint job.sh", "sbatch -vQn 4 --checkpoint job.sh",
          "sbatch -J name -t 5 -H --checkpoint job.sh", "sbatch -k --checkpoint job.sh",
          "sbatch --nodes 2 --exclusive --checkpoint job.sh", "sbatch --wait --hold --checkpoint job.sh",
          "sbatch --overs --checkpoint job.sh", "sbatch --wrap true --checkpoint", "sbatch --checkpoint",
          "sbatch --flag-of-another-plugin --checkpoint job.sh",
          "sbatch --open-mode=append --checkpoint job.sh", "sbatch -n1 : -n2 --checkpoint job.sh",
          "/usr/bin/sbatch --checkpoint=off --checkpoint=on job.sh"})
        EXPECT_TRUE(looks_like_checkpoint_cli(words(line))) << line;
}

TEST(CommandLine, IgnoresTheScriptsArguments) {
    for (const char* line :
         {"", "sbatch", "sbatch job.sh", "sbatch job.sh --checkpoint", "sbatch -n 4 job.sh --checkpoint",
          "sbatch -n4 -H job.sh --checkpoint", "sbatch --exclusive job.sh --checkpoint",
          "sbatch --nodes=2 job.sh --checkpoint", "sbatch -- job.sh --checkpoint", "sbatch - --checkpoint",
          "sbatch -W job.sh --checkpoint", "sbatch --checkpoints job.sh", "sbatch --check job.sh",
          "sbatch --checkpoint=off job.sh", "sbatch --checkpoint --checkpoint=off job.sh",
          "sbatch -D --comment x --checkpointing job.sh"})
        EXPECT_FALSE(looks_like_checkpoint_cli(words(line))) << line;
}

TEST(CheckConsistent, WithoutCheckpointsNothingIsGoneOnFrom) {
    const auto check = [](const char* checkpoint, const char* restore) {
        const auto request = apply_options({{"checkpoint", checkpoint}, {"checkpoint-restore", restore}});
        return check_consistent(*request);
    };
    const auto both = check("off", "4711@2");
    ASSERT_FALSE(both);
    EXPECT_EQ(one_line(both.error()),
              "--checkpoint-restore=4711@2 has no effect with --checkpoint=off; drop one "
              "of them [CKPT-102]");
    EXPECT_TRUE(check("off", "never"));
    EXPECT_TRUE(check("off", "auto"));
    EXPECT_TRUE(check("30", "4711"));
}

} // namespace
} // namespace ckpt
