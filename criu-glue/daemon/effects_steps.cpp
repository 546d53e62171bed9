// SPDX-License-Identifier: GPL-2.0-or-later
// Tasks of steps: they start, are fetched from the generation that the script came from, and are forgotten.
#include <array>
#include <vector>

#include "effects_common.hpp"
#include "server.hpp"
#include "server_send.hpp"

namespace ckpt {

namespace {

constexpr std::chrono::seconds k_starts_patience{10};     // a task prolog may take some time
constexpr std::chrono::seconds k_starts_patience_last{2}; // of KillWait, 30 seconds by default

} // namespace

void Server::perform(Job& job, const effect::ForgetTask& e) {
    const auto found = job.tasks.find(e.task);
    if (found == job.tasks.end()) return;
    const ConnectionId shim = found->second.shim;
    m_workers.abandon(found->second.worker);
    job.tasks.erase(found);
    if (shim != 0) m_loop.after(std::chrono::milliseconds(0), [this, shim] { drop_connection(shim); });
}

void Server::perform(Job& job, const effect::AwaitStarts& e) {
    m_loop.after(e.is_last ? k_starts_patience_last : k_starts_patience,
                 [this, job_id = job.facts.job_id, serial = job.serial, number = e.number] {
                     Job* still = find_job(job_id, serial);
                     if (still == nullptr) return;
                     sign_off_dead_tasks(*still);
                     if ((still = find_job(job_id, serial)) != nullptr) report_those_without_us(*still);
                     if (find_job(job_id, serial) != nullptr) handle(job_id, event::StartsOverdue{number});
                 });
}

Status Server::start_fetch(Job& job, const TaskKey& key) {
    if (!m_local) return fail(Code::restore_impossible, "the local directory for images is not usable");
    if (job.adopted.empty())
        return fail(Code::restore_impossible, "it is not known which checkpoint the script came from");
    CKPT_TRY(const Fd images, m_local->make(job.local_name, LocalTier::restore_name(key)));
    const AdoptedGeneration from = job.adopted.begin()->second; // an incarnation comes from one generation
    const Task& task = job.tasks.at(key);
    const wire::PartRequest request{job.place,     from.incarnation, from.generation,
                                    task.stand_in, key.task_id,      node_for(task)};
    job.adopted[key] = from;
    job.adopted[key].from_copy = false;
    const std::array fds = {images.get()};
    job.tasks.at(key).worker =
        start_sealer(store_of(job, false), wire::encode(request), fds, k_store_limit,
                     [this, attempt = this_attempt(job, key)](const Result<Packet>& packet) {
                         fetched(attempt, result_of<wire::PartResult>(packet).map([](const auto&) {}));
                     });
    return {};
}

void Server::perform(Job& job, const effect::FetchPart& e) {
    if (wait_for_leaving(job, e.task, [this, e](Job& still) { perform(still, e); })) return;
    const Attempt attempt = next_attempt(job, e.task);
    if (const Status started = start_fetch(job, e.task); !started)
        m_loop.after(std::chrono::milliseconds(0),
                     [this, attempt, error = started.error()] { fetched(attempt, tl::unexpected(error)); });
}

void Server::fetched(const Attempt& attempt, const Status& status) {
    if (find_job(attempt) == nullptr) return;
    event::PartFetched fetched{attempt.task, std::nullopt, find_job(attempt)->facts.node};
    if (!status) fetched.error = status.error();
    handle(attempt.job_id, fetched);
}

} // namespace ckpt
