// SPDX-License-Identifier: GPL-2.0-or-later
#include "testbed.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace ckpt::testing {

void CriuTest::SetUp() {
    struct statfs fs{};
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    if (::statfs("/sys/fs/cgroup", &fs) != 0 || fs.f_type != CGROUP2_SUPER_MAGIC)
        GTEST_SKIP() << "needs cgroup2";
    if (::access("/usr/sbin/criu", X_OK) != 0) GTEST_SKIP() << "needs CRIU";
    if (::access(CKPT_LIBEXEC_DIR "/ckpt-engine", X_OK) != 0) GTEST_SKIP() << "needs the installed programs";
    std::string name = "/var/tmp/ckpt-criu-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    m_root = name;
    ASSERT_EQ(::chmod(m_root.c_str(), 0711), 0);
    make_place();
    m_tails = images_dir("tails");
}

void CriuTest::make_place() {
    if (const char* home = std::getenv("CKPT_TEST_HOME")) {
        m_place = home + m_root.substr(m_root.rfind('/'));
    } else {
        m_place = m_root + "/home";
        ASSERT_EQ(::mkdir(m_place.c_str(), 0700), 0);
        ASSERT_EQ(::chown(m_place.c_str(), k_uid, k_gid), 0);
        return;
    }
    const AsUser as_user;
    ASSERT_EQ(::mkdir(m_place.c_str(), 0700), 0) << m_place;
}

void CriuTest::TearDown() {
    if (!m_root.empty() && (!HasFailure() || std::getenv("CKPT_KEEP") == nullptr))
        std::filesystem::remove_all(m_root);
    if (HasFailure()) GTEST_LOG_(INFO) << "kept with CKPT_KEEP: " << m_root;
}

Fd CriuTest::images_dir(const std::string& name) {
    const std::string path = m_root + "/" + name;
    ::mkdir(path.c_str(), 0700);
    return Fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

std::unique_ptr<Task> CriuTest::make_task(Output output) {
    return std::make_unique<Task>(
        m_place, "ckpt-test-" + std::to_string(::getpid()) + "-" + std::to_string(m_tasks++), output);
}

std::string counting(int count, int status) {
    return "for ((i = 1; i <= " + std::to_string(count) + "; i++)); do echo $i; sleep 0.02; done; exit " +
           std::to_string(status);
}

std::string numbers(int count) {
    std::string text;
    for (int i = 1; i <= count; ++i)
        text += std::to_string(i) + "\n";
    return text;
}

} // namespace ckpt::testing
