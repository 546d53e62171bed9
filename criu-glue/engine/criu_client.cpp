// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/criu_client.hpp"

#include <algorithm>

#include "engine/log_excerpt.hpp"
#include "os/socket.hpp"
#include "rpc.pb.h" // generated from CRIU's own rpc.proto

namespace ckpt {

namespace {

constexpr int k_log_level = 2;                 // warnings: the pause grows with every line more
constexpr std::uint32_t k_freeze_limit_s = 10; // CRIU's own limit for stopping every thread (seize.c)
// cr_options.h: CPU_CAP_FPU | CPU_CAP_INS. Given explicitly, CRIU writes cpuinfo.img, and compares it on
// restore.
constexpr std::uint32_t k_cpu_capabilities = 1 | 4;

std::chrono::milliseconds left_until(Deadline deadline) {
    const auto left = deadline - std::chrono::steady_clock::now();
    return std::max(std::chrono::duration_cast<std::chrono::milliseconds>(left),
                    std::chrono::milliseconds(0));
}

Status send_request(int socket, const criu_req& request) {
    std::string bytes;
    if (!request.SerializeToString(&bytes)) return fail(Code::internal, "cannot encode a request to CRIU");
    return send_packet(socket, bytes);
}

Result<criu_resp> receive_response(int socket, Deadline deadline) {
    CKPT_TRY(const Packet packet, receive_packet(socket, left_until(deadline)));
    criu_resp response;
    if (!response.ParseFromString(packet.bytes))
        return fail(Code::wire_malformed, "cannot read CRIU's answer");
    return response;
}

void fill(criu_opts& out, const CriuOptions& options) {
    out.set_images_dir_fd(
        -1); // a descriptor would be looked up by our pid, which criu's namespace does not have
    out.set_images_dir(options.images_dir);
    out.set_log_file(options.log_file);
    out.set_log_level(k_log_level);
    out.set_notify_scripts(true);
    out.set_unprivileged(
        true); // criu_rights.hpp; CRIU insists on it for every uid but 0 (cr-check.c:check_caps)
    // CRIU's default would move tasks into the cgroups of the old job (cgroup.c:prepare_task_cgroup).
    out.set_manage_cgroups(true);
    out.set_manage_cgroups_mode(IGNORE);
    out.set_cpu_cap(k_cpu_capabilities);
    out.set_file_locks(true);
    out.set_tcp_established(true); // loopback within the tree; the survey refuses what it can see beyond
    out.set_network_lock(SKIP);    // the peers are frozen too; the other methods need iptables on the node
    out.set_link_remap(true);
}

// Serves notifications until the response proper.
Result<criu_resp> converse(int socket, Deadline deadline, const criu_req& request, const CriuHook& hook,
                           bool& answered) {
    CKPT_CHECK(send_request(socket, request));
    Status vetoed;
    for (;;) {
        CKPT_TRY(criu_resp response, receive_response(socket, deadline));
        if (response.type() != NOTIFY) {
            answered = true;
            if (!vetoed) return tl::unexpected(vetoed.error());
            return response;
        }
        const criu_notify& notify = response.notify();
        if (const Status done = hook(notify.script(), notify.has_pid() ? notify.pid() : 0); !done && vetoed)
            vetoed = done;
        criu_req answer;
        answer.set_type(NOTIFY);
        answer.set_notify_success(vetoed.has_value());
        CKPT_CHECK(send_request(socket, answer));
    }
}

} // namespace

Result<std::string> CriuClient::version() {
    criu_req request;
    request.set_type(VERSION);
    request.set_keep_open(true);
    CKPT_CHECK(send_request(m_socket, request));
    CKPT_TRY(const criu_resp response, receive_response(m_socket, m_deadline));
    if (!response.success() || !response.has_version())
        return fail(Code::internal, "CRIU does not tell its version");
    const criu_version& version = response.version();
    std::string text = std::to_string(version.major_number()) + "." + std::to_string(version.minor_number());
    if (version.has_sublevel()) text += "." + std::to_string(version.sublevel());
    return text;
}

Status CriuClient::dump(const CriuDumpOptions& options, const CriuHook& hook) {
    criu_req request;
    request.set_type(DUMP);
    criu_opts& out = *request.mutable_opts();
    fill(out, options.common);
    out.set_pid(options.pid);
    out.set_timeout(k_freeze_limit_s);
    out.set_leave_running(!options.leave_stopped);
    out.set_leave_stopped(options.leave_stopped);
    out.set_ghost_limit(static_cast<std::uint32_t>(std::min<std::uint64_t>(options.ghost_limit, UINT32_MAX)));
    CKPT_TRY(const criu_resp response, converse(m_socket, m_deadline, request, hook, m_answered));
    if (!response.success()) return tl::unexpected(explain_criu(Code::dump_failed, response.cr_errmsg()));
    return {};
}

Result<pid_t> CriuClient::restore(const CriuRestoreOptions& options, const CriuHook& hook) {
    criu_req request;
    request.set_type(RESTORE);
    criu_opts& out = *request.mutable_opts();
    fill(out, options.common);
    out.set_rst_sibling(true); // the root becomes pid 1's child, which learns its end
    for (const InheritedFd& inherited : options.inherit) {
        inherit_fd& item = *out.add_inherit_fd();
        item.set_fd(inherited.fd);
        item.set_key(inherited.key);
    }
    CKPT_TRY(const criu_resp response, converse(m_socket, m_deadline, request, hook, m_answered));
    if (!response.success()) return tl::unexpected(explain_criu(Code::restore_failed, response.cr_errmsg()));
    return response.restore().pid();
}

} // namespace ckpt
