// SPDX-License-Identifier: GPL-2.0-or-later
// What CRIU's images do not say and a restore needs: open-files.json beside them, written while the tree
// stood still.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "result/result.hpp"

namespace ckpt {

constexpr const char* k_record_name = "open-files.json";

// A regular file the tree had open for writing.
struct OpenFile {
    std::string path; // in the task's mount namespace
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::uint64_t position = 0;
    std::uint32_t flags = 0; // open(2)
    auto operator<=>(const OpenFile&) const = default;
};

// What the task's own stdin, stdout or stderr was: the tree holds it too, and gets the new incarnation's
// instead.
struct StdioIdentity {
    enum class Kind : std::uint8_t { other, pipe, file };
    Kind kind = Kind::other;
    std::uint64_t inode = 0;
    std::string path; // file only
    bool operator==(const StdioIdentity&) const = default;
};

struct ScriptPosition {
    std::string path;
    std::uint64_t position = 0;
    bool operator==(const ScriptPosition&) const = default;
};

// The tree's clocks at the dump; programs compute with differences of them.
struct ClockReadings {
    std::int64_t monotonic_ns = 0;
    std::int64_t boottime_ns = 0;
    bool operator==(const ClockReadings&) const = default;
};

struct DumpRecord {
    std::array<StdioIdentity, 3> stdio;
    std::uint64_t status_pipe = 0; // inode of ckpt-init's status pipe
    std::optional<ScriptPosition> script;
    ClockReadings clocks;
    std::vector<OpenFile> files;
    bool operator==(const DumpRecord&) const = default;
};

std::string to_json(const DumpRecord& record);
Result<DumpRecord> record_from_json(std::string_view text); // Code::store_corrupt

// Paths are bytes, JSON strings are Unicode: everything but printable ASCII is written as %XX.
std::string escape_bytes(std::string_view bytes);
std::string unescape_bytes(std::string_view text);

} // namespace ckpt
