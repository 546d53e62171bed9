// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/policy_values.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <format>
#include <limits>
#include <memory>

#include "policy/resolve.hpp"
#include "policy/text.hpp"

namespace ckpt {
namespace {

constexpr std::uint32_t k_keep_max = 1000;
constexpr std::uint32_t k_restarts_max = 1'000'000;
constexpr std::uint32_t k_port_min = 1024;
constexpr std::uint32_t k_port_max = 65535;
constexpr std::uint32_t k_no_progress_max = 1000;
constexpr std::uint32_t k_compression_max = 19; // zstd's levels above take memory that belongs to jobs
constexpr std::uint32_t k_dumps_max = 1000;
constexpr std::uint32_t k_commits_max = 10'000;
constexpr std::uint64_t k_bandwidth_min = 1U << 20;
constexpr Seconds k_longest = 100 * k_year;

// `least` is a share, `range` says the same and the rest in words.
Result<double> parse_percentage(std::string_view text, double least, std::string_view range) {
    double percent = 0;
    const char* const end = std::to_address(text.end());
    const auto [stop, error] =
        std::from_chars(std::to_address(text.begin()), end, percent, std::chars_format::fixed);
    if (error != std::errc{} || std::string_view(stop, end) != "%")
        return fail(Code::policy_value, quote(text) + " is not a percentage");
    if (std::isnan(percent) || std::signbit(percent) || percent < least || percent > 50)
        return fail(Code::policy_value, std::format("{} is not between {}", quote(text), range));
    return percent / 100;
}

} // namespace

bool is_none(std::string_view text) {
    return text == "0" || equals_ignoring_case(text, "none");
}

Result<bool> parse_bool(std::string_view text) {
    if (text == "true") return true;
    if (text == "false") return false;
    const bool yes = equals_ignoring_case(text, "yes") || equals_ignoring_case(text, "on");
    return fail(Code::policy_value, quote(text) + " is not a truth value",
                yes ? "did you mean \"true\"" : "");
}

Result<double> parse_overhead(std::string_view text) {
    return parse_percentage(text, 0.01, "0.01% and 50%");
}

Result<double> parse_min_free(std::string_view text) {
    if (is_none(text)) return 0.0;
    return parse_percentage(text, 0, "0% and 50%");
}

// Digits only, where from_chars by itself takes "-1", "nan" and any number of decimals.
Result<double> parse_safety(std::string_view text) {
    constexpr std::size_t k_decimals_max = 3;
    const auto is_number = [](std::string_view part) {
        return !part.empty() && part.find_first_not_of("0123456789") == std::string_view::npos;
    };
    const std::size_t dot = text.find('.');
    const std::string_view decimals = dot == std::string_view::npos ? "0" : text.substr(dot + 1);
    if (!is_number(text.substr(0, dot)) || !is_number(decimals))
        return fail(Code::policy_value, quote(text) + " is not a plain number");
    if (decimals.size() > k_decimals_max)
        return fail(Code::policy_value, quote(text) + " has more than three decimals");
    double value = 0;
    const auto result = std::from_chars(std::to_address(text.begin()), std::to_address(text.end()), value,
                                        std::chars_format::fixed);
    if (result.ec != std::errc{} || value < 1 || value > 10)
        return fail(Code::policy_value, quote(text) + " is not between 1 and 10");
    return value;
}

Result<RestoreFailure> parse_restore_failure(std::string_view text) {
    if (text == "hold") return RestoreFailure::hold;
    if (text == "requeue-elsewhere") return RestoreFailure::requeue_elsewhere;
    constexpr std::array<std::string_view, 2> k_words{"hold", "requeue-elsewhere"};
    return fail(Code::policy_value, quote(text) + " is not a reaction", did_you_mean(text, k_words));
}

Result<ChangedFile> parse_changed_file(std::string_view text) {
    if (text == "refuse") return ChangedFile::refuse;
    if (text == "ignore") return ChangedFile::ignore;
    constexpr std::array<std::string_view, 2> k_words{"refuse", "ignore"};
    return fail(Code::policy_value, quote(text) + " is not a reaction", did_you_mean(text, k_words));
}

Result<bool> parse_kernel(std::string_view text) {
    if (text == "newer") return false;
    if (text == "any") return true;
    constexpr std::array<std::string_view, 2> k_words{"newer", "any"};
    return fail(Code::policy_value, quote(text) + " is not a kind of kernel", did_you_mean(text, k_words));
}

Result<std::string> parse_feature(std::string_view text) {
    constexpr std::size_t k_length_max = 64;
    const auto is_plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
               c == '-' || c == '.';
    };
    if (text.size() > k_length_max || !std::ranges::all_of(text, is_plain))
        return fail(Code::policy_value, quote(text) + " is not a plain name");
    return std::string(text);
}

// Whether the rest of a base with %u is a path shows with any user's name.
Result<std::string> parse_base(std::string_view text) {
    CKPT_CHECK(expand_base(text, "user").map([](const std::string&) {}));
    return parse_directory(text);
}

Result<std::string> parse_directory_or_none(std::string_view text) {
    if (is_none(text)) return std::string();
    return parse_directory(text);
}

// node_exporter's collector reads no other names.
Result<std::string> parse_prom_file(std::string_view text) {
    CKPT_TRY(std::string path, parse_directory_or_none(text));
    if (!path.empty() && !path.ends_with(".prom"))
        return fail(Code::policy_value, quote(text) + " does not end in .prom");
    return path;
}

Result<std::uint64_t> parse_ghost_limit(std::string_view text) {
    CKPT_TRY(const std::uint64_t size, parse_size(text));
    if (size > std::numeric_limits<std::uint32_t>::max())
        return fail(Code::policy_value, quote(text) + " is too large for CRIU");
    return size;
}

Result<std::uint64_t> parse_size_or_none(std::string_view text) {
    if (is_none(text)) return std::uint64_t{0};
    return parse_size(text);
}

// Less is a unit that was forgotten, and would never bring a checkpoint to its end.
Result<std::uint64_t> parse_bandwidth(std::string_view text) {
    CKPT_TRY(const std::uint64_t rate, parse_size_or_none(text));
    if (rate != 0 && rate < k_bandwidth_min)
        return fail(Code::policy_value, quote(text) + " is less than 1M a second");
    return rate;
}

Result<Seconds> parse_time(std::string_view text) {
    return parse_duration(text);
}
Result<Seconds> parse_long_time(std::string_view text) {
    return parse_duration(text, k_longest);
}
Result<Seconds> parse_time_or_none(std::string_view text) {
    if (is_none(text)) return Seconds{0};
    return parse_time(text);
}

Result<Seconds> parse_long_time_or_none(std::string_view text) {
    if (is_none(text)) return Seconds{0};
    return parse_long_time(text);
}
Result<std::uint32_t> parse_keep(std::string_view text) {
    return parse_count(text, 1, k_keep_max);
}
Result<std::uint32_t> parse_restarts(std::string_view text) {
    return parse_count(text, 0, k_restarts_max);
}
Result<std::uint32_t> parse_no_progress(std::string_view text) {
    return parse_count(text, 1, k_no_progress_max);
}
Result<std::uint16_t> parse_port(std::string_view text) {
    if (is_none(text)) return std::uint16_t{0};
    CKPT_TRY(const std::uint32_t port, parse_count(text, k_port_min, k_port_max));
    return static_cast<std::uint16_t>(port);
}
Result<std::uint32_t> parse_compression(std::string_view text) {
    return parse_count(text, 1, k_compression_max);
}
Result<std::uint32_t> parse_dumps(std::string_view text) {
    if (is_none(text)) return 0U;
    return parse_count(text, 1, k_dumps_max);
}
Result<std::uint32_t> parse_commits(std::string_view text) {
    if (is_none(text)) return 0U;
    return parse_count(text, 1, k_commits_max);
}

} // namespace ckpt
