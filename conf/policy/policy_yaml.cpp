// SPDX-License-Identifier: GPL-2.0-or-later
// What a policy document means: its keys find their rows, errors their place in the file, and what one value
// demands of another is checked.
#include "policy/policy_yaml.hpp"

#include <algorithm>
#include <format>
#include <iterator>

#include "policy/policy_rows.hpp"
#include "policy/text.hpp"
#include "policy/yaml_document.hpp"

namespace ckpt {
namespace {

constexpr std::string_view k_version = "1";

std::string dotted(const PolicyRow& row) {
    return std::format("{}.{}", row.section, row.key);
}

std::vector<std::string_view> section_names() {
    std::vector<std::string_view> names{"version"};
    for (const PolicyRow& row : policy_rows())
        if (names.back() != row.section) names.push_back(row.section);
    return names;
}

std::vector<std::string_view> keys_of(std::string_view section) {
    std::vector<std::string_view> names;
    for (const PolicyRow& row : policy_rows())
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
    [[nodiscard]] Status check_admission() const;
    [[nodiscard]] const YamlMark* where_stated(std::string_view key) const;
    template <typename Exceeds>
    [[nodiscard]] Status check_limit(std::string_view key, std::string_view limit, Exceeds exceeds) const;

    std::string_view m_file_name;
    Policy m_policy;
    std::vector<YamlMark> m_stated_marks; // of m_policy.stated
};

tl::unexpected<Error> PolicyReader::unknown_key(const YamlKey& key, std::string_view section) const {
    const auto names = section.empty() ? section_names() : keys_of(section);
    std::string hint = did_you_mean(key.text, names);
    const auto elsewhere = std::ranges::find(policy_rows(), std::string_view(key.text), &PolicyRow::key);
    if (hint.empty() && elsewhere != policy_rows().end())
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
            policy_rows(), [&](const PolicyRow& r) { return r.section == section && r.key == key.text; });
        if (row == policy_rows().end()) return unknown_key(key, section);
        if (const Status status = row->set(node.items[i], m_policy); !status)
            return refuse(node.items[i].mark, Code::policy_value,
                          std::format("{}: {}", dotted(*row), status.error().what), row->expected,
                          status.error().hint);
        m_policy.stated.push_back(dotted(*row));
        m_stated_marks.push_back(node.items[i].mark);
    }
    return {};
}

// nullptr: the file does not state it.
const YamlMark* PolicyReader::where_stated(std::string_view key) const {
    const auto stated = std::ranges::find(m_policy.stated, key);
    if (stated == m_policy.stated.end()) return nullptr;
    return &m_stated_marks[static_cast<std::size_t>(std::distance(m_policy.stated.begin(), stated))];
}

template <typename Exceeds>
Status PolicyReader::check_limit(std::string_view key, std::string_view limit, Exceeds exceeds) const {
    const YamlMark* const mark = where_stated(key);
    if (mark == nullptr || !exceeds()) return {};
    return refuse(*mark, Code::policy_value, std::format("{}: beyond {}", key, limit),
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

// Nodes have nothing else in common in which they could count.
Status PolicyReader::check_admission() const {
    const PolicyAdmission& admission = m_policy.admission;
    const YamlMark* const mark = where_stated("admission.commits");
    if (mark == nullptr || admission.commits == 0 || !admission.leases.empty()) return {};
    return refuse(*mark, Code::policy_value, "admission.commits: a limit without admission.leases",
                  "a directory that all nodes share in admission.leases");
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
    CKPT_CHECK(check_admission());
    return std::move(m_policy);
}

} // namespace

Result<Policy> parse_policy(std::string_view file_name, std::string_view text) {
    CKPT_TRY(const YamlNode root, parse_yaml(file_name, text));
    return PolicyReader(file_name).read_root(root);
}

std::vector<std::string> policy_keys() {
    std::vector<std::string> keys{"version"};
    std::ranges::transform(policy_rows(), std::back_inserter(keys), dotted);
    return keys;
}

} // namespace ckpt
