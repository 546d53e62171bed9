// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/resolve.hpp"

#include <algorithm>
#include <format>

#include "policy/text.hpp"

namespace ckpt {
namespace {

std::string flag(Option option) {
    return std::string("--") + option_row(option).name;
}

// Chooses among user, policy file and built-in values, remembers who decided, and applies limits.
class Resolver {
public:
    Resolver(const Request& request, const Policy& policy) : m_request(request), m_policy(policy) {}

    // `key` names the policy value in the file; a value that differs from the built-in one counts as stated
    // even where no file was read.
    template <typename T>
    Planned<T> choose(const std::optional<T>& user, const T& policy, const T& built_in,
                      std::string_view key) const {
        if (user) return {*user, Origin::user};
        const bool stated = std::ranges::find(m_policy.stated, key, &StatedKey::key) != m_policy.stated.end();
        return {policy, stated || !(policy == built_in) ? Origin::policy : Origin::built_in};
    }

    void cap(Planned<std::uint32_t>& planned, std::uint32_t most, Option option, std::string_view key) {
        if (planned.value <= most) return;
        note(planned.origin,
             std::format("{}: {} is more than policy allows, {} is used", flag(option), planned.value, most),
             key);
        planned = {most, Origin::limit};
    }

    void raise(Planned<Interval>& planned, Seconds least, std::string_view key) {
        const auto* seconds = std::get_if<Seconds>(&planned.value);
        if (seconds == nullptr || *seconds >= least) return;
        note(planned.origin,
             std::format("{}: {} is shorter than policy allows, {} is used", flag(Option::interval),
                         to_string(*seconds), to_string(least)),
             key);
        planned = {least, Origin::limit};
    }

    Planned<bool> enabled() const {
        if (!m_request.enabled && m_request.has_details()) return {true, Origin::user};
        return choose(m_request.enabled, m_policy.defaults.enabled, PolicyDefaults{}.enabled,
                      "defaults.enabled");
    }

    Result<Planned<std::string>> base(const JobFacts& facts) const;

    std::vector<Error> take_notes() { return std::move(m_notes); }

private:
    // Only what the user asked for is news to the user.
    void note(Origin origin, const std::string& what, std::string_view key) {
        if (origin == Origin::user)
            m_notes.push_back({Code::option_capped, std::format("{} ({})", what, key), {}, 0});
    }

    const Request& m_request;
    const Policy& m_policy;
    std::vector<Error> m_notes;
};

bool within(std::string_view path, std::string_view directory) {
    return path.starts_with(directory) && (path.size() == directory.size() || path[directory.size()] == '/');
}

// The directories of `pattern` before the first %u, all of them without one.
std::string before_user(std::string_view pattern) {
    std::string path;
    for (std::size_t at = 0; at < pattern.size(); ++at) {
        if (pattern[at] == '%' && pattern.substr(at, 2) == "%u") return path.substr(0, path.rfind('/'));
        if (pattern[at] == '%') ++at;
        path += pattern[at];
    }
    return path;
}

// `part`, or what is above it where it is all of `dir`.
std::string above(std::string part, const std::string& dir) {
    if (part == dir) part.resize(part.rfind('/'));
    return part.empty() ? "/" : part;
}

Result<Planned<std::string>> Resolver::base(const JobFacts& facts) const {
    auto standard = user_base(m_policy.storage.base, facts.user);
    if (!standard) {
        standard.error().code = Code::policy_value;
        standard.error().what = "storage.base: " + standard.error().what;
        return tl::unexpected(std::move(standard).error());
    }
    if (!m_request.dir)
        return choose<std::string>({}, *standard, user_base(PolicyStorage{}.base, facts.user).value_or(""),
                                   "storage.base");

    auto dir = allowed_dir(m_policy, *m_request.dir, facts.user);
    if (!dir) {
        dir.error().what = flag(Option::dir) + ": " + dir.error().what;
        return tl::unexpected(std::move(dir).error());
    }
    return Planned<std::string>{*dir, Origin::user};
}

} // namespace

Result<std::string> expand_base(std::string_view pattern, std::string_view user) {
    std::string path;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '%') {
            path += pattern[i];
            continue;
        }
        const char kind = ++i < pattern.size() ? pattern[i] : '\0';
        if (kind == 'u') {
            if (user.empty() || user == "." || user == ".." || user.find('/') != std::string_view::npos)
                return fail(Code::option_value,
                            std::format("the user's name {} cannot stand for %u in a path", quote(user)));
            path += user;
        } else if (kind == '%') {
            path += '%';
        } else {
            return fail(Code::option_value, quote(pattern) + " contains a % that is neither %u nor %%");
        }
    }
    return parse_directory(path);
}

Result<std::string> user_base(std::string_view base, std::string_view user) {
    std::string pattern(base);
    bool is_per_user = false;
    for (std::size_t at = 0; (at = pattern.find('%', at)) != std::string::npos; at += 2)
        is_per_user = is_per_user || pattern.compare(at, 2, "%u") == 0;
    if (!is_per_user) pattern += "/%u";
    return expand_base(pattern, user);
}

Result<std::string> allowed_dir(const Policy& policy, const std::string& dir, std::string_view user) {
    CKPT_TRY(const std::string path, expand_base(dir, user));
    const auto sites = user_base(policy.storage.base, user);
    const auto whole = expand_base(policy.storage.base, user);
    if (sites && (path == *sites || (whole && path == *whole))) return *sites;
    std::string allowed;
    for (const std::string& pattern : policy.limits.directories) {
        const auto directory = expand_base(pattern, user);
        if (!directory) continue; // a pattern that cannot apply to this user allows this user nothing
        if (within(path, *directory)) return path;
        allowed += (allowed.empty() ? "" : ", ") + *directory;
    }
    return fail(Code::option_value, std::format("{} is not in a directory that policy allows", quote(path)),
                !allowed.empty() ? "allowed are directories below: " + allowed
                : sites ? "policy allows no other directory than " + *sites + ": leave the option out"
                        : "policy allows none");
}

std::string admins_part(const Policy& policy, const std::string& dir, std::string_view user) {
    const auto sites = user_base(policy.storage.base, user);
    if (sites && *sites == dir) return above(before_user(policy.storage.base), dir);
    for (const std::string& pattern : policy.limits.directories) {
        const auto directory = expand_base(pattern, user);
        if (directory && within(dir, *directory)) return above(before_user(pattern), dir);
    }
    return "/";
}

Result<Plan> resolve(const Request& request, const JobFacts& facts, const Policy& policy) {
    Resolver resolver(request, policy);
    const PolicyDefaults& defaults = policy.defaults;
    const PolicyDefaults built_in;
    Plan plan;
    plan.enabled = resolver.enabled();
    plan.interval =
        resolver.choose(request.interval, defaults.interval, built_in.interval, "defaults.interval");
    plan.on = resolver.choose(request.on, defaults.on, built_in.on, "defaults.on");
    plan.method = resolver.choose(request.method, defaults.method, built_in.method, "defaults.method");
    // Most programs end when they have saved themselves: none is asked to again and again unless somebody
    // says how often.
    if (plan.method.value.kind == Method::Kind::app &&
        std::holds_alternative<IntervalAuto>(plan.interval.value))
        plan.interval.value = IntervalNone{};
    plan.keep = resolver.choose(request.keep, defaults.keep, built_in.keep, "defaults.keep");
    plan.max_restarts = resolver.choose(request.max_restarts, defaults.max_restarts, built_in.max_restarts,
                                        "defaults.max_restarts");
    plan.files = resolver.choose(request.files, defaults.files, built_in.files, "defaults.files");
    plan.restore = resolver.choose(request.restore, Restore{}, Restore{}, "");
    plan.signal = resolver.choose(request.signal, 0, 0, "");
    resolver.raise(plan.interval, policy.limits.min_interval, "limits.min_interval");
    resolver.cap(plan.keep, policy.limits.max_keep, Option::keep, "limits.max_keep");
    resolver.cap(plan.max_restarts, policy.limits.max_restarts, Option::max_restarts, "limits.max_restarts");
    // A job that is not checkpointed uses no directory, and its user has nothing to be told.
    if (!plan.enabled.value) return plan;
    CKPT_TRY(plan.base, resolver.base(facts));
    plan.notes = resolver.take_notes();
    return plan;
}

} // namespace ckpt
