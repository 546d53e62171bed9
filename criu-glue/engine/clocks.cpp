// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/clocks.hpp"

#include <fcntl.h>
#include <sched.h>

#include <cerrno>
#include <ctime>
#include <sstream>

#include "os/files.hpp"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080 // Linux 5.6; <sched.h> of older glibc lacks it
#endif

namespace ckpt {

namespace {

constexpr std::int64_t k_second = 1'000'000'000;
constexpr std::size_t k_offsets_max = 4096;

std::int64_t now_ns(clockid_t clock) {
    timespec ts{};
    (void)::clock_gettime(clock, &ts); // fails for no clock we ask for
    return std::int64_t{ts.tv_sec} * k_second + ts.tv_nsec;
}

// Kernels without time namespaces have no such file: all offsets are 0.
Result<ClockReadings> offsets_in(const std::string& path) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd && errno == ENOENT) return ClockReadings{};
    if (!fd) return fail_errno(Code::os, "open " + path);
    CKPT_TRY(const std::string text, read_all(fd.get(), k_offsets_max));
    return parse_offsets(text);
}

std::string offset_line(const char* clock, std::int64_t ns) {
    std::int64_t seconds = ns / k_second;
    std::int64_t rest = ns % k_second;
    if (rest < 0) { // the kernel takes a negative second and a positive fraction
        rest += k_second;
        --seconds;
    }
    return std::string(clock) + " " + std::to_string(seconds) + " " + std::to_string(rest) + "\n";
}

} // namespace

ClockReadings parse_offsets(std::string_view text) {
    ClockReadings offsets;
    std::istringstream lines{std::string(text)};
    std::string clock;
    std::int64_t seconds = 0;
    std::int64_t rest = 0;
    while (lines >> clock >> seconds >> rest) {
        if (clock == "monotonic") offsets.monotonic_ns = seconds * k_second + rest;
        if (clock == "boottime") offsets.boottime_ns = seconds * k_second + rest;
    }
    return offsets;
}

Result<ClockReadings> clocks_of(pid_t pid) {
    CKPT_TRY(const ClockReadings ours, offsets_in("/proc/self/timens_offsets"));
    CKPT_TRY(const ClockReadings theirs, offsets_in("/proc/" + std::to_string(pid) + "/timens_offsets"));
    return ClockReadings{now_ns(CLOCK_MONOTONIC) - ours.monotonic_ns + theirs.monotonic_ns,
                         now_ns(CLOCK_BOOTTIME) - ours.boottime_ns + theirs.boottime_ns};
}

Status enter_clocks(Root /*root*/, const ClockReadings& wanted) {
    CKPT_TRY(const ClockReadings ours, offsets_in("/proc/self/timens_offsets"));
    if (::unshare(CLONE_NEWTIME) != 0) {
        if (errno == EINVAL)
            return {}; // CONFIG_TIME_NS is off: the clocks jump, as they would with CRIU alone
        return fail_errno(Code::os, "make a time namespace");
    }
    const Fd fd(::open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC));
    if (!fd) return fail_errno(Code::os, "open /proc/self/timens_offsets");
    // Offsets count from the host's clocks, whatever namespace we are in ourselves.
    const std::string text =
        offset_line("monotonic", wanted.monotonic_ns - (now_ns(CLOCK_MONOTONIC) - ours.monotonic_ns)) +
        offset_line("boottime", wanted.boottime_ns - (now_ns(CLOCK_BOOTTIME) - ours.boottime_ns));
    CKPT_CHECK(write_all(fd.get(), text));
    const Fd ns(::open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC));
    if (!ns || ::setns(ns.get(), CLONE_NEWTIME) != 0) return fail_errno(Code::os, "enter the time namespace");
    return {};
}

} // namespace ckpt
