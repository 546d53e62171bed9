// SPDX-License-Identifier: GPL-2.0-or-later
// Opening files so that no path can be swapped between check and use: everything is opened beneath a
// directory descriptor, without symbolic links, and trust is decided on the open descriptor.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

// openat2(2) with RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS, O_CLOEXEC added. `path` is
// relative to `dir`. ENOENT gives Code::not_found, everything else Code::os (errnum is set in both).
Result<Fd> open_beneath(int dir, const std::string& path, int flags, mode_t mode = 0);

// Opens an absolute directory path from "/" without following symbolic links, and requires that every
// directory on the way is owned by root and writable by nobody else (sticky directories such as /tmp are
// refused too). Code::not_permitted names the component at fault.
Result<Fd> open_trusted_dir(const std::string& path);

// open_trusted_dir, creating missing components as root with `mode`. Existing ones keep theirs.
Result<Fd> make_trusted_dir(const std::string& path, mode_t mode);

// mkdirat + open_beneath(O_DIRECTORY); an existing directory is opened. The result must be owned by the
// caller's euid, else Code::not_permitted.
Result<Fd> make_dir_beneath(int dir, const std::string& name, mode_t mode);

// Calls `visit` for each name in a directory, without "." and "..", in the order of the directory, until it
// returns false.
Status for_each_name(int dir, const std::function<bool(const char* name)>& visit);

// The names in a directory, without "." and "..", sorted. Of `max` bytes together (each counts four more) at
// the most, else Code::os with EFBIG: for directories that others fill.
Result<std::vector<std::string>> list_dir(int dir, std::size_t max = SIZE_MAX);

// Removes `name` and everything under it, however deep, never following links and never leaving `dir`. A
// missing name is success. What cannot be removed ends it; directories that lay deep may then lie higher up
// in the tree.
Status remove_tree(int dir, const std::string& name);

// A single path component: not empty, not "." or "..", no '/', no NUL, at most 255 bytes.
bool is_plain_name(std::string_view name);

} // namespace ckpt
