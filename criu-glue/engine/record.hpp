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
#include "wire/engine_messages.hpp"

namespace ckpt {

constexpr const char* k_record_name = "open-files.json";

// A regular file the tree had open for writing.
struct OpenFile {
    std::string path; // in the task's mount namespace
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::uint64_t position = 0;
    std::uint32_t flags = 0;  // open(2)
    std::int64_t born_ns = 0; // way.hpp:birth_ns
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
    std::uint64_t content = 0; // open_files.hpp:script_content
    bool operator==(const ScriptPosition&) const = default;
};

// The tree's clocks at the dump; programs compute with differences of them.
struct ClockReadings {
    std::int64_t monotonic_ns = 0;
    std::int64_t boottime_ns = 0;
    bool operator==(const ClockReadings&) const = default;
};

// Something of the user's that is saved with the images: what the tree uses on the node's own disk or in its
// memory, which does not exist on another node, or a file that it writes to in place.
struct LocalFile {
    // absent: there was none, and one that is there at the restore must not be seen by the tree.
    enum class Kind : std::uint8_t { file, directory, fifo, absent };
    Kind kind = Kind::file;
    std::string root; // the node-local directory it lies below, as the policy names it; else its directory
    std::string path; // below `root`, relative
    std::uint32_t mode = 0;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0; // file only, as all that follows
    std::int64_t mtime_ns = 0;
    bool only_grows = true;      // whoever writes to it appends
    std::string content;         // its name beside the images
    std::int64_t born_ns = 0;    // way.hpp:birth_ns
    std::uint64_t directory = 0; // inode of `root` at the dump; 0 when that is an admin's word
    bool operator==(const LocalFile&) const = default;

    [[nodiscard]] std::string full_path() const { return root + "/" + path; }
};

// Standard output or error that Slurm empties when the job starts again, up to the cut.
struct SavedOutput {
    std::string path;
    std::uint64_t size = 0; // of the file
    std::uint64_t from = 0; // what is before it was too much to save
    std::string content;    // its name beside the images
    bool operator==(const SavedOutput&) const = default;
};

// A file that is open under a name it no longer has, while it has others or is one of NFS's .nfsXXXX. CRIU
// gives it a name of its own for the time until the restore, and takes that away when the tree runs on.
struct LinkedFile {
    std::string link; // CRIU's name for it, a full path
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::uint32_t mode = 0;
    std::string sibling;    // another name of it in that directory; may be empty
    std::string content;    // its name beside the images; empty when it was not saved
    bool elsewhere = false; // it has names in other directories
    bool operator==(const LinkedFile&) const = default;
};

struct DumpRecord {
    std::array<StdioIdentity, 3> stdio;
    std::uint64_t status_pipe = 0; // inode of ckpt-init's status pipe
    std::optional<ScriptPosition> script;
    ClockReadings clocks;
    std::vector<OpenFile> files;
    std::string boot_id; // of the node: device and inode numbers mean something there only
    std::vector<LocalFile> local_files;
    std::vector<LocalFile> copied_files; // --checkpoint-files=copy
    std::vector<SavedOutput> outputs;
    std::vector<LinkedFile> links;
    std::string task;         // wire::RestoreRequest::task_name of its own restores
    std::string criu_version; // an older CRIU may not read what this one has written
    bool operator==(const DumpRecord&) const = default;
};

std::string to_json(const DumpRecord& record);
Result<DumpRecord> record_from_json(std::string_view text); // Code::store_corrupt

// The one beside the images.
Result<DumpRecord> read_dump_record(int images);

// Paths are bytes, JSON strings are Unicode: everything but printable ASCII is written as %XX.
std::string escape_bytes(std::string_view bytes);
std::string unescape_bytes(std::string_view text);

} // namespace ckpt
