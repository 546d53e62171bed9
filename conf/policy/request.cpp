// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/request.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <format>

#include "policy/text.hpp"

namespace ckpt {
namespace {

constexpr std::uint32_t k_keep_max = 1000;
constexpr std::uint32_t k_restarts_max = 1'000'000;

// As Slurm hands on an option without argument where it could not leave the argument out.
constexpr std::string_view k_no_argument = "(null)";

#define CKPT_TIME_WORDS "a time such as 30 (minutes), 1:30:00, 2-0, 90s, 15m, 6h or 1d"

constexpr std::array k_options{
    OptionRow{Option::checkpoint, "checkpoint", "TIME|auto|off", true, CKPT_TIME_WORDS ", auto, on or off",
              "save the job's state and restore it after a requeue; TIME also sets the interval",
              "CHECKPOINT"},
    OptionRow{Option::interval, "checkpoint-interval", "TIME|auto|none", false,
              CKPT_TIME_WORDS " up to 365 days, auto or none", "time between checkpoints",
              "CHECKPOINT_INTERVAL"},
    OptionRow{Option::dir, "checkpoint-dir", "DIR", false,
              "an absolute path of at most 1024 bytes, without \"..\"; %u stands for the user's name",
              "base of the checkpoint directories, within what policy allows", "CHECKPOINT_DIR"},
    OptionRow{Option::on, "checkpoint-on", "LIST", false,
              "any of timelimit, preempt, requeue, drain and cancel, separated by commas, or none",
              "endings before which a checkpoint is taken", "CHECKPOINT_ON"},
    OptionRow{Option::signal, "checkpoint-signal", "SIG", false,
              "the name or number of a signal such as USR1, except KILL, STOP, TERM, CONT, TSTP and CHLD",
              "scancel --batch --signal=SIG takes a checkpoint", "CHECKPOINT_SIGNAL"},
    OptionRow{Option::method, "checkpoint-method", "auto|criu|app:SIG", false,
              "auto, criu or app:SIG with a signal such as USR1, except KILL, STOP, CONT, TSTP and CHLD",
              "who saves the state; app: the program itself does on SIG", "CHECKPOINT_METHOD"},
    OptionRow{Option::keep, "checkpoint-keep", "N", false, "a number from 1 to 1000",
              "checkpoints kept of this job", "CHECKPOINT_KEEP"},
    OptionRow{Option::restore, "checkpoint-restore", "auto|never|JOBID[@GEN]", false,
              "auto, never, or the id of a job, optionally followed by @ and the number of a generation",
              "what to restore when the job starts", "CHECKPOINT_RESTORE"},
    OptionRow{Option::max_restarts, "checkpoint-max-restarts", "N", false, "a number from 0 to 1000000",
              "restarts after which the job is held", "CHECKPOINT_MAX_RESTARTS"},
    OptionRow{Option::files, "checkpoint-files", "append|copy|none", false, "append, copy or none",
              "what happens to files that the job has open for writing", "CHECKPOINT_FILES"},
};

// field = the parsed value, if it is one.
template <typename T>
Status assign(std::optional<T>& field, Result<T> value) {
    if (!value) return tl::unexpected(std::move(value).error());
    field = std::move(*value);
    return {};
}

Status set_checkpoint(Request& request, std::string_view value) {
    const auto is = [value](std::string_view word) { return equals_ignoring_case(value, word); };
    if (is("off") || is("no")) {
        request.enabled = false;
        return {};
    }
    std::optional<Interval> interval;
    if (!value.empty() && value != k_no_argument && !is("on") && !is("yes")) {
        if (is("none")) return fail(Code::option_value, quote(value) + " is ambiguous");
        CKPT_CHECK(assign(interval, parse_interval(value)));
    }
    request.enabled = true;
    if (!request.interval_named) request.interval = interval;
    return {};
}

Status set_interval(Request& request, std::string_view value) {
    CKPT_CHECK(assign(request.interval, parse_interval(value)));
    request.interval_named = true;
    return {};
}

// Slurm ends a job with TERM, so the shim needs it for what it means.
Result<int> parse_checkpoint_signal(std::string_view text) {
    CKPT_TRY(const int signal, parse_signal_for_program(text));
    if (signal == SIGTERM) return fail(Code::option_value, quote(text) + " already has a meaning for jobs");
    return signal;
}

Status apply(Request& request, Option option, std::string_view value) {
    switch (option) {
    case Option::checkpoint:
        return set_checkpoint(request, value);
    case Option::interval:
        return set_interval(request, value);
    case Option::dir:
        return assign(request.dir, parse_directory(value));
    case Option::on:
        return assign(request.on, parse_triggers(value));
    case Option::signal:
        return assign(request.signal, parse_checkpoint_signal(value));
    case Option::method:
        return assign(request.method, parse_method(value));
    case Option::keep:
        return assign(request.keep, parse_count(value, 1, k_keep_max));
    case Option::restore:
        return assign(request.restore, parse_restore(value));
    case Option::max_restarts:
        return assign(request.max_restarts, parse_count(value, 0, k_restarts_max));
    case Option::files:
        return assign(request.files, parse_files(value));
    }
    return fail(Code::internal, "an option without a parser");
}

} // namespace

std::span<const OptionRow> option_table() {
    return k_options;
}

const OptionRow* find_option(std::string_view name) {
    const auto* const row =
        std::ranges::find_if(k_options, [name](const OptionRow& r) { return name == r.name; });
    return row == k_options.end() ? nullptr : row;
}

const OptionRow& option_row(Option option) {
    return k_options.at(static_cast<std::size_t>(option));
}

bool Request::has_details() const {
    return interval || dir || on || signal || method || keep || restore || max_restarts || files;
}

Status Request::set(std::string_view name, std::string_view value) {
    const OptionRow* row = find_option(name);
    if (row == nullptr) {
        std::array<std::string_view, k_options.size()> names;
        std::ranges::transform(k_options, names.begin(),
                               [](const OptionRow& r) { return std::string_view(r.name); });
        return fail(Code::option_value, quote(name) + " is not an option of checkpoint",
                    did_you_mean(name, names));
    }
    Status status = apply(*this, row->option, value);
    if (!status)
        status.error().what =
            std::format("--{}: {}; accepted: {}", row->name, status.error().what, row->accepts);
    return status;
}

} // namespace ckpt
