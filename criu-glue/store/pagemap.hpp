// SPDX-License-Identifier: GPL-2.0-or-later
// CRIU's pagemap images, as far as they say which page of memory each page of a pages image is (CRIU
// images/pagemap.proto, criu/pagemap.c). A user's criu wrote them: what they say may be anything, and is
// never more than advice.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "os/fd.hpp"

namespace ckpt::store {

// Memory whose pages lie in the pages image, in this order.
struct PagemapRun {
    std::uint64_t first = 0; // number of the page: address / 4096
    std::uint64_t count = 0; // never 0; first + count is at most 2^52
};

// Reads one from front to back, in little memory.
class PagemapReader {
public:
    // Nothing when it is no pagemap.
    static std::optional<PagemapReader> open(Fd file);
    [[nodiscard]] std::uint32_t pages_id() const { return m_pages_id; } // of the image "pages-N.img"
    // Nothing at the end, and where it stops making sense.
    std::optional<PagemapRun> next();
    // Whether it made sense to its end; known once next() has returned nothing.
    [[nodiscard]] bool sane() const { return m_sane; }

private:
    explicit PagemapReader(Fd file);
    bool take(char* to, std::size_t size);
    std::optional<std::string_view> take_message();

    Fd m_file;
    std::vector<char> m_buffer;
    std::size_t m_at = 0;
    std::size_t m_have = 0;
    bool m_ended = false; // at the end of the file, where a message could have begun
    bool m_sane = true;
    std::uint32_t m_pages_id = 0;
    std::string m_message;
};

} // namespace ckpt::store
