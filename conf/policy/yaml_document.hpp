// SPDX-License-Identifier: GPL-2.0-or-later
// Internal to conf/policy: one YAML document as a small tree, each node with its place in the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "result/result.hpp"

namespace ckpt {

// Line and column as editors count them, from 1.
struct YamlMark {
    std::size_t line = 1;
    std::size_t column = 1;
};

struct YamlKey {
    std::string text;
    YamlMark mark;
};

struct YamlNode {
    enum class Kind : std::uint8_t { scalar, sequence, mapping };
    Kind kind = Kind::scalar;
    YamlMark mark;
    std::string text;            // scalar
    std::vector<YamlNode> items; // sequence; mapping: items[i] is the value of keys[i]
    std::vector<YamlKey> keys;   // mapping
};

// The largest document, the deepest nesting and the most nodes that are read.
constexpr std::size_t k_yaml_bytes_max = 1U << 20;
constexpr std::size_t k_yaml_depth_max = 20;
constexpr std::size_t k_yaml_nodes_max = 20'000;

// "FILE:LINE:COL: what" with the code.
Error yaml_error(std::string_view file_name, YamlMark mark, Code code, std::string_view what);

// Parses UTF-8 text that holds exactly one document. Anchors, aliases, tags and duplicate keys are refused: a
// policy needs none of them, and each is a way to make a file mean something else than it seems to.
Result<YamlNode> parse_yaml(std::string_view file_name, std::string_view text);

} // namespace ckpt
