// SPDX-License-Identifier: GPL-2.0-or-later
// Images that stay on the node when they are in the store, for a restart here (local_copies.hpp).
#include <ctime>

#include "log.hpp"
#include "server.hpp"

namespace ckpt {

namespace {

constexpr std::int64_t k_kept_s = std::int64_t{24} * 3600;

} // namespace

void Server::remove_copies(const std::vector<LocalCopy>& copies) {
    for (const LocalCopy& copy : copies)
        if (m_local) m_local->remove_copy(copy.name());
}

void Server::keep_copies(const Job& job, std::uint32_t generation) {
    const auto found = job.generations.find(generation);
    if (!m_local || found == job.generations.end()) return;
    for (const auto& [key, part] : found->second.parts) {
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
}

} // namespace ckpt
