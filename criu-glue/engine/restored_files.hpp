// SPDX-License-Identifier: GPL-2.0-or-later
// All that a restore does to the user's files, in its order: what an earlier one has left is cleared, saved
// files are put back, lost names are made again, output is cut, saved output goes in front.
#pragma once

#include <array>
#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "engine/leftovers.hpp"
#include "engine/linked_files.hpp"
#include "engine/local_placement.hpp"
#include "engine/record.hpp"
#include "engine/restore.hpp"
#include "engine/rollback_files.hpp"
#include "engine/saved_output.hpp"
#include "engine/tails.hpp"
#include "wire/engine_messages.hpp"

namespace ckpt {

class RestoredFiles {
public:
    using Left = std::function<std::chrono::milliseconds()>; // how long the user's files may take to answer

    RestoredFiles(const wire::RestoreRequest& request, const RestoreFds& fds);

    // Undoes what earlier restores were interrupted in, of this task and of the one that was dumped.
    Status clear(const DumpRecord& record, const Left& left);
    // Looks and decides; changes nothing. `replaced`: files that the tree gets from us; `stdio`: its new
    // standard streams.
    Status plan(const DumpRecord& record, std::set<std::string> replaced,
                const std::array<StdioIdentity, 3>& stdio, const Left& left);
    // `until_ns`: Unix time at which the restore is over in any case. When it fails, undo() follows.
    Status apply(std::int64_t until_ns, const Left& left);
    // Once the restored tree exists and before it runs.
    Status finish(const Left& left) { return m_locals.finish(left()); }
    // In the reverse order of apply(); what cannot be undone is said in `error`.
    void undo(Error& error, const Left& left);
    // After the restore: what was displaced goes to the tails.
    void settle();
    // Once applied: complaints, notes and what was rolled back.
    void describe_in(wire::RestoreResult& result);

private:
    const wire::RestoreRequest& m_request;
    JobUser m_user;
    Tails m_tails;
    UserPlace m_place;
    std::vector<std::string> m_notes;
    LocalFiles m_locals;
    LinkedFiles m_links;
    Rollback m_rollback;
    OutputFiles m_outputs;
};

} // namespace ckpt
