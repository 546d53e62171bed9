// SPDX-License-Identifier: GPL-2.0-or-later
// To raise a priority takes root.
#include <linux/ioprio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "os/process.hpp"

namespace ckpt {
namespace {

TEST(Spawn, LowPriorityIsTakenBack) {
    SpawnSpec spec;
    spec.path = "/bin/sleep";
    spec.argv = {"sleep", "100"};
    spec.new_session = true;
    spec.low_priority = true;
    const auto child = spawn(spec);
    ASSERT_TRUE(child);
    const auto pid = static_cast<id_t>(child->pid());
    const int ours = ::getpriority(PRIO_PROCESS, 0);
    ASSERT_GT(::getpriority(PRIO_PROCESS, pid), ours);
    raise_priority(*child);
    EXPECT_EQ(::getpriority(PRIO_PROCESS, pid), ours);
    EXPECT_NE(::syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, pid) >> IOPRIO_CLASS_SHIFT, IOPRIO_CLASS_IDLE);
}

} // namespace
} // namespace ckpt
