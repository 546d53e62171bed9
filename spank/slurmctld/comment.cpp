// SPDX-License-Identifier: GPL-2.0-or-later
#include "comment.hpp"

#include <algorithm>

namespace ckpt {

namespace {

constexpr std::size_t k_reason_max = 400;
constexpr std::string_view k_ours = "checkpoint: ";
constexpr std::string_view k_between = " | ";

} // namespace

std::string reason_in(std::string_view comment) {
    std::string_view ours;
    for (std::size_t at = 0; at <= comment.size();) {
        const std::size_t end = std::min(comment.find(k_between, at), comment.size());
        const std::string_view part = comment.substr(at, end - at);
        if (part.starts_with(k_ours)) ours = part.substr(k_ours.size());
        at = end + k_between.size();
    }
    return std::string(ours);
}

std::string with_reason(std::string_view comment, std::string_view reason) {
    std::string ours(k_ours);
    if (reason.starts_with(k_ours)) reason.remove_prefix(k_ours.size());
    for (const char c : reason.substr(0, k_reason_max))
        ours += c < 0x20 || c > 0x7e ? '?' : c == '|' ? '/' : c; // '|' would begin a part that is not ours
    std::string others;                                          // what stands between ours and is not
    for (std::size_t at = 0; at <= comment.size();) {
        const std::size_t end = std::min(comment.find(k_between, at), comment.size());
        const std::string_view part = comment.substr(at, end - at);
        if (!part.empty() && !part.starts_with(k_ours)) others.append(part).append(k_between);
        at = end + k_between.size();
    }
    return others + ours;
}

} // namespace ckpt
