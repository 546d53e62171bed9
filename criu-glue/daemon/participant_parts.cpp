// SPDX-License-Identifier: GPL-2.0-or-later
// What a node that does not run the batch script has of a generation: its tasks come to rest, and its images
// go to the store (participant.cpp).
#include <algorithm>

#include "effects_common.hpp"
#include "log.hpp"
#include "server.hpp"

namespace ckpt {

// ---- rest ----

void Server::come_to_rest(Job& job, const node::AskRest& asked) {
    job.coordinator->asked = asked;
    if (!job.settling || job.settling->generation != asked.generation) {
        job.settling = Settling{};
        job.settling->generation = asked.generation;
    }
    ask_to_settle(job);
}

void Server::tell_rest(Job& job, bool at_rest, std::optional<Error> error) {
    const node::AskRest& asked = job.coordinator->asked;
    send_to_node(job.coordinator->link,
                 wire::encode(node::Rest{asked.generation, asked.round, at_rest, std::move(error)}));
}

// ---- parts of a generation ----

Status Server::start_seal(Job& job, std::uint32_t number) {
    if (!m_local) return fail(Code::dump_unfit, "the local directory for images is not usable");
    const auto generation = job.generations.find(number);
    if (generation == job.generations.end()) return fail(Code::not_found, "there are no images of it");
    wire::SealRequest request;
    request.place = job.place;
    request.generation = number;
    request.compression = m_policy.storage.compression;
    std::vector<Fd> directories;
    std::vector<int> fds;
    for (const auto& [key, part] : generation->second.parts) {
        CKPT_TRY(Fd images, m_local->open(job.local_name, LocalTier::image_name(number, key)));
        fds.push_back(images.get());
        directories.push_back(std::move(images));
        request.parts.push_back(part);
    }
    request.needs = needs_of(generation->second);
    start_sealer(
        store_of(job, false), wire::encode(request), fds, k_store_limit,
        [this, job_id = job.facts.job_id, serial = job.serial, number](const Result<Packet>& packet) {
            Job* still = find_job(job_id, serial);
            if (still != nullptr)
                sealed(*still, number, result_of<wire::SealResult>(packet).map([](const auto&) {}));
        });
    return {};
}

void Server::seal_parts(Job& job, std::uint32_t number) {
    job.coordinator->sealing.insert(number);
    if (const Status started = start_seal(job, number); !started) sealed(job, number, started);
}

void Server::sealed(Job& job, std::uint32_t number, const Status& status) {
    if (job.coordinator->sealing.erase(number) == 0) return;
    if (!status)
        log::warning("job " + std::to_string(job.facts.job_id) + ": generation " + std::to_string(number) +
                     " is not saved: " + one_line(status.error()));
    const node::Sealed result{number, status ? std::nullopt : std::optional(status.error())};
    if (job.coordinator->link != 0)
        send_to_node(job.coordinator->link, wire::encode(result));
    else
        job.coordinator->sealed.push_back(result); // the coordinator waits some time for another link
    after_parts(job);
}

// The link over which it was ordered is lost: the coordinator has given that generation up, and has let the
// trees run on, before criu left this one stopped.
bool Server::dump_was_left(Job& job, const event::DumpEnded& ended) {
    if (job.coordinator->link != 0 && job.generations[ended.generation].link == job.coordinator->link) {
        if (ended.error) perform(job, effect::Proceed{});
        return false;
    }
    perform(job, effect::ContinueTree{ended.task});
    perform(job, effect::DiscardImages{ended.generation, false});
    after_parts(job);
    return true;
}

bool Server::has_parts_under_way(const Job& job) const {
    if (!job.coordinator) return false;
    if (!job.coordinator->sealing.empty()) return true;
    const auto has_parts = [](const auto& generation) { return !generation.second.parts.empty(); };
    const auto works = [this](const auto& task) { return m_workers.runs(task.second.worker); };
    return job.coordinator->link != 0 &&
           (std::ranges::any_of(job.generations, has_parts) || std::ranges::any_of(job.tasks, works));
}

void Server::after_parts(Job& job) {
    if (job.epilog) participant_may_end(job);
    if (m_stopping) stop_when_saved();
}

// The node is free for the job's next incarnation when nothing of this one is written any more.
void Server::participant_may_end(Job& job) {
    if (has_parts_under_way(job)) return;
    perform(job, effect::ReleaseEpilog{});
    forget_if_over(job.facts.job_id);
}

} // namespace ckpt
