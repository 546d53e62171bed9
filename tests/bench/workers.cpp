// SPDX-License-Identifier: GPL-2.0-or-later
#include "workers.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>

#include "os/process.hpp"
#include "os/socket.hpp"
#include "os/stream.hpp"
#include "wire/store_messages.hpp"

namespace ckpt::bench {
namespace {

constexpr std::chrono::hours k_limit{1};

struct Worker {
    pid_t pid = 0;
    Fd channel;
};

Result<Worker> start(const char* program, std::optional<Identity> as, const std::string& request,
                     const std::vector<int>& fds) {
    CKPT_TRY(auto pair, make_socket_pair());
    SpawnSpec spec;
    spec.path = program;
    spec.argv = {"worker"};
    spec.fds = {{pair.second.get(), wire::k_worker_fd}};
    spec.become = std::move(as);
    CKPT_TRY(Child child, spawn(spec));
    CKPT_CHECK(send_packet(pair.first.get(), request, fds));
    return Worker{child.release(), std::move(pair.first)};
}

double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

Result<long> end_of(const Worker& worker, Used& used) {
    rusage usage{};
    int status = 0;
    while (::wait4(worker.pid, &status, 0, &usage) < 0)
        if (errno != EINTR) return fail_errno(Code::os, "wait4");
    if (status != 0) return fail(Code::internal, "a worker has failed");
    used.cpu_seconds += seconds(usage.ru_utime) + seconds(usage.ru_stime);
    return usage.ru_maxrss;
}

} // namespace

Result<Used> ask(const std::string& base, const std::string& key, unsigned uid, const std::string& request,
                 const std::vector<int>& own) {
    Used used;
    const auto began = std::chrono::steady_clock::now();
    CKPT_TRY(auto stream, make_stream_pair());
    const wire::WriterRequest for_writer{base, {uid, uid, {}}, true, true};
    CKPT_TRY(const Worker writer,
             start(CKPT_WRITER, std::nullopt, wire::encode(for_writer), {stream.second.get()}));
    stream.second.reset();
    const Fd key_file(::open(key.c_str(), O_RDONLY | O_CLOEXEC));
    std::vector<int> fds{stream.first.get(), key_file.get()};
    fds.insert(fds.end(), own.begin(), own.end());
    CKPT_TRY(const Worker sealer, start(CKPT_SEALER, Identity{k_service, k_service, {}}, request, fds));
    stream.first.reset();
    CKPT_TRY(Packet packet, receive_packet(sealer.channel.get(), k_limit));
    used.answer = std::move(packet.bytes);
    CKPT_TRY(used.sealer_kib, end_of(sealer, used));
    CKPT_TRY(used.writer_kib, end_of(writer, used));
    used.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    return used;
}

} // namespace ckpt::bench
