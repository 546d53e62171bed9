// SPDX-License-Identifier: GPL-2.0-or-later
// The files of one task's images, and at which address each of their pages is (docs/format-images.md,
// "Pages").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "os/fd.hpp"
#include "result/result.hpp"
#include "store/pagemap.hpp"

namespace ckpt::store {

struct ImageFile {
    std::string name;
    std::string space;   // of the addresses
    std::string pagemap; // the file that says where each page belongs; "" when none does
};

// Every file of `dir`, ordered by space. Code::internal when one has no plain name, or there are too many.
Result<std::vector<ImageFile>> list_image_files(int dir);

// Opens an image without following links or waiting on a FIFO. Code::internal when it is no regular file.
Result<Fd> open_image_file(int dir, const std::string& name, std::uint64_t& size);

// The addresses of a file's pages, from front to back. Wrong ones cost deduplication and nothing else.
class AddressMap {
public:
    AddressMap() = default; // the page's number in the file
    explicit AddressMap(std::optional<PagemapReader> pagemap) : m_pagemap(std::move(pagemap)) {}
    // The addresses of the next pages: at least one, at most `max`.
    PagemapRun take(std::uint64_t max);

private:
    std::optional<PagemapReader> m_pagemap;
    PagemapRun m_run; // what is left of it; without a pagemap, where we are
};
AddressMap address_map(int dir, const ImageFile& file);

} // namespace ckpt::store
