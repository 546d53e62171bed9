// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>

namespace ckpt {

// Keeps a stream of bytes at a rate: a bucket that fills with `bytes_per_s` and holds what comes in one
// second. Pure arithmetic: the caller knows the time, by a monotonic clock, and waits by itself.
class ByteRate {
public:
    using Instant = std::chrono::steady_clock::time_point;
    using Duration = std::chrono::nanoseconds;

    // 0 = no limit. The bucket is full at first.
    ByteRate(std::uint64_t bytes_per_s, Instant now);

    // Takes `bytes`, of any size, and returns how long to wait before they are written. What is taken before
    // it can be paid for is owed: the wait grows with it, and who comes next waits for both.
    Duration take(std::uint64_t bytes, Instant now);

private:
    double m_bytes_per_s;
    double m_there; // bytes; below zero = owed
    Instant m_since;
};

} // namespace ckpt
