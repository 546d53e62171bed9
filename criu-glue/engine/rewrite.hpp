// SPDX-License-Identifier: GPL-2.0-or-later
// Gives a file the content it had, without making it another file: only what differs is written, and what was
// there is saved first. Everything here runs as the user.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/record.hpp"
#include "result/result.hpp"

namespace ckpt {

// What has to be written, and what the file was before.
struct Rewrite {
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::uint32_t mode = 0;
    std::int64_t mtime_ns = 0;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges; // begin and end of what differs or goes
    bool operator==(const Rewrite&) const = default;
};
std::string to_text(const Rewrite& rewrite);
Rewrite rewrite_from_text(const std::string& text);

// Compares; changes nothing. What is at the ranges goes into `saved`, at the same offsets, as long as it
// is no more than `room` bytes; else errno EFBIG.
Result<Rewrite> save_differences(const LocalFile& file, int images, int saved, std::uint64_t room);

// Code::rollback_refused when it has changed since.
Status write_differences(const LocalFile& file, int images, const Rewrite& rewrite);
Status undo_rewrite(const LocalFile& file, const Rewrite& rewrite, int saved);

} // namespace ckpt
