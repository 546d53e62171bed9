// SPDX-License-Identifier: GPL-2.0-or-later
// What root of another node asks of the jobs whose scripts run here, as `sckpt drain` does. Who may have such
// a link is ckpt-handshake's affair.
#include <utility>

#include "cli_answers.hpp"
#include "link/greeting.hpp"
#include "log.hpp"
#include "server.hpp"

namespace ckpt {

void Server::add_command_link(Fd socket, Greeting greeting) {
    auto link = open_link(std::move(socket), std::move(greeting.keys));
    if (!link) return log::error("root of " + greeting.hello.node + " cannot be heard", link.error());
    const LinkId id = m_next_link++;
    const int fd = link->fd();
    NodeLink& added =
        m_links.emplace(id, NodeLink{std::move(*link), 0, 0, greeting.hello.node, 0, 0}).first->second;
    added.readable = m_loop.watch(fd, [this, id] { read_link(id); });
}

void Server::hear_command(LinkId id, const std::string& bytes) {
    const auto asked = wire::decode<wire::AskFor>(bytes);
    if (!asked || asked->ask > wire::Ask::look) {
        log::warning("root of another node asks for what is not understood");
        return drop_link(id);
    }
    const wire::AskFor& m = *asked;
    Job* job = find_job(m.job_id);
    if (job == nullptr)
        return answer_command(
            id, answer_of({Code::not_found, "job " + std::to_string(m.job_id) + " runs without checkpoints",
                           "", 0}));
    if (m.ask == wire::Ask::look) return look_for_command(id, *job);
    log::info("job " + std::to_string(m.job_id) + ": root of " + m_links.at(id).node + " asks for it");
    ask_of(
        *job, m, [this, id](const wire::Answer& answer) { answer_command(id, answer); },
        [this, id, m](Job& ready) {
            if (is_suspended(ready)) return answer_command(id, answer_of(suspended_error(m.job_id)));
            if (is_create_under_way(ready)) return answer_command(id, answer_of(create_under_way()));
            ready.commanded = id;
            want_awaited(ready, m.ask);
        });
}

void Server::look_for_command(LinkId id, Job& job) {
    if (const auto error = why_not(job, wire::Ask::requeue)) return answer_command(id, answer_of(*error));
    if (is_suspended(job)) return answer_command(id, answer_of(suspended_error(job.facts.job_id)));
    if (job.state.switched_off) return answer_command(id, answer_of(switched_off(job.state)));
    may_leave(job, wire::Ask::requeue, [this, id](const std::optional<Error>& error) {
        answer_command(id, error ? answer_of(*error) : wire::Answer{});
    });
}

void Server::answer_command(LinkId id, const wire::Answer& answer) {
    send_to_node(id, wire::encode(answer));
}

void Server::command_link_gone(LinkId id) {
    for (auto& [job_id, job] : m_jobs)
        if (job.commanded == id) {
            job.commanded = 0;
            begin_what_was_asked_inside(job);
        }
}

} // namespace ckpt
