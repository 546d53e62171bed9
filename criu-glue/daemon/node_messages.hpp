// SPDX-License-Identifier: GPL-2.0-or-later
// What the ckptd of a job's nodes say to each other (docs/steps.md, "Steps on several nodes"). The ckptd of
// the node that runs the batch script coordinates: its state machine decides for all tasks of the job. Those
// of the other nodes take part: what happens to their tasks goes to the coordinator as events, and what it
// decides of them comes back as effects.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>

#include "effects.hpp"
#include "events.hpp"
#include "wire/codec.hpp"

namespace ckpt {

// ---- how events and effects travel ----

template <class V>
void fields_of(V& v, Error& e) {
    v(e.code, e.what, e.hint, e.errnum);
}
template <class V>
void fields_of(V& v, TaskKey& k) {
    v(k.step_id, k.task_id);
}
template <class V>
void fields_of(V& v, MemoryFacts& m) {
    v(m.out_of_memory, m.limit);
}

namespace event {
template <class V>
void fields_of(V& v, TaskRegistered& e) {
    v(e.task, e.stand_in, e.step, e.is_taken_over);
}
template <class V>
void fields_of(V& v, ShimArrived& e) {
    v(e.task, e.gated);
}
template <class V>
void fields_of(V& v, PartFetched& e) {
    v(e.task, e.error, e.node);
}
template <class V>
void fields_of(V& v, RestoreEnded& e) {
    v(e.task, e.error, e.incarnation, e.generation, e.age, e.node, e.complaints, e.of_job, e.from_copy);
}
template <class V>
void fields_of(V& v, ShimReturned& e) {
    v(e.task, e.term_delivered, e.gated);
}
template <class V>
void fields_of(V& v, ShimAway& e) {
    v(e.task);
}
template <class V>
void fields_of(V& v, TreeStarted& e) {
    v(e.task);
}
template <class V>
void fields_of(V& v, TermArrived& e) {
    v(e.task);
}
template <class V>
void fields_of(V& v, DumpEnded& e) {
    v(e.task, e.error, e.frozen_us, e.image_bytes, e.generation);
}
template <class V>
void fields_of(V& v, DumpStopped& e) {
    v(e.task, e.generation, e.error);
}
template <class V>
void fields_of(V& v, DumpTaken& e) {
    v(e.task, e.generation);
}
template <class V>
void fields_of(V& v, StepUnfit& e) {
    v(e.stand_in);
}
template <class V>
void fields_of(V& v, RunsWithoutUs& e) {
    v(e.task);
}
template <class V>
void fields_of(V& v, OnDemand& e) {
    v(e.is_awaited, e.reason, e.by_signal);
}
template <class V>
void fields_of(V& v, TreeExited& e) {
    v(e.task, e.wait_status, e.memory);
}
template <class V>
void fields_of(V& v, TaskGone& e) {
    v(e.task, e.memory, e.wait_status);
}
template <class V>
void fields_of(V& v, AppAsked& e) {
    v(e.task, e.generation, e.processes, e.obstacle, e.covered);
}
template <class V>
void fields_of(V& v, AppAnswered& e) {
    v(e.task, e.generation, e.how, e.waited_s);
}
} // namespace event

namespace effect {
template <class V>
void fields_of(V& v, StartTask& e) {
    v(e.task, e.start, e.line, e.wait_status);
}
template <class V>
void fields_of(V& v, WelcomeBack& e) {
    v(e.task, e.line);
}
template <class V>
void fields_of(V& v, HoldBackTerm& e) {
    v(e.task);
}
template <class V>
void fields_of(V& v, RelayTerm& e) {
    v(e.task);
}
template <class V>
void fields_of(V& v, LetShimLeave& e) {
    v(e.task);
}
template <class V>
void fields_of(V& v, Restore& e) {
    v(e.task);
}
template <class V>
void fields_of(V& v, Dump& e) {
    v(e.task, e.generation, e.reason, e.leave_stopped, e.together, e.refused);
}
template <class V>
void fields_of(V& v, DumpGoOn& e) {
    v(e.task, e.give_up);
}
template <class V>
void fields_of(V& v, FetchPart& e) {
    v(e.task);
}
template <class V>
void fields_of(V& v, ForgetTask& e) {
    v(e.task);
}
template <class V>
void fields_of(V& v, DiscardImages& e) {
    v(e.generation, e.is_saved);
}
template <class V>
void fields_of(V& v, Stand& e) {
    v(e.task, e.stops);
}
template <class V>
void fields_of(V& v, ContinueTree& e) {
    v(e.task);
}
template <class V>
void fields_of(V& v, KillTree& e) {
    v(e.task);
}
template <class V>
void fields_of(V& v, Proceed& /*e*/) {
    v();
}
template <class V>
void fields_of(V& v, AskApp& e) {
    v(e.task, e.generation, e.reason, e.is_last, e.signal, e.refused);
}
} // namespace effect

// A participant's events that its coordinator decides about.
using NodeEvent = std::variant<event::TaskRegistered, event::ShimArrived, event::PartFetched,
                               event::RestoreEnded, event::ShimReturned, event::ShimAway, event::TreeStarted,
                               event::TermArrived, event::DumpEnded, event::DumpStopped, event::DumpTaken,
                               event::StepUnfit, event::OnDemand, event::TreeExited, event::TaskGone,
                               event::AppAsked, event::AppAnswered, event::RunsWithoutUs>;
// What a participant does about them.
using NodeEffect =
    std::variant<effect::StartTask, effect::WelcomeBack, effect::HoldBackTerm, effect::RelayTerm,
                 effect::LetShimLeave, effect::Restore, effect::Dump, effect::DumpGoOn, effect::FetchPart,
                 effect::ForgetTask, effect::DiscardImages, effect::Stand, effect::ContinueTree,
                 effect::KillTree, effect::Proceed, effect::AskApp>;

// `of` as a member of the smaller variant, if it is one.
template <typename Smaller, typename Larger>
std::optional<Smaller> narrowed(const Larger& of) {
    return std::visit(
        [](const auto& value) -> std::optional<Smaller> {
            if constexpr (std::is_constructible_v<
                              Smaller, std::in_place_type_t<std::decay_t<decltype(value)>>, decltype(value)>)
                return Smaller(std::in_place_type<std::decay_t<decltype(value)>>, value);
            else
                return std::nullopt;
        },
        of);
}

// The task that an event or an effect is about; nullptr when it is about none.
template <typename Variant>
const TaskKey* task_of(const Variant& of) {
    return std::visit(
        [](const auto& value) -> const TaskKey* {
            if constexpr (requires { value.task; })
                return &value.task;
            else
                return nullptr;
        },
        of);
}

namespace node {

// From a participant.
struct Happened {
    static constexpr std::uint16_t k_type = 80;
    NodeEvent event;
    template <class V>
    void fields(V& v) {
        v(event);
    }
};
// To a participant.
struct Decided {
    static constexpr std::uint16_t k_type = 81;
    NodeEffect effect;
    template <class V>
    void fields(V& v) {
        v(effect);
    }
};

// To a participant, once in each round of bringing a job to rest (effects_cut.cpp); and its answer: whether
// what its tasks read and write is at rest, and nothing of it has run since the round before.
struct AskRest {
    static constexpr std::uint16_t k_type = 82;
    std::uint32_t generation = 0;
    std::uint64_t round = 0;
    template <class V>
    void fields(V& v) {
        v(generation, round);
    }
};
struct Rest {
    static constexpr std::uint16_t k_type = 83;
    std::uint32_t generation = 0;
    std::uint64_t round = 0;
    bool at_rest = false;
    std::optional<Error> error;
    template <class V>
    void fields(V& v) {
        v(generation, round, at_rest, error);
    }
};

// To a participant: its images of that generation go to the store, beside those of the coordinator; and its
// answer when they are durable there (wire::SealRequest).
struct Seal {
    static constexpr std::uint16_t k_type = 84;
    std::uint32_t generation = 0;
    template <class V>
    void fields(V& v) {
        v(generation);
    }
};
struct Sealed {
    static constexpr std::uint16_t k_type = 85;
    std::uint32_t generation = 0;
    std::optional<Error> error;
    template <class V>
    void fields(V& v) {
        v(generation, error);
    }
};

// To a participant, before it is to fetch a part: what the job has come from.
struct CameFrom {
    static constexpr std::uint16_t k_type = 86;
    std::uint32_t incarnation = 0;
    std::uint32_t generation = 0;
    std::uint32_t of_job = 0;
    std::int64_t taken_at = 0;
    bool tree_was_stopped = false;
    template <class V>
    void fields(V& v) {
        v(incarnation, generation, of_job, taken_at, tree_was_stopped);
    }
};

// To a participant, where somebody has asked for a checkpoint and waits (event::OnDemand): what has become of
// it.
struct Created {
    static constexpr std::uint16_t k_type = 87;
    std::uint32_t generation = 0;
    std::optional<Error> error;
    template <class V>
    void fields(V& v) {
        v(generation, error);
    }
};

} // namespace node
} // namespace ckpt
