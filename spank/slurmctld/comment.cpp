// SPDX-License-Identifier: GPL-2.0-or-later
#include "comment.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_reason_max = 400;
constexpr std::string_view k_ours = "checkpoint: ";
constexpr std::string_view k_between = " | ";

} // namespace

std::string with_reason(std::string_view comment, std::string_view reason) {
    std::string ours(k_ours);
    if (reason.starts_with(k_ours)) reason.remove_prefix(k_ours.size());
    for (const char c : reason.substr(0, k_reason_max))
        ours += c < 0x20 || c > 0x7e ? '?' : c;
    const std::size_t old = comment.rfind(k_ours);
    if (old == 0) return ours;
    if (old != std::string_view::npos && comment.substr(0, old).ends_with(k_between))
        comment = comment.substr(0, old - k_between.size());
    return comment.empty() ? ours : std::string(comment) + std::string(k_between) + ours;
}

} // namespace ckpt
