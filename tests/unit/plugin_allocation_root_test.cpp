// SPDX-License-Identifier: GPL-2.0-or-later
// salloc --checkpoint where the package is installed, and what its steps tell ckptd.
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "os/socket.hpp"
#include "plugin_hooks_testbed.hpp"
#include "wire/messages.hpp"

namespace ckpt {
namespace {

namespace fs = std::filesystem;
using test::fake_spank;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* k_identity = "0123456789abcdef0123456789abcdef";
const fs::path k_installed = CKPT_LIBEXEC_DIR;

class Installed : public test::PluginHooks {
protected:
    // The mounts of one test are its own and go with it: every test of ctest is a process.
    void SetUp() override {
        PluginHooks::SetUp();
        if (::geteuid() != 0) GTEST_SKIP() << "needs root to mount a file system";
        if (!fs::exists(k_installed.parent_path())) GTEST_SKIP() << "needs " << k_installed.parent_path();
        if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
            GTEST_SKIP() << "needs CAP_SYS_ADMIN to mount a file system";
        ASSERT_EQ(::mount("libexec", k_installed.parent_path().c_str(), "tmpfs", 0, "mode=0755"), 0);
        ASSERT_EQ(::mount("run", "/run", "tmpfs", 0, "mode=0755"), 0);
        if (const char* path = std::getenv("PATH")) m_path = path;
    }
    void TearDown() override {
        if (!m_path.empty()) ::setenv("PATH", m_path.c_str(), 1);
        PluginHooks::TearDown();
    }
    static void install(const char* program) {
        fs::create_directories((k_installed / program).parent_path());
        std::ofstream(k_installed / program).flush();
        fs::permissions(k_installed / program, fs::perms(0755));
    }
    void allocate() {
        be("salloc", S_CTX_ALLOCATOR);
        submit_init(fake_spank().handle(), m_settings);
        fake_spank().give("checkpoint", "5m", false);
        submit_options_known(fake_spank().handle(), m_settings);
    }
    void begin(const std::vector<std::string>& environment) {
        fake_spank().step_id = 7;
        fake_spank().job_environment = environment;
        step_init(fake_spank().handle(), m_settings);
        fake_spank().give("checkpoint", "5m", true);
        fake_spank().give("checkpoint-restore", "7@2", true);
        step_options_known(fake_spank().handle(), m_settings);
        ASSERT_TRUE(is_managed());
    }
    // What the fork of a task tells a ckptd that takes it.
    std::string registration() {
        fs::create_directories(fs::path(wire::k_socket_path).parent_path());
        auto listener = listen_at(wire::k_socket_path, 0600);
        EXPECT_TRUE(listener);
        auto told = std::async(std::launch::async, [&]() -> Result<std::string> {
            constexpr int k_limit_ms = 30'000;
            pollfd comes{listener->get(), POLLIN, 0};
            (void)::poll(&comes, 1, k_limit_ms);
            CKPT_TRY(const Fd socket, accept_from(listener->get()));
            CKPT_TRY(Packet packet, receive_packet(socket.get(), std::chrono::milliseconds(k_limit_ms)));
            (void)send_packet(socket.get(), wire::encode(wire::Reply{}));
            return std::move(packet.bytes);
        });
        task_forked(fake_spank().handle(), m_settings);
        const auto bytes = told.get();
        EXPECT_TRUE(bytes) << one_line(bytes.error());
        return bytes.value_or("");
    }

    std::string m_path;
};

TEST_F(Installed, SallocPutsOurSrunFirstInThePath) {
    install("bin/srun");
    ::setenv("PATH", "/opt/bin:/usr/bin", 1);
    allocate();
    EXPECT_EQ(std::getenv("PATH"), std::string(CKPT_LIBEXEC_DIR "/bin:/opt/bin:/usr/bin"));
    EXPECT_EQ(fake_spank().job_control["CKPT_ALLOCATION"], "1");
    EXPECT_THAT(fake_spank().job_control["CKPT_UUID"], testing::MatchesRegex("[0-9a-f]{32}"));
    EXPECT_THAT(fake_spank().log, IsEmpty());
}

TEST_F(Installed, AShellWithoutAPathGetsOneWithSlurmInIt) {
    install("bin/srun");
    ::unsetenv("PATH");
    allocate();
    EXPECT_EQ(std::getenv("PATH"), std::string(CKPT_LIBEXEC_DIR "/bin:/usr/local/bin:/usr/bin:/bin"));
}

TEST_F(Installed, WithoutOurSrunThatIsSaidAndNothingChanges) {
    allocate();
    ASSERT_THAT(fake_spank().log, SizeIs(1));
    EXPECT_THAT(fake_spank().log.front(), HasSubstr(CKPT_LIBEXEC_DIR "/bin/srun is missing"));
    EXPECT_FALSE(fake_spank().complained);
    EXPECT_THAT(fake_spank().job_control, IsEmpty());
    EXPECT_EQ(std::getenv("PATH"), m_path);
}

TEST_F(Installed, AllocationsByDefaultAreLeftAlone) {
    install("bin/srun");
    m_settings.default_on = true;
    be("salloc", S_CTX_ALLOCATOR);
    submit_init(fake_spank().handle(), m_settings);
    submit_options_known(fake_spank().handle(), m_settings);
    EXPECT_THAT(fake_spank().job_control, IsEmpty());
    EXPECT_EQ(std::getenv("PATH"), m_path);
}

TEST_F(Installed, WhatStandsForAScriptRunsUnderTheShim) {
    install("ckpt-shim");
    begin({"SLURM_SPANK_CKPT_ALLOCATION=1", "SLURM_CHECKPOINT_SCRIPT=fresh", "SLURM_STEP_ID=7"});
    task_init(fake_spank().handle(), m_settings);
    EXPECT_THAT(fake_spank().prepended, ElementsAre(CKPT_LIBEXEC_DIR "/ckpt-shim"));
    EXPECT_THAT(fake_spank().unset, ElementsAre("SLURM_STEP_ID"));
    EXPECT_THAT(fake_spank().log, IsEmpty());
}

TEST_F(Installed, ItIsRegisteredAsTheScriptUnderAnIdentityOfItsOwn) {
    begin({"SLURM_SPANK_CKPT_ALLOCATION=1", "SLURM_CHECKPOINT_SCRIPT=restore",
           std::string("SLURM_SPANK_CKPT_UUID=") + k_identity,
           "SLURM_CHECKPOINT_STAND_IN=0123456789abcdef"}); // a user's doing
    fake_spank().task_pid = 4711;
    const auto message = wire::decode<wire::AllocationTaskRegister>(registration());
    ASSERT_TRUE(message);
    EXPECT_EQ(message->uuid, k_identity);
    EXPECT_EQ(message->task.stand_in, 0U);
    EXPECT_EQ(message->task.job_id, 42U);
    EXPECT_EQ(message->task.step_id, 7U);
    EXPECT_EQ(message->task.pid, 4711);
    EXPECT_EQ(message->task.uid, 2001U);
    EXPECT_EQ(message->task.step_tasks, 1U);
    EXPECT_EQ(message->task.step_nodes, 1U);
    ASSERT_THAT(message->task.options, SizeIs(2));
    EXPECT_EQ(message->task.options[0].name, "checkpoint");
    EXPECT_EQ(message->task.options[0].value, "5m");
    EXPECT_EQ(message->task.options[1].name, "checkpoint-restore");
    EXPECT_EQ(message->task.options[1].value, "7@2");
}

TEST_F(Installed, AStepThatItHasAskedForIsRegisteredAsPartOfIt) {
    begin({"SLURM_SPANK_CKPT_ALLOCATION=1", std::string("SLURM_SPANK_CKPT_UUID=") + k_identity,
           "SLURM_CHECKPOINT_STAND_IN=0123456789abcdef"});
    fake_spank().step_tasks = 4;
    fake_spank().step_nodes = 2;
    const auto message = wire::decode<wire::AllocationTaskRegister>(registration());
    ASSERT_TRUE(message);
    EXPECT_EQ(message->uuid, k_identity);
    EXPECT_EQ(message->task.stand_in, 0x0123456789abcdefU);
    EXPECT_EQ(message->task.step_tasks, 4U);
    EXPECT_EQ(message->task.step_nodes, 2U);
}

TEST_F(Installed, AStepOfABatchScriptIsRegisteredAsEver) {
    begin({std::string("SLURM_SPANK_CKPT_UUID=") + k_identity, "SLURM_CHECKPOINT_STAND_IN=0123456789abcdef"});
    const std::string bytes = registration();
    EXPECT_FALSE(wire::decode<wire::AllocationTaskRegister>(bytes));
    const auto message = wire::decode<wire::StepTaskRegister>(bytes);
    ASSERT_TRUE(message);
    EXPECT_EQ(message->stand_in, 0x0123456789abcdefU);
    ASSERT_THAT(message->options, SizeIs(1)) << "the others are the job's";
    EXPECT_EQ(message->options.front().name, "checkpoint");
}

TEST_F(Installed, AnOptionMayBeAsLongAsAPath) {
    begin({"SLURM_SPANK_CKPT_ALLOCATION=1", "SLURM_CHECKPOINT_SCRIPT=fresh",
           std::string("SLURM_SPANK_CKPT_UUID=") + k_identity});
    const std::string directory = "/" + std::string(1023, 'd');
    fake_spank().give("checkpoint-dir", directory.c_str(), true);
    fake_spank().give("checkpoint-on", std::string(1 << 20, 'x').c_str(), true);
    const auto message = wire::decode<wire::AllocationTaskRegister>(registration());
    ASSERT_TRUE(message);
    for (const wire::OptionText& option : message->task.options) {
        if (option.name == "checkpoint-dir") {
            EXPECT_EQ(option.value, directory);
        }
        EXPECT_LE(option.value.size(), 2048U) << option.name;
    }
    EXPECT_THAT(message->task.options, SizeIs(4));
}

} // namespace
} // namespace ckpt
