// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "os/fd.hpp"
#include "plugin_hooks_testbed.hpp"

namespace ckpt {
namespace {

using test::fake_spank;
using test::PluginHooks;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(PluginHooks, EveryOptionIsRegistered) {
    be("sbatch", S_CTX_ALLOCATOR);
    submit_init(fake_spank().handle(), m_settings);
    EXPECT_THAT(fake_spank().registered, SizeIs(option_table().size()));
    EXPECT_THAT(fake_spank().registered_names, Contains("checkpoint-interval"));
}

TEST_F(PluginHooks, SbatchForgetsTheOuterJob) {
    be("sbatch", S_CTX_ALLOCATOR);
    ::setenv("SLURM_RESTART_COUNT", "2", 1);
    ::setenv("SLURM_SPANK_CKPT_UUID", "outer", 1);
    ::setenv("SLURM_SPANK__SLURM_SPANK_OPTION_checkpoint_checkpoint", "1h", 1);
    submit_init(fake_spank().handle(), m_settings);
    EXPECT_EQ(std::getenv("SLURM_RESTART_COUNT"), nullptr);
    EXPECT_EQ(std::getenv("SLURM_SPANK_CKPT_UUID"), nullptr);
    EXPECT_EQ(std::getenv("SLURM_SPANK__SLURM_SPANK_OPTION_checkpoint_checkpoint"), nullptr);
}

TEST_F(PluginHooks, SrunKeepsItsJobsOptions) {
    be("srun", S_CTX_LOCAL);
    ::setenv("SLURM_SPANK__SLURM_SPANK_OPTION_checkpoint_checkpoint", "1h", 1);
    submit_init(fake_spank().handle(), m_settings);
    EXPECT_STREQ(std::getenv("SLURM_SPANK__SLURM_SPANK_OPTION_checkpoint_checkpoint"), "1h");
}

// For the prolog of nodes that the batch script does not run on.
TEST_F(PluginHooks, SrunPassesItsJobsIdentityOn) {
    be("srun", S_CTX_LOCAL);
    ::setenv("SLURM_JOB_ID", "7", 1);
    ::setenv("SLURM_SPANK_CKPT_UUID", "0123456789abcdef0123456789abcdef", 1);
    submit_init(fake_spank().handle(), m_settings);
    fake_spank().give("checkpoint", nullptr, false);
    submit_options_known(fake_spank().handle(), m_settings);
    EXPECT_EQ(fake_spank().job_control["CKPT_UUID"], "0123456789abcdef0123456789abcdef");
    EXPECT_THAT(fake_spank().log, IsEmpty());
}

TEST_F(PluginHooks, TheEnvironmentFormIsHandedToSlurm) {
    be("sbatch", S_CTX_ALLOCATOR);
    ::setenv("SBATCH_CHECKPOINT", "30m", 1);
    submit_init(fake_spank().handle(), m_settings);
    EXPECT_STREQ(std::getenv("SLURM_SPANK__SLURM_SPANK_OPTION_checkpoint_checkpoint"), "30m");
}

TEST_F(PluginHooks, AWrongOptionEndsSbatchWithOneLine) {
    be("sbatch", S_CTX_ALLOCATOR);
    submit_init(fake_spank().handle(), m_settings);
    EXPECT_EXIT(fake_spank().give("checkpoint-keep", "0", false), testing::ExitedWithCode(1), "");
    ::setenv("SLURM_EXIT_ERROR", "9", 1);
    EXPECT_EXIT(fake_spank().give("checkpoint-keep", "0", false), testing::ExitedWithCode(9), "");
    ::unsetenv("SLURM_EXIT_ERROR");
}

TEST_F(PluginHooks, AWrongOptionIsRefusedInProgramsWeDoNotKnow) {
    be("scrontab", S_CTX_ALLOCATOR);
    submit_init(fake_spank().handle(), m_settings);
    EXPECT_LT(fake_spank().give("checkpoint-interval", std::string(1 << 20, '\n').c_str(), false), 0);
    EXPECT_TRUE(fake_spank().complained);
    ASSERT_THAT(fake_spank().log, SizeIs(1));
    EXPECT_THAT(fake_spank().log.front(), HasSubstr("CKPT-101"));
    EXPECT_EQ(fake_spank().log.front().find('\n'), std::string::npos);
}

TEST_F(PluginHooks, WhereNothingIsCheckpointedThatIsSaidOnce) {
    for (const auto& [program, context] : {std::pair{"srun", S_CTX_LOCAL}, {"scrontab", S_CTX_ALLOCATOR}}) {
        test::reset_fake_spank();
        given_options() = {};
        be(program, context);
        submit_init(fake_spank().handle(), m_settings);
        fake_spank().give("checkpoint", nullptr, false);
        fake_spank().give("checkpoint-keep", "3", false);
        // scrontab never calls this
        if (context == S_CTX_LOCAL) submit_options_known(fake_spank().handle(), m_settings);
        ASSERT_THAT(fake_spank().log, SizeIs(1)) << program;
        EXPECT_THAT(fake_spank().log.front(), HasSubstr("without checkpoints; ")) << program;
        EXPECT_THAT(fake_spank().job_control, IsEmpty()) << program;
    }
}

TEST_F(PluginHooks, AJobWithTheOptionGetsAnIdentity) {
    be("sbatch", S_CTX_ALLOCATOR);
    submit_init(fake_spank().handle(), m_settings);
    fake_spank().give("checkpoint", nullptr, false);
    submit_options_known(fake_spank().handle(), m_settings);
    EXPECT_THAT(fake_spank().job_control["CKPT_UUID"], testing::MatchesRegex("[0-9a-f]{32}"));
}

TEST_F(PluginHooks, AJobWithoutTheOptionIsLeftAlone) {
    be("sbatch", S_CTX_ALLOCATOR);
    submit_init(fake_spank().handle(), m_settings);
    submit_options_known(fake_spank().handle(), m_settings);
    EXPECT_THAT(fake_spank().job_control, IsEmpty());
    EXPECT_THAT(fake_spank().log, IsEmpty());

    fake_spank().context = S_CTX_REMOTE;
    step_init(fake_spank().handle(), m_settings);
    step_options_known(fake_spank().handle(), m_settings);
    EXPECT_FALSE(is_managed());
    task_forked(fake_spank().handle(), m_settings);
    task_init(fake_spank().handle(), m_settings);
    task_ended(fake_spank().handle(), m_settings);
    EXPECT_THAT(fake_spank().prepended, IsEmpty());
    EXPECT_THAT(fake_spank().log, IsEmpty());
}

TEST_F(PluginHooks, OnlyTheBatchStepIsManaged) {
    for (const std::uint32_t step : {0U, 7U, SLURM_EXTERN_CONT, SLURM_INTERACTIVE_STEP}) {
        fake_spank().step_id = step;
        begin_step();
        EXPECT_FALSE(is_managed()) << step;
    }
    fake_spank().step_id = SLURM_BATCH_SCRIPT;
    begin_step();
    EXPECT_TRUE(is_managed());
}

TEST_F(PluginHooks, AStepThatAStandInHasAskedForIsManaged) {
    fake_spank().step_id = 7;
    for (const auto& [value, managed] : {std::pair{"0123456789abcdef", true},
                                         {"", false},
                                         {"123", false},
                                         {"0123456789abcdeg", false},
                                         {"-123456789abcdef", false},
                                         {"0123456789abcdef0", false}}) {
        fake_spank().job_environment = {std::string("SLURM_CHECKPOINT_STAND_IN=") + value};
        step_options_known(fake_spank().handle(), m_settings);
        EXPECT_EQ(is_managed(), managed) << value;
    }
    fake_spank().job_environment = {"SLURM_CHECKPOINT_STAND_IN=0123456789abcdef"};
    EXPECT_EQ(stand_in_of(fake_spank().handle()), 0x0123456789abcdefU);
    fake_spank().job_environment.emplace_back("SLURM_CONTAINER=/bundle");
    step_options_known(fake_spank().handle(), m_settings);
    EXPECT_FALSE(is_managed());
    fake_spank().job_environment.pop_back();
    for (const std::uint32_t step : {SLURM_EXTERN_CONT, SLURM_INTERACTIVE_STEP}) {
        fake_spank().step_id = step;
        step_options_known(fake_spank().handle(), m_settings);
        EXPECT_FALSE(is_managed()) << step;
    }
}

TEST_F(PluginHooks, ABatchScriptIsNotTakenForAStep) {
    fake_spank().job_environment = {"SLURM_CHECKPOINT_STAND_IN=0123456789abcdef"};
    begin_step();
    task_init(fake_spank().handle(), m_settings);
    EXPECT_THAT(fake_spank().unset, Contains("SLURM_CHECKPOINT_STAND_IN"));
}

TEST_F(PluginHooks, AnOciContainerIsLeftAlone) {
    fake_spank().job_environment = {"SLURM_CONTAINER=/bundle"};
    begin_step();
    EXPECT_FALSE(is_managed());
}

TEST_F(PluginHooks, OptionsThatExportFileHasCutOffAreFound) {
    fake_spank().job_environment = {"SLURM_SPANK__SLURM_SPANK_OPTION_checkpoint_checkpoint=(null)"};
    step_init(fake_spank().handle(), m_settings);
    step_options_known(fake_spank().handle(), m_settings);
    EXPECT_TRUE(is_managed());
}

TEST_F(PluginHooks, ARemoteValueThatIsWrongFailsNothing) {
    step_init(fake_spank().handle(), m_settings);
    EXPECT_EQ(fake_spank().give("checkpoint-keep", "many", true), 0);
    EXPECT_FALSE(fake_spank().complained);
    step_options_known(fake_spank().handle(), m_settings);
    EXPECT_TRUE(is_managed());
}

// task_init empties what is open as 1 and 2; run it in a child of its own.
off_t size_after_task_init(const std::string& path, const Settings& settings) {
    {
        const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        EXPECT_EQ(::write(file.get(), "old", 3), 3);
    }
    const pid_t child = ::fork();
    if (child == 0) {
        const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
        ::dup2(file, STDOUT_FILENO);
        task_init(fake_spank().handle(), settings);
        ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
    struct stat status{};
    ::stat(path.c_str(), &status);
    return status.st_size;
}

TEST_F(PluginHooks, TheFirstStartEmptiesTheOutput) {
    const std::string path = testing::TempDir() + "/ckpt-output-" + std::to_string(::getpid());
    fake_spank().job_environment = {"SLURM_SPANK_CKPT_OPEN_MODE=made-append"};
    begin_step();
    EXPECT_EQ(size_after_task_init(path, m_settings), 0);
    fake_spank().job_environment.emplace_back("SLURM_RESTART_COUNT=1");
    EXPECT_EQ(size_after_task_init(path, m_settings), 3);
    fake_spank().job_environment.clear();
    EXPECT_EQ(size_after_task_init(path, m_settings), 3);
    ::unlink(path.c_str());
}

TEST_F(PluginHooks, TheJobSeesTheOpenModeItsUserChose) {
    fake_spank().job_environment = {"SLURM_SPANK_CKPT_OPEN_MODE=made-append", "SLURM_RESTART_COUNT=1"};
    begin_step();
    task_init(fake_spank().handle(), m_settings);
    EXPECT_THAT(fake_spank().unset, Contains("SLURM_OPEN_MODE"));
}

} // namespace
} // namespace ckpt
