// SPDX-License-Identifier: GPL-2.0-or-later
// What policy documents mean: their keys find their rows, and errors their place in the file.
#include "policy/policy_yaml.hpp"

#include <algorithm>
#include <format>
#include <iterator>

#include "policy/policy_reading.hpp"
#include "policy/policy_rows.hpp"
#include "policy/scopes.hpp"
#include "policy/text.hpp"
#include "policy/yaml_document.hpp"

namespace ckpt {
namespace {

constexpr std::string_view k_version = "1";
constexpr std::string_view k_pattern_words = "a name, in which * stands for anything, or a list of them";

std::vector<std::string_view> section_names() {
    std::vector<std::string_view> names{"version"};
    for (const PolicyRow& row : policy_rows())
        if (names.back() != row.section) names.push_back(row.section);
    names.emplace_back("scopes");
    return names;
}

std::vector<std::string_view> keys_of(std::string_view section) {
    std::vector<std::string_view> names;
    for (const PolicyRow& row : policy_rows())
        if (row.section == section) names.push_back(row.key);
    return names;
}

std::string joined(std::span<const std::string_view> names) {
    std::string text;
    for (const std::string_view name : names)
        text.append(text.empty() ? "" : ", ").append(name);
    return text;
}

// One or more files, each of which may replace what an earlier one states.
class PolicyReader {
public:
    Status read_file(std::string_view file_name, const YamlNode& root);
    Result<Policy> finish(); // what the files demand of one another

private:
    [[nodiscard]] tl::unexpected<Error> refuse(YamlMark mark, Code code, std::string_view what,
                                               std::string_view expected, std::string_view hint = {}) const;
    [[nodiscard]] tl::unexpected<Error> unknown_key(const YamlKey& key, std::string_view section) const;
    [[nodiscard]] Status check_version(const YamlNode& root) const;
    Status read_section(std::string_view section, const YamlNode& node, PolicyReading& into) const;
    Status read_scopes(const YamlNode& node);
    Result<PolicyReading> read_scope(const YamlNode& node) const;
    Status read_match(const YamlNode& node, ScopeMatch& match) const;

    std::string_view m_file_name;
    PolicyReading m_all;
    std::vector<PolicyReading> m_scopes;
};

tl::unexpected<Error> PolicyReader::refuse(YamlMark mark, Code code, std::string_view what,
                                           std::string_view expected, std::string_view hint) const {
    return tl::unexpected(
        yaml_error(m_file_name, mark, code,
                   std::format("{}, expected {}{}{}", what, expected, hint.empty() ? "" : ", ", hint)));
}

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

Status PolicyReader::read_section(std::string_view section, const YamlNode& node, PolicyReading& into) const {
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
        if (into.is_scope && !may_differ_by_job(*row))
            return refuse(key.mark, Code::policy_syntax,
                          dotted(*row) + " is the same for all jobs: it cannot be in a scope",
                          "it outside of scopes");
        if (const Status status = row->set(node.items[i], into.policy); !status)
            return refuse(node.items[i].mark, Code::policy_value,
                          std::format("{}: {}", dotted(*row), status.error().what), row->expected,
                          status.error().hint);
        into.state(dotted(*row), {std::string(m_file_name), node.items[i].mark});
    }
    return {};
}

// A name or a list of them.
Status PolicyReader::read_match(const YamlNode& node, ScopeMatch& match) const {
    if (node.kind != YamlNode::Kind::mapping || node.keys.empty())
        return refuse(node.mark, Code::policy_syntax, "match: no condition", joined(scope_conditions()));
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
        std::vector<std::string>* patterns = patterns_of(match, node.keys[i].text);
        if (patterns == nullptr)
            return refuse(node.keys[i].mark, Code::policy_syntax,
                          std::format("unknown condition {}", quote(node.keys[i].text)),
                          joined(scope_conditions()), did_you_mean(node.keys[i].text, scope_conditions()));
        const YamlNode& value = node.items[i];
        const auto items =
            value.kind == YamlNode::Kind::scalar ? std::span(&value, 1) : std::span(value.items);
        if (value.kind == YamlNode::Kind::mapping || items.empty())
            return refuse(value.mark, Code::policy_value, node.keys[i].text + ": no name", k_pattern_words);
        for (const YamlNode& item : items) {
            if (item.kind != YamlNode::Kind::scalar || !is_scope_pattern(item.text))
                return refuse(item.mark, Code::policy_value,
                              std::format("{}: {}", node.keys[i].text, quote(item.text)), k_pattern_words);
            patterns->push_back(item.text);
        }
    }
    return {};
}

Result<PolicyReading> PolicyReader::read_scope(const YamlNode& node) const {
    constexpr const char* k_expected = "match, and sections such as defaults";
    PolicyReading scope;
    scope.is_scope = true;
    const auto match = std::ranges::find(node.keys, std::string_view("match"), &YamlKey::text);
    if (node.kind != YamlNode::Kind::mapping || match == node.keys.end())
        return refuse(node.mark, Code::policy_syntax, "a scope without match", k_expected);
    const auto sections = section_names();
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
        const std::string& name = node.keys[i].text;
        if (name == "match") {
            CKPT_CHECK(read_match(node.items[i], scope.match));
            continue;
        }
        if (name == "version" || name == "scopes" || std::ranges::find(sections, name) == sections.end())
            return unknown_key(node.keys[i], {});
        CKPT_CHECK(read_section(name, node.items[i], scope));
    }
    if (scope.policy.stated.empty())
        return refuse(node.mark, Code::policy_syntax, "a scope that changes nothing", k_expected);
    return scope;
}

Status PolicyReader::read_scopes(const YamlNode& node) {
    if (node.kind == YamlNode::Kind::scalar && node.text.empty()) return {};
    if (node.kind != YamlNode::Kind::sequence)
        return refuse(node.mark, Code::policy_syntax, "scopes: not a list", "a list of scopes with match");
    for (const YamlNode& item : node.items) {
        CKPT_TRY(PolicyReading scope, read_scope(item));
        m_scopes.push_back(std::move(scope));
    }
    return {};
}

Status PolicyReader::read_file(std::string_view file_name, const YamlNode& root) {
    m_file_name = file_name;
    if (root.kind != YamlNode::Kind::mapping)
        return refuse(root.mark, Code::policy_syntax, "not a mapping", joined(section_names()));
    CKPT_CHECK(check_version(root));
    const auto sections = section_names();
    for (std::size_t i = 0; i < root.keys.size(); ++i) {
        const std::string& name = root.keys[i].text;
        if (name == "version") continue;
        if (std::ranges::find(sections, name) == sections.end()) return unknown_key(root.keys[i], {});
        CKPT_CHECK(name == "scopes" ? read_scopes(root.items[i]) : read_section(name, root.items[i], m_all));
    }
    return {};
}

Result<Policy> PolicyReader::finish() {
    CKPT_CHECK(check_reading(m_all, m_all.policy));
    for (PolicyReading& scope : m_scopes) {
        Policy together = m_all.policy;
        together.scopes = {PolicyScope{{}, scope.policy}};
        CKPT_CHECK(check_reading(scope, policy_for(together, {})));
        m_all.policy.scopes.push_back({std::move(scope.match), std::move(scope.policy)});
    }
    return std::move(m_all.policy);
}

} // namespace

Result<Policy> parse_policies(std::span<const PolicyText> files) {
    PolicyReader reader;
    for (const PolicyText& file : files) {
        CKPT_TRY(const YamlNode root, parse_yaml(file.name, file.text));
        CKPT_CHECK(reader.read_file(file.name, root));
    }
    return reader.finish();
}

Result<Policy> parse_policy(std::string_view file_name, std::string_view text) {
    const PolicyText file{std::string(file_name), std::string(text)};
    return parse_policies({&file, 1});
}

std::vector<std::string> policy_keys() {
    std::vector<std::string> keys{"version"};
    std::ranges::transform(policy_rows(), std::back_inserter(keys), dotted);
    keys.emplace_back("scopes");
    return keys;
}

} // namespace ckpt
