// SPDX-License-Identifier: GPL-2.0-or-later
// Every key of a policy file with values that nobody should write: each is refused where it stands.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "policy/policy_yaml.hpp"

namespace ckpt {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct Bad {
    const char* name;
    std::string value;
};

std::vector<Bad> bad_values() {
    return {{"empty", "''"},
            {"nothing", ""},
            {"unknown", "no such thing"},
            {"overflow", "99999999999999999999999999"},
            {"negative", "-1"},
            {"newline", "\"a\\nb\""},
            {"control", "\"a\\e[2Jb\""},
            {"format", "'%n%s%p'"},
            {"climbing", "../../etc/shadow"},
            {"list of lists", "[[a]]"},
            {"mapping", "{a: b}"},
            {"half a mebibyte", std::string(1U << 19U, 'x')}};
}

std::string error_of(const std::string& text) {
    const auto policy = parse_policy("p.yaml", text);
    return policy ? "accepted" : policy.error().what;
}

class EveryKey : public testing::TestWithParam<std::string> {};

TEST_P(EveryKey, RefusesWhatItCannotMean) {
    const std::string& key = GetParam();
    const std::size_t dot = key.find('.');
    for (const Bad& bad : bad_values()) {
        const std::string text =
            "version: 1\n" + key.substr(0, dot) + ":\n  " + key.substr(dot + 1) + ": " + bad.value + "\n";
        const std::string error = error_of(text);
        EXPECT_THAT(error, StartsWith("p.yaml:3:")) << key << ", " << bad.name;
        EXPECT_THAT(error, HasSubstr(key + ": ")) << bad.name;
        EXPECT_THAT(error, HasSubstr(", expected ")) << bad.name;
        EXPECT_LT(error.size(), 600U) << bad.name;
        EXPECT_EQ(error.find_first_of("\n\x1b"), std::string::npos) << bad.name;
    }
}

TEST_P(EveryKey, IsThereOnce) {
    const std::string& key = GetParam();
    const std::size_t dot = key.find('.');
    const std::string section = key.substr(0, dot);
    const std::string name = key.substr(dot + 1);
    const std::string twice = "version: 1\n" + section + ": {" + name + ": x, " + name + ": x}\n";
    EXPECT_THAT(error_of(twice), HasSubstr("is here twice"));
    EXPECT_THAT(error_of("version: 1\n" + section + ": {" + name + ": &a x}\n"), HasSubstr("an anchor"));
    EXPECT_THAT(error_of("version: 1\n" + section + ": {" + name + "x: x}\n"),
                HasSubstr("did you mean \"" + name + "\""));
}

std::vector<std::string> keys_with_sections() {
    std::vector<std::string> keys;
    for (const std::string& key : policy_keys())
        if (key.find('.') != std::string::npos) keys.push_back(key);
    return keys;
}

INSTANTIATE_TEST_SUITE_P(Policy, EveryKey, testing::ValuesIn(keys_with_sections()),
                         [](const testing::TestParamInfo<std::string>& one) {
                             std::string name = one.param;
                             for (char& c : name)
                                 if (c == '.') c = '_';
                             return name;
                         });

} // namespace
} // namespace ckpt
