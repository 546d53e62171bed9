// SPDX-License-Identifier: GPL-2.0-or-later
// salloc --checkpoint, and the steps of what it has allocated.
#include <cstdio>

#include "plugin_hooks_testbed.hpp"

namespace ckpt {
namespace {

using test::fake_spank;
using testing::Contains;
using testing::ExitedWithCode;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::UnorderedElementsAre;

// What the command that ends here has told its user.
void tell_at_exit() {
    (void)std::atexit([] {
        for (const std::string& line : fake_spank().log)
            (void)std::fprintf(stderr, "%s\n", line.c_str());
    });
}

class Salloc : public test::PluginHooks {
protected:
    void SetUp() override {
        PluginHooks::SetUp();
        be("salloc", S_CTX_ALLOCATOR);
        submit_init(fake_spank().handle(), m_settings);
    }
    void options_known() { submit_options_known(fake_spank().handle(), m_settings); }
};

TEST_F(Salloc, WhereItIsNotAskedForNothingChanges) {
    m_settings.default_on = true;
    const std::string path = std::getenv("PATH");
    options_known();
    fake_spank().give("checkpoint", "off", false);
    options_known();
    EXPECT_THAT(fake_spank().job_control, IsEmpty());
    EXPECT_THAT(fake_spank().log, IsEmpty());
    EXPECT_EQ(std::getenv("PATH"), path);
}

TEST_F(Salloc, DoesNotGoOnFromACheckpoint) {
    fake_spank().give("checkpoint-restore", "7@2", false);
    EXPECT_EXIT(
        {
            tell_at_exit();
            options_known();
        },
        ExitedWithCode(1), "give --checkpoint-restore to srun");
}

TEST_F(Salloc, AHeterogeneousAllocationIsRefused) {
    fake_spank().give("checkpoint", nullptr, false);
    EXPECT_EXIT(
        {
            tell_at_exit();
            options_known();
            fake_spank().log.clear();
            options_known();
        },
        ExitedWithCode(1), "heterogeneous");
}

class StepInAllocation : public test::PluginHooks {
protected:
    void SetUp() override {
        PluginHooks::SetUp();
        fake_spank().step_id = 7;
        fake_spank().job_environment = {"SLURM_SPANK_CKPT_ALLOCATION=1", "SLURM_CHECKPOINT_SCRIPT=fresh"};
    }
    bool managed() {
        step_options_known(fake_spank().handle(), m_settings);
        return is_managed();
    }
};

TEST_F(StepInAllocation, ThatStandsForAScriptIsManaged) {
    EXPECT_TRUE(managed());
    EXPECT_TRUE(stands_for_script(fake_spank().handle()));
    fake_spank().job_environment.back() = "SLURM_CHECKPOINT_SCRIPT=restore";
    EXPECT_TRUE(managed());
}

TEST_F(StepInAllocation, AnotherIsNot) {
    fake_spank().job_environment = {"SLURM_SPANK_CKPT_ALLOCATION=1"};
    EXPECT_FALSE(managed());
    for (const char* not_one : {"SLURM_SPANK_CKPT_ALLOCATION=0", "SLURM_SPANK_CKPT_ALLOCATION=", "A=1"}) {
        fake_spank().job_environment = {not_one, "SLURM_CHECKPOINT_SCRIPT=fresh"};
        EXPECT_FALSE(managed()) << not_one;
    }
}

TEST_F(StepInAllocation, NorIsWhatRunsBesideItsSteps) {
    for (const std::uint32_t step : {SLURM_EXTERN_CONT, SLURM_INTERACTIVE_STEP}) {
        fake_spank().step_id = step;
        EXPECT_FALSE(managed()) << step;
    }
    fake_spank().step_id = 7;
    fake_spank().job_environment.emplace_back("SLURM_CONTAINER=/bundle");
    EXPECT_FALSE(managed());
}

TEST_F(StepInAllocation, ABatchScriptDoesNotStandForAnother) {
    fake_spank().step_id = SLURM_BATCH_SCRIPT;
    EXPECT_FALSE(stands_for_script(fake_spank().handle()));
}

TEST_F(StepInAllocation, ItsTaskGetsTheShellsVariablesBack) {
    for (const char* variable :
         {"SLURM_NTASKS=1", "CKPT_KEPT_SLURM_NTASKS=4", "SLURM_JOB_ID=7", "CKPT_KEPT_SLURM_JOB_ID=7",
          "SLURM_STEP_ID=3", "SLURMD_NODENAME=n1", "CKPT_KEPT_SLURM_JOB_COMMENT=a=b\nc=d", "PATH=/usr/bin",
          "CKPT_KEPT_SLURM_CPU_BIND="})
        fake_spank().job_environment.emplace_back(variable);
    ASSERT_TRUE(managed());
    task_init(fake_spank().handle(), m_settings);
    EXPECT_THAT(fake_spank().set,
                UnorderedElementsAre(Pair("SLURM_NTASKS", "4"), Pair("SLURM_JOB_COMMENT", "a=b\nc=d"),
                                     Pair("SLURM_CPU_BIND", "")));
    for (const char* gone : {"SLURM_STEP_ID", "SLURMD_NODENAME", "CKPT_KEPT_SLURM_NTASKS",
                             "CKPT_KEPT_SLURM_JOB_ID", "CKPT_KEPT_SLURM_JOB_COMMENT"})
        EXPECT_THAT(fake_spank().unset, Contains(gone));
    for (const char* stays :
         {"SLURM_CHECKPOINT_SCRIPT", "SLURM_SPANK_CKPT_ALLOCATION", "SLURM_JOB_ID", "PATH"})
        EXPECT_THAT(fake_spank().unset, Not(Contains(stays)));
}

TEST_F(StepInAllocation, ATaskOfAStepThatItHasAskedForKeepsSlurms) {
    fake_spank().job_environment = {"SLURM_SPANK_CKPT_ALLOCATION=1",
                                    "SLURM_CHECKPOINT_STAND_IN=0123456789abcdef", "SLURM_NTASKS=1",
                                    "CKPT_KEPT_SLURM_NTASKS=4"};
    ASSERT_TRUE(managed());
    task_init(fake_spank().handle(), m_settings);
    EXPECT_THAT(fake_spank().set, IsEmpty());
    EXPECT_THAT(fake_spank().unset, Not(Contains("SLURM_NTASKS")));
}

TEST_F(StepInAllocation, WithoutAnIdentityItIsRegisteredNowhere) {
    ASSERT_TRUE(managed());
    task_forked(fake_spank().handle(), m_settings);
    EXPECT_THAT(fake_spank().log, testing::Contains("checkpoint: Slurm does not say which task this is"));
}

} // namespace
} // namespace ckpt
