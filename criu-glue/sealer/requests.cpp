// SPDX-License-Identifier: GPL-2.0-or-later
#include "requests.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <format>
#include <iterator>
#include <memory>

#include <nlohmann/json.hpp>

#include "access.hpp"
#include "os/files.hpp"
#include "paced_volume.hpp"
#include "prune_request.hpp"
#include "store/adopt.hpp"
#include "store/commit.hpp"
#include "store/complete.hpp"
#include "store/inspect.hpp"
#include "store/lease.hpp"
#include "store/room.hpp"
#include "wire/worker.hpp"

namespace ckpt {
namespace {

// A result is one packet (os/socket.hpp:k_packet_max); these keep its lists well below.
constexpr std::size_t k_lines_max = 32;
constexpr std::size_t k_line_max = 400;
constexpr std::chrono::minutes k_slot_patience{15}; // half of what ckptd gives a commit

store::Owner owner_of(const wire::StorePlace& place) {
    return {place.cluster, place.uid, place.job_id, place.uuid};
}

// A store that cannot be used, as opposed to one that is not there.
Error unusable(Error error, const std::string& base) {
    return store::store_error(std::move(error), "cannot use the store " + base);
}

// An earlier incarnation, or an earlier checkpoint, has made the directory, or the store is not where it was:
// a file system that is not mounted must not look like a job that never had a generation.
Error missing(const Error& error, const wire::StorePlace& place) {
    if (error.code != Code::not_found) return unusable(error, place.base);
    return {Code::store_unwritable, "the store " + place.base + " does not exist",
            "is its file system mounted on this node?", ENOENT};
}

std::vector<std::string> bounded(std::vector<std::string> lines) {
    if (lines.size() > k_lines_max) {
        const std::size_t more = lines.size() - k_lines_max;
        lines.resize(k_lines_max);
        lines.push_back(std::format("and {} more", more));
    }
    for (std::string& line : lines)
        line.resize(std::min(line.size(), k_line_max));
    return lines;
}

// One of the cluster's slots for commits. Limits the load and nothing else: without one the commit goes on.
class Slot {
public:
    Slot(const wire::CommitRequest& request, std::vector<std::string>& notes) : m_notes(notes) {
        if (request.lease_slots == 0) return;
        store::LeaseTerms terms;
        terms.slots = request.lease_slots;
        terms.holder = std::format("job {} generation {}", request.place.job_id, request.generation);
        auto dir = store::open_lease_dir(request.leases);
        auto lease =
            dir ? store::CommitLease::acquire(std::make_unique<store::DirLeaseFiles>(std::move(*dir)),
                                              std::move(terms), k_slot_patience)
                : tl::unexpected(dir.error());
        if (lease)
            m_lease = std::move(*lease);
        else
            note(lease.error());
    }
    void renew() {
        if (!m_lease) return;
        if (const auto renewed = m_lease->renew(); !renewed) note(renewed.error());
    }

private:
    void note(const Error& error) {
        if (m_notes.size() < k_lines_max) m_notes.push_back("went on without a slot: " + one_line(error));
    }
    std::vector<std::string>& m_notes;
    std::unique_ptr<store::CommitLease> m_lease;
};

Status run(const wire::CommitRequest& request, std::vector<Fd>& fds, wire::CommitResult& result) {
    if (request.parts.size() + k_own != fds.size())
        return fail(Code::wire_malformed, "a commit needs one descriptor per part");
    store::CommitSpec spec;
    spec.owner = owner_of(request.place);
    spec.id = {request.place.incarnation, request.generation};
    spec.keep = request.keep;
    spec.taken_at = request.taken_at;
    spec.reason = request.reason;
    spec.tree_was_stopped = request.tree_was_stopped;
    spec.compression = static_cast<int>(request.compression);
    spec.has_generations = request.has_generations;
    for (std::size_t i = 0; i < request.parts.size(); ++i) {
        const wire::Part& part = request.parts[i];
        spec.parts.push_back({{part.step_id,
                               part.task_id,
                               part.node,
                               part.frozen_us,
                               part.image_bytes,
                               part.processes,
                               part.criu_version,
                               {},
                               part.stand_in},
                              fds[k_own + i].get()});
    }
    for (const wire::ExitedTask& task : request.exited)
        spec.exited.push_back({task.stand_in, task.task_id, task.wait_status});
    spec.step_dir = request.step_dir;
    const auto access = Access::open(fds);
    if (!access) return tl::unexpected(missing(access.error(), request.place));
    const auto store = access->store();
    CKPT_CHECK(store::make_room(store, spec.owner, spec.id.incarnation, room_rules(request.retention),
                                std::time(nullptr)));
    std::vector<std::string> notes;
    Slot slot(request, notes);
    PacedVolume paced(store.volume, request.bandwidth, [&slot] { slot.renew(); });
    CKPT_TRY(const store::CommitDone done, store::commit({paced, store.keys}, spec));
    result.stored_bytes = done.stored_bytes;
    std::ranges::copy(done.notes, std::back_inserter(notes));
    result.notes = bounded(std::move(notes));
    return {};
}

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

Status run(const wire::AdoptRequest& request, std::vector<Fd>& fds, wire::AdoptResult& result) {
    if (fds.size() != k_own + 1) return fail(Code::wire_malformed, "an adoption needs one descriptor");
    store::AdoptSpec spec;
    spec.owner = owner_of(request.place);
    spec.incarnation = request.place.incarnation;
    spec.step_id = request.step_id;
    spec.task_id = request.task_id;
    if (request.before_generation > 0)
        spec.before = store::GenerationId{request.before_incarnation, request.before_generation};
    if (request.here_generation > 0)
        spec.here = store::GenerationId{request.here_incarnation, request.here_generation};
    spec.other_job = request.other_job;
    spec.other_generation = request.other_generation;
    spec.unfinished = active_jobs(request.cluster, request.unfinished);
    spec.why_unknown = request.why_unknown;
    spec.target = fds[k_own].get();
    const auto access = Access::open(fds);
    // Where the directory above is, and only the user's own is not, none of the user's jobs was ever saved.
    if (!access && access.error().code == Code::not_found && request.other_job == 0) {
        result.found = wire::Found::nothing;
        return {};
    }
    if (!access) return tl::unexpected(missing(access.error(), request.place));
    CKPT_TRY(store::Adoption adoption, store::adopt(access->store(), spec));
    result.found = to_wire(adoption.found);
    result.incarnation = adoption.id.incarnation;
    result.generation = adoption.id.generation;
    result.of_job = adoption.of_job;
    result.is_here = adoption.is_here;
    result.taken_at = adoption.taken_at;
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
    for (const store::StepPart& part : adoption.steps)
        result.steps.push_back({part.stand_in, part.step_id, part.task_id});
    for (const store::ExitedTask& task : adoption.exited)
        result.exited.push_back({task.stand_in, task.task_id, task.wait_status});
    result.step_dir = adoption.step_dir;
    return {};
}

Status run(const wire::PartRequest& request, std::vector<Fd>& fds, wire::PartResult& /*result*/) {
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
    return store::unpack_part(access->store(), spec);
}

std::optional<store::Failed> failed_of(const wire::CompleteRequest& request) {
    if (request.how == wire::HowEnded::completed || request.how == wire::HowEnded::stopped)
        return std::nullopt;
    store::Failed failed;
    using How = store::Failed::How;
    failed.how = request.how == wire::HowEnded::fault ? How::fault : How::out_of_memory;
    failed.wait_status = request.wait_status;
    failed.memory_limit = request.memory_limit;
    failed.signal = static_cast<std::uint32_t>(request.signal);
    return failed;
}

std::optional<store::Stopped> stopped_of(const wire::CompleteRequest& request) {
    if (request.how != wire::HowEnded::stopped) return std::nullopt;
    return store::Stopped{request.generation, 0};
}

Status run(const wire::CompleteRequest& request, std::vector<Fd>& fds, wire::CompleteResult& /*result*/) {
    const auto access = Access::open(fds);
    const bool missed = !access && access.error().code == Code::not_found;
    if (missed && !request.has_generations) return {}; // nothing was ever stored
    if (!access) { // what is not permitted for good is a later incarnation's, and that is said below
        Error error = missing(access.error(), request.place);
        if (error.code == Code::not_permitted) error.code = Code::store_unwritable;
        return tl::unexpected(std::move(error));
    }
    return store::complete(access->store(),
                           {owner_of(request.place), request.place.incarnation, request.wait_status,
                            request.drop_generations, request.will_be_requeued, failed_of(request),
                            stopped_of(request), request.has_generations});
}

std::string failure_line(const Error& error) {
    const nlohmann::json line = {
        {"error", error.what}, {"hint", error.hint}, {"code", static_cast<unsigned>(error.code)}};
    return line.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
}

Status inspect(const wire::InspectRequest& request, std::vector<Fd>& fds) {
    const auto access = Access::open(fds);
    if (!access && access.error().code == Code::not_found) return {};
    if (!access) return tl::unexpected(store::store_error(access.error(), "cannot use the store"));
    std::optional<std::uint32_t> owner;
    if (request.uid != wire::InspectRequest::k_anybody) owner = request.uid;
    return store::inspect(access->store(), {request.job_id, request.details, request.verify, owner},
                          fds[k_own].get());
}

// Whoever reads the listing learns of a failure, not only our log.
Status run(const wire::InspectRequest& request, std::vector<Fd>& fds, wire::InspectResult& /*result*/) {
    if (fds.size() != k_own + 1) return fail(Code::wire_malformed, "an inspection needs one descriptor");
    Status done = inspect(request, fds);
    if (!done) (void)write_all(fds[k_own].get(), failure_line(done.error()));
    return done;
}

Status run(const wire::PruneRequest& request, std::vector<Fd>& fds, wire::PruneResult& result) {
    if (fds.size() != k_own + 1) return fail(Code::wire_malformed, "a removal needs one descriptor");
    Status done = prune_user(request, fds, result);
    if (!done) (void)write_all(fds[k_own].get(), failure_line(done.error()));
    return done;
}

template <typename Request, typename Answer>
std::string answer(const std::string& bytes, std::vector<Fd>& fds) {
    Answer result;
    const auto request = wire::decode<Request>(bytes);
    const Status done = request ? run(*request, fds, result) : tl::unexpected(request.error());
    if (!done) {
        result = Answer{};
        result.outcome = wire::outcome_of(done.error());
    }
    return wire::encode(result);
}

} // namespace

std::string serve(const std::string& bytes, std::vector<Fd>& fds) {
    const auto type = wire::type_of(bytes);
    if (!type) return {};
    switch (*type) {
    case wire::CommitRequest::k_type:
        return answer<wire::CommitRequest, wire::CommitResult>(bytes, fds);
    case wire::AdoptRequest::k_type:
        return answer<wire::AdoptRequest, wire::AdoptResult>(bytes, fds);
    case wire::PartRequest::k_type:
        return answer<wire::PartRequest, wire::PartResult>(bytes, fds);
    case wire::CompleteRequest::k_type:
        return answer<wire::CompleteRequest, wire::CompleteResult>(bytes, fds);
    case wire::InspectRequest::k_type:
        return answer<wire::InspectRequest, wire::InspectResult>(bytes, fds);
    case wire::PruneRequest::k_type:
        return answer<wire::PruneRequest, wire::PruneResult>(bytes, fds);
    default:
        return {};
    }
}

} // namespace ckpt
