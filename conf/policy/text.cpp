// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/text.hpp"

#include <algorithm>
#include <cstddef>
#include <format>
#include <numeric>
#include <utility>
#include <vector>

namespace ckpt {
namespace {

constexpr std::size_t k_quoted_max = 64;
// Nobody mistypes something longer; it also bounds the cost of comparing what a stranger wrote.
constexpr std::size_t k_word_max = 40;

// How many single-character edits, or swaps of neighbours, turn `a` into `b`.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before(b.size() + 1);
    std::vector<std::size_t> above(b.size() + 1);
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(above.begin(), above.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = above[j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U);
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, change});
            const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped) row[j] = std::min(row[j], before[j - 2] + 1);
        }
        std::swap(before, above);
        std::swap(above, row);
    }
    return above[b.size()];
}

char lower_char(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

} // namespace

std::string quote(std::string_view value) {
    std::string text = "\"";
    for (const char c : value.substr(0, k_quoted_max))
        text += c >= 0x20 && c < 0x7f ? c : '?';
    text += '"';
    if (value.size() > k_quoted_max) text += std::format("... ({} bytes)", value.size());
    return text;
}

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), lower_char);
    return result;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, {}, lower_char, lower_char);
}

std::string did_you_mean(std::string_view text, std::span<const std::string_view> candidates) {
    if (text.empty() || text.size() > k_word_max) return {};
    const std::string word = lower(text);
    std::string_view best;
    // A third of the word may differ: "keap" is keep, "kit" is not.
    std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
    for (const std::string_view candidate : candidates) {
        const std::size_t distance = edit_distance(word, candidate);
        if (distance >= best_distance) continue;
        best_distance = distance;
        best = candidate;
    }
    return best.empty() ? std::string{} : std::format("did you mean \"{}\"", best);
}

} // namespace ckpt
