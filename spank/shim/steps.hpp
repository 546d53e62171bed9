// SPDX-License-Identifier: GPL-2.0-or-later
// The real sruns of the job's script: they run here, outside the tree, for stand-ins within it
// (spank/srun/stand_in.hpp, docs/steps.md).
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "os/datagram.hpp"
#include "os/fd.hpp"
#include "result/result.hpp"
#include "step.hpp"
#include "wire/messages.hpp"
#include "wire/shim_state.hpp"

namespace ckpt {

class Steps {
public:
    Steps() = default; // none: stand-ins run the real one themselves
    // `dir`: of this job on this node, the user's alone. Code::busy when another shim is there already, which
    // is the batch script's.
    static Result<Steps> open(const std::string& dir);

    // Readable when there is something to do; -1 = never. Not between settle() and go_on().
    [[nodiscard]] int descriptor() const { return m_events.get(); }
    void serve();

    // While the tree stands still (wire::Settle): passes on what is on its way, and writes down the rest.
    // `at_rest`: becomes false when something has moved since the last call. `sruns`: see wire::Settled. From
    // now on the tree gets nothing and nothing is taken from it, until go_on() or the next settle(). An error
    // is why there can be no checkpoint.
    Status settle(wire::ShimState& state, wire::Settled& answer);
    void go_on();
    [[nodiscard]] const std::string& dir() const { return m_dir; }
    // Whether somebody else is bound there, or cannot be told: where a restored tree looks for it.
    [[nodiscard]] bool has_stand_ins() const;
    // Slurm's SIGTERM is held back: what srun does about it is not for the tree to see, which may go on from
    // here elsewhere. As after settle(), until go_on().
    void job_ends();
    // The program saves itself, and the job ends here: that its sruns have ended is not for the script, which
    // would go on to its next line. What they write is passed on. Until give_ends().
    void keep_ends();
    // But not of these: the process that tells them waits for them.
    void let_end(const std::vector<std::uint64_t>& stand_ins);
    void give_ends();
    // Processes of the stand-ins whose sruns run, and their numbers.
    [[nodiscard]] std::vector<std::pair<pid_t, std::uint64_t>> stand_in_pids() const;
    // The tree is gone and will be restored: what srun would say about the end of its step is nobody's.
    void leave();

    // The tree was restored, and `state` is what the shim before had written down. Before serve().
    void restored(const wire::ShimState& state);

    // Those that have failed, and of which ckptd is to be asked whether that is the job's end
    // (wire::StepDoubt).
    std::vector<std::uint64_t> take_doubts() { return std::exchange(m_doubts, {}); }
    [[nodiscard]] bool has_doubts() const { return !m_doubted.empty(); }
    [[nodiscard]] bool has_signal(std::uint64_t stand_in); // it was given one of the script's
    void clear(std::uint64_t stand_in);
    void clear_all(); // the job runs on, or nobody can be asked

    // All that there are, with those that have not asked yet since a restore.
    [[nodiscard]] std::vector<std::uint64_t> stand_ins() const;

    // The stand-ins of which nothing has to be kept any more (wire::StepOver); each is said once.
    std::vector<std::uint64_t> take_over() { return std::exchange(m_over, {}); }

private:
    Steps(Fd events, Watched socket, std::string dir);
    bool read_messages(); // true: there were some
    void obey(Datagram message);
    void start(std::uint64_t stand_in, Datagram message);
    void prepare(StepRequest& request, bool again) const;
    void serve(Step& step);
    [[nodiscard]] bool may_be_jobs_end(const Step& step) const;
    bool is_in_doubt(const Step& step);
    void forget_done();
    void ask_again(std::uint64_t stand_in);
    [[nodiscard]] std::uint64_t stand_in_at(const std::string& path) const;
    [[nodiscard]] std::string path_of(std::uint64_t stand_in) const;
    Step* find(std::uint64_t stand_in);

    Fd m_events; // epoll(7)
    Watched m_socket;
    std::string m_dir;
    std::list<Step> m_steps;
    bool m_paused = false;
    bool m_keeps_ends = false;
    std::set<std::uint64_t> m_may_end;                   // nevertheless
    bool m_restoring = false;                            // steps of the checkpoint are not all back
    std::vector<Datagram> m_waiting;                     // came after settle()
    std::map<std::uint64_t, wire::StepRecord> m_records; // restored, not asked for yet
    std::set<std::uint64_t> m_asked;                     // got StepAgain: may ask twice
    std::set<std::uint64_t> m_said_over;                 // of m_steps
    std::vector<std::uint64_t> m_over;
    std::vector<std::uint64_t> m_doubts; // to be asked about
    std::set<std::uint64_t> m_doubted;   // and not answered yet
    std::set<std::uint64_t> m_cleared;
    Variables m_now;   // what Slurm has set for this incarnation
    Variables m_first; // and for the job's first
};

} // namespace ckpt
