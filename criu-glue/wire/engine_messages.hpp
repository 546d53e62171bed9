// SPDX-License-Identifier: GPL-2.0-or-later
// Between ckptd and ckpt-engine, which has CRIU dump or restore one tree.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "compat/needs.hpp"
#include "wire/worker.hpp"

namespace ckpt::wire {

// After its request's timeout_ms ckpt-engine has so long to take back what it has done, or to let go of the
// job, and to answer; then ckptd kills it.
constexpr std::chrono::seconds k_engine_margin{40};

// What becomes of files that the tree writes to: rolled back in their length, in their content too, or left.
enum class Files : std::uint8_t { append = 0, copy = 1, none = 2 };

// Descriptors, in this order: image directory (root-owned 0700, empty), the task's mount namespace, its pid
// namespace, a pidfd of the tree's root, one of the shim.
struct DumpRequest {
    static constexpr std::uint16_t k_type = 40;
    std::string criu;
    std::int32_t root_pid = 0;        // ckpt-init of the tree, in ckptd's pid namespace
    std::int32_t root_pid_inside = 0; // the same, in the task's pid namespace
    UserIds user;                     // every tree member must be this user's
    // Ours in the task's cgroup, with all below them that is not the tree: the shims and the inits of tasks.
    std::vector<std::int32_t> outsiders;
    std::uint64_t ghost_limit = 0;
    std::vector<std::string> node_local; // directories whose files are saved with the images
    std::uint64_t node_local_limit = 0;  // bytes of all of them
    Files files = Files::append;
    std::uint64_t copy_limit = 0; // of Files::copy: bytes of all files that are written to in place
    std::uint64_t tail_limit =
        0;                     // bytes of standard output and error that are saved, where Slurm empties them
    std::int32_t shim_pid = 0; // its environment says whether Slurm does
    std::uint32_t timeout_ms = 0;
    bool leave_stopped = false;   // else the tree runs on the moment the dump ends
    std::uint32_t keeper_uid = 0; // who gets the images
    std::uint32_t keeper_gid = 0;
    std::string task_name;           // RestoreRequest's, of this task
    std::uint64_t room_to_come = 0;  // bytes that are being freed where the images go
    std::vector<std::int32_t> stdio; // numbers of the task's stdio in the shim
    // Number of TaskHello::state there. With one, the dump waits for DumpGoOn, having said DumpStopped, when
    // the tree stands still and nothing was looked at; then saves what is in it. -1 = none.
    std::int32_t state = -1;
    bool together =
        false; // with other trees: waits once more, having said DumpTaken, before its tree may run on
    template <class V>
    void fields(V& v) {
        v(criu, root_pid, root_pid_inside, user, outsiders, ghost_limit, node_local, node_local_limit, files,
          copy_limit, tail_limit, shim_pid, timeout_ms, leave_stopped, keeper_uid, keeper_gid, task_name,
          room_to_come, stdio, state, together);
    }
};

// A file or memory of which a restore makes a new one (engine/shared_inodes.hpp).
struct HeldInode {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    bool is_written = false; // the tree may write to it
    template <class V>
    void fields(V& v) {
        v(device, inode, is_written);
    }
};
// While a dump is under way: its tree stands still.
struct DumpStopped {
    static constexpr std::uint16_t k_type = 48;
    static constexpr std::size_t k_held_max = 3000; // what a packet holds
    std::vector<HeldInode> held;                    // of a tree that is not the only one
    template <class V>
    void fields(V& v) {
        v(held);
    }
};
// While a dump is under way: its images are complete, and its tree stands still.
struct DumpTaken {
    static constexpr std::uint16_t k_type = 62;
    template <class V>
    void fields(V& v) {
        v();
    }
};
// ckptd's answer to either. With an error the dump is given up, and its tree runs on.
struct DumpGoOn {
    static constexpr std::uint16_t k_type = 49;
    Outcome outcome;
    template <class V>
    void fields(V& v) {
        v(outcome);
    }
};

struct DumpResult {
    static constexpr std::uint16_t k_type = 41;
    Outcome outcome;
    std::uint64_t frozen_us = 0; // how long the application stood still
    std::uint64_t total_us = 0;
    std::uint64_t image_bytes = 0;
    std::uint32_t processes = 0;
    std::string criu_version;
    std::vector<compat::Mount> mounts; // that the tree's files lie on
    template <class V>
    void fields(V& v) {
        v(outcome, frozen_us, total_us, image_bytes, processes, criu_version, mounts);
    }
};

// Descriptors, in this order: image directory (root-owned 0700, verified), directory for the tails of
// rolled-back files (root-owned), mount namespace of the shim, a pidfd of it.
struct RestoreRequest {
    static constexpr std::uint16_t k_type = 42;
    std::string criu;
    UserIds user;
    std::vector<std::string> cgroup_dirs; // the shim's; the restored tree is born there
    std::uint32_t timeout_ms = 0;
    std::int32_t status_pipe = -1; // number of the write end in the shim
    std::string script; // this incarnation's batch script: stands in for the old one if its path changed
    bool tree_was_stopped = false; // nothing of the job wrote after the cut: logs keep their last lines
    Files files = Files::append;   // none: no file is put back
    bool ignore_changed = false;   // a file that somebody else has changed is left, where CRIU can do with it
    std::uint64_t tail_limit = 0;  // bytes kept of what is cut or displaced, for each file
    std::string task_name;         // of this task in every incarnation: [A-Za-z0-9_-], at most 100 bytes
    std::vector<std::int32_t> stdio; // numbers in the shim: the tree's
    template <class V>
    void fields(V& v) {
        v(criu, user, cgroup_dirs, timeout_ms, status_pipe, script, tree_was_stopped, files, ignore_changed,
          tail_limit, task_name, stdio);
    }
};

// Undoes what a restore that died has left half done beside the user's files. Descriptors as of
// RestoreRequest, without the last.
struct UndoRequest {
    static constexpr std::uint16_t k_type = 44;
    UserIds user;
    std::uint64_t tail_limit = 0;
    std::string task_name;
    std::uint32_t timeout_ms = 0;
    template <class V>
    void fields(V& v) {
        v(user, tail_limit, task_name, timeout_ms);
    }
};
struct UndoResult {
    static constexpr std::uint16_t k_type = 45;
    Outcome outcome;
    template <class V>
    void fields(V& v) {
        v(outcome);
    }
};

// After RestoreResult, when the tree is its pid 1's and lives on without the engine; or why it does not.
struct RestoreDone {
    static constexpr std::uint16_t k_type = 67;
    Outcome outcome;
    template <class V>
    void fields(V& v) {
        v(outcome);
    }
};

// Descriptors on success, in this order: pidfd of the tree's root, its mount namespace, its pid namespace,
// and, if the dump has saved one, a file with what its shim kept (TaskHello::state).
struct RestoreResult {
    static constexpr std::uint16_t k_type = 43;
    Outcome outcome;
    std::int32_t root_pid = 0;            // in ckptd's pid namespace
    std::int32_t root_pid_inside = 0;     // in the new pid namespace
    std::int32_t init_pid = 0;            // pid 1 of the new namespace, in ckptd's
    std::vector<std::string> rolled_back; // "PATH: cut from 300 to 266 bytes"
    std::vector<std::string> complaints;  // of ours, in what was cut: to be said again
    std::vector<std::string> notes;       // one line each: what the user has to know of files
    template <class V>
    void fields(V& v) {
        v(outcome, root_pid, root_pid_inside, init_pid, rolled_back, complaints, notes);
    }
};

} // namespace ckpt::wire
