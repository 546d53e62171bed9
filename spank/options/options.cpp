// SPDX-License-Identifier: GPL-2.0-or-later
#include "options/options.hpp"

#include <format>

namespace ckpt {
namespace {

// The message of Request::set with the variable in place of the option, which this user never typed.
Error of_variable(Error error, const OptionRow& row, const std::string& variable) {
    const std::string option = std::format("--{}: ", row.name);
    if (error.what.starts_with(option))
        error.what = std::format("{}: {}", variable, error.what.substr(option.size()));
    return error;
}

template <typename T>
void replace(std::optional<T>& below, const std::optional<T>& above) {
    if (above) below = above;
}

// What only CRIU does has no meaning for a program that saves itself. Refused at submit: a job that relied on
// it would find out at the worst moment.
Status check_method(const Plan& plan) {
    if (plan.method.value.kind != Method::Kind::app) return {};
    const std::string app = "--checkpoint-method=" + to_string(plan.method.value);
    if (plan.files.value == FilesMode::copy && plan.files.origin == Origin::user)
        return fail(Code::option_conflict, app + " saves nothing but what the program saves",
                    "leave --checkpoint-files=copy out, or the method");
    if (plan.restore.value.kind == Restore::Kind::job)
        return fail(Code::option_conflict,
                    "with " + app + " nothing of job " + std::to_string(plan.restore.value.job_id) +
                        " can be restored",
                    "have the program start from that job's own restart files");
    if (plan.signal.value == plan.method.value.signal)
        return fail(Code::option_conflict,
                    "--checkpoint-signal=" + signal_name(plan.signal.value) +
                        " never reaches the program, which " + app + " has wait for it",
                    "name another signal for one of them");
    return {};
}

} // namespace

Result<Request> request_from_environment(std::string_view prefix, const Environment& environment) {
    Request request;
    for (const OptionRow& row : option_table()) {
        const std::string variable = std::format("{}{}", prefix, row.environment);
        const char* value = environment(variable.c_str());
        if (value == nullptr) continue;
        if (auto status = request.set(row.name, value); !status)
            return tl::unexpected(of_variable(std::move(status).error(), row, variable));
    }
    return request;
}

Result<Request> apply_options(const std::vector<std::pair<std::string, std::string>>& options) {
    Request request;
    for (const auto& [name, value] : options)
        CKPT_CHECK(request.set(name, value));
    return request;
}

Request overlay(Request below, const Request& above) {
    if (above.interval) below.interval_named = above.interval_named;
    replace(below.enabled, above.enabled);
    replace(below.interval, above.interval);
    replace(below.dir, above.dir);
    replace(below.on, above.on);
    replace(below.signal, above.signal);
    replace(below.method, above.method);
    replace(below.keep, above.keep);
    replace(below.restore, above.restore);
    replace(below.max_restarts, above.max_restarts);
    replace(below.files, above.files);
    return below;
}

Status check_consistent(const Request& request) {
    if (request.enabled != false || !request.restore || request.restore->kind != Restore::Kind::job)
        return {};
    return fail(Code::option_conflict,
                "--checkpoint-restore=" + to_string(*request.restore) +
                    " has no effect with --checkpoint=off",
                "drop one of them");
}

Result<Plan> submit_advice(const Request& request, const JobFacts& facts, const Policy& policy) {
    CKPT_TRY(Plan plan, resolve(request, facts, policy));
    if (plan.enabled.value) CKPT_CHECK(check_method(plan));
    return plan;
}

} // namespace ckpt
