// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/policy_yaml.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <format>
#include <iterator>
#include <limits>
#include <memory>

#include "policy/resolve.hpp"
#include "policy/text.hpp"
#include "policy/yaml_document.hpp"

namespace ckpt {
namespace {

constexpr std::string_view k_version = "1";
constexpr std::uint32_t k_keep_max = 1000;
constexpr std::uint32_t k_restarts_max = 1'000'000;
constexpr std::uint32_t k_no_progress_max = 1000;
constexpr Seconds k_mtbf_max = 100 * k_year; // of one node; years are common

Result<bool> parse_bool(std::string_view text) {
    if (text == "true") return true;
    if (text == "false") return false;
    const bool yes = equals_ignoring_case(text, "yes") || equals_ignoring_case(text, "on");
    return fail(Code::policy_value, quote(text) + " is not a truth value",
                yes ? "did you mean \"true\"" : "");
}

// "2.5%" as 0.025.
Result<double> parse_share(std::string_view text) {
    double percent = 0;
    const char* const end = std::to_address(text.end());
    const auto [stop, error] =
        std::from_chars(std::to_address(text.begin()), end, percent, std::chars_format::fixed);
    if (error != std::errc{} || std::string_view(stop, end) != "%")
        return fail(Code::policy_value, quote(text) + " is not a percentage");
    if (std::isnan(percent) || percent < 0.01 || percent > 50)
        return fail(Code::policy_value, quote(text) + " is not between 0.01% and 50%");
    return percent / 100;
}

// "1.5". Digits only, where from_chars by itself takes "-1", "nan" and any number of decimals.
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

// A base may hold %u; whether the rest is a path shows with any user's name.
Result<std::string> parse_base(std::string_view text) {
    CKPT_CHECK(expand_base(text, "user").map([](const std::string&) {}));
    return parse_directory(text);
}

// CRIU's RPC carries the limit in 32 bits (criu images/rpc.proto: ghost_limit).
Result<std::uint64_t> parse_ghost_limit(std::string_view text) {
    CKPT_TRY(const std::uint64_t size, parse_size(text));
    if (size > std::numeric_limits<std::uint32_t>::max())
        return fail(Code::policy_value, quote(text) + " is too large for CRIU");
    return size;
}

Result<Seconds> parse_time(std::string_view text) {
    return parse_duration(text);
}
Result<Seconds> parse_mtbf(std::string_view text) {
    return parse_duration(text, k_mtbf_max);
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

// field = the value of a scalar node.
template <typename T>
Status read(const YamlNode& node, T& field, Result<T> (*parse)(std::string_view)) {
    if (node.kind != YamlNode::Kind::scalar) return fail(Code::policy_value, "a list or mapping");
    if (node.text.empty()) return fail(Code::policy_value, "no value");
    CKPT_TRY(field, parse(node.text));
    return {};
}

Status read_triggers(const YamlNode& node, Triggers& field) {
    if (node.kind != YamlNode::Kind::sequence) return read(node, field, parse_triggers);
    Triggers all;
    for (const YamlNode& item : node.items) {
        Triggers one;
        CKPT_CHECK(read(item, one, parse_triggers));
        all.bits |= one.bits;
    }
    field = all;
    return {};
}

Status read_directories(const YamlNode& node, std::vector<std::string>& field,
                        Result<std::string> (*parse)(std::string_view)) {
    if (node.kind != YamlNode::Kind::sequence) return fail(Code::policy_value, "not a list");
    std::vector<std::string> all(node.items.size());
    for (std::size_t i = 0; i < all.size(); ++i)
        CKPT_CHECK(read(node.items[i], all[i], parse));
    field = std::move(all);
    return {};
}

struct Row {
    std::string_view section;
    std::string_view key;
    std::string_view expected;
    Status (*set)(const YamlNode&, Policy&);
};

#define CKPT_TIME_WORDS "a time such as 30 (minutes), 1:30:00, 2-0, 90s, 15m, 6h or 1d"
#define CKPT_READ(field, parse) [](const YamlNode& n, Policy& p) -> Status { return read(n, p.field, parse); }

constexpr std::array k_rows{
    Row{"defaults", "enabled", "true or false", CKPT_READ(defaults.enabled, parse_bool)},
    Row{"defaults", "interval", CKPT_TIME_WORDS ", auto or none",
        CKPT_READ(defaults.interval, parse_interval)},
    Row{"defaults", "on", "a list of timelimit, preempt, requeue, drain and cancel, or none",
        [](const YamlNode& n, Policy& p) { return read_triggers(n, p.defaults.on); }},
    Row{"defaults", "method", "auto, criu or app:SIG", CKPT_READ(defaults.method, parse_method)},
    Row{"defaults", "keep", "a number from 1 to 1000", CKPT_READ(defaults.keep, parse_keep)},
    Row{"defaults", "max_restarts", "a number from 0 to 1000000",
        CKPT_READ(defaults.max_restarts, parse_restarts)},
    Row{"defaults", "files", "append, copy or none", CKPT_READ(defaults.files, parse_files)},
    Row{"limits", "min_interval", CKPT_TIME_WORDS, CKPT_READ(limits.min_interval, parse_time)},
    Row{"limits", "max_keep", "a number from 1 to 1000", CKPT_READ(limits.max_keep, parse_keep)},
    Row{"limits", "max_restarts", "a number from 0 to 1000000",
        CKPT_READ(limits.max_restarts, parse_restarts)},
    Row{"limits", "directories", "a list of absolute paths, in which %u stands for the user's name",
        [](const YamlNode& n, Policy& p) { return read_directories(n, p.limits.directories, parse_base); }},
    Row{"storage", "base", "an absolute path, in which %u stands for the user's name",
        CKPT_READ(storage.base, parse_base)},
    Row{"storage", "local", "an absolute path", CKPT_READ(storage.local, parse_directory)},
    Row{"engine", "criu", "an absolute path", CKPT_READ(engine.criu, parse_directory)},
    Row{"engine", "dump_timeout", CKPT_TIME_WORDS, CKPT_READ(engine.dump_timeout, parse_time)},
    Row{"engine", "restore_timeout", CKPT_TIME_WORDS, CKPT_READ(engine.restore_timeout, parse_time)},
    Row{"engine", "ghost_limit", "a size below 4G such as 512K, 10M or 1G",
        CKPT_READ(engine.ghost_limit, parse_ghost_limit)},
    Row{"engine", "node_local", "a list of absolute paths",
        [](const YamlNode& n, Policy& p) {
            return read_directories(n, p.engine.node_local, parse_directory);
        }},
    Row{"engine", "node_local_limit", "a size such as 512M, 4G or 1T",
        CKPT_READ(engine.node_local_limit, parse_size)},
    Row{"auto", "node_mtbf", CKPT_TIME_WORDS " up to 36500d", CKPT_READ(automatic.node_mtbf, parse_mtbf)},
    Row{"auto", "max_overhead", "a percentage from 0.01% to 50%",
        CKPT_READ(automatic.max_overhead, parse_share)},
    Row{"time_limit", "safety", "a number from 1 to 10 such as 1.5 or 2",
        CKPT_READ(time_limit.safety, parse_safety)},
    Row{"time_limit", "reserve", CKPT_TIME_WORDS, CKPT_READ(time_limit.reserve, parse_time)},
    Row{"slurmctld", "comment", "true or false", CKPT_READ(slurmctld.comment, parse_bool)},
    Row{"slurmctld", "comment_every", CKPT_TIME_WORDS, CKPT_READ(slurmctld.comment_every, parse_time)},
    Row{"slurmctld", "spread", CKPT_TIME_WORDS, CKPT_READ(slurmctld.spread, parse_time)},
    Row{"failure", "restore_impossible", "hold or requeue-elsewhere",
        CKPT_READ(failure.restore_impossible, parse_restore_failure)},
    Row{"failure", "epilog_wait", CKPT_TIME_WORDS, CKPT_READ(failure.epilog_wait, parse_time)},
    Row{"failure", "no_progress", "a number from 1 to 1000",
        CKPT_READ(failure.no_progress, parse_no_progress)},
};

std::string dotted(const Row& row) {
    return std::format("{}.{}", row.section, row.key);
}

std::vector<std::string_view> section_names() {
    std::vector<std::string_view> names{"version"};
    for (const Row& row : k_rows)
        if (names.back() != row.section) names.push_back(row.section);
    return names;
}

std::vector<std::string_view> keys_of(std::string_view section) {
    std::vector<std::string_view> names;
    for (const Row& row : k_rows)
        if (row.section == section) names.push_back(row.key);
    return names;
}

std::string joined(const std::vector<std::string_view>& names) {
    std::string text;
    for (const std::string_view name : names)
        text.append(text.empty() ? "" : ", ").append(name);
    return text;
}

class PolicyReader {
public:
    explicit PolicyReader(std::string_view file_name) : m_file_name(file_name) {}
    Result<Policy> read_root(const YamlNode& root);

private:
    [[nodiscard]] tl::unexpected<Error> refuse(YamlMark mark, Code code, std::string_view what,
                                               std::string_view expected, std::string_view hint = {}) const {
        return tl::unexpected(
            yaml_error(m_file_name, mark, code,
                       std::format("{}, expected {}{}{}", what, expected, hint.empty() ? "" : ", ", hint)));
    }
    [[nodiscard]] tl::unexpected<Error> unknown_key(const YamlKey& key, std::string_view section) const;
    [[nodiscard]] Status check_version(const YamlNode& root) const;
    Status read_section(std::string_view section, const YamlNode& node);
    [[nodiscard]] Status check_limits() const;
    template <typename Exceeds>
    [[nodiscard]] Status check_limit(std::string_view key, std::string_view limit, Exceeds exceeds) const;

    std::string_view m_file_name;
    Policy m_policy;
    std::vector<YamlMark> m_stated_marks; // of m_policy.stated
};

tl::unexpected<Error> PolicyReader::unknown_key(const YamlKey& key, std::string_view section) const {
    const auto names = section.empty() ? section_names() : keys_of(section);
    std::string hint = did_you_mean(key.text, names);
    const auto elsewhere = std::ranges::find(k_rows, std::string_view(key.text), &Row::key);
    if (hint.empty() && elsewhere != k_rows.end())
        hint = std::format("did you mean {} in {}", key.text, elsewhere->section);
    const std::string place = section.empty() ? "" : std::format(" in {}", section);
    return refuse(key.mark, Code::policy_syntax, std::format("unknown key {}{}", quote(key.text), place),
                  joined(names), hint);
}

// Before anything else: a file for a later version fails with that reason, not with the first key we do not
// know.
Status PolicyReader::check_version(const YamlNode& root) const {
    const auto key = std::ranges::find(root.keys, std::string_view("version"), &YamlKey::text);
    if (key == root.keys.end()) return refuse(root.mark, Code::policy_syntax, "no version", "\"version: 1\"");
    const YamlNode& value = root.items[static_cast<std::size_t>(std::distance(root.keys.begin(), key))];
    if (value.kind != YamlNode::Kind::scalar || value.text != k_version)
        return refuse(value.mark, Code::policy_value, "version: " + quote(value.text) + " is not known",
                      k_version);
    return {};
}

Status PolicyReader::read_section(std::string_view section, const YamlNode& node) {
    // "limits:" with every line below it commented out.
    if (node.kind == YamlNode::Kind::scalar && node.text.empty()) return {};
    if (node.kind != YamlNode::Kind::mapping)
        return refuse(node.mark, Code::policy_syntax, std::format("{}: not a mapping", section),
                      joined(keys_of(section)));
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
        const YamlKey& key = node.keys[i];
        const auto row = std::ranges::find_if(
            k_rows, [&](const Row& r) { return r.section == section && r.key == key.text; });
        if (row == k_rows.end()) return unknown_key(key, section);
        if (const Status status = row->set(node.items[i], m_policy); !status)
            return refuse(node.items[i].mark, Code::policy_value,
                          std::format("{}: {}", dotted(*row), status.error().what), row->expected,
                          status.error().hint);
        m_policy.stated.push_back(dotted(*row));
        m_stated_marks.push_back(node.items[i].mark);
    }
    return {};
}

template <typename Exceeds>
Status PolicyReader::check_limit(std::string_view key, std::string_view limit, Exceeds exceeds) const {
    const auto stated = std::ranges::find(m_policy.stated, key);
    if (stated == m_policy.stated.end() || !exceeds()) return {};
    const auto index = static_cast<std::size_t>(std::distance(m_policy.stated.begin(), stated));
    return refuse(m_stated_marks[index], Code::policy_value, std::format("{}: beyond {}", key, limit),
                  "a default within the limits");
}

// A default that its own file's limits forbid is a mistake in one of the two.
Status PolicyReader::check_limits() const {
    const PolicyDefaults& defaults = m_policy.defaults;
    const PolicyLimits& limits = m_policy.limits;
    CKPT_CHECK(
        check_limit("defaults.keep", "limits.max_keep", [&] { return defaults.keep > limits.max_keep; }));
    CKPT_CHECK(check_limit("defaults.max_restarts", "limits.max_restarts",
                           [&] { return defaults.max_restarts > limits.max_restarts; }));
    return check_limit("defaults.interval", "limits.min_interval", [&] {
        const auto* interval = std::get_if<Seconds>(&defaults.interval);
        return interval != nullptr && *interval < limits.min_interval;
    });
}

Result<Policy> PolicyReader::read_root(const YamlNode& root) {
    if (root.kind != YamlNode::Kind::mapping)
        return refuse(root.mark, Code::policy_syntax, "not a mapping", joined(section_names()));
    CKPT_CHECK(check_version(root));
    const auto sections = section_names();
    for (std::size_t i = 0; i < root.keys.size(); ++i) {
        if (root.keys[i].text == "version") continue;
        if (std::ranges::find(sections, root.keys[i].text) == sections.end())
            return unknown_key(root.keys[i], {});
        CKPT_CHECK(read_section(root.keys[i].text, root.items[i]));
    }
    CKPT_CHECK(check_limits());
    return std::move(m_policy);
}

} // namespace

Result<Policy> parse_policy(std::string_view file_name, std::string_view text) {
    CKPT_TRY(const YamlNode root, parse_yaml(file_name, text));
    return PolicyReader(file_name).read_root(root);
}

std::vector<std::string> policy_keys() {
    std::vector<std::string> keys{"version"};
    std::ranges::transform(k_rows, std::back_inserter(keys), dotted);
    return keys;
}

} // namespace ckpt
