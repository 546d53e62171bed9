// SPDX-License-Identifier: GPL-2.0-or-later
// What this daemon has done since it was started, as Prometheus reads it (docs/metrics.md). Pure: events in,
// text out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "events.hpp"
#include "result/result.hpp"

namespace ckpt {

// Counts of values up to each bound, of a unit that the metric's name says.
class Histogram {
public:
    void add(double value);
    [[nodiscard]] std::string text(const std::string& name) const;
    static constexpr std::array<double, 12> k_bounds{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800};

private:
    std::array<std::uint64_t, k_bounds.size() + 1> m_counts{}; // of values above the bound before
    double m_sum = 0;
};

// What is so at this moment.
struct Gauges {
    std::size_t jobs = 0;      // that are checkpointed here, by this node's decision
    std::size_t unmanaged = 0; // that run without checkpoints although they were to have some
    std::size_t dumps = 0;     // generations being taken
    std::size_t commits = 0;   // or on their way to the store
    std::uint64_t local_free =
        0; // bytes that root may write on the file system of storage.local; 0 = not known
    bool policy_is_good = false; // the files as they were when last read
    std::int64_t policy_at = 0;  // when the policy in force was read, Unix seconds
    std::int64_t started_at = 0;
};

class Metrics {
public:
    void saved(Reason reason, double pause_s, std::uint64_t image_bytes, std::uint64_t stored_bytes,
               double lag_s);
    void failed(const char* phase, const Error& error); // "dump", "commit", "restore"
    // `cpu_s`: CPU time, allocated to the job's incarnation before, that need not be spent again.
    void restored(double duration_s, double cpu_s);
    void held();
    [[nodiscard]] std::string text(const Gauges& now) const;

private:
    std::map<std::string, std::uint64_t> m_saved; // by reason
    std::map<std::pair<std::string, std::string>, std::uint64_t> m_failed;
    Histogram m_pause;
    Histogram m_lag;
    Histogram m_restore;
    std::uint64_t m_image_bytes = 0;
    std::uint64_t m_stored_bytes = 0;
    std::uint64_t m_held = 0;
    double m_cpu_s = 0;
};

} // namespace ckpt
