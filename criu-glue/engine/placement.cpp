// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/placement.hpp"

#include <sys/stat.h>

#include <map>

namespace ckpt {

namespace {

using Kind = LocalFile::Kind;
using What = LocalNow::What;

} // namespace

Result<Placement> decide_placement(const LocalFile& file, const LocalNow& now, bool same_boot) {
    const std::string hint = "remove it on this node, or have the job restored on another one";
    switch (now.what) {
    case What::missing:
        return Placement::create;
    case What::foreign:
        return fail(Code::restore_failed, file.full_path() + " belongs to another user on this node", hint);
    case What::other_kind:
        return fail(Code::restore_failed, file.full_path() + " is of another kind on this node", hint);
    case What::same_kind:
        break;
    }
    if (file.kind != Kind::file) return Placement::leave;
    const bool same_file = same_boot && now.device == file.device && now.inode == file.inode;
    return same_file && file.only_grows ? Placement::leave : Placement::replace;
}

Result<Placement> decide_copy(const LocalFile& file, const LocalNow& now, bool tree_was_stopped) {
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
    if (file.kind == Kind::absent) return Placement::remove;
    if (now.inode != file.inode) return Placement::replace;
    const bool unchanged = tree_was_stopped && now.size == file.size && now.mtime_ns == file.mtime_ns;
    return unchanged ? Placement::leave : Placement::rewrite;
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
