// SPDX-License-Identifier: GPL-2.0-or-later
// A program that saves itself: its directory, which ckpt-writer keeps as the user, and its signal, which the
// shims send as the user.
#include <algorithm>
#include <ctime>
#include <utility>

#include "effects_common.hpp"
#include "log.hpp"
#include "os/random.hpp"
#include "os/safe_path.hpp"
#include "server.hpp"
#include "server_send.hpp"

namespace ckpt {

namespace {

constexpr std::chrono::seconds k_app_dir_limit{20};
constexpr std::chrono::milliseconds k_app_dir_again{50};
constexpr std::size_t k_uuid_shown = 8;

std::string app_dir_name(const Job& job) {
    return std::to_string(job.facts.job_id) + "-" + job.place.uuid.substr(0, k_uuid_shown);
}

} // namespace

// The same in every incarnation.
Result<std::string> Server::app_dir_of(const Job& job) {
    const std::string& cluster = job.place.cluster;
    if (!is_plain_name(cluster) || cluster.front() == '.' || !is_uuid(job.place.uuid))
        return fail(Code::not_found, "the job carries no identity of its checkpoints");
    return job.place.base + "/" + wire::k_app_dirs + "/" + cluster + "/" + app_dir_name(job);
}

void Server::ask_app_dir(const Job& job, wire::AppDirRequest request,
                         std::function<void(Result<wire::AppDirResult>)> done) {
    const auto dir = app_dir_of(job);
    if (!dir) {
        m_loop.after(std::chrono::milliseconds(0),
                     [done = std::move(done), error = dir.error()] { done(tl::unexpected(error)); });
        return;
    }
    // What has been there already and is missing is not mounted.
    const bool is_first = request.what == wire::AppDirRequest::What::open && job.facts.restart_count == 0;
    const UserStore store = store_of(job, is_first);
    request.user_dir = {store.base, store.user, store.make, store.is_sites, store.above};
    request.cluster = job.place.cluster;
    request.name = app_dir_name(job);
    m_workers.start("ckpt-writer", wire::encode(request), {}, k_app_dir_limit,
                    [done = std::move(done)](const Result<Packet>& packet) {
                        done(result_of<wire::AppDirResult>(packet));
                    });
}

void Server::perform(Job& job, const effect::OpenAppDir& e) {
    wire::AppDirRequest request;
    request.what = wire::AppDirRequest::What::open;
    ask_app_dir(job, std::move(request),
                [this, attempt = next_attempt(job, e.task)](const Result<wire::AppDirResult>& result) {
                    Job* still = find_job(attempt);
                    if (still == nullptr) return;
                    event::AppDirReady ready{attempt.task};
                    if (result) {
                        ready.generation = result->generation;
                        still->app_dir = app_dir_of(*still).value_or("");
                    } else {
                        ready.error = result.error();
                    }
                    handle(attempt.job_id, ready);
                });
}

void Server::tell_app_place(const Job& job, const Task& task) {
    if (!is_app(job.state) || task.stand_in != 0) return;
    send(task.shim, wire::AppPlace{job.app_dir, job.state.saved, job.state.restored_from > 0});
}

// Without the note the script would start over what the program has saved: then the generation is none.
void Server::note_app_generation(Job& job, std::uint32_t generation) {
    wire::AppDirRequest request;
    request.what = wire::AppDirRequest::What::note;
    request.generation = generation;
    job.app_dir_runs = true;
    ask_app_dir(job, std::move(request),
                [this, job_id = job.facts.job_id, serial = job.serial,
                 generation](const Result<wire::AppDirResult>& result) {
                    Job* still = find_job(job_id, serial);
                    if (still == nullptr) return;
                    still->app_dir_runs = false;
                    if (!result)
                        log::warning("job " + std::to_string(job_id) + ": generation " +
                                     std::to_string(generation) +
                                     " is not noted: " + one_line(result.error()));
                    event::CommitEnded ended{generation, std::nullopt, 0};
                    if (!result) ended.error = result.error();
                    handle(job_id, ended);
                });
}

// The job has ended well: of its directory only what is the user's stays.
void Server::finish_app(Job& job) {
    if (job.app_dir_runs) {
        m_loop.after(k_app_dir_again, [this, job_id = job.facts.job_id, serial = job.serial] {
            if (Job* still = find_job(job_id, serial)) finish_app(*still);
        });
        return;
    }
    wire::AppDirRequest request;
    request.what = wire::AppDirRequest::What::finish;
    ask_app_dir(
        job, std::move(request),
        [this, job_id = job.facts.job_id, serial = job.serial](const Result<wire::AppDirResult>& result) {
            if (find_job(job_id, serial) == nullptr) return;
            if (!result)
                log::warning("job " + std::to_string(job_id) +
                             ": its directory stays: " + one_line(result.error()));
            handle(job_id, event::CompletionRecorded{});
        });
}

// Before a time limit the program may still be at it when that comes: then as long as Slurm waits after its
// SIGTERM.
Seconds Server::dump_limit(const Job& job, const effect::AskApp& e) const {
    const Seconds forced = std::max(forced_end_limit(job), Seconds(1));
    if (!e.is_last) return job.policy.app.patience;
    if (e.reason == Reason::forced_end) return forced;
    const Seconds left{job.facts.end_time - static_cast<std::int64_t>(std::time(nullptr))};
    return std::min(job.policy.app.patience, std::max(left, Seconds(0)) + forced);
}

void Server::perform(Job& job, const effect::AskApp& e) {
    Task& task = job.tasks.at(e.task);
    std::optional<Error> error = e.refused;
    if (!error && task.shim == 0) error = Error{Code::busy, "the task's shim is not there", "", 0};
    if (error) {
        m_loop.after(std::chrono::milliseconds(0),
                     [this, job_id = job.facts.job_id, serial = job.serial, e, error = *error] {
                         if (find_job(job_id, serial) != nullptr)
                             handle(job_id, event::DumpEnded{e.task, error, 0, 0, e.generation});
                     });
        return;
    }
    const Seconds limit = dump_limit(job, e);
    task.app_limit_s = static_cast<std::uint32_t>(limit.count());
    const auto dir = app_dir_of(job);
    const bool looks = task.stand_in == 0 && dir.has_value();
    send(task.shim, wire::AskApp{e.generation, e.signal, milliseconds(limit), e.is_last,
                                 looks ? *dir + "/" + wire::k_app_marker : std::string()});
    if (may_log(job, e.reason))
        log::info("job " + std::to_string(job.facts.job_id) + ": the program is asked to save itself (" +
                  to_string(e.reason) + "), it has " + std::to_string(limit.count()) + " s");
    m_loop.after(limit + k_app_margin, [this, job_id = job.facts.job_id, serial = job.serial, e] {
        app_gave_no_answer(job_id, serial, e);
    });
}

// Its user may have stopped the shim. On a node without the script nothing is known of `taking`: its
// coordinator has a limit of its own.
void Server::app_gave_no_answer(std::uint32_t job_id, std::uint64_t serial, const effect::AskApp& e) {
    const Job* job = find_job(job_id, serial);
    if (job == nullptr || !job->state.taking || job->state.taking->generation != e.generation ||
        !job->state.taking->missing.contains(e.task))
        return;
    handle(job_id,
           event::DumpEnded{e.task, Error{Code::program_silent, "a shim of the job gives no answer", "", 0},
                            0, 0, e.generation});
}

void Server::on_message(ConnectionId id, const wire::AppAsked& m) {
    constexpr std::size_t k_shown = 400;
    const Connection& connection = m_connections.at(id);
    if (!connection.is_shim || find_job(connection.job_id) == nullptr) return drop_connection(id);
    handle(connection.job_id, event::AppAsked{connection.task, m.generation, m.processes,
                                              m.obstacle.substr(0, k_shown), m.covered});
}

void Server::on_message(ConnectionId id, const wire::AppAnswered& m) {
    using How = event::AppAnswered::How;
    const Connection& connection = m_connections.at(id);
    const Job* job = find_job(connection.job_id);
    if (!connection.is_shim || job == nullptr || !job->tasks.contains(connection.task))
        return drop_connection(id);
    const How how = m.outcome == wire::AppOutcome::ended    ? How::ended
                    : m.outcome == wire::AppOutcome::marked ? How::marked
                                                            : How::silent;
    handle(connection.job_id, event::AppAnswered{connection.task, m.generation, how,
                                                 job->tasks.at(connection.task).app_limit_s});
}

} // namespace ckpt
