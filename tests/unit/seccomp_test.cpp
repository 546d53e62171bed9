// SPDX-License-Identifier: GPL-2.0-or-later
// Every case runs in a child, since a filter stays.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <thread>

#include <gtest/gtest.h>

#include "seccomp/filter.hpp"

namespace ckpt {
namespace {

// What `call` leaves as errno behind the filter, 0 when it succeeds.
int errno_of(const std::function<bool()>& call) {
    const pid_t child = ::fork();
    if (child == 0) {
        if (!allow_only_files()) ::_exit(255);
        errno = 0;
        ::_exit(call() ? 0 : errno);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define EXPECT_REFUSED(call) EXPECT_EQ(errno_of([] { return (call) != -1; }), ENOSYS)

TEST(Seccomp, NoProgramIsStarted) {
    EXPECT_REFUSED(::execl("/bin/true", "true", nullptr));
}

TEST(Seccomp, NoSocketIsOpened) {
    EXPECT_REFUSED(::socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_REFUSED(::socket(AF_UNIX, SOCK_STREAM, 0));
}

TEST(Seccomp, NoOtherProcessIsTouched) {
    EXPECT_REFUSED(::ptrace(PTRACE_SEIZE, ::getppid(), nullptr, nullptr));
    EXPECT_REFUSED(::kill(::getppid(), 0));
}

TEST(Seccomp, NothingIsMountedAndNoNamespaceMade) {
    EXPECT_REFUSED(::mount("none", "/tmp", "tmpfs", 0, nullptr));
    EXPECT_REFUSED(::unshare(CLONE_NEWUSER));
}

TEST(Seccomp, NoIdentityIsChanged) {
    EXPECT_REFUSED(::setuid(::getuid()));
}

TEST(Seccomp, FilesAreWhatItIsFor) {
    EXPECT_EQ(errno_of([] {
                  const int file = ::open("/tmp", O_TMPFILE | O_RDWR, 0600);
                  char byte = 0;
                  return file >= 0 && ::write(file, "x", 1) == 1 && ::pread(file, &byte, 1, 0) == 1 &&
                         ::fsync(file) == 0 && ::ftruncate(file, 0) == 0;
              }),
              0);
}

TEST(Seccomp, MemoryAndThreadsAreThere) {
    EXPECT_EQ(errno_of([] {
                  bool ran = false;
                  std::thread([&] { ran = true; }).join();
                  return ran;
              }),
              0);
}

TEST(Seccomp, WhatIsInheritedStaysConfined) {
    EXPECT_EQ(errno_of([] {
                  return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 && ::prctl(PR_GET_SECCOMP) == 2;
              }),
              0);
}

} // namespace
} // namespace ckpt
