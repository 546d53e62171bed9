// SPDX-License-Identifier: GPL-2.0-or-later
// How a Rewrite stands in a record.
#include <sstream>

#include "engine/rewrite.hpp"

namespace ckpt {

std::string to_text(const Rewrite& rewrite) {
    std::ostringstream out;
    out << rewrite.inode << ' ' << rewrite.size << ' ' << rewrite.mode << ' ' << rewrite.mtime_ns << ' '
        << rewrite.ranges.size();
    for (const auto& [begin, end] : rewrite.ranges)
        out << ' ' << begin << ' ' << end;
    return out.str();
}

Rewrite rewrite_from_text(const std::string& text) {
    std::istringstream in(text);
    Rewrite rewrite;
    std::size_t count = 0;
    in >> rewrite.inode >> rewrite.size >> rewrite.mode >> rewrite.mtime_ns >> count;
    for (std::uint64_t begin = 0, end = 0; rewrite.ranges.size() < count && in >> begin >> end;)
        rewrite.ranges.emplace_back(begin, end);
    return rewrite;
}

} // namespace ckpt
