// SPDX-License-Identifier: GPL-2.0-or-later
// What the batch script's shim says of its sruns, and what it is told (state_sruns.cpp).
#include "server.hpp"
#include "server_send.hpp"
#include "slurmctld.hpp"

namespace ckpt {

Job* Server::job_of_script(ConnectionId id) {
    const Connection& connection = m_connections.at(id);
    Job* job = find_job(connection.job_id);
    if (!connection.is_shim || job == nullptr) {
        drop_connection(id);
        return nullptr;
    }
    const auto found = job->tasks.find(connection.task);
    return found != job->tasks.end() && found->second.stand_in == 0 ? job : nullptr;
}

void Server::on_message(ConnectionId id, const wire::StepOver& m) {
    const Job* job = job_of_script(id);
    if (job != nullptr && m.stand_in != 0) handle(job->facts.job_id, event::StepOver{m.stand_in});
}

void Server::on_message(ConnectionId id, const wire::StepsKnown& m) {
    const Job* job = job_of_script(id);
    if (job != nullptr)
        handle(job->facts.job_id, event::StepsKnown{{m.stand_ins.begin(), m.stand_ins.end()}});
}

void Server::on_message(ConnectionId id, const wire::StepDoubt& m) {
    const Job* job = job_of_script(id);
    if (job != nullptr) handle(job->facts.job_id, event::StepDoubted{m.stand_in, m.has_signal});
}

void Server::perform(Job& job, const effect::ClearStep& e) {
    for (const auto& [key, task] : job.tasks)
        if (task.stand_in == 0 && task.shim != 0) return send(task.shim, wire::StepCleared{e.stand_in});
}

void Server::perform(Job& job, const effect::AskDoubt& e) {
    ask_news(m_workers, job.facts.job_id,
             [this, job_id = job.facts.job_id, serial = job.serial, e](const JobNews& news) {
                 if (find_job(job_id, serial) != nullptr)
                     handle(job_id, event::DoubtKnown{e.stand_in, e.has_signal, news.cause});
             });
}

void Server::perform(Job& job, const effect::ForgetStep& e) {
    job.stepds.erase(e.stand_in);
    m_loop.after(std::chrono::milliseconds(0),
                 [this, job_id = job.facts.job_id, serial = job.serial, stand_in = e.stand_in] {
                     if (Job* still = find_job(job_id, serial)) forget_lost_tasks(*still, stand_in);
                 });
}

void Server::perform(Job& job, const effect::TellJobEnds& e) {
    for (const auto& [key, task] : job.tasks)
        if (task.stand_in == 0 && task.state >= 0)
            order(job, key, e.ends ? wire::Order::job_ends : wire::Order::job_goes_on);
}

} // namespace ckpt
