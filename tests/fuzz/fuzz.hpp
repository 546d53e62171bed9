// SPDX-License-Identifier: GPL-2.0-or-later
// What libFuzzer's targets have in common. A target aborts when something that has to hold does not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "result/printable.hpp"

namespace ckpt::fuzz {

inline void require(bool holds) {
    if (!holds) std::abort();
}

// For people, and nothing that could be taken for another line.
inline void require_one_line(const std::string& message) {
    require(printable(message) == message);
}

// Inputs of two parts: the second begins behind the first byte 0, the first then ends there.
inline std::string_view behind_separator(std::string_view& input) {
    const std::size_t at = input.find('\0');
    if (at == std::string_view::npos) return {};
    const std::string_view second = input.substr(at + 1);
    input = input.substr(0, at);
    return second;
}

// Takes numbers from the front; zeros behind the end.
class Numbers {
public:
    explicit Numbers(std::string_view bytes) : m_rest(bytes) {}
    std::uint64_t take(unsigned bytes) {
        std::uint64_t value = 0;
        for (; bytes > 0; --bytes) {
            value <<= 8U;
            if (m_rest.empty()) continue;
            value |= static_cast<unsigned char>(m_rest.front());
            m_rest.remove_prefix(1);
        }
        return value;
    }
    [[nodiscard]] std::string_view rest() const { return m_rest; }

private:
    std::string_view m_rest;
};

} // namespace ckpt::fuzz

// What UndefinedBehaviorSanitizer says is a finding as well: by itself it goes on.
#define FUZZ_TARGET(parameter)                                                                               \
    extern "C" const char* __ubsan_default_options() {                                                       \
        return "halt_on_error=1:print_stacktrace=1";                                                         \
    }                                                                                                        \
    static void run_one(parameter);                                                                          \
    extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {                      \
        run_one(std::string_view(reinterpret_cast<const char*>(data), size));                                \
        return 0;                                                                                            \
    }                                                                                                        \
    static void run_one(parameter)
