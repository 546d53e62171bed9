// SPDX-License-Identifier: GPL-2.0-or-later
// Several dumps as one cut (state_cut.cpp): their workers wait for each other.
#include "server.hpp"
#include "wire/engine_messages.hpp"

namespace ckpt {

bool Server::dump_waits(std::uint32_t job_id, std::uint64_t serial, const TaskKey& task,
                        std::uint32_t generation, const Packet& packet) {
    const auto type = wire::type_of(packet.bytes);
    if (!type || (*type != wire::DumpStopped::k_type && *type != wire::DumpTaken::k_type)) return false;
    if (find_job(job_id, serial) == nullptr) return true;
    if (*type == wire::DumpStopped::k_type)
        handle(job_id, event::DumpStopped{task, generation});
    else
        handle(job_id, event::DumpTaken{task, generation});
    return true;
}

void Server::perform(Job& job, const effect::DumpGoOn& e) {
    const auto found = job.tasks.find(e.task);
    if (found == job.tasks.end()) return;
    wire::DumpGoOn go_on;
    if (e.give_up) go_on.outcome = wire::outcome_of(*e.give_up);
    m_workers.tell(found->second.worker, wire::encode(go_on));
}

void Server::perform(Job& job, const effect::Proceed& /*e*/) {
    job.settling.reset();
    for (const auto& [key, task] : job.tasks)
        if (task.state >= 0) order(job, key, wire::Order::go_on);
}

} // namespace ckpt
