// SPDX-License-Identifier: GPL-2.0-or-later
// Images as CRIU writes them of one process: its memory in pages-1.img, and where that lies in pagemap-7.img.
#pragma once

#include <cstdint>
#include <string>

namespace ckpt::bench {

class Memory {
public:
    // Of `pages` pages an eighth is zero, half compresses to about a half, the rest not at all: an array of
    // floating-point numbers, and text.
    Memory(std::uint64_t pages, std::uint64_t seed) : m_pages(pages), m_seed(seed) {}

    // Writes the images into the directory `dir` as of the `round`-th change: in each, pages are chosen at
    // random, `changed` of all, and get new content.
    void write(const std::string& dir, unsigned round, double changed) const;

private:
    std::uint64_t m_pages;
    std::uint64_t m_seed;
};

} // namespace ckpt::bench
