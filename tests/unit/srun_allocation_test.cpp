// SPDX-License-Identifier: GPL-2.0-or-later
// What srun becomes in an allocation of salloc --checkpoint, and whose variables it has there.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>

#include "os/random.hpp"
#include "srun/allocation_step.hpp"
#include "srun/kept_environment.hpp"
#include "srun/real_srun.hpp"

namespace ckpt {

namespace {

using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;
using testing::UnorderedElementsAreArray;
using Words = std::vector<std::string>;

Words with(Words words, const Words& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

const Words k_shell{"PATH=/usr/bin",
                    "SLURM_JOB_ID=7",
                    "SLURM_JOBID=7",
                    "SLURM_CONF=/etc/slurm/slurm.conf",
                    "SLURM_NTASKS=4",
                    "SLURM_CPU_BIND=",
                    "SLURM_JOB_COMMENT=a=b\nSLURM_NNODES=9\n\nCKPT_KEPT_SLURM_NNODES=9",
                    "SLURMD_DEBUG=2",
                    "SRUN_DEBUG=3",
                    "SLURM_SPANK_CKPT_UUID=0123456789abcdef0123456789abcdef",
                    "SLURM_CHECKPOINT_INTERVAL=5m",
                    "MY_SLURM_NTASKS=5",
                    "SLURM=1",
                    "TEXT=line\nSLURM_NTASKS=8"};

} // namespace

TEST(KeptEnvironment, ComesBackAsItWas) {
    EXPECT_THAT(give_back_slurm_variables(keep_slurm_variables(k_shell)), UnorderedElementsAreArray(k_shell));
}

TEST(KeptEnvironment, WhatTheStepsOwnSrunHasSetGivesWay) {
    Words step = keep_slurm_variables(k_shell);
    std::erase(step, "SLURM_JOB_ID=7");
    for (const char* set : {"SLURM_JOB_ID=8", "SLURM_NTASKS=1", "SLURM_STEP_ID=3", "SLURMD_NODENAME=n1",
                            "SLURM_CPU_BIND=quiet,none", "SRUN_DEBUG=1"})
        step.emplace_back(set);
    EXPECT_THAT(give_back_slurm_variables(step), UnorderedElementsAreArray(k_shell));
}

TEST(KeptEnvironment, TheStepsOwnSrunFindsTheJobAndTakesNoOptionFromTheShell) {
    const Words kept = keep_slurm_variables(k_shell);
    for (const char* same : {"PATH=/usr/bin", "SLURM_JOB_ID=7", "SLURM_JOBID=7", "MY_SLURM_NTASKS=5",
                             "SLURM_CONF=/etc/slurm/slurm.conf", "SLURM=1", "TEXT=line\nSLURM_NTASKS=8"})
        EXPECT_THAT(kept, Contains(same).Times(1));
    for (const char* gone : {"SLURM_NTASKS=", "SLURM_CPU_BIND=", "SLURM_JOB_COMMENT=", "SLURMD_", "SRUN_"})
        EXPECT_THAT(kept, Each(Not(StartsWith(gone))));
    EXPECT_THAT(kept, Contains("CKPT_KEPT_SLURM_NTASKS=4"));
}

TEST(KeptEnvironment, WhatIsOursStays) {
    const Words ours{"SLURM_CHECKPOINT=30m", "SLURM_CHECKPOINT_SCRIPT=fresh", "SLURM_SPANK_CKPT_ALLOCATION=1",
                     "SLURM_SPANK__SLURM_SPANK_OPTION_checkpoint_checkpoint="};
    EXPECT_THAT(keep_slurm_variables(ours), ElementsAreArray(ours));
    EXPECT_THAT(give_back_slurm_variables(ours), ElementsAreArray(ours));
}

TEST(KeptEnvironment, WhatAnOuterStepHasKeptIsNotTheShells) {
    EXPECT_THAT(keep_slurm_variables({"CKPT_KEPT_SLURM_NTASKS=9", "A=1"}), ElementsAre("A=1"));
}

TEST(KeptEnvironment, WhatSlurmstepdHasYetToApplyIsLeftToIt) {
    const Words limits{"SLURM_RLIMIT_NOFILE=777", "SLURM_UMASK=0027", "SLURM_PRIO_PROCESS=3"};
    EXPECT_EQ(keep_slurm_variables(limits), limits);
    EXPECT_EQ(give_back_slurm_variables(limits), limits);
}

TEST(KeptEnvironment, OnlySlurmsVariablesComeBack) {
    EXPECT_THAT(give_back_slurm_variables({"CKPT_KEPT_LD_PRELOAD=/x.so", "CKPT_KEPT_SLURM_SPANK_CKPT_UUID=x",
                                           "CKPT_KEPT_SLURM_CHECKPOINT_SCRIPT=fresh", "CKPT_KEPT_"}),
                IsEmpty());
}

TEST(FirstHost, OfSlurmsNodeLists) {
    for (const auto& [nodes, first] : {std::pair{"n1", "n1"},
                                       {"n1,m2", "n1"},
                                       {"n[3-5]", "n3"},
                                       {"n[03-05,7],m1", "n03"},
                                       {"n[7,9]", "n7"},
                                       {"n[7]", "n7"},
                                       {"rack[2-3]n[10-11]x", "rack2n10x"},
                                       {"n-1,n-2", "n-1"},
                                       {"", ""},
                                       {",n1", ""},
                                       {"n[1-2", ""}})
        EXPECT_EQ(first_host(nodes), first) << nodes;
}

class AllocationStepTest : public testing::Test {
protected:
    void SetUp() override {
        for (auto& [name, before] : m_before) {
            if (const char* value = std::getenv(name)) before = value;
            ::unsetenv(name);
        }
        ::setenv("SLURM_SPANK_CKPT_ALLOCATION", "1", 1);
        ::setenv("SLURM_JOB_ID", "7", 1);
        ::setenv("SLURM_JOB_NODELIST", "n[3-5]", 1);
    }
    void TearDown() override {
        for (const auto& [name, before] : m_before)
            if (before)
                ::setenv(name, before->c_str(), 1);
            else
                ::unsetenv(name);
    }
    static bool is_one(Words words) {
        words.insert(words.begin(), "srun");
        return is_allocation_step(read_srun_options(words), words.size());
    }
    static AllocationStep made_of(Words words, const Words& environment = {}) {
        words.insert(words.begin(), "/somewhere/srun");
        auto step = allocation_step(words, read_srun_options(words), environment);
        EXPECT_TRUE(step);
        return step.value_or(AllocationStep{});
    }
    static std::string value_of(const AllocationStep& step, const std::string& name) {
        const auto is_it = [&](const std::string& one) { return one.starts_with(name + "="); };
        EXPECT_EQ(std::ranges::count_if(step.environment, is_it), 1) << name;
        const auto at = std::ranges::find_if(step.environment, is_it);
        return at == step.environment.end() ? "" : at->substr(name.size() + 1);
    }

    std::map<const char*, std::optional<std::string>> m_before{{"SLURM_SPANK_CKPT_ALLOCATION", {}},
                                                               {"SLURM_CHECKPOINT_SCRIPT", {}},
                                                               {"SLURM_JOB_ID", {}},
                                                               {"SLURM_JOB_NODELIST", {}}};
};

TEST_F(AllocationStepTest, ACommandInAnAllocationIsOne) {
    EXPECT_TRUE(is_one({"app"}));
    EXPECT_TRUE(is_one({"-n", "4", "--checkpoint=5m", "app", "--pty", "--help"}));
}

TEST_F(AllocationStepTest, ElsewhereNothingIs) {
    ::unsetenv("SLURM_SPANK_CKPT_ALLOCATION");
    EXPECT_FALSE(is_one({"app"}));
    ::setenv("SLURM_SPANK_CKPT_ALLOCATION", "0", 1);
    EXPECT_FALSE(is_one({"app"}));
    ::setenv("SLURM_SPANK_CKPT_ALLOCATION", "1", 1);
    EXPECT_TRUE(is_one({"app"}));
    for (const char* name : {"SLURM_JOB_ID", "SLURM_JOB_NODELIST"}) {
        const std::string value = std::getenv(name);
        ::unsetenv(name);
        EXPECT_FALSE(is_one({"app"})) << name;
        ::setenv(name, value.c_str(), 1);
    }
}

TEST_F(AllocationStepTest, InsideOneThereIsNoOther) {
    for (const char* how : {"fresh", "restore", ""}) {
        ::setenv("SLURM_CHECKPOINT_SCRIPT", how, 1);
        EXPECT_FALSE(is_one({"app"})) << how;
    }
}

TEST_F(AllocationStepTest, WhatCannotStandInAScriptIsNone) {
    EXPECT_FALSE(is_one({"--pty", "bash"}));
    EXPECT_FALSE(is_one({"--jobid=8", "app"}));
    EXPECT_FALSE(is_one({"--version"}));
}

TEST_F(AllocationStepTest, WithoutACommandItGoesOnFromACheckpointOrIsNone) {
    EXPECT_FALSE(is_one({}));
    EXPECT_FALSE(is_one({"--checkpoint", "-n4"}));
    EXPECT_FALSE(is_one({"--checkpoint-restore=auto"}));
    EXPECT_TRUE(is_one({"--checkpoint-restore=7"}));
    EXPECT_TRUE(is_one({"--checkpoint-restore", "7@2"}));
}

TEST_F(AllocationStepTest, TheEnvironmentMayNameTheCheckpoint) {
    for (const auto& [value, how] : {std::pair{"7@2", "restore"}, std::pair{"auto", "fresh"}}) {
        ::setenv("SLURM_CHECKPOINT_RESTORE", value, 1);
        const std::vector<std::string> words{"srun", "true"};
        const auto step = allocation_step(words, read_srun_options(words), {});
        ASSERT_TRUE(step);
        EXPECT_THAT(step->environment, Contains("SLURM_CHECKPOINT_SCRIPT=" + std::string(how)));
    }
    ::unsetenv("SLURM_CHECKPOINT_RESTORE");
}

TEST_F(AllocationStepTest, RunsTheStandInWithTheUsersWords) {
    const Words users{"-n", "4", "--checkpoint=5m", "--checkpoint-keep", "3", "--", "app", "--checkpoint"};
    const Words argv = made_of(users).argv;
    ASSERT_GT(argv.size(), users.size() + 5);
    EXPECT_EQ(argv.front(), "srun");
    const Words end =
        with({"--checkpoint=5m", "--checkpoint-keep", "3", std::string(k_stand_in_dir) + "/srun"}, users);
    const auto from = argv.end() - static_cast<std::ptrdiff_t>(end.size());
    EXPECT_THAT(Words(from, argv.end()), ElementsAreArray(end));
    EXPECT_THAT(Words(argv.begin() + 1, from), Each(StartsWith("--")));
    for (const char* word : {"--nodes=1", "--ntasks=1", "--nodelist=n3", "--overlap", "--mem=0",
                             "--gres=none", "--mpi=none", "--export=ALL"})
        EXPECT_THAT(Words(argv.begin() + 1, from), Contains(word).Times(1));
}

TEST_F(AllocationStepTest, TheStepsOwnSrunTakesItForOneStepThatStandsAlone) {
    const SrunOptions options = read_srun_options(made_of({"--pty", "-i", "file", "app"}).argv);
    EXPECT_FALSE(options.pty);
    EXPECT_FALSE(options.elsewhere);
    EXPECT_EQ(options.input, "");
    EXPECT_EQ(made_of({"app"}).argv.at(options.command_at), std::string(k_stand_in_dir) + "/srun");
}

TEST_F(AllocationStepTest, EachHasAnIdentityOfItsOwn) {
    const Words environment{"SLURM_SPANK_CKPT_UUID=0123456789abcdef0123456789abcdef"};
    const std::string first = value_of(made_of({"app"}, environment), "SLURM_SPANK_CKPT_UUID");
    const std::string second = value_of(made_of({"app"}, environment), "SLURM_SPANK_CKPT_UUID");
    EXPECT_TRUE(is_uuid(first)) << first;
    EXPECT_TRUE(is_uuid(second)) << second;
    EXPECT_NE(first, second);
    EXPECT_NE(first, "0123456789abcdef0123456789abcdef");
}

TEST_F(AllocationStepTest, SaysWhetherItMayStartFromTheBeginning) {
    const auto how = [](const Words& words) { return value_of(made_of(words), "SLURM_CHECKPOINT_SCRIPT"); };
    EXPECT_EQ(how({"app"}), "fresh");
    EXPECT_EQ(how({"--checkpoint-restore=auto", "app"}), "fresh");
    EXPECT_EQ(how({"--checkpoint-restore=7@2"}), "restore");
    EXPECT_EQ(how({"--checkpoint-restore", "7", "app"}), "restore");
}

TEST_F(AllocationStepTest, KeepsTheShellsVariablesForIt) {
    const AllocationStep step = made_of({"app"}, k_shell);
    Words back = give_back_slurm_variables(step.environment);
    std::erase_if(back, [](const std::string& variable) {
        return variable.starts_with("SLURM_SPANK_CKPT_UUID=") ||
               variable.starts_with("SLURM_CHECKPOINT_SCRIPT=");
    });
    Words shell = k_shell;
    std::erase(shell, "SLURM_SPANK_CKPT_UUID=0123456789abcdef0123456789abcdef");
    EXPECT_THAT(back, UnorderedElementsAreArray(shell));
    EXPECT_THAT(step.environment, Each(Not(StartsWith("SLURM_NTASKS="))));
}

} // namespace ckpt
