// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/placement.hpp"

#include <sys/stat.h>

#include <map>

#include "engine/way.hpp"

namespace ckpt {

namespace {

using Kind = LocalFile::Kind;
using What = LocalNow::What;

tl::unexpected<Error> refuse_changed(const std::string& what) {
    return fail(
        Code::rollback_refused, what + " by somebody else since the job was stopped",
        "put it right, restart the job without its checkpoint, or have failure.changed_file set to ignore");
}

} // namespace

Result<Placement> decide_placement(const LocalFile& file, const LocalNow& now, bool same_boot) {
    const std::string hint = "remove it on this node, or have the job restored on another one";
    const std::string admin = "have an admin remove it on this node, or the job restored on another one";
    switch (now.what) {
    case What::missing:
        return Placement::create;
    case What::foreign:
        return fail(Code::restore_failed, file.full_path() + " belongs to another user on this node", admin);
    case What::other_kind:
        return fail(Code::restore_failed, file.full_path() + " is of another kind on this node", hint);
    case What::same_kind:
        break;
    }
    if (file.kind != Kind::file) return Placement::leave;
    const bool own = is_dumps_own(file, now, same_boot);
    return own && file.only_grows ? Placement::leave : Placement::replace;
}

bool is_dumps_own(const LocalFile& file, const LocalNow& now, bool same_boot) {
    return same_boot && now.device == file.device && now.inode == file.inode;
}

Result<Placement> decide_copy(const LocalFile& file, const LocalNow& now, const PlacingRules& rules) {
    const std::string hint = "put it out of the way, or restart the job without its checkpoint";
    switch (now.what) {
    case What::missing:
        return file.kind == Kind::absent ? Placement::leave : Placement::create;
    case What::foreign:
        return fail(Code::rollback_refused, file.full_path() + " belongs to another user now", hint);
    case What::other_kind:
        return fail(Code::rollback_refused, file.full_path() + " is no regular file any more", hint);
    case What::same_kind:
        break;
    }
    const bool refuses = rules.tree_was_stopped && !rules.ignore_changed;
    if (file.kind == Kind::absent) {
        if (refuses) return refuse_changed(file.full_path() + " was made");
        return Placement::remove;
    }
    if (now.inode != file.inode || !may_be_born_alike(now.born_ns, file.born_ns)) {
        if (refuses) return refuse_changed(file.full_path() + " was replaced by another file");
        return Placement::replace;
    }
    const bool unchanged = rules.tree_was_stopped && now.size == file.size && now.mtime_ns == file.mtime_ns;
    return unchanged ? Placement::leave : Placement::rewrite;
}

Status judge_rewrite(const LocalFile& file, const Rewrite& differences, const PlacingRules& rules) {
    const bool refuses = rules.tree_was_stopped && !rules.ignore_changed;
    if (!refuses || note_on_changed("", Placement::rewrite, differences).empty()) return {};
    return refuse_changed(file.full_path() + " was changed");
}

std::string note_on_changed(const std::string& path, Placement placement, const Rewrite& differences) {
    const std::string back = " by somebody else since the job was stopped, and is as at the checkpoint again";
    switch (placement) {
    case Placement::leave:
        break;
    case Placement::create:
        return path + " was removed" + back;
    case Placement::replace:
        return path + " was replaced" + back;
    case Placement::remove:
        return path + " was made by somebody else since the job was stopped, and is gone again";
    case Placement::rewrite:
        return differences.ranges.empty() ? "" : path + " was changed" + back;
    }
    return {};
}

std::vector<LocalFile> with_directories(std::vector<LocalFile> files) {
    std::map<std::string, LocalFile> all;
    for (LocalFile& file : files) {
        for (std::size_t slash = file.path.find('/'); slash != std::string::npos;
             slash = file.path.find('/', slash + 1)) {
            LocalFile directory;
            directory.kind = Kind::directory;
            directory.root = file.root;
            directory.path = file.path.substr(0, slash);
            directory.mode = S_IRWXU;
            all.try_emplace(directory.full_path(), directory);
        }
        all.insert_or_assign(file.full_path(), std::move(file));
    }
    std::vector<LocalFile> out;
    out.reserve(all.size());
    for (auto& [path, file] : all)
        out.push_back(std::move(file));
    return out;
}

} // namespace ckpt
