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

// Options whose spelling is fixed but whose work this release does not do. Refused at submit: a job that
// relied on one would find out at the worst moment.
Status check_available(const Plan& plan) {
    const auto refuse = [](const std::string& option, const char* instead) -> Status {
        return fail(Code::option_conflict, option + " is not available in this release", instead);
    };
    if (plan.method.value.kind == Method::Kind::app)
        return refuse("--checkpoint-method=" + to_string(plan.method.value), "leave it out: CRIU is used");
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
    if (plan.enabled.value) CKPT_CHECK(check_available(plan));
    return plan;
}

} // namespace ckpt
