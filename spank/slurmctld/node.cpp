// SPDX-License-Identifier: GPL-2.0-or-later
#include "node.hpp"

#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>

#include <cerrno>
#include <cstdlib>
#include <map>
#include <memory>

namespace ckpt {

namespace {

tl::unexpected<Error> refused(const std::string& what) {
    return fail(Code::slurm_rpc, what + ": " + slurm_strerror(errno));
}

std::string text(const char* value) {
    return value != nullptr ? value : "";
}

struct NodeFacts {
    std::uint32_t state = 0;
    std::string address;
};

// slurm_load_node_single() says nothing of a name that is a list of them.
Result<NodeFacts> ask(const std::string& name) {
    node_info_msg_t* raw = nullptr;
    std::string own = name;
    const auto unknown = [&] {
        return fail(Code::not_found, "slurmctld does not know node " + name, "see `sinfo -N`");
    };
    if (slurm_load_node_single(&raw, own.data(), SHOW_ALL | SHOW_LOCAL) != SLURM_SUCCESS)
        return errno == ESLURM_INVALID_NODE_NAME ? Result<NodeFacts>(unknown())
                                                 : Result<NodeFacts>(refused("ask for node " + name));
    const std::unique_ptr<node_info_msg_t, void (*)(node_info_msg_t*)> message(raw, slurm_free_node_info_msg);
    for (std::uint32_t i = 0; i < message->record_count; ++i)
        if (text(message->node_array[i].name) == name)
            return NodeFacts{message->node_array[i].node_state, text(message->node_array[i].node_addr)};
    return unknown();
}

using HostList = std::unique_ptr<hostlist_t, void (*)(hostlist_t*)>;

HostList list_of(const char* nodes) {
    return {slurm_hostlist_create(nodes), slurm_hostlist_destroy};
}

std::string first_of(const char* nodes) {
    const HostList list = list_of(nodes);
    if (!list) return {};
    const std::unique_ptr<char, void (*)(void*)> name(slurm_hostlist_shift(list.get()), std::free);
    return text(name.get());
}

bool runs_on(const slurm_job_info_t& job, const std::string& node) {
    const std::uint32_t base = job.job_state & JOB_STATE_BASE;
    if ((base != JOB_RUNNING && base != JOB_SUSPENDED) || job.nodes == nullptr) return false;
    const HostList list = list_of(job.nodes);
    return list && slurm_hostlist_find(list.get(), node.c_str()) >= 0;
}

Result<std::vector<NodeJob>> jobs_on(const std::string& node) {
    job_info_msg_t* raw = nullptr;
    if (slurm_load_jobs(0, &raw, SHOW_ALL | SHOW_LOCAL) != SLURM_SUCCESS) return refused("ask for all jobs");
    const std::unique_ptr<job_info_msg_t, void (*)(job_info_msg_t*)> message(raw, slurm_free_job_info_msg);
    std::map<std::string, std::string> addresses;
    std::vector<NodeJob> jobs;
    for (std::uint32_t i = 0; i < message->record_count; ++i) {
        const slurm_job_info_t& job = message->job_array[i];
        if (!runs_on(job, node)) continue;
        const std::string host = job.batch_host != nullptr ? job.batch_host : first_of(job.nodes);
        if (!addresses.contains(host)) {
            const auto facts = ask(host);
            addresses[host] = facts ? facts->address : host;
        }
        jobs.push_back({job.job_id, job.user_id, host, addresses[host], text(job.name)});
    }
    return jobs;
}

} // namespace

Result<NodeRecord> load_node(const std::string& name) {
    CKPT_TRY(const NodeFacts facts, ask(name));
    NodeRecord record;
    const std::uint32_t base = facts.state & NODE_STATE_BASE;
    record.takes_jobs =
        (facts.state & (NODE_STATE_DRAIN | NODE_STATE_REBOOT_REQUESTED)) == 0 && base != NODE_STATE_DOWN;
    CKPT_TRY(record.jobs, jobs_on(name));
    return record;
}

Status drain_node(const std::string& name, const std::string& reason) {
    std::string node = name;
    std::string why = reason;
    update_node_msg_t request{};
    slurm_init_update_node_msg(&request);
    request.node_names = node.data();
    request.node_state = NODE_STATE_DRAIN;
    request.reason = why.data();
    if (slurm_update_node(&request) != SLURM_SUCCESS) return refused("drain node " + name);
    return {};
}

} // namespace ckpt
