// SPDX-License-Identifier: GPL-2.0-or-later
// The user's directory in the store: whoever else could write to it, or put another in its place, could
// remove or put back files in it, so it has to be the user's alone and the way to it nobody else's.
//
// Only the directory itself is ever made. Those above it have to be there: a file system that is not mounted
// must not look like an empty store.
#pragma once

#include <sys/types.h>

#include <string>

#include "os/creds.hpp"
#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

// All paths are absolute, without "." and "..".
struct UserDir {
    std::string path;
    // A directory above it: the part of the path that an admin has named, and that is taken as it is. "/": no
    // part.
    std::string admins = "/";
    bool make = false; // when it is missing
};

// The directory, made for the user if it shall be, where everything above it belongs to root and is
// writable by nobody else. Code::not_found: there it is missing, for the user as well. Else (a parent of the
// user's, a file system on which root has no rights) Code::not_permitted or os says why nothing is opened:
// then only the user can.
Result<Fd> open_as_root(Root root, const UserDir& dir, const JobUser& user);

// As the user: the directory, made (0700) if it shall be. Below `admins` every directory on the way has to be
// the user's, root's or the owner's of `admins`, and writable by nobody else unless it is sticky, and none
// may be a symbolic link except one of root's in a directory that only root can write (Code::not_permitted).
// Code::not_found says that it is the directory itself that is missing; one above it that is missing is
// Code::os with ENOENT.
Result<Fd> open_as_user(const UserDir& dir, uid_t user);

// Code::not_permitted unless it belongs to `uid` and nobody else may write to it.
Status check_user_dir(int dir, const std::string& path, uid_t uid);

} // namespace ckpt
