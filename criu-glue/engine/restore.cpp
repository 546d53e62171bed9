// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/restore.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "compat/fits.hpp"
#include "engine/addresses.hpp"
#include "engine/criu_process.hpp"
#include "engine/criu_rights.hpp"
#include "engine/home.hpp"
#include "engine/image_creds.hpp"
#include "engine/image_safety.hpp"
#include "engine/inherit.hpp"
#include "engine/ipc.hpp"
#include "engine/open_files.hpp"
#include "engine/pid_gap.hpp"
#include "engine/restored_files.hpp"
#include "engine/shim_state.hpp"
#include "engine/user_child.hpp"
#include "fault/fault.hpp"
#include "os/files.hpp"
#include "os/procfs.hpp"
#include "os/safe_path.hpp"
#include "os/socket.hpp"
#include "os/tree.hpp"

namespace ckpt {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr const char* k_log_name = "restore.log";
constexpr milliseconds k_end_patience{5000}; // for a criu that has answered, or a killed one, to be gone
constexpr milliseconds k_answer{2000};       // to send it

Result<pid_t> pid_max() {
    const Fd file(::open("/proc/sys/kernel/pid_max", O_RDONLY | O_CLOEXEC));
    if (!file) return fail_errno(Code::os, "open pid_max");
    CKPT_TRY(const std::string text, read_all(file.get(), 64));
    return static_cast<pid_t>(std::strtol(text.c_str(), nullptr, 10));
}

// A regular file has to be opened anew inside the home; pipes and devices belong to no mount namespace.
PassedFile passed_stdio(int fd, const StdioIdentity& identity) {
    PassedFile file{fd, "", 0, 0, 0};
    if (identity.kind != StdioIdentity::Kind::file) return file;
    file.path = identity.path;
    file.flags = ::fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND);
    file.inode = identity.inode;
    file.position = static_cast<std::uint64_t>(std::max<off_t>(::lseek(fd, 0, SEEK_CUR), 0));
    return file;
}

Error as_restore_error(const Error& error) {
    switch (error.code) {
    case Code::deadline:
        return {Code::restore_failed, "the restore did not finish in time: " + error.what, "", 0};
    case Code::not_found:
        return {Code::restore_failed, "CRIU ended unexpectedly", "", 0};
    case Code::os:
        return {Code::restore_failed, error.what, error.hint, error.errnum};
    default:
        return error;
    }
}

// One restore under way.
class Restore {
public:
    Restore(Root rights, const wire::RestoreRequest& request, const RestoreFds& fds, const Deliver& deliver)
        : m_rights(rights), m_request(request), m_fds(fds), m_deliver(deliver),
          m_deadline(Clock::now() + milliseconds(request.timeout_ms)), m_files(request, fds) {}

    Status run() {
        Status done = prepare();
        if (done) done = enter_home();
        if (done) done = restore_inside();
        if (done) {
            m_files.settle();
            return {};
        }
        m_home = Home(); // kills pid 1 and waits until the kernel has ended its namespace
        Error error = with_log_reason(as_restore_error(done.error()), m_fds.images.get(), k_log_name);
        m_files.undo(error, [this] { return left_to_undo(); });
        return tl::unexpected(std::move(error));
    }

private:
    Status enter_home() {
        CKPT_FAULT("restore.home");
        CKPT_TRY(m_home, make_home(m_rights, m_spec, m_deadline));
        return {};
    }

    // Every check that needs no criu; changes nothing.
    Status prepare() {
        CKPT_FAULT("restore.prepare");
        CKPT_TRY(DumpRecord record, read_dump_record(m_fds.images.get()));
        CKPT_CHECK(m_files.clear(record, m_left));
        // What this job wants counts, whatever the one did that it goes on from.
        if (m_request.files != wire::Files::copy) record.copied_files.clear();
        CKPT_CHECK(check_script(record));
        CKPT_TRY(const bool other_gids, check_image_creds(m_fds.images.get(), m_request.user));
        CKPT_CHECK(check_ghosts(m_fds.images.get(), m_request.user));
        CKPT_CHECK(check_rseq(m_fds.images.get()));
        CKPT_TRY(m_spec.rights, rights_for_restore(m_fds.images.get(), other_gids));
        CKPT_TRY(auto pids, pids_in_images(m_fds.images.get()));
        CKPT_TRY(const pid_t limit, pid_max());
        CKPT_TRY(m_spec.last_pid, pick_last_pid(std::move(pids), limit));
        CKPT_TRY(const bool with_ipc, images_hold_ipc(m_fds.images.get()));
        m_spec.fresh_ipc = !with_ipc;
        m_spec.criu = m_request.criu;
        m_spec.user = m_request.user;
        m_spec.cgroup_dirs = m_request.cgroup_dirs;
        m_spec.mount_ns = m_fds.mount_ns.get();
        m_spec.images = m_fds.images.get();
        m_spec.clocks = record.clocks;
        m_criu_then = record.criu_version;
        CKPT_CHECK(move_addresses_here(m_fds.images.get()));
        CKPT_TRY(m_restored.state, load_shim_state(m_fds.images.get()));
        std::set<std::string> replaced = plan_inherited(record);
        CKPT_CHECK(give_to_user());
        return m_files.plan(record, std::move(replaced), identify_stdio(stdio_fds()), m_left);
    }

    // A shell goes on reading where it was, whatever it reads there.
    Status check_script(const DumpRecord& record) {
        if (!record.script || record.script->content == 0 || m_request.script.empty()) return {};
        CKPT_TRY(
            const std::string now,
            as_user(job_user(m_request.user), m_fds.mount_ns.get(), left(), [this]() -> Result<std::string> {
                const Fd script(::open(m_request.script.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
                if (!script) return fail_errno(Code::os, "read the job's script");
                return std::to_string(script_content(script.get()));
            }));
        if (now == std::to_string(record.script->content)) return {};
        return fail(Code::restore_impossible,
                    "the job's script is not the one that was running at the checkpoint",
                    "submit the same script: sckpt restart JOBID does");
    }

    Status give_to_user() {
        const uid_t uid = m_request.user.uid;
        const gid_t gid = m_request.user.gid;
        for (const PassedFile& file : m_spec.passed)
            if (file.path.empty()) CKPT_CHECK(give_pipe_to(m_rights, file.fd, uid, gid));
        return give_images_to(m_rights, m_fds.images.get(), uid, gid);
    }

    [[nodiscard]] std::array<int, 3> stdio_fds() const {
        return {m_fds.stdio[0].get(), m_fds.stdio[1].get(), m_fds.stdio[2].get()};
    }

    std::set<std::string> plan_inherited(const DumpRecord& record) {
        const auto now = identify_stdio(stdio_fds());
        std::set<std::string> replaced;
        for (const Inheritance& item : plan_inheritance(record, now, m_request.script)) {
            const int number = k_criu_first_inherited + static_cast<int>(m_spec.passed.size());
            m_inherit.push_back({number, item.key});
            m_spec.passed.push_back(passed_file(item, record, now));
            if (item.replaced_path) replaced.insert(*item.replaced_path);
        }
        return replaced;
    }

    PassedFile passed_file(const Inheritance& item, const DumpRecord& record,
                           const std::array<StdioIdentity, 3>& now) {
        switch (item.from) {
        case NewFile::status_pipe:
            return PassedFile{m_fds.status_pipe.get(), "", 0, 0, 0};
        case NewFile::script:
            return PassedFile{-1, m_request.script, O_RDONLY, 0, record.script ? record.script->position : 0};
        default:
            break;
        }
        const auto at = static_cast<std::size_t>(item.from); // standard_input … standard_error = 0 … 2
        return passed_stdio(m_fds.stdio.at(at).get(), now.at(at));
    }

    // Only criu itself tells its version, so this is not known where the rest of what a node must have is
    // (store/adopt.cpp:require_fit).
    [[nodiscard]] Status check_criu(const std::string& here) const {
        constexpr std::size_t k_numbers = 3;
        if (!compat::is_older(here, m_criu_then, k_numbers)) return {};
        return fail(Code::node_unfit, "the checkpoint needs what this node does not have: CRIU " +
                                          m_criu_then + " or newer (here: " + here + ")");
    }

    Status restore_inside() {
        CriuClient client(m_home.criu.get(), m_deadline);
        CKPT_TRY(const std::string version, client.version()); // it works here, before any file is touched
        CKPT_CHECK(check_criu(version));
        CKPT_FAULT("restore.files");
        CKPT_CHECK(m_files.apply(over_at(), m_left));
        CKPT_FAULT("restore.criu");
        m_files.describe_in(m_restored.result);
        CriuRestoreOptions options;
        options.common = criu_common_options(k_log_name);
        options.inherit = m_inherit;
        const auto hook = [this](std::string_view script, pid_t pid) { return on_notification(script, pid); };
        CKPT_TRY(const pid_t root, client.restore(options, hook));
        if (root != m_restored.result.root_pid_inside) return fail(Code::internal, "CRIU named two roots");
        return commit();
    }

    // "post-restore" comes when every task exists and none has run yet (cr-restore.c:restore_root_task): a
    // program that ends the moment it is resumed is not missed.
    Status on_notification(std::string_view script, pid_t pid) {
        if (script != "post-restore") return {};
        CKPT_FAULT("restore.made");
        CKPT_CHECK(m_files.finish(m_left));
        CKPT_TRY(const auto pids, tree_pids(m_home.pid1.pid()));
        for (const pid_t candidate : pids) {
            const auto info = process_info(candidate);
            if (!info || info->ns_pids.empty() || info->ns_pids.back() != pid) continue;
            CKPT_TRY(m_restored.root_pidfd, open_pidfd(candidate));
            CKPT_TRY(m_restored.mount_ns, open_namespace(candidate, "mnt"));
            CKPT_TRY(m_restored.pid_ns, open_namespace(candidate, "pid"));
            m_restored.result.root_pid = candidate;
            m_restored.result.root_pid_inside = pid;
            m_restored.result.init_pid = m_home.pid1.pid();
            return m_spec.fresh_ipc ? Status() : uncover_ipc_sysctls(m_rights, m_restored.mount_ns.get());
        }
        return fail(Code::restore_failed, "the restored process was not found");
    }

    // criu must have left the job's cgroup before the job is on its own; then pid 1 takes over.
    Status commit() {
        CKPT_TRY(const Packet ended, receive_packet(m_home.control.get(), k_end_patience));
        CKPT_FAULT("restore.deliver");
        CKPT_CHECK(m_deliver(m_restored));
        CKPT_FAULT("restore.delivered");
        const int root = m_restored.result.root_pid_inside;
        std::array<char, sizeof root> bytes{};
        std::memcpy(bytes.data(), &root, sizeof root);
        CKPT_CHECK(send_packet(m_home.control.get(), std::string_view(bytes.data(), bytes.size())));
        const auto closed = receive_packet(m_home.control.get(), k_end_patience);
        if (closed || closed.error().code != Code::not_found)
            return fail(Code::restore_failed, "the restored job's init does not answer");
        (void)m_home.pid1.release(); // from here on it lives as long as the job
        return {};
    }

    [[nodiscard]] milliseconds left() const {
        return std::max(std::chrono::duration_cast<milliseconds>(m_deadline - Clock::now()), milliseconds(0));
    }

    // Whoever has asked ends us after the margin: all of it is done by then, and said.
    [[nodiscard]] milliseconds left_to_undo() const {
        const auto end = m_deadline + wire::k_engine_margin - k_answer;
        return std::max(std::chrono::duration_cast<milliseconds>(end - Clock::now()), milliseconds(0));
    }

    // Unix time after which nothing of this restore is at work, in nanoseconds.
    [[nodiscard]] std::int64_t over_at() const {
        const auto end = std::chrono::system_clock::now() + left() + wire::k_engine_margin;
        return std::chrono::duration_cast<std::chrono::nanoseconds>(end.time_since_epoch()).count();
    }

    const Root m_rights;
    const wire::RestoreRequest& m_request;
    const RestoreFds& m_fds;
    const Deliver& m_deliver;
    Deadline m_deadline;
    const RestoredFiles::Left m_left = [this] { return left(); };
    RestoredFiles m_files;
    HomeSpec m_spec;
    std::vector<InheritedFd> m_inherit;
    Home m_home;
    Restored m_restored;
    std::string m_criu_then; // that has written the images; "" = unknown
};

} // namespace

Status restore(Root rights, const wire::RestoreRequest& request, const RestoreFds& fds,
               const Deliver& deliver) {
    return Restore(rights, request, fds, deliver).run();
}

} // namespace ckpt
