// SPDX-License-Identifier: GPL-2.0-or-later
// Records of what a restore does to the user's files (undo_record.hpp): written, carried out backwards, and
// found again. Everything here runs as the user, in the task's mount namespace.
#pragma once

#include <string>
#include <vector>

#include "engine/undo_lock.hpp"
#include "engine/undo_record.hpp"
#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

Result<Fd> open_directory_of(const UndoRecord& record);

// On disk when it returns, with the names of its helpers. It stays locked as long as the descriptor is open,
// where the file system can: nobody undoes what is still being done.
Result<Fd> write_undo(const UndoRecord& record);

// Nobody else undoes, finishes or forgets the record as long as the descriptor is open, where the file system
// can. Waits until `end` for whoever is at it, as lock_record() does. Code::not_found: whoever took it away
// has done what there was to do.
Result<Fd> lock_undo(const UndoRecord& record, UndoEnd end);

// What becomes of a record that cannot be taken back because somebody else has changed a file since.
enum class Refused : std::uint8_t {
    stays, // for a later undo
    used   // finish_undo(): the files are used as they are
};

// Puts everything back as it was, the last entry first, then removes the record, all under lock_undo();
// nothing when there is no record any more. Can be done again after it was interrupted anywhere.
// Code::rollback_refused names a file that somebody else has changed since; that one's helpers stay.
Status undo(const UndoRecord& record, UndoEnd end, Refused refused = Refused::stays);

// The restored tree has the files: undo() of it must not come any more.
Status finish_undo(const UndoRecord& record);

// The one with this prefix in the directory of `file`, finished or not; Code::not_found.
Result<UndoRecord> read_undo(const LocalFile& file, const std::string& prefix);

// What was there before, as far as it has not been dropped yet: the data for a tail. Returns the bytes that
// came before the newest `most`. Code::not_found when there is nothing.
Result<std::uint64_t> keep_displaced(const UndoRecord& record, const UndoEntry& entry, int tail,
                                     std::uint64_t most);
// HELPER.* beside the file.
void remove_helpers(const LocalFile& file, const std::string& helper);
// The record, then its helpers.
void forget_undo(const UndoRecord& record);

// Records of `job` in the directory of `file`, those that are finished apart; helpers that belong to no
// record are removed. A directory that is missing or cannot be listed has none; a record that cannot be read
// is an error, unless it is none of ours.
struct Leftovers {
    std::vector<UndoRecord> open;
    std::vector<UndoRecord> finished;
};
Status find_leftovers(const LocalFile& file, const std::string& job, Leftovers& found);

} // namespace ckpt
