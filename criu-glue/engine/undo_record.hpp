// SPDX-License-Identifier: GPL-2.0-or-later
// What a restore is about to do to the user's files in one directory, and how that is taken back. It is on
// disk, in that directory, before the first of these files is touched: whoever finds it after a crash, on any
// node, can put back what was there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/placement.hpp"
#include "engine/record.hpp"
#include "engine/rewrite.hpp"
#include "result/result.hpp"

namespace ckpt {

// Names that we make beside the user's files: ".ckpt-JOB.RANDOM", and behind it
// ".undo": a record; the files it names are in between, or as the restore has made them.
// ".done": a record; the restored tree has these files. What they held before is still to be kept.
// ".part": a record that is being written: nothing was done yet.
// ".N.new": of entry N the new file, until it takes its place; ".N.old": what was there; ".N.saved": what a
// rewrite writes over, at the same offsets.
// ".link.new": of no record: a deleted file that is made again, until it has its name.
std::string undo_prefix(const std::string& job);
// The same with 64 random bits: a name that nobody else can have made beforehand.
Result<std::string> random_prefix(const std::string& job);

struct UndoEntry {
    std::string name;                         // of the file, in the directory
    Placement placement = Placement::replace; // create, replace, rewrite or remove
    std::string helper;                       // ".ckpt-JOB.RANDOM.N"
    Rewrite was;                              // the file before; of create all 0
    std::uint64_t inode = 0;                  // the file after; of remove all 0
    std::uint64_t size = 0;
    std::int64_t mtime_ns = 0;
    bool keeps = false; // what was there may be somebody else's work: it goes to the tails
    bool operator==(const UndoEntry&) const = default;
};

struct UndoRecord {
    std::string root; // the directory, as open_parent() of a file in it wants it
    std::string path; // below `root`; empty: `root` itself
    std::string prefix;
    std::int64_t until_ns = 0;        // Unix time at which this restore was over in any case
    std::uint32_t directory_mode = 0; // that the directory had, where it had to be changed; else 0
    std::vector<UndoEntry> entries;
    std::uint64_t directory = 0; // LocalFile's
    bool finished = false;       // it lies there as ".done"; no part of its text
    bool operator==(const UndoRecord&) const = default;

    // The file of an entry with what the restore has made of it.
    [[nodiscard]] LocalFile file(const UndoEntry& entry) const;
    [[nodiscard]] std::string full_path(const UndoEntry& entry) const { return file(entry).full_path(); }
};

std::string to_json(const std::vector<UndoRecord>& records);
Result<std::vector<UndoRecord>> undo_records_from_json(std::string_view text); // Code::store_corrupt

// What lies at an entry's name and helpers now; inode 0 = nothing.
struct UndoNow {
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t mtime_ns = 0;
    std::uint64_t old_inode = 0; // of HELPER.old
};

// How an entry is taken back.
enum class UndoStep : std::uint8_t {
    nothing,   // it was not begun, or is taken back already
    unlink,    // the file that we have made goes
    put_back,  // HELPER.old takes its name again
    drop_old,  // the file still has its name: HELPER.old is a second one
    write,     // HELPER.saved is written over it
    is_changed // somebody else has been at it since: nothing of it may be touched
};
UndoStep decide_undo(const UndoEntry& entry, const UndoNow& now, std::int64_t until_ns);

// How many bytes of what was there before are beyond the newest `most`.
std::uint64_t beyond(const UndoEntry& entry, std::uint64_t most);

} // namespace ckpt
