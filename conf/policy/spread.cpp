// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/spread.hpp"

namespace ckpt {

namespace {

// The finalizer of splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
std::uint64_t mix(std::uint64_t value) {
    value += 0x9e3779b97f4a7c15U;
    value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31U);
}

} // namespace

Seconds place_in(Seconds spread, std::uint32_t job_id) {
    if (spread.count() <= 0) return Seconds::zero();
    return Seconds{static_cast<Seconds::rep>(mix(job_id) % (static_cast<std::uint64_t>(spread.count()) + 1))};
}

} // namespace ckpt
