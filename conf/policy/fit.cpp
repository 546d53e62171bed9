// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/fit.hpp"

#include <cmath>
#include <format>

namespace ckpt {

namespace {

constexpr double k_mib = 1 << 20;

std::string in_mib(std::uint64_t bytes) {
    return std::format("{:.0f} MiB", static_cast<double>(bytes) / k_mib);
}

} // namespace

Status dump_fits(const DumpNeed& need, const DumpRoom& room) {
    if (need.bytes > room.space)
        return fail(Code::dump_unfit,
                    std::format("a checkpoint of {} does not fit into the space of {} that storage.local has",
                                in_mib(need.bytes), in_mib(room.space)),
                    "make room there");
    if (!std::isfinite(need.bytes_per_s) || need.bytes_per_s <= 0) return {};
    const double seconds = static_cast<double>(need.bytes) / need.bytes_per_s;
    if (seconds > static_cast<double>(room.time.count()))
        return fail(Code::dump_unfit,
                    std::format("a checkpoint of {} takes some {:.0f} s here, and {} are left",
                                in_mib(need.bytes), std::ceil(seconds), to_string(room.time)),
                    "a longer KillWait, or --checkpoint-interval");
    return {};
}

} // namespace ckpt
