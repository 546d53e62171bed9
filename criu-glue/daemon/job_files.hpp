// SPDX-License-Identifier: GPL-2.0-or-later
// What a daemon that is started anew must know of the jobs on its node: one file per job below /run, which a
// reboot empties. Without it the end of such a job would not be on record, and a later requeue would restore
// an old generation over its results.
#pragma once

#include <string>
#include <vector>

#include "os/fd.hpp"
#include "result/result.hpp"
#include "wire/messages.hpp"

namespace ckpt {

struct RegisteredTask {
    wire::TaskRegister task;
    std::uint64_t start_time = 0; // of its process, which tells a reused pid
    template <class V>
    void fields(V& v) {
        v(task, start_time);
    }
};

struct JobFile {
    static constexpr std::uint16_t k_type = 80; // never leaves the daemon
    wire::JobOpen open;
    std::vector<RegisteredTask> tasks;
    template <class V>
    void fields(V& v) {
        v(open, tasks);
    }
};

class JobFiles {
public:
    // Opens (or makes) the directory, which is root's.
    static Result<JobFiles> open(const std::string& path);
    // Those that can be read; what cannot is removed.
    [[nodiscard]] std::vector<JobFile> load() const;
    Status save(const JobFile& job) const;
    void remove(std::uint32_t job_id) const;

private:
    explicit JobFiles(Fd dir) : m_dir(std::move(dir)) {}
    Fd m_dir;
};

} // namespace ckpt
