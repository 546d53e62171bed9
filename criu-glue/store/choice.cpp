// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/choice.hpp"

#include <utility>

namespace ckpt::store {
namespace {

// Walks from the newest incarnation to the oldest, narrowing what is still allowed.
class Walk {
public:
    Choice take() {
        if (m_choice.candidates.empty() && m_choice.doubtful.empty() && !m_choice.elsewhere && !m_ended)
            m_choice.lost = m_bound;
        return std::move(m_choice);
    }

    void visit(const IncarnationState& inc) {
        if (m_ended) return;
        if (!inc.unreadable.empty()) {
            m_choice.hidden = m_choice.hidden || !m_fenced;
            return doubt(inc.unreadable);
        }
        if (counts(inc.completed, inc.number)) {
            if (inc.completed.state == RecordState::valid) return end();
            doubt(incarnation_dir_name(inc.number) + "/" + inc.completed.why);
        }
        for (const std::uint32_t generation : inc.generations)
            add({inc.number, generation});
        narrow(inc);
    }

private:
    // The end of the job closes everything up to its incarnation, unless a successor had started from
    // something of that incarnation: then the end is itself a late arrival.
    [[nodiscard]] bool counts(const Record<Completed>& record, std::uint32_t incarnation) const {
        return record.state != RecordState::absent && (!m_bound || m_bound->incarnation > incarnation);
    }
    void end() {
        m_choice.completed = m_choice.candidates.empty() && m_choice.doubtful.empty();
        m_ended = true;
    }
    void add(GenerationId id) {
        if (m_fenced || (m_bound && id > *m_bound)) return;
        (m_choice.doubt.empty() ? m_choice.candidates : m_choice.doubtful).push_back(id);
    }
    // What `inc` started from limits what the incarnations before it may still offer.
    void narrow(const IncarnationState& inc) {
        if (inc.adopted.state == RecordState::damaged)
            return doubt(incarnation_dir_name(inc.number) + "/" + inc.adopted.why);
        if (inc.adopted.state == RecordState::absent) return;
        const auto& from = inc.adopted.value.from;
        if (inc.adopted.value.of) { // nothing of this job's own came before
            if (!m_fenced && m_choice.doubt.empty()) m_choice.elsewhere = inc.adopted.value;
            m_fenced = true;
            return;
        }
        m_fenced = m_fenced || !from;
        if (from && (!m_bound || *from < *m_bound)) m_bound = from;
    }
    void doubt(const std::string& why) {
        if (m_choice.doubt.empty() && !m_fenced) m_choice.doubt = why;
    }

    Choice m_choice;
    std::optional<GenerationId> m_bound; // nothing newer than this
    bool m_fenced = false;               // nothing at all; only an end of the job is still of interest
    bool m_ended = false;
};

} // namespace

Choice choose(const JobState& state, std::uint32_t incarnation) {
    Walk walk;
    for (const IncarnationState& inc : state.incarnations)
        if (inc.number <= incarnation) walk.visit(inc);
    return walk.take();
}

std::uint32_t adoptions_in_a_row(const JobState& state, GenerationId id, std::uint32_t incarnation) {
    std::uint32_t count = 0;
    for (const IncarnationState& inc : state.incarnations) {
        if (inc.number >= incarnation) continue;
        if (inc.adopted.state != RecordState::valid || inc.adopted.value.of || inc.adopted.value.from != id)
            break;
        ++count;
    }
    return count;
}

LastFailure last_failure(const JobState& state, std::uint32_t incarnation) {
    LastFailure last;
    std::optional<GenerationId> from; // what all of them since the same fault have started from
    for (const IncarnationState& inc : state.incarnations) {
        if (inc.number >= incarnation) continue;
        const bool failed = inc.failed.state == RecordState::valid;
        if (!last.failed && !failed) return {};
        if (!last.failed) {
            last.failed = inc.failed.value;
        } else if (failed) {
            last.fault_again =
                inc.failed.value.how == Failed::How::fault && inc.failed.value.signal == last.failed->signal;
            return last;
        }
        const auto& started_from = inc.adopted.value.from;
        if (last.failed->how != Failed::How::fault || !inc.generations.empty() || !started_from) return last;
        if (from && from != started_from) return last;
        from = started_from;
    }
    return last;
}

std::optional<std::uint32_t> successor_of(const JobState& state, std::uint32_t incarnation) {
    for (const IncarnationState& inc : state.incarnations)
        if (inc.number > incarnation && (inc.adopted.state != RecordState::absent || !inc.unreadable.empty()))
            return inc.number;
    return std::nullopt;
}

} // namespace ckpt::store
