// SPDX-License-Identifier: GPL-2.0-or-later
// Policies, and words of options.
#include <algorithm>
#include <iterator>
#include <vector>

#include "policy/policy_yaml.hpp"
#include "policy/request.hpp"
#include "seeds.hpp"

namespace ckpt::fuzz {

namespace fs = std::filesystem;

namespace {

std::string read_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

} // namespace

void policy_seeds(const Seeds& seeds, const fs::path& source) {
    const std::string example = read_file(source / "conf/examples/checkpoint.yaml");
    const std::string second(1, '\0');
    seeds.add("example", example);
    seeds.add(
        "drop-in",
        "version: 1\ndefaults: {enabled: true, keep: 3}\n" + second +
            "version: 1\ndefaults:\n  keep: 4\n  interval: 1:30:00\nstorage: {base: /scratch/%u/.ckpt}\n");
    seeds.add("directories",
              "version: 1\nlimits:\n  directories: [/scratch/%u, '/work/%%/x', /data]\n  max_keep: 3\n"
              "storage:\n  base: /scratch\n");
    seeds.add(
        "scopes",
        "version: 1\nscopes:\n- match: {user: alice}\n  defaults: {keep: 3}\n"
        "- match: {partition: [short, 'l*'], qos: high}\n  defaults: {keep: 4, interval: 15m}\n"
        "  limits: {min_interval: 2m, directories: [/fast/%u]}\n"
        "- match: {account: phys_*, constraint: zen3}\n  failure: {changed_file: ignore, no_progress: 2}\n");
    seeds.add("all-in-a-scope",
              "version: 1\nscopes:\n- match: {user: alice}\n  defaults: {enabled: true, interval: 1h, on: "
              "[drain], method: criu, keep: 2, max_restarts: 3, files: none}\n"
              "  limits: {min_interval: 2m, max_keep: 3, max_restarts: 4, directories: [/a/%u]}\n  auto: "
              "{first: 3m, node_mtbf: 10d, max_overhead: 5%, min_run_time: 1m, jitter: 20%}\n"
              "  time_limit: {safety: 2, reserve: 20s}\n  app: {patience: 9m}\n  failure: "
              "{restore_impossible: requeue-elsewhere, changed_file: ignore, no_progress: 2}\n");
    seeds.add("features", "version: 1\ncompat: {kernel: any, features: [zen3, icelake]}\nmetrics: {textfile: "
                          "/var/lib/x.prom, every: 30s}\n");
    seeds.add("words", "version: 1\ndefaults: {on: [], method: app:USR1, files: copy, interval: "
                       "none}\nadmission:\n  dumps: none\n"
                       "  commits: 3\n  leases: /shared/leases\n  bandwidth: 1.5G\nretention: {min_free: 2%, "
                       "user_limit: 10T, after_end: 2-0}\n");
    seeds.add("none",
              "version: 1\n---\nversion: &a 1\nb: *a\n\"c\\x41\": |\n  block\n  scalar\n? [d]\n: !!str e\n");
    std::set<std::string> words{"none", "auto", "true",    "false", "app:",      "%u",
                                "%%",   "0x",   "1:30:00", "2-0",   "- match: {"};
    for (const std::string& key : policy_keys())
        for (std::size_t from = 0; from <= key.size();) {
            const std::size_t dot = std::min(key.find('.', from), key.size());
            words.insert(key.substr(from, dot - from));
            from = dot + 1;
        }
    seeds.words(words);
}

void options_seeds(const Seeds& seeds) {
    const auto add = [&](const std::string& name, const std::vector<std::string>& words) {
        std::string text;
        for (const std::string& word : words)
            text += word + '\0';
        if (!text.empty()) text.pop_back();
        seeds.add(name, text);
    };
    add("all", {"30m", "auto", "/scratch/alice", "timelimit,preempt", "USR2", "app:TERM", "3", "4711@2", "7",
                "copy"});
    add("others", {"off", "1-12:30:15", "/x", "none", "10", "criu", "10", "never", "0", "append"});
    for (const char* word : {"90s", "6h", "1:30:00", "2-0", "auto", "none", "(null)", "SIGRTMIN+3", "app:12",
                             "4711@3", "all", "timelimit,drain,cancel,requeue"})
        add(std::string("word-") + std::to_string(std::hash<std::string>()(word) % 10000), {word});
    add("hydra", {"srun", "-N", "1", "-n", "1", "--input", "none", "--external-launcher",
                  "/usr/bin/hydra_pmi_proxy", "--control-port", "n1:1"});
    add("open-mpi", {"srun", "--ntasks-per-node=1", "--kill-on-bad-exit", "--mpi=none", "--cpu-bind=none",
                     "--nodes=1", "--nodelist=n1", "--ntasks=1", "--", "prted"});
    add("srun", {"srun", "-lun4", "--open-mode=append", "--input=data-%t", "--pty", "--checkpoint-restore",
                 "7@2", "--checkpoint=5m", "-i", "file", "-K1", "app", "-u"});
    add("sbatch", {"sbatch", "-vn4", "--checkpoint-int", "5m", ":", "--wrap", "x", "--nice", "-koff",
                   "--checkpoint=off", "--", "script"});
    seeds.add("cgroup.conf", "# comment\nCgroupPlugin=autodetect\n SignalChildrenProcesses = \"YES\" # x\n");
    std::set<std::string> words{"--input",
                                "-i",
                                "--pty",
                                "--checkpoint=",
                                "--checkpoint-restore",
                                "--external-launcher",
                                "-n",
                                "1",
                                "--",
                                "prted",
                                "orted",
                                "timelimit",
                                "preempt",
                                "requeue",
                                "drain",
                                "cancel",
                                "app:",
                                "criu",
                                "auto",
                                "none",
                                "never",
                                "append",
                                "copy",
                                "SIG",
                                "RTMIN",
                                "RTMAX",
                                "off",
                                "(null)",
                                "SignalChildrenProcesses=",
                                "@",
                                "1-0:0:0"};
    for (const OptionRow& row : option_table())
        words.insert(std::string("--") + row.name);
    seeds.words(words);
}

} // namespace ckpt::fuzz
