// SPDX-License-Identifier: GPL-2.0-or-later
// After the job's last process on this node. slurmctld starts a requeued job again only after its last epilog
// (slurm src/slurmctld/job_mgr.c:batch_requeue_fini), so that waiting here makes the last checkpoint usable.
#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "ckptd.hpp"
#include "decision.hpp"
#include "hooks.hpp"
#include "job_script.hpp"
#include "policy/policy_yaml.hpp"

namespace ckpt {

namespace {

constexpr std::chrono::minutes k_longest{35}; // a commit has 30
constexpr std::chrono::seconds k_return{10};  // of a ckptd that is being restarted
constexpr std::chrono::milliseconds k_look_again{100};
constexpr std::chrono::seconds k_grace{5}; // ckptd itself answers when the policy's time is over

// Prolog and epilog are different processes, so that what the prolog was told is not known here; the policy
// is.
std::chrono::milliseconds limit(const Settings& settings) {
    const auto policy = load_policy(settings.policy);
    const Seconds wait = policy ? policy->failure.epilog_wait : PolicyFailure{}.epilog_wait;
    return std::min<std::chrono::milliseconds>(wait + k_grace, k_longest);
}

// ckptd asks us to come again while a last checkpoint is on its way; one that hangs is found out each time.
// One that ends while we wait is being restarted, and the next one goes on with that checkpoint.
Result<wire::Reply> wait_for_commits(const std::string& message, std::chrono::milliseconds each) {
    const auto end = std::chrono::steady_clock::now() + k_longest;
    bool lost = false;
    for (auto found_by = end;;) {
        auto reply = ask_ckptd(message, each);
        const auto now = std::chrono::steady_clock::now();
        if (reply || now > end) return reply;
        const Code code = reply.error().code;
        if (code == Code::busy) {
            lost = false;
            continue;
        }
        const bool gone = code == Code::not_found || (lost && code == Code::daemon_unreachable);
        if (!gone || (lost && now > found_by)) return reply;
        if (!std::exchange(lost, true)) found_by = now + k_return;
        std::this_thread::sleep_for(k_look_again);
    }
}

} // namespace

void job_epilog(spank_t spank, const Settings& settings) {
    const bool has_identity = std::getenv("SPANK_CKPT_UUID") != nullptr;
    if (!may_be_ours(options_in_job_script(spank), settings, has_identity)) return;
    wire::JobEpilog message;
    if (spank_get_item(spank, S_JOB_ID, &message.job_id) != ESPANK_SUCCESS) return;
    if (const auto reply = wait_for_commits(wire::encode(message), limit(settings)); !reply)
        slurm_info("checkpoint: job %u: %s", message.job_id, one_line(reply.error()).c_str());
}

} // namespace ckpt
