// SPDX-License-Identifier: GPL-2.0-or-later
// Images that stay on the node when they are in the store, for a restart here (local_copies.hpp).
#include <ctime>

#include "log.hpp"
#include "server.hpp"

namespace ckpt {

namespace {

constexpr std::int64_t k_kept_s = std::int64_t{24} * 3600;
constexpr std::chrono::minutes k_removal_limit{10};
constexpr std::chrono::milliseconds k_removal_pause{3000}; // after a failure
constexpr unsigned k_step_dir_tries = 20;
constexpr std::size_t k_removed_at_once = 100; // names on a command line

} // namespace

void Server::remove_copies(const std::vector<LocalCopy>& copies) {
    for (const LocalCopy& copy : copies)
        if (m_local) m_local->remove_copy(copy.name());
}

void Server::keep_copies(const Job& job, std::uint32_t generation) {
    const auto found = job.generations.find(generation);
    if (!m_local || found == job.generations.end()) return;
    for (const auto& [key, part] : found->second.parts) {
        if (part.stand_in != 0) continue; // its step has another number next time
        const LocalCopy copy{job.facts.job_id, job.place.uuid,    key, job.place.incarnation, generation,
                             part.image_bytes, std::time(nullptr)};
        remove_copies(m_copies.keep(copy, m_policy.storage.local_copies));
        const auto kept = m_copies.find(copy.job_id, copy.uuid, copy.task);
        if (!kept || kept->name() != copy.name()) continue; // too large
        if (const Status moved =
                m_local->keep_copy(job.local_name, LocalTier::image_name(generation, key), copy.name());
            !moved)
            m_copies.drop(copy);
    }
}

// The store has said that these are the ones; used up by it, as criu gets them in its hands.
Status Server::use_copy(const Job& job, const TaskKey& task) {
    const auto copy = m_copies.find(job.facts.job_id, job.place.uuid, task);
    if (!copy || !m_local) return fail(Code::not_found, "the images on this node are gone");
    m_copies.drop(*copy);
    return m_local->use_copy(copy->name(), job.local_name, LocalTier::restore_name(task));
}

void Server::make_room_for(std::uint64_t bytes) {
    const std::uint64_t free = m_local ? m_local->space() : bytes;
    if (free < bytes) remove_copies(m_copies.make_room(bytes - free));
}

void Server::expire_copies() {
    remove_copies(m_copies.expire(std::time(nullptr) - k_kept_s));
    empty_trash();
}

void Server::empty_step_dirs() {
    if (!m_step_dirs) return;
    const std::vector<std::string> paths = m_step_dirs->take_aside();
    if (paths.empty()) return;
    std::vector<std::string> argv{"/bin/rm", "-rf", "--one-file-system", "--"};
    argv.insert(argv.end(), paths.begin(), paths.end());
    m_workers.run_text(argv, k_removal_limit, [this, paths](const Result<std::string>& done) {
        if (done) {
            m_step_dir_failures = 0;
        } else if (++m_step_dir_failures > k_step_dir_tries) {
            log::warning("sockets of ended jobs stay until ckptd starts anew: " + one_line(done.error()));
        } else {
            m_step_dirs->give_back(paths);
            m_loop.after(k_removal_pause, [this] { empty_step_dirs(); });
        }
    });
}

void Server::empty_trash() {
    if (!m_local || m_removal_runs) return;
    const std::vector<std::string> paths = m_local->trash().collect(k_removed_at_once);
    if (paths.empty()) return;
    m_removal_runs = true;
    std::vector<std::string> argv{"/bin/rm", "-rf", "--"};
    argv.insert(argv.end(), paths.begin(), paths.end());
    m_workers.run_text(argv, k_removal_limit, [this, paths](const Result<std::string>& done) {
        if (done)
            m_local->trash().forget(paths);
        else if (!m_local->trash().retry(paths))
            log::warning("images of no use stay until ckptd starts anew: " + one_line(done.error()));
        const auto pause = done ? std::chrono::milliseconds(0) : k_removal_pause;
        m_loop.after(pause, [this] {
            m_removal_runs = false;
            empty_trash();
        });
    });
}

} // namespace ckpt
