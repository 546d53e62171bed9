// SPDX-License-Identifier: GPL-2.0-or-later
#include "commit_request.hpp"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <format>
#include <iterator>
#include <memory>

#include "access.hpp"
#include "os/socket.hpp"
#include "paced_volume.hpp"
#include "prune_request.hpp"
#include "request_parts.hpp"
#include "store/commit.hpp"
#include "store/lease.hpp"
#include "store/room.hpp"
#include "store/seal_elsewhere.hpp"

namespace ckpt {
namespace {

constexpr std::chrono::minutes k_slot_patience{15}; // half of what ckptd gives a commit

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

// One directory for each part.
std::vector<store::PartSource> sources(const std::vector<wire::Part>& parts, const compat::Needs& needs,
                                       const std::vector<Fd>& fds) {
    std::vector<store::PartSource> out;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const wire::Part& part = parts[i];
        out.push_back({{part.step_id,
                        part.task_id,
                        part.node,
                        part.frozen_us,
                        part.image_bytes,
                        part.processes,
                        part.criu_version,
                        {},
                        part.stand_in,
                        needs},
                       fds[k_own + i].get()});
    }
    return out;
}

// Keeps the slot while other nodes are at work.
Status wait_for_go_on(std::chrono::milliseconds patience, Slot& slot) {
    using std::chrono::steady_clock;
    constexpr std::chrono::milliseconds k_none{0};
    constexpr std::chrono::milliseconds k_turn{1000};
    const auto until = steady_clock::now() + patience;
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - steady_clock::now());
        const auto packet = receive_packet(wire::k_worker_fd, std::clamp(left, k_none, k_turn));
        if (packet) {
            CKPT_TRY(const auto go_on, wire::decode<wire::CommitGoOn>(packet->bytes));
            return wire::status_of(go_on.outcome);
        }
        if (packet.error().code != Code::deadline) return tl::unexpected(packet.error());
        if (left <= k_turn)
            return fail(Code::deadline, "the parts that other nodes store were not there in time");
        slot.renew();
    }
}

store::Elsewhere elsewhere(const wire::CommitRequest& request, Slot& slot) {
    store::Elsewhere others;
    for (const wire::StepPart& part : request.elsewhere)
        others.parts.push_back({part.stand_in, part.step_id, part.task_id});
    others.ready = [] { return send_packet(wire::k_worker_fd, wire::encode(wire::CommitReady())); };
    const std::chrono::milliseconds patience(request.elsewhere_ms);
    others.wait = [patience, &slot] { return wait_for_go_on(patience, slot); };
    return others;
}

store::CommitSpec spec_of(const wire::CommitRequest& request, const std::vector<Fd>& fds) {
    store::CommitSpec spec;
    spec.owner = owner_of(request.place);
    spec.id = {request.place.incarnation, request.generation};
    spec.keep = request.keep;
    spec.taken_at = request.taken_at;
    spec.since = request.since;
    spec.cpus = request.cpus;
    spec.reason = request.reason;
    spec.tree_was_stopped = request.tree_was_stopped;
    spec.compression = static_cast<int>(request.compression);
    spec.has_generations = request.has_generations;
    spec.parts = sources(request.parts, request.needs, fds);
    for (const wire::ExitedTask& task : request.exited)
        spec.exited.push_back({task.stand_in, task.task_id, task.wait_status});
    spec.step_dir = request.step_dir;
    return spec;
}

} // namespace

Status commit(const wire::CommitRequest& request, std::vector<Fd>& fds, wire::CommitResult& result) {
    if (request.parts.size() + k_own != fds.size())
        return fail(Code::wire_malformed, "a commit needs one descriptor per part");
    store::CommitSpec spec = spec_of(request, fds);
    const auto access = Access::open(fds);
    if (!access) return tl::unexpected(missing(access.error(), request.place));
    const auto store = access->store();
    CKPT_CHECK(store::make_room(store, spec.owner, spec.id.incarnation, room_rules(request.retention),
                                std::time(nullptr)));
    std::vector<std::string> notes;
    Slot slot(request, notes);
    spec.elsewhere = elsewhere(request, slot);
    PacedVolume paced(store.volume, request.bandwidth, [&slot] { slot.renew(); });
    CKPT_TRY(const store::CommitDone done, store::commit({paced, store.keys}, spec));
    result.stored_bytes = done.stored_bytes;
    std::ranges::copy(done.notes, std::back_inserter(notes));
    result.notes = bounded(std::move(notes));
    return {};
}

Status seal(const wire::SealRequest& request, std::vector<Fd>& fds, wire::SealResult& result) {
    if (request.parts.size() + k_own != fds.size())
        return fail(Code::wire_malformed, "sealing needs one descriptor per part");
    store::SealSpec spec;
    spec.owner = owner_of(request.place);
    spec.id = {request.place.incarnation, request.generation};
    spec.compression = static_cast<int>(request.compression);
    spec.parts = sources(request.parts, request.needs, fds);
    const auto access = Access::open(fds);
    if (!access) return tl::unexpected(missing(access.error(), request.place));
    const auto store = access->store();
    PacedVolume paced(store.volume, request.bandwidth, [] {});
    CKPT_TRY(result.stored_bytes, store::seal_elsewhere({paced, store.keys}, spec));
    return {};
}

} // namespace ckpt
