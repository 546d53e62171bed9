// SPDX-License-Identifier: GPL-2.0-or-later
// The grammar of single values, shared by command-line options, environment forms and policy files.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "result/result.hpp"

namespace ckpt {

using Seconds = std::chrono::seconds;

// When the interval timer fires: after a fixed time, after Daly's optimum, or never.
struct IntervalNone {
    bool operator==(const IntervalNone&) const = default;
};
struct IntervalAuto {
    bool operator==(const IntervalAuto&) const = default;
};
using Interval = std::variant<IntervalNone, IntervalAuto, Seconds>;

// The endings before which a final checkpoint is taken, as a bit set.
enum class Trigger : std::uint8_t { timelimit = 1, preempt = 2, requeue = 4, drain = 8, cancel = 16 };
struct Triggers {
    std::uint8_t bits = 0;
    [[nodiscard]] bool has(Trigger t) const { return (bits & static_cast<std::uint8_t>(t)) != 0; }
    bool operator==(const Triggers&) const = default;
};

enum class FilesMode : std::uint8_t { append, copy, none };

struct Method {
    enum class Kind : std::uint8_t { automatic, criu, app } kind = Kind::automatic;
    int signal = 0; // for Kind::app
    bool operator==(const Method&) const = default;
};

struct Restore {
    enum class Kind : std::uint8_t { automatic, never, job } kind = Kind::automatic;
    std::uint32_t job_id = 0;     // for Kind::job
    std::uint32_t generation = 0; // for Kind::job; 0 = newest
    bool operator==(const Restore&) const = default;
};

// Slurm's time formats ("30" = minutes, "MM:SS", "HH:MM:SS", "D-HH", "D-HH:MM", "D-HH:MM:SS"; slurm
// src/common/parse_time.c:time_str2mins) and "90s", "15m", "6h", "1d". From 1 s to `longest`.
constexpr Seconds k_year{365L * 24 * 3600};
Result<Seconds> parse_duration(std::string_view text, Seconds longest = k_year);

// parse_duration, "auto" or "none".
Result<Interval> parse_interval(std::string_view text);

// "timelimit,preempt,requeue,drain,cancel": any of them, comma separated, or "none".
Result<Triggers> parse_triggers(std::string_view text);

// "USR1", "SIGUSR1", "usr1" or a number; KILL and STOP are refused. Returns the signal's number.
Result<int> parse_signal(std::string_view text);
// parse_signal, without those that mean something else for a job: Slurm suspends one with TSTP and resumes it
// with CONT; CHLD comes from a program's own children.
Result<int> parse_signal_for_program(std::string_view text);
// "USR1"; the number where a signal has no name.
std::string signal_name(int signal);

Result<Method> parse_method(std::string_view text);   // "auto", "criu", "app:SIG"
Result<Restore> parse_restore(std::string_view text); // "auto", "never", "JOBID", "JOBID@GEN"
Result<FilesMode> parse_files(std::string_view text); // "append", "copy", "none"
Result<std::uint32_t> parse_count(std::string_view text, std::uint32_t min, std::uint32_t max);
// An absolute path other than "/", without ".", "..", control characters or repeated slashes; at most 1,024
// bytes. Slashes at its end are dropped.
Result<std::string> parse_directory(std::string_view text);
// "512K", "10M", "1G", "2T" (powers of 1,024) or plain bytes, in bytes.
Result<std::uint64_t> parse_size(std::string_view text);

// The normalised spelling of each value, as `sckpt explain` prints it and as the parsers accept it.
std::string to_string(Seconds value);
std::string to_string(const Interval& value);
std::string to_string(Triggers value);
std::string to_string(const Method& value);
std::string to_string(const Restore& value);
std::string to_string(FilesMode value);

} // namespace ckpt
