// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "result/result.hpp"

namespace ckpt::store {

// What a file consists of, page by page.
class PageSink {
public:
    PageSink() = default;
    PageSink(const PageSink&) = delete;
    PageSink& operator=(const PageSink&) = delete;
    PageSink(PageSink&&) = delete;
    PageSink& operator=(PageSink&&) = delete;
    virtual ~PageSink() = default;
    virtual Status zeros(std::uint64_t pages) = 0;
    virtual Status data(const char* page) = 0; // k_page_size bytes, the last one filled up with zeros
};

// Reads `size` bytes of `fd` from the front; what the file system calls a hole is not read. A file that is
// shorter than `size` gives EIO. `buffer` is the caller's to use again.
Status read_pages(int fd, std::uint64_t size, std::vector<char>& buffer, PageSink& sink);

} // namespace ckpt::store
