// SPDX-License-Identifier: GPL-2.0-or-later
#include "probe.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <optional>

#include "os/files.hpp"
#include "os/process.hpp"
#include "programs.hpp"

namespace ckpt::cli {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr seconds k_restore_limit{600};
constexpr seconds k_end_limit{30};
constexpr std::size_t k_messages_max = 1U << 20U;

std::string own_program() {
    std::array<char, 4096> path{};
    const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
    return length > 0 ? std::string(path.data(), static_cast<std::size_t>(length)) : "sckpt";
}

// An srun whose messages are passed on, and looked at.
class Run {
public:
    static Result<Run> start(std::vector<std::string> words) {
        CKPT_TRY(Pipe pipe, make_pipe());
        SpawnSpec spec;
        CKPT_TRY(spec.path, find_program("srun"));
        words.insert(words.begin(), {"srun", "--ntasks=1", "--nodes=1"});
        spec.argv = std::move(words);
        for (char** variable = environ; *variable != nullptr; ++variable)
            spec.environment.emplace_back(*variable);
        spec.fds = {{STDOUT_FILENO, STDOUT_FILENO}, {pipe.write.get(), STDERR_FILENO}};
        Run run;
        CKPT_TRY(run.m_child, spawn(spec));
        run.m_pipe = std::move(pipe.read);
        ::fcntl(run.m_pipe.get(), F_SETFL, O_NONBLOCK);
        return run;
    }

    // Until it ends, `done` is true of its messages, or `limit` is over. True when it has ended.
    template <typename Done>
    bool watch(milliseconds limit, Done done) {
        const auto end = steady_clock::now() + limit;
        while (!m_status && steady_clock::now() < end) {
            pollfd ready{m_pipe.get(), POLLIN, 0};
            (void)::poll(&ready, 1, 100);
            read_messages();
            if (done(m_messages)) break;
            if (const auto status = m_child.wait(milliseconds(0))) m_status = *status;
        }
        read_messages();
        return m_status.has_value();
    }
    bool watch(milliseconds limit) {
        return watch(limit, [](const std::string&) { return false; });
    }

    // As somebody who has seen enough: srun takes the second interrupt for the end of its step.
    void end() {
        for (const int signal : {SIGINT, SIGINT, SIGTERM, SIGKILL}) {
            if (m_status) return;
            m_child.kill(signal);
            watch(signal == SIGTERM ? k_end_limit : seconds(1));
        }
    }

    [[nodiscard]] int status() const { return m_status.value_or(0); }
    [[nodiscard]] const std::string& messages() const { return m_messages; }

private:
    void read_messages() {
        std::array<char, 4096> piece{};
        for (;;) {
            const ssize_t got = ::read(m_pipe.get(), piece.data(), piece.size());
            if (got <= 0) return;
            std::cerr.write(piece.data(), got).flush();
            if (m_messages.size() < k_messages_max)
                m_messages.append(piece.data(), static_cast<std::size_t>(got));
        }
    }

    Child m_child;
    Fd m_pipe;
    std::optional<int> m_status;
    std::string m_messages;
};

Result<ProbeFacts> probe_here(const ProbeOptions& options, const std::string& job_id) {
    ProbeFacts facts;
    const milliseconds some_time = seconds(options.seconds);
    CKPT_TRY(Run first, Run::start(options.command));
    if (first.watch(some_time)) {
        facts.ended_early = true;
        facts.early_status = first.status();
        return facts;
    }
    CKPT_TRY(const Done created, run_program({own_program(), "create", job_id}, -1, false));
    first.watch(milliseconds(500)); // for the line that says why not
    facts.saved = created.succeeded;
    facts.refusal = line_with(first.messages(), {});
    first.end();
    if (!facts.saved) return facts;
    CKPT_TRY(Run second, Run::start({"--checkpoint-restore=" + job_id, options.command.front()}));
    const std::vector<std::string> restored{"restored generation"};
    const auto is_restored = [&](const std::string& text) { return !line_with(text, restored).empty(); };
    const bool ended = second.watch(k_restore_limit, is_restored);
    facts.restored = is_restored(second.messages());
    facts.trouble = line_with(second.messages(), {});
    if (facts.restored) facts.ended_after = ended || second.watch(some_time);
    facts.after_status = second.status();
    second.end();
    return facts;
}

// A job of its own, so that nothing of the caller's is touched.
Result<int> in_an_allocation(const ProbeOptions& options) {
    CKPT_TRY(const std::string salloc, find_program("salloc"));
    std::vector<std::string> words{"salloc",    "--checkpoint", "--checkpoint-interval=none", "--quiet",
                                   "--nodes=1", "--ntasks=1",   "--job-name=sckpt-probe"};
    words.insert(words.end(), options.slurm.begin(), options.slurm.end());
    words.insert(words.end(),
                 {own_program(), "probe", "--inside", "--seconds=" + std::to_string(options.seconds), "--"});
    words.insert(words.end(), options.command.begin(), options.command.end());
    std::vector<char*> argv = exec_pointers(words);
    ::execv(salloc.c_str(), argv.data());
    return fail_errno(Code::os, "start salloc");
}

} // namespace

Result<int> probe(const ProbeOptions& options) {
    if (options.seconds == 0) return fail(Code::option_value, "--seconds=0", "at least 1");
    if (!options.inside) return in_an_allocation(options);
    const char* job_id = std::getenv("SLURM_JOB_ID"); // NOLINT(concurrency-mt-unsafe): one thread
    if (job_id == nullptr) return fail(Code::not_found, "not in an allocation", "leave --inside away");
    CKPT_TRY(const ProbeFacts facts, probe_here(options, job_id));
    std::cout << "probe: " << verdict_text(facts) << "\n";
    return static_cast<int>(verdict_on(facts));
}

} // namespace ckpt::cli
