// SPDX-License-Identifier: GPL-2.0-or-later
#include "record_again.hpp"

#include <algorithm>

namespace ckpt {

namespace {

constexpr std::chrono::seconds k_held_up{30};
constexpr std::chrono::seconds k_longest{3600};
constexpr std::chrono::hours k_give_up{7 * 24};
constexpr unsigned k_doublings = 12; // until they are beyond k_longest

} // namespace

RecordAgain record_again(const Error& error, unsigned tries, std::chrono::seconds age) {
    if (error.code == Code::not_permitted || age >= k_give_up) return {};
    const std::chrono::seconds doubled{1L << std::min(tries - 1, k_doublings)};
    const auto in = std::min(doubled, k_longest);
    return {in, age + in <= k_held_up};
}

} // namespace ckpt
