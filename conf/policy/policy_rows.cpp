// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/policy_rows.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "policy/policy_values.hpp"

namespace ckpt {
namespace {

// field = the value of a scalar node.
template <typename T>
Status read(const YamlNode& node, T& field, Result<T> (*parse)(std::string_view)) {
    if (node.kind != YamlNode::Kind::scalar) return fail(Code::policy_value, "a list or mapping");
    if (node.text.empty()) return fail(Code::policy_value, "no value");
    CKPT_TRY(field, parse(node.text));
    return {};
}

Status read_triggers(const YamlNode& node, Triggers& field) {
    if (node.kind != YamlNode::Kind::sequence) return read(node, field, parse_triggers);
    Triggers all;
    for (const YamlNode& item : node.items) {
        Triggers one;
        CKPT_CHECK(read(item, one, parse_triggers));
        all.bits |= one.bits;
    }
    field = all;
    return {};
}

Status read_list(const YamlNode& node, std::vector<std::string>& field,
                 Result<std::string> (*parse)(std::string_view)) {
    if (node.kind != YamlNode::Kind::sequence) return fail(Code::policy_value, "not a list");
    std::vector<std::string> all(node.items.size());
    for (std::size_t i = 0; i < all.size(); ++i)
        CKPT_CHECK(read(node.items[i], all[i], parse));
    field = std::move(all);
    return {};
}

#define CKPT_TIME_WORDS "a time such as 30 (minutes), 1:30:00, 2-0, 90s, 15m, 6h or 1d"
#define CKPT_SIZE_WORDS "a size such as 512M, 4G or 1T"
#define CKPT_COPY(field) [](const Policy& from, Policy& to) { to.field = from.field; }
#define CKPT_READ(field, parse)                                                                              \
    [](const YamlNode& n, Policy& p) -> Status { return read(n, p.field, parse); }, CKPT_COPY(field)
#define CKPT_LIST(field, parse)                                                                              \
    [](const YamlNode& n, Policy& p) { return read_list(n, p.field, parse); }, CKPT_COPY(field)

constexpr std::array k_rows{
    PolicyRow{"defaults", "enabled", "true or false", CKPT_READ(defaults.enabled, parse_bool)},
    PolicyRow{"defaults", "interval", CKPT_TIME_WORDS ", auto or none",
              CKPT_READ(defaults.interval, parse_interval)},
    PolicyRow{"defaults", "on", "a list of timelimit, preempt, requeue, drain and cancel, or none",
              [](const YamlNode& n, Policy& p) { return read_triggers(n, p.defaults.on); },
              CKPT_COPY(defaults.on)},
    PolicyRow{"defaults", "method", "auto, criu or app:SIG", CKPT_READ(defaults.method, parse_method)},
    PolicyRow{"defaults", "keep", "a number from 1 to 1000", CKPT_READ(defaults.keep, parse_keep)},
    PolicyRow{"defaults", "max_restarts", "a number from 0 to 1000000",
              CKPT_READ(defaults.max_restarts, parse_restarts)},
    PolicyRow{"defaults", "files", "append, copy or none", CKPT_READ(defaults.files, parse_files)},
    PolicyRow{"limits", "min_interval", CKPT_TIME_WORDS, CKPT_READ(limits.min_interval, parse_time)},
    PolicyRow{"limits", "max_keep", "a number from 1 to 1000", CKPT_READ(limits.max_keep, parse_keep)},
    PolicyRow{"limits", "max_restarts", "a number from 0 to 1000000",
              CKPT_READ(limits.max_restarts, parse_restarts)},
    PolicyRow{"limits", "directories", "a list of absolute paths, in which %u stands for the user's name",
              CKPT_LIST(limits.directories, parse_base)},
    PolicyRow{"storage", "base", "an absolute path, in which %u stands for the user's name",
              CKPT_READ(storage.base, parse_base)},
    PolicyRow{"storage", "local", "an absolute path", CKPT_READ(storage.local, parse_directory)},
    PolicyRow{"storage", "local_copies", CKPT_SIZE_WORDS ", or none",
              CKPT_READ(storage.local_copies, parse_size_or_none)},
    PolicyRow{"storage", "compression", "a number from 1 to 19",
              CKPT_READ(storage.compression, parse_compression)},
    PolicyRow{"retention", "after_end", CKPT_TIME_WORDS " up to 36500d, or none",
              CKPT_READ(retention.after_end, parse_long_time_or_none)},
    PolicyRow{"retention", "max_age", CKPT_TIME_WORDS " up to 36500d, or none",
              CKPT_READ(retention.max_age, parse_long_time_or_none)},
    PolicyRow{"retention", "user_limit", CKPT_SIZE_WORDS ", or none",
              CKPT_READ(retention.user_limit, parse_size_or_none)},
    PolicyRow{"retention", "min_free", "a percentage from 0% to 50%, or none",
              CKPT_READ(retention.min_free, parse_min_free)},
    PolicyRow{"retention", "every", CKPT_TIME_WORDS, CKPT_READ(retention.every, parse_time)},
    PolicyRow{"admission", "dumps", "a number from 1 to 1000, or none",
              CKPT_READ(admission.dumps, parse_dumps)},
    PolicyRow{"admission", "commits", "a number from 1 to 10000, or none",
              CKPT_READ(admission.commits, parse_commits)},
    PolicyRow{"admission", "leases", "an absolute path, or none",
              CKPT_READ(admission.leases, parse_directory_or_none)},
    PolicyRow{"admission", "bandwidth", "bytes per second, at least 1M, such as 200M or 2G, or none",
              CKPT_READ(admission.bandwidth, parse_bandwidth)},
    PolicyRow{"engine", "criu", "an absolute path", CKPT_READ(engine.criu, parse_directory)},
    PolicyRow{"engine", "dump_timeout", CKPT_TIME_WORDS, CKPT_READ(engine.dump_timeout, parse_time)},
    PolicyRow{"engine", "restore_timeout", CKPT_TIME_WORDS, CKPT_READ(engine.restore_timeout, parse_time)},
    PolicyRow{"engine", "ghost_limit", "a size below 4G such as 512K, 10M or 1G",
              CKPT_READ(engine.ghost_limit, parse_ghost_limit)},
    PolicyRow{"engine", "node_local", "a list of absolute paths",
              CKPT_LIST(engine.node_local, parse_directory)},
    PolicyRow{"engine", "node_local_limit", CKPT_SIZE_WORDS, CKPT_READ(engine.node_local_limit, parse_size)},
    PolicyRow{"engine", "copy_limit", CKPT_SIZE_WORDS, CKPT_READ(engine.copy_limit, parse_size)},
    PolicyRow{"engine", "tail_limit", CKPT_SIZE_WORDS, CKPT_READ(engine.tail_limit, parse_size)},
    PolicyRow{"auto", "node_mtbf", CKPT_TIME_WORDS " up to 36500d",
              CKPT_READ(automatic.node_mtbf, parse_long_time)},
    PolicyRow{"auto", "max_overhead", "a percentage from 0.01% to 50%",
              CKPT_READ(automatic.max_overhead, parse_overhead)},
    PolicyRow{"auto", "first", CKPT_TIME_WORDS ", or none", CKPT_READ(automatic.first, parse_time_or_none)},
    PolicyRow{"auto", "min_run_time", CKPT_TIME_WORDS ", or none",
              CKPT_READ(automatic.min_run_time, parse_time_or_none)},
    PolicyRow{"auto", "jitter", "a percentage from 0% to 50%, or none",
              CKPT_READ(automatic.jitter, parse_min_free)},
    PolicyRow{"time_limit", "safety", "a number from 1 to 10 such as 1.5 or 2",
              CKPT_READ(time_limit.safety, parse_safety)},
    PolicyRow{"time_limit", "reserve", CKPT_TIME_WORDS, CKPT_READ(time_limit.reserve, parse_time)},
    PolicyRow{"app", "patience", CKPT_TIME_WORDS, CKPT_READ(app.patience, parse_time)},
    PolicyRow{"slurmctld", "comment", "true or false", CKPT_READ(slurmctld.comment, parse_bool)},
    PolicyRow{"slurmctld", "comment_every", CKPT_TIME_WORDS, CKPT_READ(slurmctld.comment_every, parse_time)},
    PolicyRow{"slurmctld", "spread", CKPT_TIME_WORDS, CKPT_READ(slurmctld.spread, parse_time)},
    PolicyRow{"network", "port", "a port from 1024 to 65535, or none", CKPT_READ(network.port, parse_port)},
    PolicyRow{"compat", "kernel", "newer or any", CKPT_READ(compat.any_kernel, parse_kernel)},
    PolicyRow{"compat", "features", "a list of names of node features",
              CKPT_LIST(compat.features, parse_feature)},
    PolicyRow{"failure", "restore_impossible", "hold or requeue-elsewhere",
              CKPT_READ(failure.restore_impossible, parse_restore_failure)},
    PolicyRow{"failure", "changed_file", "refuse or ignore",
              CKPT_READ(failure.changed_file, parse_changed_file)},
    PolicyRow{"failure", "epilog_wait", CKPT_TIME_WORDS, CKPT_READ(failure.epilog_wait, parse_time)},
    PolicyRow{"failure", "no_progress", "a number from 1 to 1000",
              CKPT_READ(failure.no_progress, parse_no_progress)},
    PolicyRow{"metrics", "textfile", "an absolute path that ends in .prom, or none",
              CKPT_READ(metrics.textfile, parse_prom_file)},
    PolicyRow{"metrics", "every", CKPT_TIME_WORDS, CKPT_READ(metrics.every, parse_time)},
    PolicyRow{"maintenance", "jobs", "a number from 1 to 1000", CKPT_READ(maintenance.jobs, parse_keep)},
};

constexpr std::array<std::string_view, 5> k_sections_of_jobs{"defaults", "limits", "auto", "time_limit",
                                                             "app"};
constexpr std::array<std::string_view, 3> k_failures_of_jobs{"restore_impossible", "changed_file",
                                                             "no_progress"};

} // namespace

bool may_differ_by_job(const PolicyRow& row) {
    const auto has = [](const auto& list, std::string_view word) {
        return std::ranges::find(list, word) != list.end();
    };
    const bool is_of_store = row.section == "limits" && row.key == "directories";
    return (has(k_sections_of_jobs, row.section) && !is_of_store) ||
           (row.section == "failure" && has(k_failures_of_jobs, row.key));
}

std::span<const PolicyRow> policy_rows() {
    return k_rows;
}

} // namespace ckpt
