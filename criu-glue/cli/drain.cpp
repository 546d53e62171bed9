// SPDX-License-Identifier: GPL-2.0-or-later
#include "drain.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <format>
#include <iostream>
#include <mutex>
#include <sstream>
#include <thread>

#include <nlohmann/json.hpp>

#include "command_link.hpp"
#include "policy/policy_yaml.hpp"
#include "policy/text.hpp"
#include "programs.hpp"
#include "result/printable.hpp"

namespace ckpt::cli {

namespace {

using Json = nlohmann::json;

constexpr std::chrono::hours k_job_limit{1}; // a commit of the largest job to a slow file system
constexpr std::chrono::seconds k_look_limit{20};
constexpr const char* k_policy_file = "/etc/slurm/checkpoint.yaml";

template <typename T>
bool number(const std::string& text, T& value) {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

// The helper's last line says what is wrong.
Result<std::string> ask_slurmctld(std::vector<std::string> words) {
    words.insert(words.begin(), std::string(CKPT_LIBEXEC_DIR) + "/ckpt-slurmctld");
    CKPT_TRY(const Done done, run_program(words, -1, false));
    if (!done.succeeded) return fail(Code::slurm_rpc, "slurmctld refuses, as said above");
    return done.output;
}

Result<NodeState> ask_node(const std::string& node) {
    CKPT_TRY(const std::string output, ask_slurmctld({"node", node}));
    auto state = parse_node(output);
    if (!state) return fail(Code::slurm_rpc, "what slurmctld says of node " + node + " is not understood");
    return *std::move(state);
}

Status requeue(DrainedJob& job, std::uint16_t port) {
    CKPT_TRY(CommandLink link, CommandLink::open(job.host, job.address, port));
    CKPT_TRY(const wire::Answer answer, link.ask(wire::AskFor{job.id, wire::Ask::requeue, 0}, k_job_limit));
    job.generation = answer.generation;
    return {};
}

Status look(const DrainedJob& job, std::uint16_t port) {
    CKPT_TRY(CommandLink link, CommandLink::open(job.host, job.address, port));
    CKPT_TRY(const wire::Answer answer, link.ask(wire::AskFor{job.id, wire::Ask::look, 0}, k_look_limit));
    return {};
}

// One line for each job that is through; on a terminal the number of those to come is renewed below them.
class Progress {
public:
    Progress(std::size_t all, bool quiet)
        : m_all(all), m_quiet(quiet), m_terminal(::isatty(STDERR_FILENO) == 1) {
        show();
    }
    void done(const DrainedJob& job) {
        const std::scoped_lock lock(m_mutex);
        ++m_done;
        if (m_quiet) return;
        if (m_terminal) std::cerr << "\r\033[K";
        const std::string name = "job " + std::to_string(job.id);
        const std::string text = job.error
                                     ? one_line(*job.error)
                                     : "generation " + std::to_string(job.generation) + " saved, requeued";
        std::cerr << (text.starts_with(name + " ") ? text : name + ": " + text) << "\n";
        show();
    }

private:
    void show() const {
        constexpr std::size_t k_width = 30;
        if (m_quiet || !m_terminal || m_done == m_all) return;
        const std::size_t full = k_width * m_done / m_all;
        std::cerr << "[" << std::string(full, '#') << std::string(k_width - full, '.') << "] " << m_done
                  << "/" << m_all << std::flush;
    }
    std::mutex m_mutex;
    std::size_t m_all;
    std::size_t m_done = 0;
    bool m_quiet;
    bool m_terminal;
};

void requeue_all(std::vector<DrainedJob>& jobs, const Policy& policy, bool quiet) {
    Progress progress(jobs.size(), quiet);
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
        for (std::size_t i = next++; i < jobs.size(); i = next++) {
            if (const Status status = requeue(jobs[i], policy.network.port); !status)
                jobs[i].error = status.error();
            progress.done(jobs[i]);
        }
    };
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < std::min<std::size_t>(policy.maintenance.jobs, jobs.size()); ++i)
        threads.emplace_back(work);
}

std::string jobs_text(std::size_t count) {
    return std::to_string(count) + (count == 1 ? " job" : " jobs");
}

std::size_t count_left(const std::vector<DrainedJob>& jobs) {
    return static_cast<std::size_t>(
        std::ranges::count_if(jobs, [](const DrainedJob& job) { return job.error.has_value(); }));
}

std::string left_text(const std::vector<DrainedJob>& jobs) {
    std::string text;
    for (const DrainedJob& job : jobs)
        if (job.error)
            text += std::format("  {} {} (uid {}): {}\n", job.id, job.name, job.uid, one_line(*job.error));
    return text + "`scontrol requeue JOBID` or `scancel JOBID` ends such a job without a checkpoint\n";
}

// `add`: what is known of a job that goes.
template <class Add>
std::string json_of(const std::string& node, const std::vector<DrainedJob>& jobs, bool dry_run, Add add) {
    Json all = Json::array();
    for (const DrainedJob& job : jobs) {
        Json one{{"job", job.id}, {"name", job.name}, {"uid", job.uid}};
        add(job, one);
        if (job.error) one["error"] = one_line(*job.error);
        all.push_back(std::move(one));
    }
    Json object{{"node", node}, {"jobs", all}};
    if (dry_run) object["dry_run"] = true;
    // A job's name may be in any encoding.
    return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

bool is_all_gone(const std::vector<DrainedJob>& jobs) {
    return count_left(jobs) == 0;
}

// Whether it runs in a moment, and room is there, nobody knows.
bool dry_run(const DrainOptions& options, std::vector<DrainedJob>& jobs, std::uint16_t port) {
    for (DrainedJob& job : jobs)
        if (const Status may = look(job, port); !may) job.error = may.error();
    std::cout << (options.json ? dry_run_json(options.node, jobs) : dry_run_text(options.node, jobs));
    return is_all_gone(jobs);
}

Status check(const DrainOptions& options) {
    if (::geteuid() != 0) return fail(Code::not_permitted, "only root may drain a node", "ask an admin");
    if (options.node.empty())
        return fail(Code::option_value, "the name of the node is empty", "see `sinfo -N`");
    if (printable(options.reason) != options.reason || options.reason.empty())
        return fail(Code::option_value, quote(options.reason) + " is no reason that sinfo could show",
                    "use one line of text");
    return {};
}

} // namespace

std::optional<NodeState> parse_node(const std::string& output) {
    std::istringstream lines(output);
    NodeState state;
    std::string line;
    if (!std::getline(lines, line) || (line != "up" && line != "draining")) return std::nullopt;
    state.takes_jobs = line == "up";
    while (std::getline(lines, line)) {
        std::istringstream words(line);
        std::string id;
        std::string uid;
        DrainedJob job;
        if (!(words >> id >> job.host >> job.address >> uid) || !number(id, job.id) || !number(uid, job.uid))
            return std::nullopt;
        if (words.get() == ' ') std::getline(words, job.name);
        state.jobs.push_back(std::move(job));
    }
    return state;
}

std::string drain_summary(const std::string& node, const std::vector<DrainedJob>& jobs) {
    const std::size_t left = count_left(jobs);
    const std::string text =
        std::format("node {}: {} saved and requeued", node, jobs_text(jobs.size() - left));
    if (left == 0) return text + "; none is left\n";
    return text + std::format("; {} could not be and run on:\n", jobs_text(left)) + left_text(jobs);
}

std::string drain_json(const std::string& node, const std::vector<DrainedJob>& jobs) {
    return json_of(node, jobs, false, [](const DrainedJob& job, Json& one) {
        one["requeued"] = !job.error;
        if (!job.error) one["generation"] = job.generation;
    });
}

std::string dry_run_text(const std::string& node, const std::vector<DrainedJob>& jobs) {
    std::string text;
    for (const DrainedJob& job : jobs)
        if (!job.error)
            text +=
                std::format("job {} {} (uid {}) would be saved and requeued\n", job.id, job.name, job.uid);
    const std::size_t left = count_left(jobs);
    if (left == 0) return text + std::format("node {}: none would be left\n", node);
    return text + std::format("node {}: {} could not be saved and would run on:\n", node, jobs_text(left)) +
           left_text(jobs);
}

std::string dry_run_json(const std::string& node, const std::vector<DrainedJob>& jobs) {
    return json_of(node, jobs, true,
                   [](const DrainedJob& job, Json& one) { one["would_requeue"] = !job.error; });
}

Result<bool> drain(const DrainOptions& options) {
    CKPT_CHECK(check(options));
    CKPT_TRY(const Policy policy, load_policy(k_policy_file));
    if (policy.network.port == 0)
        return fail(Code::option_conflict,
                    "network.port of the policy is none: ckptd of other nodes cannot be asked",
                    "`scontrol requeue` each job: it is saved within KillWait");
    CKPT_TRY(NodeState state, ask_node(options.node));
    if (options.dry_run) return dry_run(options, state.jobs, policy.network.port);
    if (state.takes_jobs) {
        CKPT_TRY(const std::string done, ask_slurmctld({"drain", options.node, options.reason}));
        CKPT_TRY(state, ask_node(options.node)); // one may have started meanwhile
    }
    requeue_all(state.jobs, policy, options.json);
    std::cout << (options.json ? drain_json(options.node, state.jobs)
                               : drain_summary(options.node, state.jobs));
    return is_all_gone(state.jobs);
}

} // namespace ckpt::cli
