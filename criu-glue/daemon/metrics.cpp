// SPDX-License-Identifier: GPL-2.0-or-later
#include "metrics.hpp"

#include <algorithm>
#include <format>

namespace ckpt {

namespace {

// The exposition format 0.0.4: a HELP and a TYPE line, then samples.
std::string head(const char* name, const char* type, const char* help) {
    return std::format("# HELP slurm_checkpoint_{0} {2}\n# TYPE slurm_checkpoint_{0} {1}\n", name, type,
                       help);
}

template <typename T>
std::string sample(const std::string& name_and_labels, T value) {
    return std::format("slurm_checkpoint_{} {}\n", name_and_labels, value);
}

template <typename T>
std::string single(const char* name, const char* type, const char* help, T value) {
    return head(name, type, help) + sample(name, value);
}

// "on demand" is a label's value, of which nobody wants to quote blanks.
std::string label_of(Reason reason) {
    std::string text = to_string(reason);
    std::ranges::replace(text, ' ', '_');
    return text;
}

constexpr std::array k_reasons{Reason::interval,   Reason::on_demand, Reason::time_limit,
                               Reason::forced_end, Reason::requeue,   Reason::vacate};

} // namespace

void Histogram::add(double value) {
    const auto bound = std::ranges::lower_bound(k_bounds, value);
    ++m_counts.at(static_cast<std::size_t>(bound - k_bounds.begin()));
    m_sum += value;
}

std::string Histogram::text(const std::string& name) const {
    std::string out;
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < k_bounds.size(); ++i) {
        count += m_counts.at(i);
        out += sample(std::format("{}_bucket{{le=\"{}\"}}", name, k_bounds.at(i)), count);
    }
    count += m_counts.back();
    return out + sample(name + "_bucket{le=\"+Inf\"}", count) + sample(name + "_sum", m_sum) +
           sample(name + "_count", count);
}

void Metrics::saved(Reason reason, double pause_s, std::uint64_t image_bytes, std::uint64_t stored_bytes,
                    double lag_s) {
    ++m_saved[label_of(reason)];
    m_pause.add(pause_s);
    m_lag.add(lag_s);
    m_image_bytes += image_bytes;
    m_stored_bytes += stored_bytes;
}

void Metrics::failed(const char* phase, const Error& error) {
    ++m_failed[{phase, std::format("CKPT-{}", static_cast<std::uint32_t>(error.code))}];
}

void Metrics::restored(double duration_s, double cpu_s) {
    m_restore.add(duration_s);
    m_cpu_s += cpu_s;
}

void Metrics::held() {
    ++m_held;
}

std::string Metrics::text(const Gauges& now) const {
    std::string out =
        head("build_info", "gauge", "1, with the version of ckptd.") +
        sample("build_info{version=\"" CKPT_VERSION "\"}", 1) +
        single("start_time_seconds", "gauge", "When ckptd was started, Unix time.", now.started_at);
    out += head("jobs", "gauge",
                "Jobs whose batch scripts run on this node, by whether they are checkpointed.") +
           sample("jobs{state=\"checkpointed\"}", now.jobs) +
           sample("jobs{state=\"unmanaged\"}", now.unmanaged);
    out += single("dumps_running", "gauge", "Generations being taken.", now.dumps) +
           single("commits_running", "gauge", "Generations on their way to storage.base.", now.commits);
    out += head("generations_total", "counter", "Generations that have reached storage.base, by reason.");
    for (const Reason reason : k_reasons) {
        const auto found = m_saved.find(label_of(reason));
        out += sample(std::format("generations_total{{reason=\"{}\"}}", label_of(reason)),
                      found != m_saved.end() ? found->second : 0);
    }
    out += head("failures_total", "counter", "What has failed, by phase and code of docs/errors.md.");
    for (const auto& [what, count] : m_failed)
        out +=
            sample(std::format("failures_total{{phase=\"{}\",code=\"{}\"}}", what.first, what.second), count);
    out += head("pause_seconds", "histogram", "How long jobs stood still for a saved generation.") +
           m_pause.text("pause_seconds");
    out += head("commit_lag_seconds", "histogram",
                "From a generation's cut until it was safe in storage.base.") +
           m_lag.text("commit_lag_seconds");
    out += single("image_bytes_total", "counter",
                  "Bytes of memory images that were saved, as CRIU wrote them.", m_image_bytes) +
           single("stored_bytes_total", "counter", "Bytes that they took in storage.base.", m_stored_bytes);
    out += head("restore_seconds", "histogram", "From a job's start until its restored script ran on.") +
           m_restore.text("restore_seconds");
    out += single("holds_total", "counter", "Jobs that were held because they could not go on.", m_held) +
           single("saved_cpu_seconds_total", "counter",
                  "CPU time of restored jobs that need not be spent again: allocated CPUs times run time.",
                  m_cpu_s);
    out += single("local_free_bytes", "gauge", "Free bytes on the file system of storage.local.",
                  now.local_free) +
           single("policy_good", "gauge", "Whether the policy files were good when ckptd last read them.",
                  now.policy_is_good ? 1 : 0) +
           single("policy_time_seconds", "gauge", "When the policy in force was read, Unix time.",
                  now.policy_at);
    return out;
}

} // namespace ckpt
