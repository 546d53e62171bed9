// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "engine_call.hpp"
#include "task.hpp"

namespace ckpt::testing {

// Needs root, cgroup2 at /sys/fs/cgroup, CRIU and the installed programs: a node of the test cluster. The
// user's files are made in CKPT_TEST_HOME when that is set, for example one that refuses root.
class CriuTest : public ::testing::Test {
protected:
    void SetUp() override;
    void TearDown() override;

    // A new directory for images, root's and closed to all others.
    Fd images_dir(const std::string& name);
    std::unique_ptr<Task> make_task(Output output = Output::file);

    std::string m_root;  // root's
    std::string m_place; // the user's
    Fd m_tails;

private:
    void make_place();

    int m_tasks = 0;
};

// A script that prints 1…count, one line each 20 ms, and exits with `status`.
std::string counting(int count, int status);
std::string numbers(int count);

} // namespace ckpt::testing

#define ASSERT_OK(result) ASSERT_TRUE(result) << ::ckpt::one_line((result).error())
