// SPDX-License-Identifier: GPL-2.0-or-later
#include "slurmctld.hpp"

#include <charconv>
#include <cstdlib>
#include <sstream>

#include "log.hpp"

namespace ckpt {

namespace {

constexpr std::chrono::seconds k_hold_limit{15};
constexpr std::chrono::seconds k_requeue_limit{15};
constexpr std::chrono::seconds k_comment_limit{15};
constexpr std::chrono::seconds k_jobs_limit{15};
constexpr std::chrono::seconds k_history_limit{15};
constexpr std::chrono::seconds k_host_limit{5};
constexpr std::size_t k_ranges_max = 6000; // they travel in one packet

std::string helper() {
    return std::string(CKPT_LIBEXEC_DIR) + "/ckpt-slurmctld";
}

Cause cause_of(const std::string& word) {
    if (word == "requeue") return Cause::requeued;
    if (word == "preempted") return Cause::preempted;
    if (word == "preempted-for-good") return Cause::preempted_for_good;
    if (word == "timeout") return Cause::timelimit;
    if (word == "cancelled") return Cause::cancelled;
    if (word == "running") return Cause::running;
    return Cause::unknown;
}

std::int64_t number_after(const std::string& line, const std::string& name) {
    const std::size_t at = line.find(name);
    return at == std::string::npos ? 0 : std::strtoll(line.c_str() + at + name.size(), nullptr, 10);
}

} // namespace

JobNews news_of(const std::string& line) {
    JobNews news;
    news.cause = cause_of(line.substr(0, line.find_first_of(" \n")));
    news.answered = true;
    news.suspended = line.starts_with("suspended");
    news.end_time = number_after(line, " end=");
    news.can_requeue = number_after(line, " requeue=") == 1;
    news.will_be_requeued = news.can_requeue && number_after(line, " grace=") == 1;
    return news;
}

void ask_news(Workers& workers, std::uint32_t job_id, std::function<void(JobNews)> done,
              std::chrono::milliseconds limit) {
    workers.run_text({helper(), "cause", std::to_string(job_id)}, limit,
                     [done = std::move(done)](const Result<std::string>& text) {
                         done(text ? news_of(*text) : JobNews{});
                     });
}

Result<UserJobs> user_jobs_of(const std::string& line) {
    const auto bad = [] { return fail(Code::slurm_rpc, "what slurmctld's jobs are is not understood"); };
    std::istringstream words(line);
    UserJobs jobs;
    if (!(words >> jobs.cluster)) return bad();
    for (std::string word; words >> word;) {
        const char* end = word.data() + word.size();
        wire::JobRange range;
        auto parsed = std::from_chars(word.data(), end, range.first);
        range.last = range.first;
        if (parsed.ec == std::errc() && parsed.ptr != end && *parsed.ptr == '-')
            parsed = std::from_chars(parsed.ptr + 1, end, range.last);
        if (parsed.ec != std::errc() || parsed.ptr != end) return bad();
        jobs.ids.push_back(range);
    }
    if (jobs.ids.size() > k_ranges_max)
        return fail(Code::slurm_rpc, "slurmctld has too many jobs of this user");
    return jobs;
}

void ask_user_jobs(Workers& workers, std::uint32_t uid, std::function<void(Result<UserJobs>)> done) {
    workers.run_text({helper(), "jobs", std::to_string(uid)}, k_jobs_limit,
                     [done = std::move(done)](const Result<std::string>& text) {
                         done(text ? user_jobs_of(*text) : tl::unexpected(text.error()));
                     });
}

void ask_batch_host(Workers& workers, std::uint32_t job_id, std::function<void(Result<BatchHost>)> done) {
    workers.run_text(
        {helper(), "host", std::to_string(job_id)}, k_host_limit,
        [done = std::move(done)](const Result<std::string>& text) {
            if (!text) return done(tl::unexpected(text.error()));
            std::istringstream words(*text);
            BatchHost host;
            if (words >> host.node >> host.address) return done(std::move(host));
            done(fail(Code::slurm_rpc, "what slurmctld says of the batch host is not understood"));
        });
}

void ask_qos(Workers& workers, std::uint32_t job_id, std::function<void(std::string)> done) {
    workers.run_text({helper(), "qos", std::to_string(job_id)}, k_host_limit,
                     [done = std::move(done)](const Result<std::string>& text) {
                         done(text ? text->substr(0, text->find('\n')) : std::string());
                     });
}

void ask_history(Workers& workers, std::uint32_t job_id, std::function<void(Result<std::string>)> done) {
    workers.run_text({helper(), "history", std::to_string(job_id)}, k_history_limit,
                     [done = std::move(done)](const Result<std::string>& text) {
                         done(text.map([](const std::string& all) { return all.substr(0, all.find('\n')); }));
                     });
}

void requeue_job(Workers& workers, std::uint32_t job_id, std::function<void(std::optional<Error>)> done) {
    workers.run_text({helper(), "requeue", std::to_string(job_id)}, k_requeue_limit,
                     [done = std::move(done)](const Result<std::string>& text) {
                         done(text ? std::nullopt : std::optional(text.error()));
                     });
}

void cancel_job(Workers& workers, std::uint32_t job_id, std::function<void(std::optional<Error>)> done) {
    workers.run_text({helper(), "cancel", std::to_string(job_id)}, k_requeue_limit,
                     [done = std::move(done)](const Result<std::string>& text) {
                         done(text ? std::nullopt : std::optional(text.error()));
                     });
}

void hold_job(Workers& workers, std::uint32_t job_id, const std::string& reason,
              std::function<void(std::optional<Error>)> done) {
    workers.run_text({helper(), "hold", std::to_string(job_id), reason}, k_hold_limit,
                     [done = std::move(done)](const Result<std::string>& text) {
                         done(text ? std::nullopt : std::optional(text.error()));
                     });
}

void constrain_job(Workers& workers, std::uint32_t job_id, const std::string& node,
                   const std::vector<std::string>& features, std::function<void()> done) {
    std::string list;
    for (const std::string& feature : features)
        list += (list.empty() ? "" : ",") + feature;
    workers.run_text({helper(), "constrain", std::to_string(job_id), node, list}, k_requeue_limit,
                     [job_id, done = std::move(done)](const Result<std::string>& text) {
                         const std::string job = "job " + std::to_string(job_id) + ": ";
                         if (!text) log::warning(job + "its constraint stays: " + one_line(text.error()));
                         if (text && !text->empty()) log::info(job + text->substr(0, text->find('\n')));
                         done();
                     });
}

void requeue_elsewhere(Workers& workers, std::uint32_t job_id, const std::string& node,
                       const std::string& reason, std::function<void(std::optional<Error>)> done) {
    workers.run_text({helper(), "elsewhere", std::to_string(job_id), node, reason}, k_requeue_limit,
                     [job_id, done = std::move(done)](const Result<std::string>& text) {
                         if (text && !text->empty())
                             log::warning("job " + std::to_string(job_id) + ": " +
                                          text->substr(0, text->find('\n')));
                         done(text ? std::nullopt : std::optional(text.error()));
                     });
}

void comment_on_job(Workers& workers, std::uint32_t job_id, const std::string& text) {
    workers.run_text({helper(), "comment", std::to_string(job_id), text}, k_comment_limit,
                     [job_id](const Result<std::string>& done) {
                         if (!done)
                             log::warning("job " + std::to_string(job_id) +
                                          ": its comment stays: " + one_line(done.error()));
                     });
}

} // namespace ckpt
