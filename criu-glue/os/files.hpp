// SPDX-License-Identifier: GPL-2.0-or-later
// Whole-file reads and writes over open descriptors, and durability.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

// Reads from the current offset to the end; more than `max` bytes is an error (Code::os).
Result<std::string> read_all(int fd, std::size_t max);

// Writes everything, resuming after short writes and EINTR. ENOSPC and EDQUOT give Code::store_full.
Status write_all(int fd, std::string_view data);

// fsync; ENOSPC and EDQUOT (delayed allocation, NFS) give Code::store_full.
Status sync_fd(int fd, const std::string& what);

// Copies `size` bytes between offsets. A source that ends before gives EIO, ENOSPC and EDQUOT
// Code::store_full.
Status copy_range(int from, std::uint64_t from_at, int to, std::uint64_t to_at, std::uint64_t size);

// Gives the empty file `to` `size` bytes of `from`, from `from_at` on; holes stay holes. More than `data_max`
// bytes of data: errno EFBIG. Returns the bytes of data.
// `end`: Code::deadline when it is not done by then.
using CopyEnd = std::chrono::steady_clock::time_point;
Result<std::uint64_t> copy_sparse(int from, std::uint64_t from_at, int to, std::uint64_t size,
                                  std::uint64_t data_max = UINT64_MAX, CopyEnd end = CopyEnd::max());

// The same for a whole file of `size` bytes, which shares its blocks with the copy where the file system can.
Result<std::uint64_t> copy_whole(int from, int to, std::uint64_t size, std::uint64_t data_max = UINT64_MAX);

// Puts a file with `text` in the place of `path`, whole or not at all. What is there before may be a regular
// file; its name is never followed. Beside it a file ".NAME.new" is replaced, too. The umask does not count.
Status replace_file(const std::string& path, std::string_view text, mode_t mode);

// Where the link `name` in `dir` leads; empty when it is none.
std::string link_target(int dir, const std::string& name);

// A close-on-exec duplicate of `fd`.
Result<Fd> duplicate(int fd);

// A close-on-exec pipe: {read end, write end}.
struct Pipe {
    Fd read;
    Fd write;
};
Result<Pipe> make_pipe();

} // namespace ckpt
