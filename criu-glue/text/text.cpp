// SPDX-License-Identifier: GPL-2.0-or-later
#include "text/text.hpp"

#include <array>
#include <ctime>
#include <format>

namespace ckpt::text {

std::string bytes(std::uint64_t value) {
    constexpr std::array k_units = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    auto amount = static_cast<double>(value);
    std::size_t unit = 0;
    while (amount >= 1000 && unit + 1 < k_units.size()) {
        amount /= 1024;
        ++unit;
    }
    if (unit == 0 || amount >= 100) return std::format("{:.0f} {}", amount, k_units.at(unit));
    return std::format("{:.1f} {}", amount, k_units.at(unit));
}

std::string duration_us(std::uint64_t value_us) {
    if (value_us < 100'000) return std::format("{} ms", (value_us + 999) / 1000);
    return std::format("{:.1f} s", static_cast<double>(value_us) / 1e6);
}

std::string age(std::int64_t seconds) {
    if (seconds < 120) return std::format("{} s", seconds);
    if (seconds < 7200) return std::format("{} min", seconds / 60);
    if (seconds < 48 * 3600) return std::format("{} h", seconds / 3600);
    return std::format("{} days", seconds / 86400);
}

std::string local_time(std::int64_t unix_seconds) {
    const auto time = static_cast<std::time_t>(unix_seconds);
    std::tm local{};
    ::localtime_r(&time, &local);
    std::array<char, 32> text{};
    const std::size_t length = std::strftime(text.data(), text.size(), "%FT%T", &local);
    return {text.data(), length};
}

} // namespace ckpt::text
