// SPDX-License-Identifier: GPL-2.0-or-later
// What criu's ptrace(2) and wait4(2) calls look like on their way to ckpt-tracer: one packet there, one back,
// each a header followed by the bytes behind the call's pointers. Plain C types: preload/ptrace.cpp runs
// inside criu.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ckpt::tracing {

constexpr const char* k_variable = "CKPT_TRACER_FD"; // criu's descriptor of the connection
// ckpt-tracer's descriptors.
constexpr int k_connection_fd = 3; // to criu
constexpr int k_control_fd = 4;    // to ckpt-engine

constexpr std::size_t k_bytes_max = 48 * 1024; // the largest is a seccomp filter, 32 KiB

enum class Kind : std::uint32_t {
    ptrace,
    wait,
    keep, // with the descriptor of a connection to a parasite, criu's end
};

struct Call {
    Kind kind;
    std::int32_t self; // criu's pid
    std::int32_t pid;
    std::uint32_t addr_size; // bytes that `addr` points to; 0: it is a value
    std::uint32_t data_size; // bytes that `data` points to, or holds as a vector
    std::uint32_t data_is_vector;
    std::int64_t request;
    std::uint64_t addr;
    std::uint64_t data;
};

struct Answer {
    std::int64_t value;
    std::int32_t errnum;
    std::uint32_t not_traced; // that process is not one of ours: criu is to do it by itself
    std::int32_t status;      // of a wait
    std::uint32_t data_size;  // what a vector's length is now
};

} // namespace ckpt::tracing
