// SPDX-License-Identifier: GPL-2.0-or-later
#include "store_faults.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

namespace ckpt::store::test {
namespace {

struct Plan {
    int calls = 0;
    int fail_call = 0;
    int errnum = 0;
    int die_call = 0;
    ino_t bad_inode = 0;
    int read_errnum = 0;
    bool struck = false;
    std::string hook_call;
    std::string hook_name;
    std::function<void()> hook;
    std::vector<Event> events;
};
Plan* g_plan = nullptr;

ino_t inode_of(int fd) {
    struct stat st{};
    return ::fstat(fd, &st) == 0 ? st.st_ino : 0;
}

// True when the call must fail; errno is set then.
bool strikes(const char* call, int fd, const char* name) {
    if (g_plan == nullptr) return false;
    Plan& plan = *g_plan;
    if (plan.hook && plan.hook_call == call && plan.hook_name == name) {
        g_plan = nullptr;
        std::exchange(plan.hook, nullptr)();
        g_plan = &plan;
    }
    ++plan.calls;
    if (plan.calls == plan.die_call) ::_exit(Faults::k_died);
    if (plan.calls == plan.fail_call) {
        plan.struck = true;
        errno = plan.errnum;
        return true;
    }
    plan.events.push_back({call, inode_of(fd), name});
    return false;
}

template <typename Function>
Function* real(const char* name) {
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

} // namespace

void Faults::arm() {
    g_plan = new Plan;
}
Faults::~Faults() {
    delete g_plan;
    g_plan = nullptr;
}
void Faults::fail_at(int call, int errnum) {
    g_plan->fail_call = call;
    g_plan->errnum = errnum;
}
void Faults::die_at(int call) {
    g_plan->die_call = call;
}
void Faults::fail_read_of(ino_t inode, int errnum) {
    g_plan->bad_inode = inode;
    g_plan->read_errnum = errnum;
}
void Faults::before(const std::string& call, const std::string& name, std::function<void()> action) {
    g_plan->hook_call = call;
    g_plan->hook_name = name;
    g_plan->hook = std::move(action);
}
int Faults::calls() const {
    return g_plan->calls;
}
bool Faults::struck() const {
    return g_plan->struck;
}
const std::vector<Event>& Faults::events() const {
    return g_plan->events;
}

bool dies_at(int call, const std::function<bool()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
        Faults faults;
        faults.die_at(call);
        const bool done = work();
        ::_exit(done ? 0 : 1);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_THAT(WEXITSTATUS(status), ::testing::AnyOf(0, Faults::k_died)) << "at call " << call;
    return WEXITSTATUS(status) == Faults::k_died;
}

} // namespace ckpt::store::test

using ckpt::store::test::g_plan;
using ckpt::store::test::inode_of;
using ckpt::store::test::real;
using ckpt::store::test::strikes;

// The real ones are declared with attributes that a definition need not repeat.
extern "C" {

__attribute__((visibility("default"))) ssize_t write(int fd, const void* data, size_t size) {
    static auto* const next = real<ssize_t(int, const void*, size_t)>("write");
    return strikes("write", fd, "") ? -1 : next(fd, data, size);
}
__attribute__((visibility("default"))) ssize_t read(int fd, void* data, size_t size) {
    static auto* const next = real<ssize_t(int, void*, size_t)>("read");
    if (g_plan != nullptr && g_plan->bad_inode != 0 && inode_of(fd) == g_plan->bad_inode) {
        errno = g_plan->read_errnum;
        return -1;
    }
    return next(fd, data, size);
}
__attribute__((visibility("default"))) ssize_t pread(int fd, void* data, size_t size, off_t at) {
    static auto* const next = real<ssize_t(int, void*, size_t, off_t)>("pread");
    if (g_plan != nullptr && g_plan->bad_inode != 0 && inode_of(fd) == g_plan->bad_inode) {
        errno = g_plan->read_errnum;
        return -1;
    }
    return next(fd, data, size, at);
}
// Nothing here loses power, and the real one takes most of the time.
__attribute__((visibility("default"))) int fsync(int fd) {
    if (strikes("fsync", fd, "")) return -1;
    return ::fcntl(fd, F_GETFD) < 0 ? -1 : 0;
}
__attribute__((visibility("default"))) int ftruncate(int fd, off_t size) noexcept {
    static auto* const next = real<int(int, off_t)>("ftruncate");
    return strikes("ftruncate", fd, "") ? -1 : next(fd, size);
}
__attribute__((visibility("default"))) int renameat(int from_dir, const char* from, int to_dir,
                                                    const char* to) noexcept {
    static auto* const next = real<int(int, const char*, int, const char*)>("renameat");
    return strikes("renameat", to_dir, to) ? -1 : next(from_dir, from, to_dir, to);
}
__attribute__((visibility("default"))) int mkdirat(int dir, const char* name, mode_t mode) noexcept {
    static auto* const next = real<int(int, const char*, mode_t)>("mkdirat");
    return strikes("mkdirat", dir, name) ? -1 : next(dir, name, mode);
}
__attribute__((visibility("default"))) int unlinkat(int dir, const char* name, int flags) noexcept {
    static auto* const next = real<int(int, const char*, int)>("unlinkat");
    return strikes("unlinkat", dir, name) ? -1 : next(dir, name, flags);
}

} // extern "C"
