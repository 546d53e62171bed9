// SPDX-License-Identifier: GPL-2.0-or-later
// What a restore that was killed has left half done beside the user's files is taken back.
#include <algorithm>
#include <array>
#include <format>

#include "log.hpp"
#include "server.hpp"
#include "wire/engine_messages.hpp"

namespace ckpt {

namespace {

constexpr std::chrono::seconds k_undo_limit{60};

} // namespace

// The next incarnation's restore has to find what this one's has left.
std::string Server::task_name(const Job& job, const TaskKey& key) {
    const std::string name = job.local_name.substr(0, job.local_name.rfind("-inc"));
    const std::uint64_t stand_in = job.tasks.at(key).stand_in; // its step has another number each time
    const std::string step = stand_in != 0 ? std::format("{:016x}", stand_in) : std::to_string(key.step_id);
    return name + "-" + step + "-" + std::to_string(key.task_id);
}

void Server::undo_restore(Job& job, const TaskKey& key, const std::function<void(const Status&)>& then) {
    Task& task = job.tasks.at(key);
    task.restores = false;
    const auto start = [&]() -> Status {
        if (!m_local) return fail(Code::dump_unfit, "the local directory for images is not usable");
        CKPT_TRY(const Fd images, m_local->open(job.local_name, LocalTier::restore_name(key)));
        CKPT_TRY(const Fd tails, m_local->tails(job.local_name));
        wire::UndoRequest request;
        request.user = task.user;
        request.tail_limit = m_policy.engine.tail_limit;
        request.task_name = task_name(job, key);
        request.timeout_ms = static_cast<std::uint32_t>(std::chrono::milliseconds(k_undo_limit).count());
        const std::array fds = {images.get(), tails.get(), task.mount_namespace.get()};
        m_workers.start("ckpt-engine", wire::encode(request), fds, k_undo_limit + wire::k_engine_margin,
                        [this, job_id = job.facts.job_id, name = job.local_name, then](const auto& packet) {
                            undone(job_id, name, packet, then);
                        });
        ++m_undoing[job.local_name]; // its images say where the files are
        return {};
    };
    if (const Status started = start(); !started)
        m_loop.after(std::chrono::milliseconds(0), [then, started] { then(started); });
}

void Server::undone(std::uint32_t job_id, const std::string& name, const Result<Packet>& packet,
                    const std::function<void(const Status&)>& then) {
    if (--m_undoing[name] == 0) {
        m_undoing.erase(name);
        const bool is_open =
            std::ranges::any_of(m_jobs, [&](const auto& one) { return one.second.local_name == name; });
        if (m_local && !is_open) m_local->remove_job(name);
        empty_trash();
    }
    const auto result = result_of<wire::UndoResult>(packet);
    const Status status = result ? Status() : tl::unexpected(result.error());
    if (!status)
        log::warning(
            "job " + std::to_string(job_id) +
            ": what a killed restore has left beside the job's files is not taken back; the next one "
            "tries again: " +
            one_line(status.error()));
    then(status);
}

} // namespace ckpt
