// SPDX-License-Identifier: GPL-2.0-or-later
#include "state.hpp"

#include <algorithm>

#include "state_steps.hpp"

namespace ckpt {

const char* to_string(Reason reason) {
    switch (reason) {
    case Reason::interval: return "interval";
    case Reason::on_demand: return "on demand";
    case Reason::forced_end: return "forced end";
    }
    return "?";
}

Effects advance(JobState& job, const Event& event) {
    Effects out;
    std::visit([&](const auto& e) { state::on(job, e, out); }, event);
    state::release_epilog_if_quiet(job, out);
    return out;
}

bool is_quiet(const JobState& job) { return !job.taking && job.committing.empty() && !job.completing; }

namespace state {

void release_epilog_if_quiet(JobState& job, Effects& out) {
    if (!job.epilog_waits || !is_quiet(job)) return;
    job.epilog_waits = false;
    out.emplace_back(effect::ReleaseEpilog{});
}

void complain(JobState& job, const Error& error, const std::string& consequence, Effects& out) {
    const std::string text = one_line(error);
    std::string gist = text; // the same trouble with another pid or inode is the same trouble
    std::erase_if(gist, [](char c) { return c >= '0' && c <= '9'; });
    if (gist == job.last_complaint) return;
    job.last_complaint = gist;
    out.emplace_back(effect::Say{text + "; " + consequence});
}

} // namespace state
} // namespace ckpt
