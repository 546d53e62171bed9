// SPDX-License-Identifier: GPL-2.0-or-later
// The file system that the store is on, as the only account sees it that has rights there: the job's user.
// Everything the store does to files goes through here, so that the same code runs in ckpt-sealer, where
// another process does it (remote_volume.hpp), and right on a directory (local_volume.hpp).
//
// Paths are relative to the user's directory in the store, one to eight plain names between slashes, "" for
// the directory itself. Nothing follows a symbolic link. What is read may have been written by anybody.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "result/result.hpp"

namespace ckpt::store {

// A new file, written from its beginning to its end. Given up when it goes without finish(): it stays as far
// as it was written.
class NewFile {
public:
    NewFile() = default;
    NewFile(const NewFile&) = delete;
    NewFile& operator=(const NewFile&) = delete;
    NewFile(NewFile&&) = delete;
    NewFile& operator=(NewFile&&) = delete;
    virtual ~NewFile() = default;
    // Code::store_full for ENOSPC and EDQUOT; may be reported by a later call only.
    virtual Status write(std::string_view bytes) = 0;
    // Durable after this (fsync).
    virtual Status finish() = 0;
};

// A regular file, read wherever the reader likes.
class OldFile {
public:
    OldFile() = default;
    OldFile(const OldFile&) = delete;
    OldFile& operator=(const OldFile&) = delete;
    OldFile(OldFile&&) = delete;
    OldFile& operator=(OldFile&&) = delete;
    virtual ~OldFile() = default;
    [[nodiscard]] virtual std::uint64_t size() const = 0; // when it was opened
    // Fills `into`, less only at the end of the file. Returns how much.
    virtual Result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) = 0;
};

struct Space {
    std::uint64_t free = 0;  // bytes that the user may still write, as far as the file system says
    std::uint64_t total = 0; // of the file system
};

// What is on disk at and below a path.
struct Usage {
    std::uint64_t bytes = 0; // of the blocks in use (st_blocks)
    std::int64_t newest =
        0; // when a file there last changed, or the directory where there is none: ctime, Unix seconds
};

constexpr std::size_t k_names_max = std::size_t{12} << 20U; // half a million directories of jobs

// Errors: Code::not_found for ENOENT, Code::store_full for ENOSPC and EDQUOT, Code::deadline when the file
// system did not answer, else Code::os; errnum is set wherever a system call failed.
class Volume {
public:
    Volume() = default;
    Volume(const Volume&) = delete;
    Volume& operator=(const Volume&) = delete;
    Volume(Volume&&) = delete;
    Volume& operator=(Volume&&) = delete;
    virtual ~Volume() = default;

    // For messages: where "" is.
    [[nodiscard]] virtual const std::string& name() const = 0;
    // Sorted. Of k_names_max bytes at the most, four more for each: else Code::os with EFBIG.
    virtual Result<std::vector<std::string>> list(const std::string& dir) = 0;
    // Makes a directory (0700) and its name durable; one that is there already is fine.
    virtual Status make_dir(const std::string& path) = 0;
    // A file (0600) that did not exist before.
    virtual Result<std::unique_ptr<NewFile>> create(const std::string& path) = 0;
    virtual Result<std::unique_ptr<OldFile>> open(const std::string& path) = 0;
    // A whole file of at most `max` bytes.
    virtual Result<std::string> read(const std::string& path, std::size_t max) = 0;
    // Atomic; replaces a file, never a directory. Durable after sync() of the directories.
    virtual Status rename(const std::string& from, const std::string& to) = 0;
    virtual Status sync(const std::string& dir) = 0;
    // With everything below; what is not there is fine.
    virtual Status remove(const std::string& path) = 0;
    virtual Result<Space> space() = 0;
    // What goes meanwhile is not counted.
    virtual Result<Usage> usage(const std::string& path) = 0;
};

} // namespace ckpt::store
