// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine_call.hpp"

#include <unistd.h>

#include <csignal>

#include "os/procfs.hpp"
#include "os/socket.hpp"

namespace ckpt::testing {

namespace {

constexpr std::chrono::seconds k_patience{60};

constexpr int k_shim_status = 3;
constexpr int k_shim_state = 4;

// A process that does nothing but hold the task's descriptors as the shim does.
using FakeShim = Child;

Result<FakeShim> fake_shim(const Task& task, int state, bool output_is_emptied = false) {
    SpawnSpec spec;
    spec.path = "/bin/sleep";
    spec.argv = {"sleep", "1000"};
    spec.environment = {output_is_emptied ? "SLURM_OPEN_MODE=t" : "SLURM_OPEN_MODE=a"};
    int number = 0;
    for (const int fd : task.stdio())
        spec.fds.emplace_back(fd, number++);
    spec.fds.emplace_back(task.status_pipe(), k_shim_status);
    if (state >= 0) spec.fds.emplace_back(state, k_shim_state);
    return spawn(spec);
}

struct Call {
    Child engine;
    Packet answer;
    int status = 0;
};

struct Engine {
    Child process;
    Fd channel;
};

Result<Engine> start_engine(const std::string& request, const std::vector<int>& fds) {
    CKPT_TRY(auto sockets, make_socket_pair());
    SpawnSpec spec;
    spec.path = CKPT_LIBEXEC_DIR "/ckpt-engine";
    spec.argv = {"ckpt-engine"};
    spec.fds = {{sockets.second.get(), wire::k_worker_fd}, {2, 2}};
    Engine engine;
    CKPT_TRY(engine.process, spawn(spec));
    sockets.second.reset();
    engine.channel = std::move(sockets.first);
    CKPT_CHECK(send_packet(engine.channel.get(), request, fds));
    return engine;
}

// Answers what the dump asks on its way, and returns what it says at its end.
Result<Packet> serve_gates(Engine& engine, const DumpCall& options) {
    for (;;) {
        auto packet = receive_packet(engine.channel.get(), k_patience);
        if (!packet) return packet;
        const auto type = wire::type_of(packet->bytes);
        if (!type || *type == wire::DumpResult::k_type) return packet;
        const auto& gate = *type == wire::DumpStopped::k_type ? options.at_stopped : options.at_taken;
        if (!gate) return fail(Code::internal, "the engine waits for what nobody has asked for");
        const GateAnswer answer = gate();
        if (!answer) {
            engine.channel.reset();
            return fail(Code::not_found, "hung up");
        }
        // It may have given up meanwhile.
        (void)send_packet(engine.channel.get(), wire::encode(wire::DumpGoOn{*answer}));
    }
}

Result<Call> call_engine(const std::string& request, const std::vector<int>& fds,
                         std::chrono::milliseconds kill_after, const std::function<bool()>& kill_when = {}) {
    CKPT_TRY(Engine engine, start_engine(request, fds));
    Call call;
    call.engine = std::move(engine.process);
    const Fd& channel = engine.channel;
    while (kill_when && !kill_when()) {
        auto answer = receive_packet(channel.get(), std::chrono::milliseconds(1));
        if (!answer && answer.error().code != Code::deadline) return tl::unexpected(answer.error());
        if (answer) {
            call.answer = std::move(*answer);
            CKPT_TRY(call.status, call.engine.wait(k_patience));
            return call;
        }
    }
    if (kill_when) call.engine.kill(SIGKILL);
    auto answer = receive_packet(channel.get(), kill_after.count() > 0 ? kill_after : k_patience);
    if (!answer) call.engine.kill(SIGKILL);
    CKPT_TRY(call.answer, std::move(answer));
    CKPT_TRY(call.status, call.engine.wait(k_patience));
    return call;
}

Result<wire::DumpResult> call_with_gates(const wire::DumpRequest& request, const std::vector<int>& fds,
                                         const DumpCall& options) {
    CKPT_TRY(Engine engine, start_engine(wire::encode(request), fds));
    const auto answer = serve_gates(engine, options);
    CKPT_TRY(const int status, engine.process.wait(k_patience)); // even if it cannot tell how it went
    (void)status;
    if (!answer) return tl::unexpected(answer.error());
    CKPT_TRY(auto result, wire::decode<wire::DumpResult>(answer->bytes));
    CKPT_CHECK(wire::status_of(result.outcome));
    return result;
}

} // namespace

Result<wire::DumpResult> call_dump(const Task& task, int images, const DumpCall& options) {
    wire::DumpRequest request;
    request.criu = "/usr/sbin/criu";
    request.root_pid = task.root();
    request.root_pid_inside = task.root_inside();
    request.user = user();
    if (task.init() != 0) request.outsiders.push_back(task.init());
    request.ghost_limit = options.ghost_limit;
    request.node_local = options.node_local;
    request.node_local_limit = options.node_local_limit;
    request.files = options.files;
    request.copy_limit = options.copy_limit;
    request.tail_limit = options.tail_limit;
    request.timeout_ms = options.timeout_ms;
    request.leave_stopped = options.leave_stopped;
    request.task_name = k_task_name;
    CKPT_TRY(const FakeShim shim, fake_shim(task, options.state, options.output_is_emptied));
    request.shim_pid = shim.pid();
    request.stdio = {0, 1, 2};
    request.state = options.state >= 0 ? k_shim_state : -1;
    request.together = options.together;
    const std::vector<int> fds = {images, task.mount_ns(), task.pid_ns(), task.root_pidfd(), shim.pidfd()};
    if (options.at_stopped || options.at_taken) return call_with_gates(request, fds, options);
    CKPT_TRY(const Call call, call_engine(wire::encode(request), fds, options.kill_engine_after));
    CKPT_TRY(auto result, wire::decode<wire::DumpResult>(call.answer.bytes));
    CKPT_CHECK(wire::status_of(result.outcome));
    return result;
}

Result<wire::RestoreResult> call_restore(Task& task, int images, int tails, const RestoreCall& options) {
    wire::RestoreRequest request;
    request.criu = "/usr/sbin/criu";
    request.user = options.user;
    request.cgroup_dirs = {task.cgroup()};
    request.timeout_ms = options.timeout_ms;
    request.script = options.script;
    request.tree_was_stopped = options.tree_was_stopped;
    request.files = options.files;
    request.ignore_changed = options.ignore_changed;
    request.tail_limit = options.tail_limit;
    request.task_name = options.task_name;
    request.stdio = {0, 1, 2};
    CKPT_TRY(const Fd mount_ns, open_namespace(::getpid(), "mnt"));
    CKPT_TRY(const FakeShim shim, fake_shim(task, -1));
    const std::vector<int> fds = {images, tails, mount_ns.get(), shim.pidfd()};
    request.status_pipe = k_shim_status;
    CKPT_TRY(Call call,
             call_engine(wire::encode(request), fds, options.kill_engine_after, options.kill_engine_when));
    if (const auto failed = wire::decode<wire::RestoreDone>(call.answer.bytes))
        CKPT_CHECK(wire::status_of(failed->outcome));
    CKPT_TRY(auto result, wire::decode<wire::RestoreResult>(call.answer.bytes));
    CKPT_CHECK(wire::status_of(result.outcome));
    if (call.status != 0) return fail(Code::internal, "the engine has not left the tree to its pid 1");
    if (call.answer.fds.size() < 3) return fail(Code::internal, "a restore without descriptors");
    if (options.state != nullptr && call.answer.fds.size() > 3)
        *options.state = std::move(call.answer.fds[3]);
    task.adopt(result.root_pid, result.root_pid_inside, result.init_pid, std::move(call.answer.fds[0]),
               std::move(call.answer.fds[1]), std::move(call.answer.fds[2]));
    return result;
}

Status call_undo(int images, int tails, const RestoreCall& options) {
    const wire::UndoRequest request{options.user, options.tail_limit, options.task_name, options.timeout_ms};
    CKPT_TRY(const Fd mount_ns, open_namespace(::getpid(), "mnt"));
    CKPT_TRY(const Call call, call_engine(wire::encode(request), {images, tails, mount_ns.get()}, {}));
    CKPT_TRY(const auto result, wire::decode<wire::UndoResult>(call.answer.bytes));
    return wire::status_of(result.outcome);
}

} // namespace ckpt::testing
