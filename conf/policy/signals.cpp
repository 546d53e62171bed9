// SPDX-License-Identifier: GPL-2.0-or-later
// Signals by name; kept apart from the other values because their names come from libc.
#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstring>
#include <format>
#include <memory>
#include <optional>
#include <vector>

#include "policy/text.hpp"
#include "policy/values.hpp"

namespace ckpt {
namespace {

// The highest number with a name of its own; real-time signals follow the two that glibc keeps for itself.
constexpr int k_named_max = 31;

std::optional<int> by_number(std::string_view text) {
    int value = 0;
    const char* const end = std::to_address(text.end());
    const auto [stop, error] = std::from_chars(std::to_address(text.begin()), end, value);
    if (error != std::errc{} || stop != end || value < 1) return std::nullopt;
    const bool named = value <= k_named_max;
    const bool real_time = value >= SIGRTMIN && value <= SIGRTMAX;
    return named || real_time ? std::optional(value) : std::nullopt;
}

std::optional<int> by_name(std::string_view text) {
    for (int signal = 1; signal <= k_named_max; ++signal)
        if (const char* name = sigabbrev_np(signal); name != nullptr && equals_ignoring_case(text, name))
            return signal;
    return std::nullopt;
}

std::vector<std::string> names() {
    std::vector<std::string> all;
    for (int signal = 1; signal <= k_named_max; ++signal)
        if (const char* name = sigabbrev_np(signal); name != nullptr) all.push_back(lower(name));
    return all;
}

char upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

std::string suggestion(std::string_view text) {
    const auto all = names();
    const std::vector<std::string_view> views(all.begin(), all.end());
    std::string hint = did_you_mean(text, views);
    if (const std::size_t name = hint.find('"'); name != std::string::npos)
        std::ranges::transform(hint.begin() + static_cast<std::ptrdiff_t>(name), hint.end(),
                               hint.begin() + static_cast<std::ptrdiff_t>(name), upper);
    return hint;
}

} // namespace

Result<int> parse_signal(std::string_view text) {
    std::string_view name = text;
    if (name.size() > 3 && equals_ignoring_case(name.substr(0, 3), "sig")) name.remove_prefix(3);
    auto signal = by_number(text);
    if (!signal) signal = by_name(name);
    if (!signal) return fail(Code::option_value, quote(text) + " is not a signal", suggestion(name));
    if (*signal == SIGKILL || *signal == SIGSTOP)
        return fail(Code::option_value, quote(text) + " cannot be caught by any program");
    return *signal;
}

Result<int> parse_signal_for_program(std::string_view text) {
    CKPT_TRY(const int signal, parse_signal(text));
    for (const int taken : {SIGCONT, SIGTSTP, SIGCHLD})
        if (signal == taken) return fail(Code::option_value, quote(text) + " already has a meaning for jobs");
    for (const int fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS})
        if (signal == fault)
            return fail(Code::option_value, quote(text) + " tells a program of a fault of its own");
    return signal;
}

std::string signal_name(int signal) {
    const char* name = signal >= 1 && signal <= k_named_max ? sigabbrev_np(signal) : nullptr;
    return name != nullptr ? std::string(name) : std::to_string(signal);
}

} // namespace ckpt
