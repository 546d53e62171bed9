// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/dump.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <set>

#include "compat/mounts.hpp"
#include "compat/node_here.hpp"
#include "engine/criu_process.hpp"
#include "engine/criu_rights.hpp"
#include "engine/dump_room.hpp"
#include "engine/image_creds.hpp"
#include "engine/image_safety.hpp"
#include "engine/ipc.hpp"
#include "engine/release.hpp"
#include "engine/reopen.hpp"
#include "engine/same_root.hpp"
#include "engine/save_files.hpp"
#include "engine/shared_inodes.hpp"
#include "engine/shim_state.hpp"
#include "engine/survey.hpp"
#include "engine/timers.hpp"
#include "engine/tracer.hpp"
#include "fault/fault.hpp"
#include "os/files.hpp"
#include "os/procfs.hpp"
#include "os/safe_path.hpp"
#include "os/socket.hpp"
#include "tracer/protocol.hpp"

namespace ckpt {

namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* k_log_name = "dump.log";
constexpr std::chrono::seconds k_end_patience{5}; // for a killed criu to be gone
constexpr std::chrono::seconds k_reap_patience{1};
constexpr std::chrono::seconds k_reopen_patience{10}; // for a file server to answer; the tree may run

std::uint64_t microseconds(Clock::duration time) {
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(time).count());
}

Status write_record(int images, const DumpRecord& record) {
    CKPT_TRY(const Fd file, open_beneath(images, k_record_name, O_WRONLY | O_CREAT | O_EXCL, 0600));
    return write_all(file.get(), to_json(record));
}

std::uint64_t bytes_in(int images) {
    std::uint64_t total = 0;
    const auto names = list_dir(images);
    if (!names) return 0;
    for (const std::string& name : *names) {
        struct stat st{};
        if (::fstatat(images, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0)
            total += static_cast<std::uint64_t>(st.st_size);
    }
    return total;
}

// A criu inside a pid namespace is not our child but that of the process spawn() puts in between; it is dead
// when nobody holds the other end of the socket any more.
void wait_until_gone(int socket) {
    const auto end = Clock::now() + k_end_patience;
    while (Clock::now() < end) {
        const auto packet = receive_packet(socket, std::chrono::milliseconds(100));
        if (!packet && packet.error().code == Code::not_found) return;
    }
}

Error as_dump_error(const Error& error, std::uint32_t timeout_ms) {
    switch (error.code) {
    case Code::deadline:
        return {Code::dump_timeout,
                "CRIU did not finish within " + std::to_string(timeout_ms / 1000) + " s and was stopped",
                "the job runs on; raise the dump's time limit in the policy if this repeats", 0};
    case Code::not_found:
        return {Code::dump_failed, "CRIU ended unexpectedly", "", 0};
    case Code::os:
        return {Code::dump_failed, error.what, error.hint, error.errnum};
    default:
        return error;
    }
}

// One dump under way.
class Dump {
public:
    Dump(Root rights, const wire::DumpRequest& request, const DumpFds& fds, const DumpGate& gate)
        : m_rights(rights), m_request(request), m_fds(fds), m_gate(gate), m_started(Clock::now()),
          m_deadline(m_started + std::chrono::milliseconds(request.timeout_ms)) {}

    Result<wire::DumpResult> run() {
        CKPT_TRY(m_members, survey(m_request, m_fds.mount_ns.get(), m_fds.pid_ns.get()));
        CKPT_CHECK(check_room(m_request, m_fds));
        CKPT_CHECK(check_same_root(m_request.root_pid, m_request.criu));
        m_mounts = compat::mounts_of_process(m_request.root_pid).value_or(std::vector<compat::Mount>());
        CKPT_CHECK(check_root_lives()); // after the survey: it was of that process
        CKPT_TRY(auto sockets, make_socket_pair());
        CKPT_TRY(m_ipc_dumped, has_sysv_objects(m_rights, m_request.root_pid));
        const CapabilitySet rights = rights_for_dump(m_members, m_ipc_dumped);
        CKPT_TRY(Tracer tracer, Tracer::start(job_user(m_request.user), rights, m_fds.pid_ns.get()));
        CKPT_TRY(Child criu, start_criu(rights, sockets.second.get(), tracer.criu_socket().get()));
        sockets.second.reset();
        tracer.criu_socket().reset();
        Status dumped = converse(sockets.first.get());
        if (dumped) (void)criu.wait(k_end_patience); // it has answered; its destructor kills it if it stays
        if (dumped) dumped = accept_images();
        if (!dumped) {
            if (criu) kill_criu(criu.pid());
            wait_until_gone(sockets.first.get());
            if (criu) (void)criu.wait(k_reap_patience); // the process in between, which reaps criu
            tracer.finish([this] { end_repair_in_tree(m_request.root_pid); });
            // A criu that has answered has left every process as it was. Who stands still then was stopped by
            // somebody else during the dump, and must not be continued by us.
            if (!m_criu_answered || m_request.leave_stopped)
                release_tree(m_request.root_pid, stopped_members(m_members));
            return tl::unexpected(with_log_reason(as_dump_error(dumped.error(), m_request.timeout_ms),
                                                  m_fds.images.get(), k_log_name));
        }
        m_result.total_us = microseconds(Clock::now() - m_started);
        m_result.image_bytes = bytes_in(m_fds.images.get());
        return m_result;
    }

private:
    // criu joins the tree's mount, pid and time namespaces and no other: those that it shares with the tree
    // are not dumped and get inherited on restore (namespaces.c:get_clone_mask), but an IPC namespace must be
    // dumped.
    Result<Child> start_criu(CapabilitySet rights, int socket, int tracer) {
        CKPT_TRY(SpawnSpec spec,
                 criu_spawn_spec(m_request.criu, m_request.user, rights, socket, m_fds.images.get()));
        spec.fds.emplace_back(tracer, k_criu_tracer);
        spec.environment.push_back(std::string(tracing::k_variable) + "=" + std::to_string(k_criu_tracer));
        CKPT_CHECK(give_images_to(m_rights, m_fds.images.get(), m_request.user.uid, m_request.user.gid));
        CKPT_TRY(const Fd ipc_ns, open_namespace(m_request.root_pid, "ipc"));
        if (!m_ipc_dumped) spec.enter_namespaces.push_back(ipc_ns.get());
        auto time_ns = open_namespace(m_request.root_pid, "time");
        if (time_ns) spec.enter_namespaces.push_back(time_ns->get());
        spec.enter_namespaces.push_back(m_fds.pid_ns.get());
        spec.enter_namespaces.push_back(m_fds.mount_ns.get());
        return spawn(spec);
    }

    Status converse(int socket) {
        CriuClient client(socket, m_deadline);
        CKPT_TRY(m_result.criu_version, client.version());
        CriuDumpOptions options;
        options.common = criu_common_options(k_log_name);
        options.pid = m_request.root_pid_inside;
        options.ghost_limit = m_request.ghost_limit;
        options.leave_stopped = m_request.leave_stopped;
        const auto hook = [this](std::string_view script, pid_t) { return on_notification(script); };
        const Status dumped = client.dump(options, hook);
        m_criu_answered = client.has_answered();
        m_result.frozen_us = microseconds(Clock::now() - m_frozen_from);
        return dumped;
    }

    // A set-user-id program may have started after the survey; no restore would accept its images.
    Status accept_images() {
        CKPT_FAULT("dump.accept");
        CKPT_CHECK(give_images_to(m_rights, m_fds.images.get(), 0, 0));
        CKPT_CHECK(repair_timers_in(m_fds.images.get()));
        Status safe = check_images();
        if (!safe) safe.error().code = Code::dump_refused;
        if (safe)
            safe = give_images_to(m_rights, m_fds.images.get(), m_request.keeper_uid, m_request.keeper_gid);
        return safe;
    }

    // What no restore would accept, or get through (restore.cpp:prepare): the tree's first checkpoint tells,
    // and not its last. Files that the tree will have from the next task are no matter.
    Status check_images() {
        const int images = m_fds.images.get();
        const auto creds = check_image_creds(images, m_request.user);
        if (!creds) return tl::unexpected(creds.error());
        CKPT_CHECK(check_ghosts(images, m_request.user));
        CKPT_CHECK(check_rseq(images));
        CKPT_CHECK(rights_for_restore(images, *creds).map([](CapabilitySet) {}));
        CKPT_CHECK(load_shim_state(images).map([](const Fd&) {}));
        CKPT_TRY(auto files, opened_by_path(images));
        std::vector<std::string> paths;
        for (const OpenedByPath& file : files)
            paths.push_back(file.path);
        m_result.mounts = compat::mounts_under(paths, m_mounts, m_own_dirs);
        std::erase_if(files, [this](const OpenedByPath& file) { return m_passed.contains(file.path); });
        return check_reopen(files, job_user(m_request.user), m_fds.mount_ns.get(),
                            std::min<std::chrono::milliseconds>(left(), k_reopen_patience));
    }

    // While it lives, its pid is nobody else's.
    [[nodiscard]] Status check_root_lives() const {
        if (pidfd_alive(m_fds.root.get())) return {};
        return fail(Code::dump_failed, "the job's processes have ended");
    }

    // Objects made after we had looked would be missing from the images.
    Status check_ipc() {
        if (m_ipc_dumped) return {};
        CKPT_TRY(const bool objects, has_sysv_objects(m_rights, m_request.root_pid));
        if (!objects) return {};
        return fail(Code::dump_failed, "the job made its first shared memory segment during the dump",
                    "it will be tried again with the next checkpoint");
    }

    Status on_notification(std::string_view script) {
        // "pre-dump" comes right before the tree is stopped, "query-ext-files" right after, before anything
        // was looked at, "post-dump" with all images written and the tree still stopped
        // (cr-dump.c:cr_dump_tasks, cr_dump_finish).
        if (script == "pre-dump") {
            m_frozen_from = Clock::now();
            CKPT_FAULT("dump.freeze");
            return check_root_lives(); // criu is about to seize that pid
        }
        if (script == "query-ext-files") return when_stopped();
        if (script != "post-dump") return {};
        CKPT_FAULT("dump.written");
        CKPT_CHECK(check_ipc());
        CKPT_TRY(DumpRecord record, save_files(m_request, m_fds, left()));
        record.criu_version = m_result.criu_version;
        for (const StdioIdentity& one : record.stdio)
            m_passed.insert(one.path);
        if (record.script) m_passed.insert(record.script->path);
        m_own_dirs = m_request.node_local;
        for (const LocalFile& file : record.local_files)
            m_own_dirs.push_back(file.root);
        m_result.processes = static_cast<std::uint32_t>(m_members.size());
        CKPT_CHECK(write_record(m_fds.images.get(), record));
        return m_request.together ? m_gate.taken(left()) : Status();
    }

    [[nodiscard]] std::chrono::milliseconds left() const {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(m_deadline - Clock::now());
        return std::max(left, std::chrono::milliseconds(0));
    }

    Status when_stopped() {
        CKPT_FAULT("dump.frozen");
        if (!m_fds.state) return {};
        wire::DumpStopped stopped;
        if (m_request.together) {
            CKPT_TRY(stopped.held, held_inodes(m_rights, m_request.root_pid, m_request.node_local));
        }
        CKPT_CHECK(m_gate.stopped(stopped, left()));
        return save_shim_state(m_fds.state.get(), m_fds.images.get());
    }

    const Root m_rights;
    const wire::DumpRequest& m_request;
    const DumpFds& m_fds;
    const DumpGate& m_gate;
    Clock::time_point m_started;
    Clock::time_point m_deadline;
    Clock::time_point m_frozen_from;
    std::vector<Member> m_members;
    std::vector<compat::Mount> m_mounts; // of the tree's namespace
    std::vector<std::string> m_own_dirs; // the node's, whose files travel
    std::set<std::string> m_passed;      // files that a restore gets from the next task
    bool m_ipc_dumped = false;
    bool m_criu_answered = false;
    wire::DumpResult m_result;
};

} // namespace

Result<wire::DumpResult> dump(Root rights, const wire::DumpRequest& request, const DumpFds& fds,
                              const DumpGate& gate) {
    auto dumped = Dump(rights, request, fds, gate).run();
    // Whatever the failure looked like from here, that was its cause.
    if (!dumped && !pidfd_alive(fds.root.get()))
        return fail(Code::not_found, "the job's processes have ended");
    return dumped;
}

} // namespace ckpt
