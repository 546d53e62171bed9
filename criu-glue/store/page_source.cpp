// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/page_source.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>

#include "store/block_cipher.hpp"
#include "store/index.hpp"

namespace ckpt::store {
namespace {

constexpr std::size_t k_buffer = std::size_t{1} << 20U;

// Where data (SEEK_DATA) or a hole (SEEK_HOLE) begins at or behind `at`; a file system that does not know
// has data everywhere.
std::uint64_t seek(int fd, std::uint64_t at, std::uint64_t size, int what) {
    const off_t found = ::lseek(fd, static_cast<off_t>(at), what);
    if (found >= 0) return std::min(static_cast<std::uint64_t>(found), size);
    return errno != ENXIO && what == SEEK_DATA ? at : size;
}

Status read_fully(int fd, std::uint64_t at, std::span<char> into) {
    while (!into.empty()) {
        const ssize_t got = ::pread(fd, into.data(), into.size(), static_cast<off_t>(at));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno(Code::os, "read");
        if (got == 0) return fail_errno(Code::os, "read: it has become shorter", EIO);
        into = into.subspan(static_cast<std::size_t>(got));
        at += static_cast<std::uint64_t>(got);
    }
    return {};
}

bool is_zero(const char* page) {
    // Every byte equals its neighbour, and the first is zero.
    return *page == '\0' && std::memcmp(page, page + 1, k_page_size - 1) == 0;
}

// Whole pages from `at` to `end`, which is the end of a page or of the file.
Status read_data(int fd, std::uint64_t at, std::uint64_t end, std::vector<char>& buffer, PageSink& sink) {
    while (at < end) {
        const std::size_t size = std::min<std::uint64_t>(buffer.size(), end - at);
        CKPT_CHECK(read_fully(fd, at, std::span(buffer).first(size)));
        const std::size_t pages = pages_in(size);
        std::fill(buffer.data() + size, buffer.data() + pages * k_page_size, '\0');
        for (std::size_t i = 0; i < pages; ++i) {
            const char* const page = buffer.data() + i * k_page_size;
            CKPT_CHECK(is_zero(page) ? sink.zeros(1) : sink.data(page));
        }
        at += size;
    }
    return {};
}

} // namespace

Status read_pages(int fd, std::uint64_t size, std::vector<char>& buffer, PageSink& sink) {
    buffer.resize(k_buffer);
    for (std::uint64_t at = 0; at < size;) { // always the beginning of a page
        const std::uint64_t data = seek(fd, at, size, SEEK_DATA);
        const std::uint64_t begin = data == size ? pages_in(size) : data / k_page_size;
        if (begin > at / k_page_size) CKPT_CHECK(sink.zeros(begin - at / k_page_size));
        if (data == size) break;
        at = begin * k_page_size;
        const std::uint64_t hole = seek(fd, data, size, SEEK_HOLE);
        // A file that changes under our hands must not keep us here.
        const std::uint64_t end = std::min(pages_in(std::max(hole, data + 1)) * k_page_size, size);
        CKPT_CHECK(read_data(fd, at, end, buffer, sink));
        at = end;
    }
    return {};
}

} // namespace ckpt::store
