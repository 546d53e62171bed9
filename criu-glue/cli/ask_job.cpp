// SPDX-License-Identifier: GPL-2.0-or-later
#include "ask_job.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "ask.hpp"
#include "job_id.hpp"
#include "os/files.hpp"
#include "os/process.hpp"
#include "programs.hpp"
#include "slurm_job.hpp"
#include "waiting.hpp"
#include "wire/asked.hpp"

namespace ckpt::cli {

namespace {

constexpr std::chrono::hours k_limit{1}; // a commit of the largest job to a slow file system
constexpr std::chrono::milliseconds k_pause{100};
// ckptd says that a job was restored a moment after it has been. Counted, as the time of another node's clock
// says nothing here.
constexpr int k_silent_max = 300;
constexpr std::size_t k_said_max = 1U << 20U;
constexpr int k_status_max = 3; // that sckpt itself ends with
constexpr const char* k_forwarded = "SLURM_CHECKPOINT_FORWARDED";

std::uint64_t make_token() {
    std::random_device random;
    return (static_cast<std::uint64_t>(random()) << 32U | random()) | 1U;
}

// The target of a link in wire::k_asked_dir. Nothing is opened: whatever is open now is in the checkpoint.
std::optional<std::string> word(const std::string& name) {
    std::array<char, 64> text{};
    const std::string path = std::string(wire::k_asked_dir) + "/" + name;
    const ssize_t length = ::readlink(path.c_str(), text.data(), text.size());
    if (length < 0) return std::nullopt;
    return std::string(text.data(), static_cast<std::size_t>(length));
}

struct Numbers {
    std::uint32_t first = 0;
    std::uint32_t second = 0;
};

std::optional<Numbers> numbers_in(const std::string& text) {
    Numbers numbers;
    const char* end = text.data() + text.size();
    auto parsed = std::from_chars(text.data(), end, numbers.first);
    if (parsed.ec != std::errc()) return std::nullopt;
    if (parsed.ptr == end) return numbers;
    parsed = std::from_chars(parsed.ptr + 1, end, numbers.second);
    return parsed.ec == std::errc() && parsed.ptr == end ? std::optional(numbers) : std::nullopt;
}

Error failed(std::uint32_t code) {
    if (static_cast<Code>(code) == Code::option_conflict)
        return {Code::option_conflict, "checkpoints of this job are switched off",
                "`sckpt enable` switches them on", 0};
    return {static_cast<Code>(code), "no checkpoint was taken", "the end of the job's output says why", 0};
}

// In the middle of this the job, and we in it, may be saved, and restored on another node.
Result<AskOutcome> wait_inside(std::uint32_t job_id, std::uint64_t token,
                               const std::optional<std::string>& came_from) {
    for (int silent = 0; silent < k_silent_max;) {
        std::this_thread::sleep_for(k_pause);
        const auto restored = word(wire::restored_name(job_id));
        if (restored && restored != came_from)
            return AskOutcome{job_id, numbers_in(*restored).value_or(Numbers{}).first, true};
        const auto text = word(wire::asked_name(job_id, token));
        silent = text ? 0 : silent + 1;
        if (!text || *text == wire::k_waits) continue;
        const auto numbers = numbers_in(*text);
        if (!numbers || numbers->second != 0) return tl::unexpected(failed(numbers ? numbers->second : 0));
        return AskOutcome{job_id, numbers->first, false};
    }
    return fail(Code::daemon_unreachable, "ckptd does not say any more what has become of the checkpoint",
                "it was started anew; ask again");
}

std::string own_path() {
    std::array<char, 4096> path{};
    const ssize_t length = ::readlink("/proc/self/exe", path.data(), path.size());
    return length > 0 ? std::string(path.data(), static_cast<std::size_t>(length)) : "sckpt";
}

// Of what came from a step: what sckpt has said in it.
std::string own_lines(const std::string& text) {
    std::istringstream lines(text);
    std::string own;
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with("sckpt: ")) own += line + "\n";
    return own;
}

struct Ran {
    std::optional<int> status; // its exit status, if it had one
    std::string messages;      // on standard error
};

// With our environment, input and output.
SpawnSpec program_like_us(const std::vector<std::string>& words) {
    SpawnSpec spec;
    spec.path = words.front();
    spec.argv = words;
    for (char** variable = environ; *variable != nullptr; ++variable)
        spec.environment.emplace_back(*variable);
    spec.fds = {{STDIN_FILENO, STDIN_FILENO}, {STDOUT_FILENO, STDOUT_FILENO}, {STDERR_FILENO, STDERR_FILENO}};
    return spec;
}

// srun, to its end. What it and slurmstepd say of that is nobody's concern where sckpt has said all.
Result<Ran> run_srun(const std::vector<std::string>& words) {
    SpawnSpec spec = program_like_us(words);
    CKPT_TRY(Pipe messages, make_pipe());
    spec.fds.back() = {messages.write.get(), STDERR_FILENO};
    CKPT_TRY(Child child, spawn(spec));
    messages.write.reset();
    Ran ran;
    ran.messages = read_all(messages.read.get(), k_said_max).value_or(std::string());
    CKPT_TRY(const int status, child.wait(k_limit));
    if (WIFEXITED(status)) ran.status = WEXITSTATUS(status);
    return ran;
}

// A step is one of the job, which ends it when that is requeued or cancelled, often before it has had its
// answer. What slurmctld says of the job is one, too, though not of what is saved. Returns when there is
// none, with what stands against it.
Error run_to_its_end(const std::vector<std::string>& words, std::uint32_t job_id, const std::string& verb) {
    const auto ran = run_srun(words);
    if (!ran) return ran.error();
    const std::string own = own_lines(ran->messages);
    const bool has_said_all =
        ran->status && (*ran->status == 0 || (*ran->status <= k_status_max && !own.empty()));
    std::cerr << (own.empty() && !has_said_all ? ran->messages : own);
    if (has_said_all) std::exit(*ran->status);
    const auto job = ask_slurm(std::to_string(job_id));
    const std::string name = "job " + std::to_string(job_id);
    const std::string state = job ? job->state : std::string();
    const bool ended = verb == "vacate" && state == "cancelled";
    if (ended || (verb == "requeue" && (state == "requeue" || state == "pending"))) {
        std::cout << name << (ended ? " has ended" : " is requeued")
                  << "; the end of its output says from which generation it goes on\n";
        std::cout.flush();
        std::exit(0);
    }
    return {Code::os,
            "nobody has heard what has become of " + name + ": " +
                (job ? state_text(*job) : "slurmctld does not know it"),
            "see `sckpt list` and the job's output", 0};
}

// The one that runs its script; "" = not known.
std::string node_of(const SlurmJob& job) {
    const auto host = run_program(
        {std::string(CKPT_LIBEXEC_DIR) + "/ckpt-slurmctld", "host", std::to_string(job.id)}, -1, true);
    return host && host->succeeded ? host->output.substr(0, host->output.find(' ')) : std::string();
}

// Root has no business in a step of a user's job.
Error tell_root(std::uint32_t job_id, const std::string& verb, const Error& here) {
    const auto job = ask_slurm(std::to_string(job_id));
    const std::string name = "job " + std::to_string(job_id);
    if (!job) return here;
    if (job->state != "running" && job->state != "suspended")
        return {Code::not_found, name + " does not run: " + state_text(*job), "see `sckpt list`", 0};
    const std::string node = node_of(*job);
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    const std::string here_name = host.data();
    if (node.empty() || here_name.substr(0, here_name.find('.')) == node) return here;
    return {Code::not_found, name + " runs on " + node, "run sckpt " + verb + " there", 0};
}

// As the job's user; slurmctld decides whose job it is.
Error start_there(const SlurmJob& job, const std::vector<std::string>& command) {
    const std::string id = std::to_string(job.id);
    const std::string node = node_of(job);
    const auto srun = find_program("srun");
    if (node.empty() || !srun)
        return {Code::daemon_unreachable, "the node of job " + id + " is not known here",
                "run sckpt " + command.front() + " there", 0};
    // Standard input is the caller's: nothing of it may go into a step.
    std::vector<std::string> words{*srun,       "--jobid=" + id, "--overlap",
                                   "--nodes=1", "--ntasks=1",    "--nodelist=" + node,
                                   "--quiet",   "--input=none",  own_path()};
    words.insert(words.end(), command.begin(), command.end());
    ::setenv(k_forwarded, "1", 1); // NOLINT(concurrency-mt-unsafe): one thread
    return run_to_its_end(words, job.id, command.front());
}

// On one of its nodes: the shell of salloc has the number too.
bool is_own_job(std::uint32_t job_id) {
    const char* own = std::getenv("SLURM_JOB_ID"); // NOLINT(concurrency-mt-unsafe): one thread
    const bool is_on_node = std::getenv("SLURMD_NODENAME") != nullptr; // NOLINT(concurrency-mt-unsafe)
    return is_on_node && own != nullptr && own == std::to_string(job_id);
}

} // namespace

Error on_its_node(std::uint32_t job_id, const std::vector<std::string>& command, const Error& here) {
    const bool may_be = here.code == Code::not_found || here.code == Code::daemon_unreachable;
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
    if (!may_be || std::getenv(k_forwarded) != nullptr) return here;
    if (::getuid() == 0) return tell_root(job_id, command.front(), here);
    const auto job = ask_slurm(std::to_string(job_id));
    const std::string name = "job " + std::to_string(job_id);
    if (!job) return {Code::not_found, "slurmctld does not know " + name, "see `squeue --me`", 0};
    if (job->uid != ::getuid()) return {Code::not_permitted, name + " is not yours", "see `squeue --me`", 0};
    if (job->state != "running" && job->state != "suspended")
        return {Code::not_found, name + " does not run: " + state_text(*job), "see `sckpt list`", 0};
    if (is_own_job(job_id) && here.code == Code::not_found) return here;
    return start_there(*job, command);
}

namespace {

struct Begun {
    wire::Answer answer;
    std::uint32_t job_id = 0; // the job's own number, also where the environment has that of an earlier one
    std::optional<std::string> came_from;
};

Result<Packet> await_answer(int socket, const wire::AskFor& request) {
    Waiting waiting(request.job_id != 0 ? "saving job " + std::to_string(request.job_id) : "saving this job");
    const auto end = std::chrono::steady_clock::now() + k_limit;
    for (;;) {
        auto packet = receive_packet(socket, std::chrono::seconds(1));
        const bool is_late = !packet && packet.error().code == Code::deadline;
        if (!is_late || std::chrono::steady_clock::now() > end) return packet;
        waiting.look();
    }
}

// While the connection is open nothing is dumped: what is read here is what was before.
Result<Begun> begin(const wire::AskFor& request) {
    CKPT_TRY(const Fd socket, connect_to_ckptd());
    const Status sent = send_packet(socket.get(), wire::encode(request));
    if (!sent) return tl::unexpected(without_answer(sent.error()));
    const auto packet = await_answer(socket.get(), request);
    if (!packet) return tl::unexpected(without_answer(packet.error()));
    Begun begun;
    CKPT_TRY(begun.answer, wire::decode<wire::Answer>(packet->bytes));
    CKPT_CHECK(status_of(begun.answer));
    begun.job_id = numbers_in(begun.answer.text).value_or(Numbers{request.job_id, 0}).first;
    begun.came_from = word(wire::restored_name(begun.job_id));
    return begun;
}

// Another one is under way, which the caller may not be part of as it is now.
constexpr int k_tries = 60;
constexpr std::chrono::milliseconds k_try_again{500};

Result<AskOutcome> ask_once(std::uint32_t job_id, wire::Ask ask, bool& is_inside) {
    const std::uint64_t token = make_token();
    CKPT_TRY(const Begun begun, begin({job_id, ask, token}));
    const bool is_done =
        begun.answer.generation != 0 || ask == wire::Ask::disable || ask == wire::Ask::enable;
    if (is_done) return AskOutcome{begun.job_id, begun.answer.generation, false};
    is_inside = true;
    return wait_inside(begun.job_id, token, begun.came_from);
}

Result<AskOutcome> ask_here(std::uint32_t job_id, wire::Ask ask) {
    bool is_inside = false;
    auto outcome = ask_once(job_id, ask, is_inside);
    for (int i = 1; i < k_tries && is_inside && ask == wire::Ask::create && !outcome &&
                    outcome.error().code == Code::busy;
         ++i) {
        std::this_thread::sleep_for(k_try_again);
        outcome = ask_once(job_id, ask, is_inside);
    }
    return outcome;
}

} // namespace

Result<AskOutcome> ask_of_job(std::uint32_t job_id, wire::Ask ask, const char* command) {
    if (job_id == 0) {
        auto around = ask_here(0, ask);
        if (around || around.error().code != Code::not_found) return around;
    }
    CKPT_TRY(const std::uint32_t known, job_or_own(job_id, command));
    auto outcome = ask_here(known, ask);
    if (outcome) return outcome;
    return tl::unexpected(on_its_node(known, {command, std::to_string(known)}, outcome.error()));
}

Result<int> ask_each(const std::vector<std::uint32_t>& jobs, const char* command) {
    int highest = 0;
    for (const std::uint32_t job : jobs) {
        CKPT_TRY(Child child, spawn(program_like_us({own_path(), command, std::to_string(job)})));
        CKPT_TRY(const int status, child.wait(k_limit));
        highest = std::max(highest, WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
    return highest;
}

} // namespace ckpt::cli
