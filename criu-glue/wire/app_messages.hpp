// SPDX-License-Identifier: GPL-2.0-or-later
// Programs that save themselves (--checkpoint-method=app:SIG, docs/app.md): what ckptd and the shims say to
// each other about them, and ckptd to the ckpt-writer that keeps their directory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "wire/codec.hpp"
#include "wire/store_messages.hpp"

namespace ckpt::wire {

// In the environment of such a job's script.
constexpr const char* k_app_dir_variable = "SLURM_CHECKPOINT_DIR";
constexpr const char* k_app_marker_variable = "SLURM_CHECKPOINT_MARKER";
constexpr const char* k_app_generation_variable = "SLURM_CHECKPOINT_GENERATION";
constexpr const char* k_app_restarted_variable = "SLURM_CHECKPOINT_RESTARTED";
// Below the user's directory of the store; in it one directory for each cluster, and there one for each job.
// No cluster's checkpoints lie there: a job's directory in the store is named NUMBER-IDENTITY.
constexpr const char* k_app_dirs = "app";
// In the job's directory: what the program makes when it has saved itself, and what we note there.
constexpr const char* k_app_marker = "saved";
constexpr const char* k_app_state = "generation";

// ---- ckptd to the shim of the batch script, right before ShimStart ----

struct AppPlace {
    static constexpr std::uint16_t k_type = 33;
    std::string dir;              // "" = there is none
    std::uint32_t generation = 0; // the newest that was saved; 0 = none
    bool restarted = false;       // and the job goes on from it
    template <class V>
    void fields(V& v) {
        v(dir, generation, restarted);
    }
};

// ---- ckptd to a shim, and its answers ----

// The topmost processes of its tree that handle `signal` get it. Answered by AppAsked at once, and by
// AppAnswered when they have ended or the time is over.
struct AskApp {
    static constexpr std::uint16_t k_type = 34;
    std::uint32_t generation = 0;
    std::int32_t signal = 0;
    std::uint32_t limit_ms = 0;
    bool is_last =
        false;          // the job ends here: what waits for these processes stands still, until Order::run_on
    std::string marker; // looked for by the script's shim; "" = by somebody else
    template <class V>
    void fields(V& v) {
        v(generation, signal, limit_ms, is_last, marker);
    }
};

struct AppAsked {
    static constexpr std::uint16_t k_type = 35;
    std::uint32_t generation = 0;
    std::uint32_t processes = 0; // that got it
    std::string obstacle;        // why it is no use, where a process of the tree says so; then none got it
    // Sruns below a process that got it, which tells them: stand-ins of the script's tree.
    std::vector<std::uint64_t> covered;
    template <class V>
    void fields(V& v) {
        v(generation, processes, obstacle, covered);
    }
};

enum class AppOutcome : std::uint8_t { ended = 0, marked = 1, silent = 2 };

struct AppAnswered {
    static constexpr std::uint16_t k_type = 36;
    std::uint32_t generation = 0;
    AppOutcome outcome = AppOutcome::ended;
    template <class V>
    void fields(V& v) {
        v(generation, outcome);
    }
};

// ---- ckptd to ckpt-writer ----

// The directory of one job: made if it is missing, and what is noted there read; a number noted; or, when the
// job has ended well, our files removed, and the directory if nothing is left in it.
struct AppDirRequest {
    static constexpr std::uint16_t k_type = 60;
    enum class What : std::uint8_t { open = 0, note = 1, finish = 2 };
    WriterRequest user_dir;
    std::string cluster;
    std::string name;
    What what = What::open;
    std::uint32_t generation = 0; // to be noted
    template <class V>
    void fields(V& v) {
        v(user_dir, cluster, name, what, generation);
    }
};

struct AppDirResult {
    static constexpr std::uint16_t k_type = 61;
    Outcome outcome{}; // NOLINT(readability-redundant-member-init): GCC warns of aggregates without it
    std::uint32_t generation = 0; // what was noted there: the user's word
    template <class V>
    void fields(V& v) {
        v(outcome, generation);
    }
};

} // namespace ckpt::wire
