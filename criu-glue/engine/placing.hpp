// SPDX-License-Identifier: GPL-2.0-or-later
// What is done to one file of the user's when it is put back. Everything here runs as the user. How it is
// taken back: undo.hpp.
#pragma once

#include <cstdint>
#include <string>

#include "engine/placement.hpp"
#include "engine/record.hpp"
#include "engine/undo_record.hpp"
#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

// The directory the file is in. Code::not_found; Code::not_permitted when a directory between the root and it
// is somebody else's. The root itself is the admin's word, or the one that the program used: others may own
// it, but must not have exchanged it (way.hpp), else Code::rollback_refused.
Result<Fd> open_parent(const LocalFile& file);

Result<LocalNow> look_at(const LocalFile& file);

// Where nothing was: a directory, a FIFO, or a file in a directory that we have made. Not finished: it has
// the mode it needs for what comes into it.
Status make_new(const LocalFile& file, int images);
// Only what make_new() may have made.
void unmake_new(const LocalFile& file);

// A directory gets its mode when everything is in it, since that may forbid writing, and must let go of it.
Status finish_directory(const LocalFile& file);
void open_up(const LocalFile& file);
// One that was there, is the user's and forbids the user to write: the mode it had; else 0.
std::uint32_t open_up_existing(const LocalFile& file);
// One of the user's, with the mode that make_new() gives: a restore that died has not finished it.
bool is_unfinished(const LocalFile& file);

// Makes HELPER.new or HELPER.saved and says what is going to happen; the file itself is not touched. `now` is
// what is there. errno EFBIG when there is no room for what a rewrite writes over. `shared`: what is made has
// to be on the file server's disk.
Result<UndoEntry> prepare(const LocalFile& file, Placement placement, const LocalNow& now,
                          const std::string& helper, int images, bool shared);
// Does it, once a record of it is on disk. Code::rollback_refused when the file is not as it was.
Status carry_out(const LocalFile& file, const UndoEntry& entry, int images);

} // namespace ckpt
