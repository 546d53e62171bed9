// SPDX-License-Identifier: GPL-2.0-or-later
// Several dumps as one cut (state_cut.cpp): their workers wait for each other.
#include "server.hpp"
#include "wire/engine_messages.hpp"

namespace ckpt {

namespace {

Error is_shared() {
    return {
        Code::dump_refused,
        "tasks of the job share memory, or a file or FIFO of the node's own, of which a restore would make "
        "two",
        "share files on a shared file system, or work in one task; the job is checkpointed when they do not",
        0};
}

} // namespace

// Those of other nodes cannot share anything with it but what all nodes see.
std::optional<Error> Server::shared_with_another(Job& job, const TaskKey& task, std::uint32_t generation,
                                                 const Packet& packet) {
    const auto stopped = wire::decode<wire::DumpStopped>(packet.bytes);
    if (!stopped) return stopped.error();
    auto& held = job.generations[generation].held;
    for (const wire::HeldInode& one : stopped->held) {
        const auto [found, is_first] = held.try_emplace({one.device, one.inode}, task, one.is_written);
        auto& [holder, is_written] = found->second;
        if (!is_first && holder != task && (is_written || one.is_written)) return is_shared();
        is_written = is_written || one.is_written;
    }
    return std::nullopt;
}

bool Server::dump_waits(std::uint32_t job_id, std::uint64_t serial, const TaskKey& task,
                        std::uint32_t generation, const Packet& packet) {
    const auto type = wire::type_of(packet.bytes);
    if (!type || (*type != wire::DumpStopped::k_type && *type != wire::DumpTaken::k_type)) return false;
    Job* job = find_job(job_id, serial);
    if (job == nullptr) return true;
    if (*type == wire::DumpStopped::k_type)
        handle(job_id,
               event::DumpStopped{task, generation, shared_with_another(*job, task, generation, packet)});
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
    decide_on_all_nodes(job, effect::Proceed{});
}

} // namespace ckpt
