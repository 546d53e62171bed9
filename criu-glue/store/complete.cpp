// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/complete.hpp"

#include <cerrno>
#include <ctime>
#include <format>

#include "store/choice.hpp"
#include "store/history.hpp"
#include "store/prune.hpp"
#include "store/scan.hpp"

namespace ckpt::store {
namespace {

// What is on record decides; that the history lacks it does no harm.
Status note_end(const JobAt& job, const CompleteSpec& spec, const char* how) {
    (void)add_to_history(job, {{"event", "end"},
                               {"at", static_cast<std::int64_t>(std::time(nullptr))},
                               {"incarnation", spec.incarnation},
                               {"how", how},
                               {"wait_status", spec.wait_status}});
    return {};
}

Status complete_in(const JobAt& job, const CompleteSpec& spec) {
    CKPT_TRY(const JobState state, scan(job));
    if (const auto successor = successor_of(state, spec.incarnation))
        return fail(Code::not_permitted, std::format("incarnation {} of the job has taken over", *successor));
    CKPT_CHECK(job.volume.make_dir(job.incarnation(spec.incarnation)));
    if (spec.failed) {
        Failed failed = *spec.failed;
        failed.at = std::time(nullptr);
        CKPT_CHECK(write_failed(job, spec.incarnation, failed));
        return note_end(job, spec, failed.how == Failed::How::fault ? "fault" : "out of memory");
    }
    if (spec.stopped) {
        Stopped stopped = *spec.stopped;
        stopped.at = std::time(nullptr);
        CKPT_CHECK(write_stopped(job, spec.incarnation, stopped));
        return note_end(job, spec, "stopped");
    }
    const Completed completed{spec.wait_status, std::time(nullptr), spec.will_be_requeued,
                              state.newest_generation};
    CKPT_CHECK(write_completed(job, spec.incarnation, completed));
    if (spec.drop_generations) CKPT_CHECK(drop_all(job, spec.incarnation));
    return note_end(job, spec, "completed");
}

} // namespace

Status complete(const Store& store, const CompleteSpec& spec) {
    CKPT_TRY(const JobAt job, job_at(store, spec.owner));
    const std::string action = "cannot record the end of the job in " + describe(job);
    auto done = require_job_dir(job);
    if (!done && done.error().code == Code::not_found) {
        if (!spec.has_generations) return {};
        return tl::unexpected(Error{Code::store_unwritable, action + ": the directory is gone",
                                    "is the store's file system mounted on this node?", ENOENT});
    }
    if (done) done = complete_in(job, spec);
    // Else it would lie there until retention comes by; it is nothing that the end of a job depends on. A job
    // that goes on does so itself, with its next commit.
    if (done && !spec.drop_generations && !spec.will_be_requeued) (void)sweep_ended(job, spec.incarnation);
    if (!done) return tl::unexpected(store_error(done.error(), action));
    return {};
}

} // namespace ckpt::store
