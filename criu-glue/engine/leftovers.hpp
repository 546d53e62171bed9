// SPDX-License-Identifier: GPL-2.0-or-later
// What an interrupted restore has left beside the user's files is undone, and what a finished one has
// displaced is kept. Root's part: children that become the user do the work (undo.hpp).
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "engine/record.hpp"
#include "engine/tails.hpp"
#include "engine/undo_record.hpp"
#include "os/creds.hpp"
#include "result/result.hpp"

namespace ckpt {

// Who works on the user's files, and where.
struct UserPlace {
    JobUser user;
    int mount_ns = -1; // the task's
};

// Moves what the records' files held before into the tails, the newest `keep_most` bytes of each file, and
// takes the records away. What cannot be kept stays where it is, with its record.
void keep_and_forget(const std::vector<UndoRecord>& records, const UserPlace& place, Tails& tails,
                     std::uint64_t keep_most, std::chrono::milliseconds limit);

// One line for each file of which more was displaced than is kept.
std::vector<std::string> notes_on_dropped(const std::vector<UndoRecord>& records, std::uint64_t keep_most);

// A file in each directory in which `record` has files that a restore may have touched.
std::vector<LocalFile> one_per_directory(const DumpRecord& record);

// Undoes what earlier restores of `job` were interrupted in, and finishes what they had left to do after the
// job was running. Code::rollback_refused when somebody else has changed a file since; with `ignore_changed`
// that is left as it is, what it held before goes to the tails, and the line returned says so.
Result<std::vector<std::string>> clear_leftovers(const DumpRecord& record, const std::string& job,
                                                 bool ignore_changed, const UserPlace& place, Tails& tails,
                                                 std::uint64_t keep_most, std::chrono::milliseconds limit);

} // namespace ckpt
