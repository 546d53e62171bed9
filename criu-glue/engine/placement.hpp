// SPDX-License-Identifier: GPL-2.0-or-later
// What happens to a file that was saved with the images when the tree is restored. Decisions only;
// placing.hpp carries them out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/record.hpp"
#include "engine/rewrite.hpp"
#include "result/result.hpp"

namespace ckpt {

// What is at a saved file's path now. `foreign`: it, or a directory on the way, is somebody else's, who could
// swap it under the restored program.
struct LocalNow {
    enum class What : std::uint8_t { missing, same_kind, other_kind, foreign } what = What::missing;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t mtime_ns = 0;
    std::int64_t born_ns = 0; // way.hpp:birth_ns
};

// rewrite: the same file gets its content back, as programs such as SQLite insist on the inode they know.
// replace: what is there makes way for a new file; remove: it makes way for none.
enum class Placement : std::uint8_t { leave, create, replace, rewrite, remove };

// The very file of the dump, when it only grows, is left for the roll-back of output; anything else gets the
// content it had. `same_boot`: this node has not started since the dump, and is the dump's.
Result<Placement> decide_placement(const LocalFile& file, const LocalNow& now, bool same_boot);

// Whether what is there is the very file of the dump, and so nobody else's.
bool is_dumps_own(const LocalFile& file, const LocalNow& now, bool same_boot);

struct PlacingRules {
    bool tree_was_stopped = false; // nothing of the job wrote after the dump: who else did is somebody else
    bool ignore_changed = false;   // what others have changed is put back all the same, kept, and said
};

// For a file that the tree writes to in place and that lies where every node sees it. One that has not
// changed since a tree that was stopped for good is left; a tree that ran on may have changed it through a
// mapping, which leaves no trace in its time. Code::rollback_refused by the rules.
Result<Placement> decide_copy(const LocalFile& file, const LocalNow& now, const PlacingRules& rules);
// Of Placement::rewrite, once the content was compared: a time alone may change when a server gets late pages
// of a mapping.
Status judge_rewrite(const LocalFile& file, const Rewrite& differences, const PlacingRules& rules);
// For the user, where decide_copy() or judge_rewrite() went on; empty when nothing was changed.
std::string note_on_changed(const std::string& path, Placement placement, const Rewrite& differences);

// `files` and every directory between them and their roots, parents first.
std::vector<LocalFile> with_directories(std::vector<LocalFile> files);

} // namespace ckpt
