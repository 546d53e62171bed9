// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/values.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <format>
#include <limits>
#include <memory>
#include <optional>
#include <span>

#include "policy/text.hpp"

namespace ckpt {
namespace {

constexpr std::uint64_t k_minute_s = 60;
constexpr std::uint64_t k_hour_s = 3600;
constexpr std::uint64_t k_day_s = 86400;
constexpr std::size_t k_path_max = 1024;

tl::unexpected<Error> refuse(std::string_view text, std::string_view why) {
    return fail(Code::option_value, std::format("{} {}", quote(text), why));
}

// An unsigned decimal number and nothing else: no sign, no blanks, no overflow.
std::optional<std::uint64_t> number(std::string_view text) {
    std::uint64_t value = 0;
    const char* const end = std::to_address(text.end());
    const auto [stop, error] = std::from_chars(std::to_address(text.begin()), end, value);
    if (text.empty() || error != std::errc{} || stop != end) return std::nullopt;
    return value;
}

bool all_digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// The fields of "A:B:C" with their factors, right-aligned for colons. Nine digits a field cannot overflow the
// sum.
std::optional<std::uint64_t> colon_fields(std::string_view text, std::span<const std::uint64_t> factors) {
    constexpr std::size_t k_field_digits = 9;
    std::uint64_t sum = 0;
    for (const std::uint64_t factor : factors) {
        const std::size_t colon = text.find(':');
        const auto field = number(text.substr(0, colon));
        if (!field || std::min(colon, text.size()) > k_field_digits) return std::nullopt;
        sum += *field * factor;
        if (colon == std::string_view::npos) return sum;
        text.remove_prefix(colon + 1);
    }
    return std::nullopt; // more fields than factors
}

// Slurm's formats; like Slurm we let a field exceed its clock value ("90:00" is 90 minutes).
std::optional<std::uint64_t> slurm_seconds(std::string_view text) {
    constexpr std::array<std::uint64_t, 3> k_clock{k_hour_s, k_minute_s, 1};
    if (const std::size_t dash = text.find('-'); dash != std::string_view::npos) {
        const auto days = colon_fields(text.substr(0, dash), std::array{k_day_s});
        const auto rest = colon_fields(text.substr(dash + 1), k_clock);
        if (!days || !rest) return std::nullopt;
        return *days + *rest;
    }
    const bool has_hours = text.find(':') != text.rfind(':');
    return colon_fields(text, has_hours ? std::span(k_clock) : std::span(k_clock).subspan(1));
}

std::optional<std::uint64_t> unit_seconds(std::string_view text) {
    if (text.empty()) return std::nullopt;
    std::uint64_t factor = 0;
    switch (text.back()) {
    case 's':
        factor = 1;
        break;
    case 'm':
        factor = k_minute_s;
        break;
    case 'h':
        factor = k_hour_s;
        break;
    case 'd':
        factor = k_day_s;
        break;
    default:
        return std::nullopt;
    }
    text.remove_suffix(1);
    return colon_fields(text, std::array{factor});
}

// More digits than any field takes: say that it is too long rather than that it is no time.
bool absurdly_long(std::string_view text) {
    const std::size_t size = text.size() - (text.find_last_of("smhd") == text.size() - 1 ? 1 : 0);
    return all_digits(text.substr(0, size));
}

template <typename T>
struct Word {
    std::string_view name;
    T value;
};

// The value of one word out of a table, or an error that suggests the closest one.
template <typename T, std::size_t N>
Result<T> parse_word(std::string_view text, const std::array<Word<T>, N>& words, std::string_view kind) {
    std::array<std::string_view, N> names;
    for (std::size_t i = 0; i < N; ++i) {
        if (equals_ignoring_case(text, words[i].name)) return words[i].value;
        names[i] = words[i].name;
    }
    return fail(Code::option_value, std::format("{} is not {}", quote(text), kind),
                did_you_mean(text, names));
}

constexpr std::array k_triggers{
    Word<Trigger>{"timelimit", Trigger::timelimit}, Word<Trigger>{"preempt", Trigger::preempt},
    Word<Trigger>{"requeue", Trigger::requeue},     Word<Trigger>{"drain", Trigger::drain},
    Word<Trigger>{"cancel", Trigger::cancel},
};

constexpr std::array k_files{
    Word<FilesMode>{"append", FilesMode::append},
    Word<FilesMode>{"copy", FilesMode::copy},
    Word<FilesMode>{"none", FilesMode::none},
};

// Job ids at and above this are Slurm's special values (slurm/slurm.h: NO_VAL, INFINITE).
constexpr std::uint32_t k_job_id_max = 0xfffffff0U;

} // namespace

Result<Seconds> parse_duration(std::string_view text, Seconds longest) {
    const auto longest_s = static_cast<std::uint64_t>(longest.count());
    auto seconds = unit_seconds(text);
    if (!seconds) seconds = slurm_seconds(text);
    if (!seconds && !text.empty() && absurdly_long(text)) seconds = longest_s + 1;
    if (!seconds) return refuse(text, "is not a time");
    if (*seconds < 1) return refuse(text, "is shorter than one second");
    if (*seconds > longest_s) return refuse(text, std::format("is longer than {} days", longest_s / k_day_s));
    return Seconds{static_cast<Seconds::rep>(*seconds)};
}

Result<Interval> parse_interval(std::string_view text) {
    if (equals_ignoring_case(text, "auto")) return Interval{IntervalAuto{}};
    if (equals_ignoring_case(text, "none")) return Interval{IntervalNone{}};
    return parse_duration(text).map([](Seconds value) { return Interval{value}; });
}

Result<Triggers> parse_triggers(std::string_view text) {
    Triggers triggers;
    if (equals_ignoring_case(text, "none")) return triggers;
    for (std::string_view rest = text;;) {
        const std::size_t comma = rest.find(',');
        CKPT_TRY(const Trigger trigger, parse_word(rest.substr(0, comma), k_triggers, "an ending"));
        triggers.bits |= static_cast<std::uint8_t>(trigger);
        if (comma == std::string_view::npos) return triggers;
        rest.remove_prefix(comma + 1);
    }
}

Result<Method> parse_method(std::string_view text) {
    if (equals_ignoring_case(text, "auto")) return Method{};
    if (equals_ignoring_case(text, "criu")) return Method{Method::Kind::criu, 0};
    if (equals_ignoring_case(text, "app") || equals_ignoring_case(text, "app:"))
        return refuse(text, "lacks the signal");
    if (const std::size_t colon = text.find(':');
        colon != std::string_view::npos && equals_ignoring_case(text.substr(0, colon), "app")) {
        CKPT_TRY(const int signal, parse_signal_for_program(text.substr(colon + 1)));
        return Method{Method::Kind::app, signal};
    }
    return refuse(text, "is not a method");
}

Result<Restore> parse_restore(std::string_view text) {
    constexpr std::uint32_t k_generation_max = std::numeric_limits<std::uint32_t>::max();
    if (equals_ignoring_case(text, "auto")) return Restore{};
    if (equals_ignoring_case(text, "never")) return Restore{Restore::Kind::never, 0, 0};
    const std::size_t at = text.find('@');
    Restore restore{Restore::Kind::job, 0, 0};
    const std::string_view name = text.substr(0, at);
    const auto job_id = number(name);
    if (const std::size_t line = name.find('_');
        line != std::string_view::npos && number(name.substr(0, line)) && number(name.substr(line + 1)))
        return refuse(text,
                      "is an element of an array, which is named here by the number that `squeue -o %A` or "
                      "`sckpt list` shows");
    if (!job_id || *job_id < 1 || *job_id > k_job_id_max) return refuse(text, "does not name a job");
    restore.job_id = static_cast<std::uint32_t>(*job_id);
    if (at == std::string_view::npos) return restore;
    const auto generation = number(text.substr(at + 1));
    if (!generation || *generation < 1 || *generation > k_generation_max)
        return refuse(text, "does not name a generation behind the @");
    restore.generation = static_cast<std::uint32_t>(*generation);
    return restore;
}

Result<FilesMode> parse_files(std::string_view text) {
    return parse_word(text, k_files, "a way to treat files");
}

Result<std::uint32_t> parse_count(std::string_view text, std::uint32_t min, std::uint32_t max) {
    const auto value = number(text);
    if (!value && !all_digits(text)) return refuse(text, "is not a whole number");
    if (!value || *value < min || *value > max)
        return refuse(text, std::format("is not between {} and {}", min, max));
    return static_cast<std::uint32_t>(*value);
}

Result<std::string> parse_directory(std::string_view text) {
    if (text.empty() || text.front() != '/') return refuse(text, "is not an absolute path");
    if (text.size() > k_path_max) return refuse(text, "is longer than 1024 bytes");
    for (const char c : text)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
            return refuse(text, "contains a control character");
    while (text.size() > 1 && text.ends_with('/'))
        text.remove_suffix(1);
    if (text == "/") return refuse(text, "is the root directory");
    for (std::string_view rest = text; !rest.empty();) {
        rest.remove_prefix(1);
        const std::size_t slash = rest.find('/');
        const std::string_view part = rest.substr(0, slash);
        if (part.empty()) return refuse(text, "contains repeated slashes");
        if (part == "." || part == "..") return refuse(text, std::format("contains \"{}\"", part));
        rest = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash);
    }
    return std::string(text);
}

Result<std::uint64_t> parse_size(std::string_view text) {
    constexpr std::string_view k_units = "KMGT";
    std::string_view digits = text;
    unsigned shift = 0;
    if (const std::size_t unit = text.empty() ? std::string_view::npos : k_units.find(text.back());
        unit != std::string_view::npos) {
        shift = 10 * (static_cast<unsigned>(unit) + 1);
        digits.remove_suffix(1);
    }
    if (!all_digits(digits)) return refuse(text, "is not a size");
    const auto value = number(digits);
    if (!value || *value > std::numeric_limits<std::uint64_t>::max() >> shift)
        return refuse(text, "is too large a size");
    return *value << shift;
}

std::string to_string(Seconds value) {
    const auto seconds = value.count();
    for (const auto& [factor, unit] : {std::pair{86400, 'd'}, {3600, 'h'}, {60, 'm'}})
        if (seconds != 0 && seconds % factor == 0) return std::format("{}{}", seconds / factor, unit);
    return std::format("{}s", seconds);
}

std::string to_string(const Interval& value) {
    if (const auto* seconds = std::get_if<Seconds>(&value)) return to_string(*seconds);
    return std::holds_alternative<IntervalAuto>(value) ? "auto" : "none";
}

std::string to_string(Triggers value) {
    std::string text;
    for (const auto& [name, trigger] : k_triggers)
        if (value.has(trigger)) text.append(text.empty() ? "" : ",").append(name);
    return text.empty() ? "none" : text;
}

std::string to_string(const Method& value) {
    switch (value.kind) {
    case Method::Kind::automatic:
        return "auto";
    case Method::Kind::criu:
        return "criu";
    case Method::Kind::app:
        return "app:" + signal_name(value.signal);
    }
    return "auto";
}

std::string to_string(const Restore& value) {
    switch (value.kind) {
    case Restore::Kind::automatic:
        return "auto";
    case Restore::Kind::never:
        return "never";
    case Restore::Kind::job:
        break;
    }
    if (value.generation == 0) return std::to_string(value.job_id);
    return std::format("{}@{}", value.job_id, value.generation);
}

std::string to_string(FilesMode value) {
    for (const auto& [name, mode] : k_files)
        if (mode == value) return std::string(name);
    return "append";
}

} // namespace ckpt
