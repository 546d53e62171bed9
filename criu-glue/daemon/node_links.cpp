// SPDX-License-Identifier: GPL-2.0-or-later
// Links between the ckptd of a job's nodes: how they come about, what comes in, how they end. Who may have
// one is ckpt-handshake's affair; here everything is authenticated.
#include <array>

#include "link/greeting.hpp"
#include "log.hpp"
#include "server.hpp"
#include "wire/link_messages.hpp"

namespace ckpt {

namespace {

constexpr std::chrono::milliseconds k_handshake_limit{10'000};
constexpr uid_t k_nobody = 65534; // for whose lines there is a limit: who it is nobody knows

} // namespace

// Without it jobs run, and steps on several nodes are not checkpointed.
void Server::open_node_port() {
    if (m_policy.network.port == 0) return m_node_port.close();
    if (const Status opened = m_node_port.open(m_policy.network.port); !opened)
        log::error("steps on several nodes are not checkpointed", opened.error());
}

void Server::accept_node(TcpCaller caller) {
    const wire::AcceptRequest request{m_node_name, static_cast<std::uint32_t>(k_handshake_limit.count())};
    const std::array fds = {caller.socket.get()};
    const auto kept = std::make_shared<TcpCaller>(std::move(caller));
    m_workers.start("ckpt-handshake", wire::encode(request), fds,
                    k_handshake_limit + wire::k_handshake_margin, [this, kept](Result<Packet> packet) {
                        m_node_port.heard(kept->address);
                        node_greets(std::move(kept->socket), take_greeting(packet));
                    });
}

void Server::node_refused(const std::string& why) {
    if (may_log(k_nobody)) log::warning("a connection from the network is closed: " + why);
}

// A participant's ckptd.
void Server::node_greets(Fd socket, Result<Greeting> greeting) {
    if (!greeting) return node_refused(one_line(greeting.error()));
    if (greeting->hello.job_id == 0 && greeting->hello.uuid == wire::k_command_link)
        return add_command_link(std::move(socket), std::move(*greeting));
    Job* job = find_job(greeting->hello.job_id);
    const bool is_known = job != nullptr && !job->coordinator && job->facts.uuid == greeting->hello.uuid &&
                          job->facts.restart_count == greeting->hello.incarnation;
    if (!is_known) {
        if (may_log(k_nobody))
            log::warning("node " + greeting->hello.node + " would take part in job " +
                         std::to_string(greeting->hello.job_id) + ", which does not run here as it is there");
        return;
    }
    auto link = open_link(std::move(socket), std::move(greeting->keys));
    if (!link) return log::error("node " + greeting->hello.node + " cannot be heard", link.error());
    const std::string node = greeting->hello.node;
    if (const auto before = job->others.links.find(node); before != job->others.links.end()) {
        drop_link(before->second);
        job = find_job(greeting->hello.job_id);
        if (job == nullptr) return;
    }
    log::info("job " + std::to_string(job->facts.job_id) + ": node " + node + " takes part");
    const LinkId id = add_link(*job, node, std::move(*link));
    find_job(greeting->hello.job_id)->others.links[node] = id;
}

LinkId Server::add_link(const Job& job, const std::string& node, Link link) {
    const LinkId id = m_next_link++;
    const int fd = link.fd();
    NodeLink& added = m_links.emplace(id, NodeLink{std::move(link), job.facts.job_id, job.serial, node, 0, 0})
                          .first->second;
    added.readable = m_loop.watch(fd, [this, id] { read_link(id); });
    return id;
}

void Server::read_link(LinkId id) {
    const auto found = m_links.find(id);
    if (found == m_links.end()) return;
    auto messages = found->second.link.receive();
    if (!messages) {
        if (messages.error().code != Code::not_found)
            log::warning("the link to node " + found->second.node +
                         " is closed: " + one_line(messages.error()));
        return drop_link(id);
    }
    for (const std::string& bytes : *messages) {
        const auto still = m_links.find(id);
        if (still == m_links.end()) return;
        if (still->second.job_id == 0) {
            hear_command(id, bytes);
            continue;
        }
        Job* job = find_job(still->second.job_id, still->second.serial);
        if (job == nullptr) return drop_link(id);
        const std::string node = still->second.node; // a copy: what it says may end the link
        const bool understood =
            job->coordinator ? hear_coordinator(*job, bytes) : hear_node(*job, node, bytes);
        if (understood) continue;
        log::warning("node " + node + " says what is not understood; is its ckptd of another release?");
        return drop_link(id);
    }
}

void Server::send_to_node(LinkId id, const std::string& bytes) {
    const auto found = m_links.find(id);
    if (found == m_links.end()) return;
    if (const Status sent = found->second.link.send(bytes); !sent) {
        log::warning("node " + found->second.node + " cannot be told: " + one_line(sent.error()));
        // Later, since whoever tells it may hold the job.
        m_loop.after(std::chrono::milliseconds(0), [this, id] { drop_link(id); });
        return;
    }
    write_link(id);
}

void Server::write_link(LinkId id) {
    const auto found = m_links.find(id);
    if (found == m_links.end()) return;
    NodeLink& link = found->second;
    m_loop.cancel(std::exchange(link.writable, 0));
    if (!link.link.flush()) {
        m_loop.after(std::chrono::milliseconds(0), [this, id] { drop_link(id); });
        return;
    }
    if (link.link.wants_to_write())
        link.writable = m_loop.watch_writable(link.link.fd(), [this, id] { write_link(id); });
}

void Server::drop_link(LinkId id) {
    const auto found = m_links.find(id);
    if (found == m_links.end()) return;
    m_loop.cancel(found->second.readable);
    m_loop.cancel(found->second.writable);
    const std::uint32_t job_id = found->second.job_id;
    const std::uint64_t serial = found->second.serial;
    const std::string node = found->second.node;
    m_links.erase(found);
    if (job_id == 0) return command_link_gone(id);
    Job* job = find_job(job_id, serial);
    if (job == nullptr) return;
    if (job->coordinator) {
        if (job->coordinator->link == id) coordinator_lost(*job);
        return;
    }
    const auto link = job->others.links.find(node);
    if (link == job->others.links.end() || link->second != id) return;
    job->others.links.erase(link);
    node_lost(*job, node);
}

} // namespace ckpt
