// SPDX-License-Identifier: GPL-2.0-or-later
// A job's life, made of what the store tells: its history, and the generations that are still there. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fetch.hpp"

namespace ckpt::cli {

struct LifeGeneration {
    std::uint64_t number = 0;
    std::int64_t taken_at = 0; // Unix seconds
    std::int64_t saved_at = 0; // 0 = not known
    std::string reason;
    std::string nodes; // "n1,n2"
    std::uint64_t image_bytes = 0;
    std::uint64_t stored_bytes = 0;
    std::uint64_t frozen_us = 0;
    bool is_there = false; // else it was removed
    bool is_good = true;   // of one that is there: it verifies
};

struct LifeIncarnation {
    std::uint64_t number = 0;
    std::int64_t from = 0; // Unix seconds; 0 = not known
    std::int64_t to = 0;   // the last that is known of it
    std::string node;      // where its script started; "" = not known
    bool is_restored = false;
    bool is_unusable = false;   // what the job has could not be restored there: it was held, or moved on
    std::uint64_t from_job = 0; // 0 = the same one
    std::uint64_t from_incarnation = 0;
    std::uint64_t from_generation = 0;
    std::int64_t saved_s = 0; // run time of the incarnation before that need not be repeated
    std::uint64_t cpus = 0;   // that it had then
    std::string end; // "completed", "fault", "out of memory", "stopped"; "" = it went on elsewhere, or runs
    std::int64_t wait_status = 0;
    std::vector<LifeGeneration> generations;

    [[nodiscard]] std::string where() const; // "n1", "n1,n2"; "-" = not known
};

struct Life {
    std::uint64_t job_id = 0;
    std::string cluster;
    std::string user;
    std::vector<LifeIncarnation> incarnations;

    [[nodiscard]] std::uint64_t restores() const;
    [[nodiscard]] std::int64_t saved_s() const;
    [[nodiscard]] std::uint64_t saved_cpu_s() const;
};

// From the first moment that is known of a life to the last.
struct LifeSpan {
    std::int64_t from = 0; // Unix seconds
    std::int64_t to = 0;
    [[nodiscard]] double share(std::int64_t at) const; // 0 to 1
};
LifeSpan span_of(const Life& life);

// Of the lines that ckptd answers with for one job (docs/format.md, "Inspection"). Where jobs of different
// clusters or UUIDs have the same number each is a life of its own, in the order of their first events.
std::vector<Life> lives_in(const std::vector<Json>& lines);

// The drawing: one line for each incarnation to the same scale, then its generations.
std::string life_text(const Life& life, bool table);

// One page that needs nothing else, for light and dark screens.
std::string life_html(const Life& life, std::int64_t now);

} // namespace ckpt::cli
