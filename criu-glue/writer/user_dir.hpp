// SPDX-License-Identifier: GPL-2.0-or-later
// The user's directory in the store: whoever else could write to it could remove or put back files in it, so
// it has to be the user's alone.
#pragma once

#include <sys/types.h>

#include <string>

#include "os/creds.hpp"
#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

// As root: the directory `path`, which is made for the user when it is missing and `make` says so, where
// everything above it belongs to root and is writable by nobody else. Else (a parent of the user's, a file
// system on which root has no rights) nothing is opened and Code::not_permitted, not_found or os says why:
// then only the user can. `path` is absolute.
Result<Fd> open_as_root(const std::string& path, const Identity& user, bool make);

// As the user: the directory `path`, made with those above it (0700) when it is missing and `make` says so.
// Symbolic links are followed: they lead nowhere that the user could not go; but the last one has to be the
// user's or root's (Code::not_permitted).
Result<Fd> open_as_user(const std::string& path, bool make);

// Code::not_permitted unless it belongs to `uid` and nobody else may write to it.
Status check_user_dir(int dir, const std::string& path, uid_t uid);

} // namespace ckpt
