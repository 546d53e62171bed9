// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/pid_gap.hpp"

#include <fcntl.h>

#include <algorithm>
#include <cstdint>

#include "engine/image_fields.hpp"
#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr pid_t k_preferred = 100'000;       // above what a fresh node's processes have
constexpr pid_t k_gap = 512;                 // criu forks helpers and feature probes before the tree
constexpr pid_t k_first = 300;               // kernel/pid.c:RESERVED_PIDS, skipped after a wrap
constexpr std::uint64_t k_limit = 4'194'304; // include/linux/threads.h:PID_MAX_LIMIT

bool is_free(const std::vector<pid_t>& sorted, pid_t after) {
    const auto next = std::ranges::upper_bound(sorted, after);
    return next == sorted.end() || *next - after > k_gap;
}

} // namespace

Result<std::vector<pid_t>> pids_in_images(int images) {
    CKPT_TRY(const std::string image, read_image(images, "pstree.img"));
    CKPT_TRY(const auto entries, entries_of(image));
    std::vector<pid_t> pids;
    for (const std::string_view entry : entries) {
        CKPT_TRY(const auto fields, fields_of(entry));
        for (const ImageField& field : fields) { // images/pstree.proto: pid, ppid, pgid, sid, threads = 1…5
            // What no kernel has is in nobody's way: of a zombie criu may not have asked
            // (seize.c:collect_threads).
            if (field.is_bytes || field.number > 5 || field.value > k_limit) continue;
            pids.push_back(static_cast<pid_t>(field.value));
        }
    }
    if (pids.empty()) return fail(Code::store_corrupt, "the images hold no process");
    return pids;
}

Result<pid_t> pick_last_pid(std::vector<pid_t> taken, pid_t pid_max) {
    std::ranges::sort(taken);
    // Right behind each taken id begins a stretch that may be free.
    std::vector<pid_t> candidates{k_preferred, k_first};
    candidates.insert(candidates.end(), taken.begin(), taken.end());
    std::ranges::sort(candidates);
    const auto usable = [&](pid_t after) {
        return after >= k_first && after < pid_max - k_gap && is_free(taken, after);
    };
    const auto high =
        std::ranges::find_if(candidates, [&](pid_t c) { return c >= k_preferred && usable(c); });
    if (high != candidates.end()) return *high;
    // With a small pid_max: as high as possible.
    const auto low = std::ranges::find_if(candidates.rbegin(), candidates.rend(), usable);
    if (low != candidates.rend()) return *low;
    return fail(Code::restore_failed, "no free stretch of process ids in the job's images",
                "raise kernel.pid_max on this node");
}

} // namespace ckpt
