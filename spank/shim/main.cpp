// SPDX-License-Identifier: GPL-2.0-or-later
// ckpt-shim PROGRAM ARGS…: the process that Slurm believes to be the task (docs/architecture.md).
//
// It runs as the user, in the task's place, for the whole job. Whatever fails here, the application runs, and
// its standard streams, environment, working directory, limits, signals and exit status are those of the
// plain task.
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "ckptd.hpp"
#include "ending.hpp"
#include "job_environment.hpp"
#include "launch.hpp"
#include "os/files.hpp"
#include "path_lookup.hpp"
#include "say.hpp"
#include "serve.hpp"
#include "signals.hpp"
#include "start.hpp"
#include "steps.hpp"
#include "wire/shim_state.hpp"
#include "wire/step_messages.hpp"

namespace {

using namespace ckpt;

Application application_of(int argc, char** argv, const sigset_t& mask) {
    Application application;
    application.program = build_path(argv[1], std::getenv("PATH"));
    application.argv.assign(argv + 1, argv + argc + 1);
    application.mask = mask;
    application.files = raise_file_limit();
    application.dated_messages = take_dated_messages();
    return application;
}

// What ckptd wants, or what is done without it.
Started decide(Ckptd& ckptd, const Introduction& introduction) {
    auto answer = ask_what_to_start(ckptd, introduction);
    if (answer) return std::move(*answer);
    if (is_restored_or_nothing()) {
        say(one_line(answer.error()) + "; nothing is started, since it was to go on from a checkpoint");
        end_as({false, k_gave_up});
    }
    if (is_restarted()) return wait_rather_than_start_over(ckptd, introduction, answer.error());
    Started started;
    started.start.start = wire::Start::unmanaged;
    started.start.checkpoint_signal = checkpoint_signal();
    started.start.line = one_line(answer.error()) + "; the job runs without checkpoints";
    return started;
}

// Of this job on this node, made by ckptd (daemon/step_dirs.hpp).
std::string steps_dir() {
    const char* job = std::getenv("SLURM_JOB_ID");
    return std::string(wire::k_step_dirs) + "/" + wire::step_dir_name(::getuid(), job != nullptr ? job : "");
}

// What this process has besides the tree.
struct Shim {
    Ckptd ckptd;
    Pipe status;
    StateFile state;
    Streams streams; // of a step
    Steps steps;     // of the batch script, or of the step that stands for it
    int checkpoint_signal = 0;
};

[[noreturn]] void serve(Shim shim, Tree tree, std::vector<std::string> environment, bool lost_ckptd = false) {
    Service::Parts parts{std::move(shim.ckptd), std::move(tree), std::move(shim.status.read),
                         shim.checkpoint_signal, lost_ckptd};
    parts.state = std::move(shim.state);
    parts.streams = std::move(shim.streams);
    parts.steps = std::move(shim.steps);
    parts.environment = std::move(environment);
    Service(std::move(parts)).run();
}

[[noreturn]] void run_without_checkpoints(const Application& application, const Error& why) {
    say(one_line(why) + "; the job runs without checkpoints");
    become(application);
}

// When that fails the tree may wait where it should get SIGPIPE or the end of its input, and nothing else.
void tree_has_streams(Streams& streams) {
    if (const auto given = streams.tree_started(); !given) say(one_line(given.error()));
}

[[noreturn]] void start_fresh(Shim shim, Application& application, bool is_step) {
    application.stdio = shim.streams.stdio();
    if (shim.steps.descriptor() >= 0) application.steps = steps_dir();
    auto tree = launch(application, shim.status.read.get(), std::move(shim.status.write));
    if (!tree) run_without_checkpoints(application, tree.error());
    tree_has_streams(shim.streams);
    const bool managed = static_cast<bool>(shim.ckptd);
    if (managed) shim.ckptd.send(wire::TreeStarted{tree->child});
    const bool lost = managed && !shim.ckptd;
    serve(std::move(shim), std::move(*tree), is_step ? std::vector<std::string>() : slurm_variables(), lost);
}

[[noreturn]] void serve_restored(Shim shim, Fd root, Fd kept) {
    shim.status.write.reset();
    tree_has_streams(shim.streams);
    auto state = StateFile(std::move(kept)).read();
    if (!state) say(one_line(state.error()) + "; output that was held back at the checkpoint is lost");
    if (!state) state = wire::ShimState();
    shim.streams.restored(state->streams);
    // They are where they were in the job that this one goes on from.
    if (!state->dir.empty() && state->dir != shim.steps.dir()) {
        auto steps = Steps::open(state->dir);
        if (!steps) say(one_line(steps.error()) + "; scripts that wait for srun will not go on");
        shim.steps = std::move(steps).value_or(Steps());
    }
    shim.steps.restored(*state);
    serve(std::move(shim), Tree{std::move(root), 0}, std::move(state->environment));
}

Result<Shim> make_shim(const std::optional<StepOfScript>& step) {
    Shim shim;
    CKPT_TRY(shim.status, make_pipe());
    CKPT_TRY(shim.state, StateFile::make());
    if (step || stands_for_script()) {
        const bool whole_lines = !step || step->whole_lines;
        CKPT_TRY(shim.streams, Streams::open({STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}, whole_lines));
    }
    // Before anything is restored, which looks for us there.
    if (!step) shim.steps = Steps::open(steps_dir()).value_or(Steps());
    return shim;
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 2) return 1;
    ::prctl(PR_SET_NAME, "ckpt-shim", 0, 0, 0);
    Application application = application_of(argc, argv, block_all_signals());
    application.argv.front() = application.program.data();
    const auto step = take_step_of_script();
    auto shim = make_shim(step);
    if (!shim) run_without_checkpoints(application, shim.error());
    Started started =
        decide(shim->ckptd, {step || stands_for_script() ? "" : argv[1], shim->status.write.get(),
                             shim->streams.stdio(), shim->state.number()});
    const bool from_the_beginning = started.start.start == wire::Start::fresh ||
                                    started.start.start == wire::Start::unmanaged ||
                                    started.start.start == wire::Start::alone;
    const bool goes_on = started.place && started.place->restarted;
    if (from_the_beginning && !step && !goes_on) empty_output_of_earlier_run();
    if (!step) set_app_variables(started.place);
    if (!started.start.line.empty()) say(started.start.line);
    shim->checkpoint_signal = started.start.checkpoint_signal;
    switch (started.start.start) {
    case wire::Start::held:
        wait_to_be_ended();
    case wire::Start::ended:
        end_as(ending_of(started.start.wait_status));
    case wire::Start::restored:
        serve_restored(std::move(*shim), std::move(started.root), std::move(started.state));
    case wire::Start::alone:
        become(application);
    case wire::Start::unmanaged:
        shim->ckptd.close(); // no need to ask it before passing a SIGTERM on
        shim->streams = {};
        shim->steps = {};
        [[fallthrough]];
    case wire::Start::fresh:
        start_fresh(std::move(*shim), application, step.has_value());
    }
    become(application);
}
