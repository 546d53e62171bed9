// SPDX-License-Identifier: GPL-2.0-or-later
// The decisions of a survey; no system calls.
#include <algorithm>
#include <set>
#include <string>

#include "engine/survey.hpp"

namespace ckpt {

namespace {

struct SpecialFile {
    const char* prefix; // of a link in /proc/PID/fd
    const char* what;
    const char* hint;
};

constexpr const char* k_use_app = "use --checkpoint-method=app:SIG if the program can checkpoint itself";

constexpr std::array k_unsupported = {
    SpecialFile{"anon_inode:[io_uring]", "io_uring", k_use_app},
    SpecialFile{"anon_inode:[perf_event]", "performance counters", "run it without the profiler"},
    SpecialFile{"anon_inode:[userfaultfd]", "userfaultfd", k_use_app},
    SpecialFile{"anon_inode:bpf-", "BPF objects", k_use_app},
    SpecialFile{"/dev/infiniband/", "RDMA verbs",
                "run on one node with a shared-memory transport, or use --checkpoint-method=app:SIG"},
    SpecialFile{"/dev/nvidia", "a GPU", k_use_app},
    SpecialFile{"/dev/kfd", "a GPU", k_use_app},
    SpecialFile{"/dev/dri/", "a GPU", k_use_app},
};

std::string who(const Member& member) {
    return member.name + " (pid " + std::to_string(member.pid) + ")";
}

std::string base_name(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

// Our stand-in is called srun as well, but lives in our own directory.
bool is_live_srun(const Member& member) {
    if (member.exe.starts_with(std::string(CKPT_LIBEXEC_DIR) + "/")) return false;
    return member.name == "srun" || base_name(member.exe) == "srun";
}

bool allowed_gid(gid_t gid, const wire::UserIds& user) {
    return gid == user.gid || std::ranges::find(user.groups, gid) != user.groups.end();
}

Status judge_credentials(const Member& member, const wire::UserIds& user) {
    const bool uids_ok = std::ranges::all_of(member.uids, [&](uid_t uid) { return uid == user.uid; });
    const bool gids_ok = std::ranges::all_of(member.gids, [&](gid_t gid) { return allowed_gid(gid, user); });
    if (!uids_ok || !gids_ok || member.capabilities != 0)
        return fail(Code::dump_refused, who(member) + " runs with rights that are not the user's own",
                    "programs with set-user-id, set-group-id or file capabilities cannot be checkpointed");
    return {};
}

Status judge_namespaces(const Member& member, const Member& root) {
    for (std::size_t i = 0; i < k_namespace_names.size(); ++i)
        if (member.namespaces.at(i) != root.namespaces.at(i))
            return fail(Code::dump_refused,
                        who(member) + " has a " + k_namespace_names.at(i) + " namespace of its own",
                        "containers inside a job cannot be checkpointed");
    return {};
}

Status judge_member(const Member& member, const Member& root, const wire::UserIds& user) {
    // A zombie can do nothing any more. One that CRIU restored still shows criu's own rights
    // (restore_one_zombie).
    if (member.state == 'Z') return {};
    if (is_live_srun(member))
        return fail(Code::dump_live_srun,
                    who(member) + " is Slurm's own srun, whose connections cannot be restored",
                    "the next checkpoint is taken when its step has ended");
    CKPT_CHECK(judge_namespaces(member, root)); // in a user namespace it has capabilities there
    CKPT_CHECK(judge_credentials(member, user));
    if (!member.exe_readable)
        return fail(Code::dump_refused, "the program of " + who(member) + " may be run but not read",
                    "no restore could open it as the user; give the user read permission on " + member.exe);
    for (const std::string& link : member.special)
        for (const SpecialFile& kind : k_unsupported)
            if (link.starts_with(kind.prefix))
                return fail(Code::dump_refused,
                            who(member) + " uses " + kind.what + ", which CRIU cannot save", kind.hint);
    return {};
}

} // namespace

Status judge_members(const std::vector<Member>& members, const wire::UserIds& user) {
    if (members.empty()) return fail(Code::not_found, "the job's tree has ended");
    for (const Member& member : members)
        CKPT_CHECK(judge_member(member, members.front(), user));
    return {};
}

Status judge_pipes(const std::vector<Member>& members) {
    std::set<std::uint64_t> all;
    for (const Member& member : members)
        all.insert(member.pipes.begin(), member.pipes.end());
    if (all.size() <= k_pipes_max) return {};
    return fail(Code::dump_refused,
                "the job has " + std::to_string(all.size()) + " pipes open, and CRIU saves " +
                    std::to_string(k_pipes_max) + " at most",
                "close some before the checkpoint, use socket pairs in their place, or " +
                    std::string(k_use_app));
}

std::vector<pid_t> strangers(const std::vector<pid_t>& cgroup, const std::vector<pid_t>& tree,
                             const std::vector<std::int32_t>& outsiders) {
    std::vector<pid_t> found;
    for (const pid_t pid : cgroup)
        if (std::ranges::find(tree, pid) == tree.end() &&
            std::ranges::find(outsiders, pid) == outsiders.end())
            found.push_back(pid);
    return found;
}

} // namespace ckpt
