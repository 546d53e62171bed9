// SPDX-License-Identifier: GPL-2.0-or-later
#include "worker.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "fault/fault.hpp"
#include "os/files.hpp"
#include "wire/worker.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_text_max = 64 * 1024;
constexpr std::chrono::seconds k_exit_grace{60}; // a restore tidies up behind its answer
// The whole environment of our workers: nothing from whoever started the daemon reaches CRIU or libslurm.
const std::vector<std::string> k_environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"};

std::string first_line(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

// The error that is made of it gets its code anew.
std::string without_code(const std::string& line) {
    return line.ends_with(']') ? line.substr(0, line.rfind(" [CKPT-")) : line;
}

} // namespace

Workers::Id Workers::start(const std::string& program, const std::string& request, std::span<const int> fds,
                           std::chrono::milliseconds limit, Done done, const WorkerRuns& how) {
    auto start = [&]() -> Result<Running> {
        CKPT_TRY(auto sockets, make_socket_pair());
        CKPT_FAULT("ckptd.worker");
        SpawnSpec spec;
        spec.path = std::string(CKPT_LIBEXEC_DIR) + "/" + program;
        spec.argv = {spec.path};
        spec.environment = k_environment;
        spec.fds = {{sockets.second.get(), wire::k_worker_fd}};
        spec.new_session = true;
        spec.affinity_like = how.affinity_like;
        spec.become = how.as;
        spec.low_priority = how.in_background;
        CKPT_TRY(Child child, spawn(spec));
        CKPT_CHECK(send_packet(sockets.first.get(), request, fds));
        return Running{std::move(child), std::move(sockets.first), {}, 0, 0, done, {}};
    };
    auto running = start();
    if (!running) { // reported from the loop, as every other end
        const Error error = running.error();
        m_loop.after(std::chrono::milliseconds(0), [done, error] { done(tl::unexpected(error)); });
        return 0;
    }
    return add(std::move(*running), limit, [this, interim = how.interim](Id id) {
        auto packet = receive_packet(m_running.at(id).channel.get(), std::chrono::milliseconds(0));
        if (packet && interim && interim(*packet)) return;
        finish(id, std::move(packet));
    });
}

void Workers::tell(Id id, const std::string& message) {
    const auto found = m_running.find(id);
    if (found != m_running.end())
        (void)send_packet(found->second.channel.get(), message, {}, std::chrono::milliseconds(0));
}

void Workers::hurry(Id id) {
    const auto found = m_running.find(id);
    if (found != m_running.end()) raise_priority(found->second.child);
}

Workers::Id Workers::run_text(const std::vector<std::string>& argv, std::chrono::milliseconds limit,
                              TextDone done) {
    auto start = [&]() -> Result<Running> {
        CKPT_FAULT("ckptd.helper");
        CKPT_TRY(Pipe out, make_pipe());
        SpawnSpec spec;
        spec.path = argv.front();
        spec.argv = argv;
        spec.environment = k_environment;
        spec.fds = {{out.write.get(), 1}, {out.write.get(), 2}};
        CKPT_TRY(Child child, spawn(spec));
        return Running{std::move(child), std::move(out.read), {}, 0, 0, {}, done};
    };
    auto running = start();
    if (!running) {
        const Error error = running.error();
        m_loop.after(std::chrono::milliseconds(0), [done, error] { done(tl::unexpected(error)); });
        return 0;
    }
    return add(std::move(*running), limit, [this](Id id) { read_text(id); });
}

Workers::Id Workers::add(Running running, std::chrono::milliseconds limit, std::function<void(Id)> readable) {
    const Id id = m_next++;
    running.watch =
        m_loop.watch(running.channel.get(), [readable = std::move(readable), id] { readable(id); });
    running.timer = m_loop.after(limit, [this, id] {
        auto& late = m_running.at(id);
        const Error error{Code::deadline, "it was given up after its time limit", "", 0};
        if (late.text_done) {
            const TextDone done = late.text_done;
            abandon(id);
            done(tl::unexpected(error));
        } else {
            finish(id, tl::unexpected(error));
        }
    });
    m_running.emplace(id, std::move(running));
    return id;
}

void Workers::finish(Id id, Result<Packet> result) {
    CKPT_FAULT_IN_TIME("ckptd.answer");
    const Done done = m_running.at(id).done;
    if (result) {
        // it has only to exit now; whatever it still closes is not our business for a moment
        Child child = std::move(m_running.at(id).child);
        const Id grave = bury(std::move(child));
        m_loop.after(k_exit_grace, [this, grave] {
            if (const auto found = m_buried.find(grave); found != m_buried.end())
                found->second->kill(SIGKILL);
        });
    }
    abandon(id);
    done(std::move(result));
}

void Workers::read_text(Id id) {
    Running& running = m_running.at(id);
    std::array<char, 4096> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read
    const ssize_t n = ::read(running.channel.get(), buffer.data(), buffer.size());
    if (n > 0 && running.text.size() + static_cast<std::size_t>(n) <= k_text_max) {
        running.text.append(buffer.data(), static_cast<std::size_t>(n));
        return;
    }
    finish_text(id);
}

void Workers::finish_text(Id id) {
    Running& running = m_running.at(id);
    const TextDone done = running.text_done;
    const std::string text = running.text;
    // its output is closed, so it is about to end: this wait is short, and bounded
    const auto status = running.child.wait(std::chrono::milliseconds(200));
    abandon(id);
    if (!status)
        done(tl::unexpected(status.error()));
    else if (!WIFEXITED(*status) || WEXITSTATUS(*status) != 0)
        done(fail(Code::slurm_rpc, text.empty() ? "the helper failed" : without_code(first_line(text))));
    else
        done(text);
}

void Workers::abandon(Id id) {
    const auto found = m_running.find(id);
    if (found == m_running.end()) return;
    m_loop.cancel(found->second.watch);
    m_loop.cancel(found->second.timer);
    Child child = std::move(found->second.child);
    m_running.erase(found);
    child.kill(SIGKILL);
    bury(std::move(child));
}

Workers::Id Workers::bury(Child child) {
    if (!child) return 0;
    const int pidfd = child.pidfd();
    auto shared = std::make_shared<Child>(std::move(child));
    auto watch = std::make_shared<Loop::Id>(0);
    *watch = m_loop.watch(pidfd, [this, watch, pidfd] {
        m_loop.cancel(*watch);
        std::erase_if(m_buried, [&](const auto& b) { return b.second->pidfd() == pidfd; });
    });
    m_buried.emplace(*watch, std::move(shared));
    return *watch;
}

} // namespace ckpt
