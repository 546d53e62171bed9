// SPDX-License-Identifier: GPL-2.0-or-later
#include "request_parts.hpp"

#include <algorithm>
#include <cerrno>
#include <format>

#include "store/job_at.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_line_max = 400;

// A store that cannot be used, as opposed to one that is not there.
Error unusable(Error error, const std::string& base) {
    return store::store_error(std::move(error), "cannot use the store " + base);
}

} // namespace

// An earlier incarnation, or an earlier checkpoint, has made the directory, or the store is not where it was:
// a file system that is not mounted must not look like a job that never had a generation.
Error missing(const Error& error, const wire::StorePlace& place) {
    if (error.code != Code::not_found) return unusable(error, place.base);
    return {Code::store_unwritable, "the store " + place.base + " does not exist",
            "is its file system mounted on this node?", ENOENT};
}

std::vector<std::string> bounded(std::vector<std::string> lines) {
    if (lines.size() > k_lines_max) {
        const std::size_t more = lines.size() - k_lines_max;
        lines.resize(k_lines_max);
        lines.push_back(std::format("and {} more", more));
    }
    for (std::string& line : lines)
        line.resize(std::min(line.size(), k_line_max));
    return lines;
}

store::Owner owner_of(const wire::StorePlace& place) {
    return {place.cluster, place.uid, place.job_id, place.uuid};
}

} // namespace ckpt
