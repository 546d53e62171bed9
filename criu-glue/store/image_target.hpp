// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt::store {

// A file that is written from front to back, and of which everything else is holes. Until finish() it is at
// no moment anything but the beginning of what it will be.
class ImageTarget {
public:
    // `name` must not exist.
    static Result<ImageTarget> create(int dir, const std::string& name);
    Status write(std::uint64_t at, std::string_view bytes);
    Status finish(std::uint64_t size);

private:
    explicit ImageTarget(Fd file) : m_file(std::move(file)) {}
    Status flush();

    Fd m_file;
    std::string m_buffer; // goes to m_at
    std::uint64_t m_at = 0;
};

} // namespace ckpt::store
