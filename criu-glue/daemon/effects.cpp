// SPDX-License-Identifier: GPL-2.0-or-later
// What the state machine decided, done: words to the shim, timers, signals, slurmctld, the epilog.
#include <algorithm>
#include <array>
#include <csignal>
#include <ctime>
#include <utility>

#include "cli_answers.hpp"
#include "effects_common.hpp"
#include "fault/fault.hpp"
#include "log.hpp"
#include "os/cgroup.hpp"
#include "os/process.hpp"
#include "os/procfs.hpp"
#include "os/tree.hpp"
#include "policy/schedule.hpp"
#include "server.hpp"
#include "slurmctld.hpp"
#include "text/text.hpp"

namespace ckpt {

namespace {

// slurmctld usually answers in milliseconds; a dump that nobody wanted (scancel) would pause the job for
// nothing.
constexpr std::chrono::milliseconds k_cause_grace{300};

constexpr std::chrono::seconds k_launch_patience{5};
constexpr std::chrono::seconds k_hold_again{30}; // slurmctld did not answer or refused

wire::Start wire_start(effect::Start start) {
    switch (start) {
    case effect::Start::fresh:
        return wire::Start::fresh;
    case effect::Start::restored:
        return wire::Start::restored;
    case effect::Start::held:
        return wire::Start::held;
    case effect::Start::unmanaged:
        return wire::Start::unmanaged;
    case effect::Start::ended:
        return wire::Start::ended;
    case effect::Start::alone:
        return wire::Start::alone;
    }
    return wire::Start::unmanaged;
}

// criu's --leave-stopped stops every member, so every member is signalled.
void signal_tree_of(const Task& task, int signal) {
    if (task.root_pidfd && pidfd_alive(task.root_pidfd.get()))
        signal_tree(task.root_pid, task.user.uid, signal);
}

} // namespace

void Server::handle(std::uint32_t job_id, const Event& event) {
    Job* job = find_job(job_id);
    if (job == nullptr) return;
    if (job->coordinator) {
        tell_coordinator(*job, event);
        if (job = find_job(job_id); job != nullptr) keep_on_file(*job);
        forget_if_over(job_id);
        if (m_stopping) stop_when_saved();
        return;
    }
    CKPT_FAULT_IN_TIME("ckptd.event");
    count(*job, event);
    const Effects effects = advance(job->state, event);
    for (const Effect& effect : effects) {
        CKPT_FAULT_IN_TIME("ckptd.effect");
        job = find_job(job_id); // an effect may have ended the job
        if (job == nullptr) return;
        if (!decide_elsewhere(*job, effect)) std::visit([&](const auto& e) { perform(*job, e); }, effect);
    }
    if (job = find_job(job_id); job != nullptr) {
        if (job->commit_runs && is_waited_for(*job)) m_workers.hurry(job->commit_worker);
        keep_on_file(*job);
    }
    forget_if_over(job_id);
    empty_trash();
    admit_dumps_soon();
    if (m_stopping) stop_when_saved();
}

void Server::stop_when_saved() {
    if (!std::exchange(m_stopping, true)) {
        m_starts_awaited = true;
        m_loop.after(k_launch_patience, [this] {
            m_starts_awaited = false;
            stop_when_saved();
        });
    }
    // What is cut off in the middle would have to be done again, or would be missed.
    const auto unsaved = [this](const auto& one) {
        const JobState& job = one.second.state;
        const bool is_taking = job.taking && !is_app(job); // a program may take as long as it likes
        return has_last_generation_under_way(job) || is_taking || job.completing || is_starting(job) ||
               (m_starts_awaited && is_launching(job)) || (job.ending && !job.cause) ||
               has_parts_under_way(one.second);
    };
    if (std::ranges::none_of(m_jobs, unsaved)) m_loop.stop();
}

// Later, since whoever called handle() may hold the job.
void Server::forget_if_over(std::uint32_t job_id) {
    const Job* job = find_job(job_id);
    if (job == nullptr || !job->epilog_over || !is_quiet(job->state)) return;
    m_loop.after(std::chrono::milliseconds(0), [this, job_id, serial = job->serial] {
        if (find_job(job_id, serial) != nullptr) forget_job(job_id);
    });
}

void Server::order(Job& job, const TaskKey& task, wire::Order order, const std::string& line) {
    const auto found = job.tasks.find(task);
    if (found != job.tasks.end() && found->second.shim != 0)
        send(found->second.shim, wire::ShimOrder{order, line});
}

void Server::perform(Job& job, const effect::StartTask& e) {
    const auto found = job.tasks.find(e.task);
    if (found == job.tasks.end()) return;
    Task& task = found->second;
    task.worker = 0;
    task.told = true;
    task.alone = task.alone || (job.coordinator && e.start == effect::Start::unmanaged);
    wire::ShimStart start{wire_start(e.start), 0, e.line, job.state.plan.signal.value, e.wait_status};
    log::info("job " + std::to_string(job.facts.job_id) + ": task starts" +
              (e.line.empty() ? std::string() : ": " + e.line));
    if (e.start == effect::Start::fresh) tell_app_place(job, task);
    if (e.start != effect::Start::restored) return send(task.shim, start);
    tell_restored(job);
    start.root_pid = task.root_pid;
    std::vector<int> fds{task.root_pidfd.get()};
    if (task.restored_state) fds.push_back(task.restored_state.get());
    send(task.shim, start, fds);
    task.restored_state.reset();
}

void Server::perform(Job& job, const effect::WelcomeBack& e) {
    order(job, e.task, wire::Order::known, e.line);
}

void Server::perform(Job& job, const effect::HoldBackTerm& e) {
    order(job, e.task, wire::Order::wait);
}
void Server::perform(Job& job, const effect::RelayTerm& e) {
    order(job, e.task, wire::Order::relay);
}
void Server::perform(Job& job, const effect::LetShimLeave& e) {
    order(job, e.task, wire::Order::leave);
}

void Server::perform(Job& job, const effect::Say& e) {
    if (!e.at_will || may_log(job.facts.uid))
        log::info("job " + std::to_string(job.facts.job_id) + ": " + e.line);
    for (const auto& [key, task] : job.tasks) // the script speaks for the job
        if (task.shim != 0 && task.stand_in == 0)
            return send(task.shim, wire::ShimOrder{wire::Order::line, e.line});
}

void Server::perform(Job& job, const effect::AskCause& /*e*/) {
    const std::uint32_t job_id = job.facts.job_id;
    job.cause_timer =
        m_loop.after(k_cause_grace, [this, job_id] { handle(job_id, event::CauseGraceElapsed{}); });
    ask_news(m_workers, job_id, [this, job_id, serial = job.serial](const JobNews& news) {
        const Job* asked = find_job(job_id, serial);
        if (asked == nullptr) return;
        m_loop.cancel(asked->cause_timer);
        handle(job_id, event::CauseKnown{news.cause, news.can_requeue});
    });
}

// scontrol suspend, gang scheduling: the task's cgroup is frozen, after a SIGTSTP and two seconds
// (slurmstepd/req.c:_handle_suspend). criu would wait for its parasite to run, and images of a stopped
// program would come back stopped.
bool Server::is_suspended(const Job& job) {
    return std::ranges::any_of(job.tasks, [](const auto& one) {
        const Task& task = one.second;
        if (task.shim_pid == 0 || !task.shim_pidfd || !pidfd_alive(task.shim_pidfd.get())) return false;
        if (is_frozen(task.shim_pid)) return true;
        const auto children = child_pids(task.root_pid);
        // all of them: a program of the job may keep one stopped for its own reasons
        return children && !children->empty() && std::ranges::all_of(*children, [](pid_t pid) {
                   const auto info = process_info(pid);
                   return info && info->state == 'T';
               });
    });
}

ScheduleFacts Server::schedule_facts(Job& job) const {
    const std::int64_t now = std::time(nullptr);
    ScheduleFacts facts;
    facts.interval = interval_of(job.state);
    facts.last_cost = job.last_cost;
    facts.nodes = job.facts.nodes;
    facts.job_id = job.facts.job_id;
    facts.generation = job.state.last_generation;
    // Most programs end when they have saved themselves: none is asked sooner than its user says.
    if (is_app(job.state)) facts.generation = std::max(facts.generation, 1U);
    facts.since_start = Seconds(std::max<std::int64_t>(now - job.opened_at, 0));
    if (job.facts.end_time == 0) return facts;
    facts.allowance = Seconds(std::max<std::int64_t>(job.facts.end_time - job.opened_at, 0));
    const Seconds until_last = Seconds(job.facts.end_time - now) - margin_of(job);
    if (job.state.plan.on.value.has(Trigger::timelimit)) facts.until_last = std::max(until_last, Seconds(0));
    return facts;
}

void Server::perform(Job& job, const effect::ArmInterval& e) {
    const std::int64_t now = std::time(nullptr);
    Seconds delay =
        next_checkpoint(schedule_facts(job), job.policy.automatic, job.policy.limits.min_interval).delay;
    if (e.not_later && job.interval_timer != 0) {
        if (delay.count() <= 0 || job.checkpoint_due <= now)
            return; // it will be asked again when that is over
        delay = std::min(delay, Seconds(job.checkpoint_due - now));
    }
    m_loop.cancel(job.interval_timer);
    m_dumps.forget_due(job.facts.job_id);
    if (delay.count() <= 0) {
        job.checkpoint_due = 0;
        return;
    }
    if (job.taken_over && job.interval_timer == 0 && job.checkpoint_due != 0) // as it would have been
        delay = std::clamp(Seconds(job.checkpoint_due - now), Seconds(1), delay);
    job.checkpoint_due = now + delay.count();
    job.interval_timer = m_loop.after(delay, [this, job_id = job.facts.job_id, serial = job.serial] {
        Job* still = find_job(job_id, serial);
        if (still == nullptr) return;
        if (is_suspended(*still)) return perform(*still, effect::ArmInterval{});
        want_dump({job_id});
    });
}

void Server::perform(Job& job, const effect::Stand& e) {
    order(job, e.task, e.stops ? wire::Order::stop : wire::Order::stand);
}

void Server::perform(Job& job, const effect::ContinueTree& e) {
    const auto found = job.tasks.find(e.task);
    // Of a program that saves itself the shim knows what it has stopped.
    if (found != job.tasks.end() && !is_app(job.state)) signal_tree_of(found->second, SIGCONT);
    order(job, e.task, wire::Order::run_on);
    if (found != job.tasks.end() && found->second.state >= 0) order(job, e.task, wire::Order::go_on);
}

void Server::perform(Job& job, const effect::KillTree& e) {
    const auto found = job.tasks.find(e.task);
    if (found == job.tasks.end()) return;
    Task& task = found->second;
    m_workers.abandon(task.worker); // a restore or dump of a task that is gone
    task.worker = 0;
    ++task.attempt;
    if (task.made) kill_made_tree(*task.made, task.user.uid);
    task.made.reset();
    if (task.restores) undo_restore(job, e.task, [](const Status&) {});
    signal_tree_of(task, SIGKILL);
}

void Server::perform(Job& job, const effect::HoldJob& e) {
    if (e.again) {
        m_loop.after(k_hold_again, [this, job_id = job.facts.job_id, serial = job.serial, reason = e.reason] {
            Job* waiting = find_job(job_id, serial);
            if (waiting != nullptr && is_to_be_held(waiting->state)) // it may have been cancelled meanwhile
                perform(*waiting, effect::HoldJob{reason, false});
        });
        return;
    }
    if (job.state.in_allocation) {
        log::warning("job " + std::to_string(job.facts.job_id) + " starts nothing: " + e.reason);
        m_loop.after(std::chrono::milliseconds(0),
                     [this, job_id = job.facts.job_id, serial = job.serial, reason = e.reason] {
                         if (find_job(job_id, serial) != nullptr)
                             handle(job_id, event::HoldEnded{reason, std::nullopt});
                     });
        return;
    }
    log::warning("job " + std::to_string(job.facts.job_id) + " is held: " + e.reason);
    hold_job(m_workers, job.facts.job_id, "checkpoint: " + e.reason,
             [this, job_id = job.facts.job_id, serial = job.serial,
              reason = e.reason](std::optional<Error> error) {
                 if (find_job(job_id, serial) != nullptr)
                     handle(job_id, event::HoldEnded{reason, std::move(error)});
             });
}

void Server::perform(Job& job, const effect::RequeueElsewhere& e) {
    if (job.state.in_allocation) return perform(job, effect::HoldJob{e.reason});
    if (e.again) {
        m_loop.after(k_hold_again, [this, job_id = job.facts.job_id, serial = job.serial, e] {
            Job* waiting = find_job(job_id, serial);
            if (waiting != nullptr && is_to_be_held(waiting->state))
                perform(*waiting, effect::RequeueElsewhere{e.reason, e.node});
        });
        return;
    }
    const std::string node = e.node.empty() ? job.facts.node : e.node;
    log::warning("job " + std::to_string(job.facts.job_id) + " is requeued without node " + node + ": " +
                 e.reason);
    requeue_elsewhere(m_workers, job.facts.job_id, node, "checkpoint: " + node + ": " + e.reason,
                      [this, job_id = job.facts.job_id, serial = job.serial,
                       reason = e.reason](std::optional<Error> error) {
                          if (find_job(job_id, serial) != nullptr)
                              handle(job_id, event::HoldEnded{reason, std::move(error)});
                      });
}

void Server::perform(Job& job, const effect::Constrain& /*e*/) {
    constrain_job(m_workers, job.facts.job_id, job.facts.node, m_policy.compat.features,
                  [this, job_id = job.facts.job_id, serial = job.serial] {
                      if (find_job(job_id, serial) != nullptr) handle(job_id, event::ConstraintSet{});
                  });
}

void Server::perform(Job& job, const effect::Comment& e) {
    if (!m_policy.slurmctld.comment) return;
    const std::int64_t now = std::time(nullptr);
    if (e.rarely && now - job.commented_at < m_policy.slurmctld.comment_every.count()) return;
    job.commented_at = now;
    comment_on_job(m_workers, job.facts.job_id,
                   "checkpoint: " + text::local_time(now) + " " + job.facts.node + ": " + e.text);
}

void Server::perform(Job& job, const effect::AnswerOnDemand& e) {
    // Others may have waited for this one to be through.
    m_loop.after(std::chrono::milliseconds(0), [this, job_id = job.facts.job_id, serial = job.serial] {
        if (Job* still = find_job(job_id, serial)) begin_what_was_asked_inside(*still);
    });
    if (std::exchange(job.inside.is_begun, false)) return answer_inside(job, e);
    const wire::Answer answer = e.error ? answer_of(*e.error) : wire::Answer{0, e.generation, {}};
    if (const LinkId command = std::exchange(job.commanded, 0); command != 0)
        return answer_command(command, answer);
    if (!job.on_demand) return tell_asker(job, e);
    send(*job.on_demand, answer);
    job.on_demand.reset();
}

void Server::perform(Job& job, const effect::ReleaseEpilog& e) {
    m_loop.cancel(job.epilog_timer);
    if (!e.to_ask_again) job.epilog_over = true; // handle() forgets the job once it is quiet
    if (!job.epilog) return;
    const ConnectionId epilog = *job.epilog;
    job.epilog.reset();
    if (e.to_ask_again)
        reply(epilog, fail(Code::busy, "the last checkpoint is on its way"));
    else
        reply(epilog, {});
}

void Server::forget_job(std::uint32_t job_id) {
    const auto found = m_jobs.find(job_id);
    if (found == m_jobs.end()) return;
    Job job = std::move(found->second);
    m_jobs.erase(found);
    m_dumps.remove(job_id);
    perform(job, effect::AnswerOnDemand{0, Error{Code::not_found, "the job has ended", "", 0}});
    forget_asked(job);
    m_workers.abandon(job.commit_worker); // it reads what is removed below
    m_loop.cancel(job.interval_timer);
    m_loop.cancel(job.cause_timer);
    m_loop.cancel(job.epilog_timer);
    for (const auto& [node, link] : std::map(job.others.links))
        drop_link(link);
    if (job.coordinator) {
        m_workers.abandon(job.coordinator->worker);
        drop_link(job.coordinator->link);
    }
    for (const auto& [key, task] : job.tasks) {
        m_workers.abandon(task.worker);
        drop_connection(task.shim);
        if (task.restores) undo_restore(job, key, [](const Status&) {});
    }
    if (m_job_files) m_job_files->remove(job_id);
    if (m_step_dirs) m_step_dirs->remove(job.step_dir);
    empty_step_dirs();
    if (m_local && !m_undoing.contains(job.local_name)) m_local->remove_job(job.local_name);
    empty_trash();
    log::info("job " + std::to_string(job_id) + " is closed");
}

} // namespace ckpt
