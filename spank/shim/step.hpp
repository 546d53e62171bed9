// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "os/datagram.hpp"
#include "result/result.hpp"
#include "step_child.hpp"
#include "step_environment.hpp"
#include "step_files.hpp"
#include "step_relay.hpp"
#include "watched.hpp"
#include "wire/shim_state.hpp"
#include "wire/step_messages.hpp"

namespace ckpt {

// What a stand-in has asked for.
struct StepRequest {
    std::uint64_t stand_in = 0;
    wire::StepCommand command;
    Fd cwd;
    std::vector<Fd> descriptors; // by command.descriptors
    Fd stand_in_pidfd;
};

// Code::not_found: who has asked is gone.
Result<StepRequest> read_step_request(std::uint64_t stand_in, Datagram message);

// One real srun, from the request of its stand-in until all that it has written is delivered.
class Step {
public:
    // `epoll`: gets the stand-in's number with each event. `record`: of the generation that was restored.
    Step(int epoll, StepRequest request, const wire::StepRecord* record);

    [[nodiscard]] std::uint64_t stand_in() const { return m_stand_in; }
    // The stand-in's process; nothing when it has gone, or knows how its srun has ended.
    [[nodiscard]] std::optional<pid_t> stand_in_pid() const;
    void serve();
    // steps.hpp:settle
    Status settle(bool& moved);
    void pause();
    void job_ends(bool ends);
    void signal(int signal);
    [[nodiscard]] bool has_signal() const { return m_has_signal; }
    // `in_doubt`: what its end was is not for the script, it is run once more (Steps::is_in_doubt).
    [[nodiscard]] wire::StepRecord record(bool in_doubt) const;
    [[nodiscard]] std::vector<std::int32_t> processes() const;

    // It has ended with a failure, and its stand-in does not know yet.
    [[nodiscard]] bool has_failed() const;
    // What the stand-in is to be told now; once.
    std::optional<wire::StepEnded> answer();
    // Its stand-in was told, and has ended, or there was none to be told: what it was told may lie unread in
    // its socket at a checkpoint, and nobody knows whether it comes back from there.
    [[nodiscard]] bool is_over() const { return m_ended && !m_stand_in_pidfd; }
    // ... and nobody else writes to srun's streams.
    [[nodiscard]] bool is_done() const { return is_over() && m_out.is_over() && m_err.is_over(); }
    // The stand-in asks once more for what it was told already.
    [[nodiscard]] std::optional<wire::StepEnded> told() const {
        return m_answered ? std::optional(m_end) : std::nullopt;
    }

private:
    Status start(StepRequest request, const wire::StepRecord* record);
    void deliver_what_is_left(StepRequest request, const wire::StepRecord& record);
    Status relay_output(StepRequest& request, const wire::StepRecord* record);
    Status relay_input(StepRequest& request, const wire::StepRecord* record);
    void look_at_stand_in();
    void look_at_child();
    Watched watched(Fd fd) { return {m_epoll, m_stand_in, std::move(fd)}; }

    int m_epoll;
    std::uint64_t m_stand_in;
    Watched m_stand_in_pidfd; // none: it has gone
    Watched m_child_pidfd;
    StepChild m_child;
    bool m_ended = false;
    wire::StepEnded m_end;
    bool m_answered = false;
    std::string m_input_left; // that srun had not taken when it ended
    bool m_has_signal = false;
    FileNumbers m_given; // the files that srun has from its stand-in
    OutRelay m_out;
    OutRelay m_err;
    InRelay m_in;
};

} // namespace ckpt
