// SPDX-License-Identifier: GPL-2.0-or-later
#include "job.hpp"

#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "api.hpp"
#include "comment.hpp"
#include "constraint.hpp"

namespace ckpt {

namespace {

std::string name_of(std::uint32_t job_id) {
    return "job " + std::to_string(job_id);
}

tl::unexpected<Error> refused(const std::string& what) {
    return fail(Code::slurm_rpc, what + ": " + slurm_strerror(errno));
}

std::string text(const char* value) {
    return value != nullptr ? value : "";
}

struct Request : job_desc_msg_t {
    explicit Request(std::uint32_t job) : job_desc_msg_t{} {
        slurm_init_job_desc_msg(this);
        set_id(*this, job);
    }
};

Status update(Request& request, const std::string& what) {
    if (slurm_update_job(&request) != SLURM_SUCCESS) return refused(what);
    return {};
}

// A job that is pending already, e.g. because it is being requeued, is held by its priority. One that an
// admin holds stays the admin's: holding it again would let its user release it (job_mgr.c:_update_job).
Status hold_pending(std::uint32_t job_id, const JobRecord& job) {
    if (job.priority == 0) return {};
    Request request(job_id);
    request.priority = 0;
    request.alloc_sid = ALLOC_SID_USER_HOLD; // the user may release it, whoever held it
    return update(request, "hold " + name_of(job_id));
}

JobRecord record_of(const slurm_job_info_t& job) {
    return {job.job_state,
            job.preempt_time,
            job.end_time,
            job.restart_cnt,
            job.priority,
            job.requeue != 0,
            (job.bitflags & GRACE_PREEMPT) != 0,
            text(job.state_desc),
            text(job.comment),
            text(job.admin_comment),
            text(job.exc_nodes),
            text(job.req_nodes),
            text(job.partition),
            text(job.features),
            job.num_nodes,
            job.job_id,
            job.array_task_id == NO_VAL ? std::nullopt : std::optional(job.array_task_id),
            text(job.name),
            job.user_id,
            job.batch_flag != 0,
            text(job.batch_host),
            text(job.nodes),
            text(job.qos)};
}

// The first of what slurmctld sends for `job_id` that is `wanted`.
Result<JobRecord> load_one(std::uint32_t job_id, const std::string& name,
                           const std::function<bool(const slurm_job_info_t&)>& wanted) {
    job_info_msg_t* raw = nullptr;
    // SHOW_LOCAL: in a federation the question would go around all its clusters
    // (src/api/job_info.c:slurm_load_job).
    if (slurm_load_job(&raw, id_of(job_id), SHOW_LOCAL) != SLURM_SUCCESS) return refused("ask for " + name);
    const std::unique_ptr<job_info_msg_t, void (*)(job_info_msg_t*)> message(raw, slurm_free_job_info_msg);
    for (std::uint32_t i = 0; i < message->record_count; ++i)
        if (wanted(message->job_array[i])) return record_of(message->job_array[i]);
    return fail(Code::slurm_rpc, "slurmctld does not know " + name);
}

// `use` gets the record.
template <typename Use>
auto with_node_info(std::string name, Use&& use) -> decltype(use(std::declval<const node_info_t&>())) {
    node_info_msg_t* raw = nullptr;
    if (slurm_load_node_single(&raw, name.data(), SHOW_LOCAL) != SLURM_SUCCESS)
        return refused("ask for " + name);
    const std::unique_ptr<node_info_msg_t, void (*)(node_info_msg_t*)> message(raw, slurm_free_node_info_msg);
    for (std::uint32_t i = 0; i < message->record_count; ++i)
        if (text(message->node_array[i].name) == name) return use(message->node_array[i]);
    return fail(Code::slurm_rpc, "slurmctld does not know node " + name);
}

struct NodeList {
    explicit NodeList(const std::string& nodes)
        : list(slurm_hostlist_create(nodes.c_str()), slurm_hostlist_destroy) {}
    std::unique_ptr<hostlist_t, void (*)(hostlist_t*)> list;
};

std::set<std::string> names_in(const std::string& nodes) {
    std::set<std::string> names;
    if (nodes.empty()) return names;
    const NodeList hosts(nodes);
    while (hosts.list) {
        const std::unique_ptr<char, void (*)(void*)> name(slurm_hostlist_shift(hosts.list.get()), std::free);
        if (!name) break;
        names.insert(name.get());
    }
    return names;
}

// All of the partitions "a,b".
Result<std::set<std::string>> nodes_of_partitions(const std::string& partitions) {
    partition_info_msg_t* raw = nullptr;
    if (slurm_load_partitions(0, &raw, SHOW_LOCAL | SHOW_ALL) != SLURM_SUCCESS)
        return refused("ask for partitions");
    const std::unique_ptr<partition_info_msg_t, void (*)(partition_info_msg_t*)> message(
        raw, slurm_free_partition_info_msg);
    std::set<std::string> nodes;
    for (std::uint32_t i = 0; i < message->record_count; ++i) {
        const partition_info_t& partition = message->partition_array[i];
        if (("," + partitions + ",").find("," + text(partition.name) + ",") == std::string::npos) continue;
        nodes.merge(names_in(text(partition.nodes)));
    }
    return nodes;
}

std::string with_node(const std::string& nodes, const std::string& node) {
    if (names_in(nodes).contains(node)) return nodes;
    return nodes.empty() ? node : nodes + "," + node;
}

// Empty: it can run without `node`.
std::string why_nowhere_else(const JobRecord& job, const std::string& node, std::set<std::string> nodes) {
    if (names_in(job.required_nodes).contains(node)) return "the job asks for this very node (--nodelist)";
    for (const std::string& excluded : names_in(with_node(job.excluded_nodes, node)))
        nodes.erase(excluded);
    if (nodes.size() >= job.min_nodes) return {};
    return "no other nodes are left to it in its partition (ExcNodeList)";
}

std::string first_of(const std::string& nodes) {
    const std::unique_ptr<hostlist_t, void (*)(hostlist_t*)> list(slurm_hostlist_create(nodes.c_str()),
                                                                  slurm_hostlist_destroy);
    if (!list) return {};
    const std::unique_ptr<char, void (*)(void*)> name(slurm_hostlist_shift(list.get()), std::free);
    return text(name.get());
}

} // namespace

Result<JobRecord> load_job(std::uint32_t job_id) {
    // an array's id brings all its elements
    return load_one(job_id, name_of(job_id),
                    [job_id](const slurm_job_info_t& job) { return job.job_id == job_id; });
}

Result<JobRecord> load_element(std::uint32_t array_id, std::uint32_t task) {
    return load_one(array_id, name_of(array_id) + "_" + std::to_string(task),
                    [array_id, task](const slurm_job_info_t& job) {
                        return job.array_job_id == array_id && job.array_task_id == task;
                    });
}

Result<BatchHost> batch_host(std::uint32_t job_id) {
    CKPT_TRY(const JobRecord job, load_job(job_id));
    const std::string name = job.batch ? job.batch_host : first_of(job.nodes);
    if (name.empty()) return fail(Code::slurm_rpc, name_of(job_id) + " runs on no node");
    return with_node_info(name, [&](const node_info_t& node) -> Result<BatchHost> {
        return BatchHost{name, text(node.node_addr)};
    });
}

namespace {

Status requeue_loaded(std::uint32_t job_id, const JobRecord& before, bool hold) {
    const std::uint32_t hold_flag = hold ? JOB_REQUEUE_HOLD : 0U;
    switch (requeue_of(before)) {
    case Requeue::refused:
        return fail(Code::slurm_rpc, name_of(job_id) + " is not requeued: its state is " + cause_of(before));
    case Requeue::done_already:
        return hold ? hold_pending(job_id, before) : Status{};
    case Requeue::possible: // JOB_RUNNING: only if it still runs when the request arrives
        if (slurm_requeue(id_of(job_id), JOB_RUNNING | hold_flag) != SLURM_SUCCESS)
            return refused("requeue " + name_of(job_id));
        break;
    case Requeue::possible_late:
        if (slurm_requeue(id_of(job_id), hold_flag) != SLURM_SUCCESS)
            return refused("requeue " + name_of(job_id));
    }
    CKPT_TRY(const JobRecord after, load_job(job_id));
    if (requeue_of(after) != Requeue::done_already)
        return fail(Code::slurm_rpc,
                    name_of(job_id) + " was not requeued: its state is now " + cause_of(after));
    return {};
}

} // namespace

Status requeue_job(std::uint32_t job_id, bool hold) {
    CKPT_TRY(const JobRecord before, load_job(job_id));
    return requeue_loaded(job_id, before, hold);
}

Status cancel_job(std::uint32_t job_id) {
    // Its tasks get a SIGTERM first, as of scancel (job_mgr.c:job_signal).
    if (slurm_kill_job(id_of(job_id), SIGKILL, 0) != SLURM_SUCCESS)
        return refused("cancel " + name_of(job_id));
    CKPT_TRY(const JobRecord after, load_job(job_id));
    if ((after.state & JOB_STATE_BASE) != JOB_CANCELLED)
        return fail(Code::slurm_rpc,
                    name_of(job_id) + " was not cancelled: its state is now " + cause_of(after));
    return {};
}

Status explain_job(std::uint32_t job_id, const std::string& reason) {
    CKPT_TRY(const JobRecord job, load_job(job_id));
    const bool admin = ::geteuid() == 0;
    std::string comment = with_reason(admin ? job.admin_comment : job.comment, reason);
    Request request(job_id);
    (admin ? request.admin_comment : request.comment) = comment.data();
    return update(request, "comment on " + name_of(job_id));
}

Status exclude_node(std::uint32_t job_id, const std::string& node) {
    CKPT_TRY(const JobRecord job, load_job(job_id));
    std::string nodes = with_node(job.excluded_nodes, node);
    Request request(job_id);
    request.exc_nodes = nodes.data();
    return update(request, "exclude " + node + " for " + name_of(job_id));
}

Result<std::string> constrain_job(std::uint32_t job_id, const std::string& node,
                                  const std::vector<std::string>& listed) {
    CKPT_TRY(const JobRecord job, load_job(job_id));
    if ((job.state & JOB_STATE_BASE) != JOB_PENDING) return std::string(); // it goes on nowhere
    CKPT_TRY(const auto features,
             with_node_info(node, [](const node_info_t& info) -> Result<std::set<std::string>> {
                 const auto all = split_at_commas(text(info.features_act));
                 return std::set<std::string>(all.begin(), all.end());
             }));
    Constraint constraint = constrained(job.features, features, listed);
    switch (constraint.kind) {
    case Constraint::Kind::as_it_is:
        return std::string();
    case Constraint::Kind::too_complicated:
        return "its constraint stays as it is, \"" + job.features + "\": no feature of " + node +
               " is added to it";
    case Constraint::Kind::changed:
        break;
    }
    Request request(job_id);
    request.features = constraint.expression.data();
    CKPT_CHECK(update(request, "constrain " + name_of(job_id) + " to " + constraint.expression));
    return "its constraint is \"" + constraint.expression + "\" now, for its checkpoint on " + node;
}

Status requeue_elsewhere(std::uint32_t job_id, const std::string& node, const std::string& reason) {
    CKPT_TRY(const JobRecord job, load_job(job_id));
    CKPT_TRY(const auto nodes, nodes_of_partitions(job.partitions));
    if (const std::string why = why_nowhere_else(job, node, nodes); !why.empty()) {
        CKPT_CHECK(requeue_loaded(job_id, job, true));
        return explain_job(job_id, reason + "; " + why);
    }
    CKPT_CHECK(requeue_loaded(job_id, job, false));
    std::string excluded = with_node(job.excluded_nodes, node);
    std::string comment = with_reason(job.admin_comment, reason);
    Request request(job_id);
    request.exc_nodes = excluded.data();
    request.admin_comment = comment.data();
    const Status moved = update(request, "exclude " + node + " for " + name_of(job_id));
    if (moved) return {};
    // It must not come back here again and again.
    CKPT_TRY(const JobRecord now, load_job(job_id));
    CKPT_CHECK(hold_pending(job_id, now));
    return explain_job(job_id, reason + "; it is held: " + moved.error().what);
}

} // namespace ckpt
