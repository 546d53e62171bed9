// SPDX-License-Identifier: GPL-2.0-or-later
// Who is at work on a record of a restore (undo_record.hpp) holds a lock on it: flock(2), which NFS takes to
// the server, so that it holds between nodes. Where the file system has none, everybody goes on without.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

using UndoEnd = std::chrono::steady_clock::time_point;
// When a child that is killed after `limit` gives up waiting: early enough to say why.
UndoEnd last_wait(std::chrono::milliseconds limit);

// Locks `file`, which has to be open for writing (NFS), and makes sure that it still is `name` in `dir`.
// Waits until `end` for whoever is at it, such as a killed restore's child that still writes to a slow file
// server; then Code::restore_failed, which names `where`. Code::not_found: it has lost this name.
Status lock_record(int file, int dir, const std::string& name, const std::string& where, UndoEnd end);

// Locks that a child has taken go on in its parent.
class LockPost {
public:
    static Result<LockPost> make();
    // In the child. A lock that does not arrive ends with the child.
    void send(const std::vector<Fd>& locks) const;
    // In the parent, once the child has ended.
    [[nodiscard]] std::vector<Fd> receive() const;

private:
    LockPost(Fd in, Fd out) : m_in(std::move(in)), m_out(std::move(out)) {}
    Fd m_in;
    Fd m_out;
};

} // namespace ckpt
