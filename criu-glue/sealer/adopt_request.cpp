// SPDX-License-Identifier: GPL-2.0-or-later
#include "adopt_request.hpp"

#include <format>
#include <utility>

#include "access.hpp"
#include "fault/fault.hpp"
#include "prune_request.hpp"
#include "request_parts.hpp"
#include "store/adopt.hpp"

namespace ckpt {

namespace {

wire::Found to_wire(store::Found found) {
    switch (found) {
    case store::Found::nothing:
        return wire::Found::nothing;
    case store::Found::generation:
        return wire::Found::generation;
    case store::Found::completed:
        return wire::Found::completed;
    case store::Found::unusable:
        break;
    }
    return wire::Found::unusable;
}

} // namespace

Status adopt_images(const wire::AdoptRequest& request, std::vector<Fd>& fds, wire::AdoptResult& result) {
    if (fds.size() != k_own + 1) return fail(Code::wire_malformed, "an adoption needs one descriptor");
    store::AdoptSpec spec;
    spec.owner = owner_of(request.place);
    spec.incarnation = request.place.incarnation;
    spec.step_id = request.step_id;
    if (request.before_generation > 0)
        spec.before = store::GenerationId{request.before_incarnation, request.before_generation};
    if (request.here_generation > 0)
        spec.here = store::GenerationId{request.here_incarnation, request.here_generation};
    spec.other_job = request.other_job;
    spec.other_generation = request.other_generation;
    spec.unfinished = active_jobs(request.cluster, request.unfinished);
    spec.why_unknown = request.why_unknown;
    spec.node = request.node;
    spec.target = fds[k_own].get();
    const auto access = Access::open(fds);
    // Where the directory above is, and only the user's own is not, none of the user's jobs was ever saved.
    if (!access && access.error().code == Code::not_found && request.other_job == 0) {
        result.found = wire::Found::nothing;
        return {};
    }
    if (!access && access.error().code == Code::not_found)
        return fail(Code::restore_source,
                    std::format("job {} has no checkpoint: nothing of this user's was ever saved in {}",
                                request.other_job, request.place.base),
                    "see `sckpt list`");
    if (!access) return tl::unexpected(missing(access.error(), request.place));
    CKPT_FAULT("adopt.begin");
    CKPT_TRY(store::Adoption adoption, store::adopt(access->store(), spec));
    CKPT_FAULT("adopt.unpacked");
    // A first start has nothing behind it that anybody would ask about.
    if (adoption.found == store::Found::generation || spec.incarnation > 0)
        (void)store::note_adoption(access->store(), spec, adoption, request.node_name);
    result.found = to_wire(adoption.found);
    result.incarnation = adoption.id.incarnation;
    result.generation = adoption.id.generation;
    result.of_job = adoption.of_job;
    result.is_here = adoption.is_here;
    result.taken_at = adoption.taken_at;
    result.since = adoption.since;
    result.cpus = adoption.cpus;
    result.node = adoption.node;
    result.tree_was_stopped = adoption.tree_was_stopped;
    result.newest_generation = adoption.newest_generation;
    result.adopted_before = adoption.adopted_before;
    result.end_again = adoption.end_again;
    result.wait_status = adoption.wait_status;
    if (const auto& failed = adoption.last_failure.failed) {
        result.last_ended =
            failed->how == store::Failed::How::fault ? wire::HowEnded::fault : wire::HowEnded::out_of_memory;
        result.last_memory_limit = failed->memory_limit;
        result.last_signal = static_cast<std::int32_t>(failed->signal);
        result.fault_again = adoption.last_failure.fault_again;
    }
    result.skipped = bounded(std::move(adoption.skipped));
    if (adoption.steps.size() + adoption.exited.size() > wire::k_job_tasks_max)
        return fail(Code::restore_impossible,
                    std::format("the checkpoint has more than {} tasks of steps", wire::k_job_tasks_max));
    for (const store::StepPart& part : adoption.steps)
        result.steps.push_back({part.stand_in, part.step_id, part.task_id});
    for (const store::ExitedTask& task : adoption.exited)
        result.exited.push_back({task.stand_in, task.task_id, task.wait_status});
    result.step_dir = adoption.step_dir;
    return {};
}

Status unpack_part(const wire::PartRequest& request, std::vector<Fd>& fds) {
    if (fds.size() != k_own + 1) return fail(Code::wire_malformed, "a part needs one descriptor");
    const auto access = Access::open(fds);
    if (!access) return tl::unexpected(missing(access.error(), request.place));
    store::PartSpec spec;
    spec.owner = owner_of(request.place);
    spec.incarnation = request.place.incarnation;
    spec.id = {request.of_incarnation, request.of_generation};
    spec.stand_in = request.stand_in;
    spec.task_id = request.task_id;
    spec.target = fds[k_own].get();
    spec.node = request.node;
    return store::unpack_part(access->store(), spec);
}

} // namespace ckpt
