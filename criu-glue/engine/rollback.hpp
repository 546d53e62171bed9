// SPDX-License-Identifier: GPL-2.0-or-later
// Which output files go back to the length they had at the dump. Decisions only; rollback_files.hpp carries
// them out.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/record.hpp"
#include "result/result.hpp"

namespace ckpt {

// A path as it is now; `exists` false when it cannot be opened for writing.
struct FileNow {
    bool exists = false;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t born_ns = 0; // way.hpp:birth_ns
    auto operator<=>(const FileNow&) const = default;
};

// All openings of one file in the record.
struct RecordedFile {
    std::string path;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::uint64_t furthest = 0; // largest offset of any descriptor of the job's or the shim's
    bool only_append = true;    // every opening had O_APPEND
    bool size_checked = false;  // CRIU refuses the restore when the size differs
    std::int64_t born_ns = 0;
};

struct Cut {
    std::string path;
    std::uint64_t inode = 0;
    std::uint64_t from = 0; // its size now
    std::uint64_t to = 0;   // recorded
    bool operator==(const Cut&) const = default;
};

// Merges the record's openings by path, leaving out those in `replaced` (the restored tree gets another file
// instead).
std::vector<RecordedFile> recorded_files(const DumpRecord& record, const std::set<std::string>& replaced);

struct RollbackRules {
    bool tree_was_stopped = false; // nothing of the job wrote after the dump
    bool ignore_changed = false;   // files that others have changed are used as they are
};

struct RollbackPlan {
    std::vector<Cut> cuts;
    std::vector<std::string> ignored; // one line each
};

// What has to be cut; Code::rollback_refused names the first file that is not as the generation left it.
// `now` belongs to `files` by index. Even with `ignore_changed` a file must be there, and must have the size
// that CRIU insists on.
Result<RollbackPlan> decide_rollback(const std::vector<RecordedFile>& files, const std::vector<FileNow>& now,
                                     const RollbackRules& rules);

// Our own complaints ("checkpoint: … [CKPT-405]…") among the lines at the end of a cut tail, without
// "checkpoint: ": they say why a job goes on from further back than its user may expect, and would be cut
// with what it has to do again. At most the last four.
std::vector<std::string> complaints_in(std::string_view tail);

// "PATH: cut from 300 to 266 bytes"
std::string describe(const Cut& cut);

// For the user: how much of the cut is lost when the newest `most` bytes are kept; empty when nothing is.
std::string note_on_dropped(const Cut& cut, std::uint64_t most);

// At most ten of them, and how many more there are: the answer has to fit into one message, and paths may
// have 4 KiB. Of cuts ckptd says that each was "rolled back".
std::vector<std::string> listed_cuts(std::vector<std::string> lines);
std::vector<std::string> listed_notes(std::vector<std::string> lines);

} // namespace ckpt
