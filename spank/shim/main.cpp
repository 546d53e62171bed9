// SPDX-License-Identifier: GPL-2.0-or-later
// ckpt-shim PROGRAM ARGS…: the process that Slurm believes to be the task (docs/architecture.md).
//
// It runs as the user, in the task's place, for the whole job. Whatever fails here, the application runs, and
// its standard streams, environment, working directory, limits, signals and exit status are those of the
// plain task.
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdlib>

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
    return application;
}

// What ckptd wants, or what is done without it.
Started decide(Ckptd& ckptd, const Introduction& introduction) {
    auto answer = ask_what_to_start(ckptd, introduction);
    if (answer) return std::move(*answer);
    if (is_restarted()) return wait_rather_than_start_over(ckptd, introduction, answer.error());
    Started started;
    started.start.start = wire::Start::unmanaged;
    started.start.checkpoint_signal = checkpoint_signal();
    started.start.line = one_line(answer.error()) + "; the job runs without checkpoints";
    return started;
}

[[noreturn]] void serve(Service::Parts parts) {
    Service(std::move(parts)).run();
}

// Of this job on this node, made by ckptd (daemon/step_dirs.hpp).
std::string steps_dir() {
    const char* job = std::getenv("SLURM_JOB_ID");
    return std::string(wire::k_step_dirs) + "/" + (job != nullptr ? job : "");
}

[[noreturn]] void start_fresh(Ckptd ckptd, Application& application, Pipe status, int checkpoint_signal,
                              Steps steps) {
    if (ckptd && steps.descriptor() >= 0)
        application.steps = steps_dir();
    else
        steps = Steps();
    auto tree = launch(application, status.read.get(), std::move(status.write));
    if (!tree) {
        say(one_line(tree.error()) + "; the job runs without checkpoints");
        become(application);
    }
    const bool managed = static_cast<bool>(ckptd);
    if (managed) ckptd.send(wire::TreeStarted{tree->child});
    const bool lost = managed && !ckptd;
    Service::Parts parts{std::move(ckptd), std::move(*tree), std::move(status.read), checkpoint_signal, lost};
    parts.steps = std::move(steps);
    serve(std::move(parts));
}

[[noreturn]] void serve_restored(Ckptd ckptd, Fd root, Fd status, int checkpoint_signal, Steps steps) {
    Service::Parts parts{std::move(ckptd), Tree{std::move(root), 0}, std::move(status), checkpoint_signal};
    steps.restored({}); // what the shim before had written down is not handed on yet
    parts.steps = std::move(steps);
    serve(std::move(parts));
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 2) return 1;
    ::prctl(PR_SET_NAME, "ckpt-shim", 0, 0, 0);
    Application application = application_of(argc, argv, block_all_signals());
    application.argv.front() = application.program.data();
    auto status = make_pipe();
    if (!status) {
        say(one_line(status.error()) + "; the job runs without checkpoints");
        become(application);
    }
    // Before anything is restored, which looks for us there.
    Steps steps;
    if (std::getenv(wire::k_stand_in_variable) == nullptr) // not of a step itself
        steps = Steps::open(steps_dir()).value_or(Steps());
    Ckptd ckptd;
    Started started = decide(ckptd, {argv[1], status->write.get()});
    const bool from_the_beginning = started.start.start == wire::Start::fresh ||
                                    started.start.start == wire::Start::unmanaged ||
                                    started.start.start == wire::Start::alone;
    if (from_the_beginning) empty_output_of_earlier_run();
    if (!started.start.line.empty()) say(started.start.line);
    const int checkpoint_signal = started.start.checkpoint_signal;
    switch (started.start.start) {
    case wire::Start::held:
        wait_to_be_ended();
    case wire::Start::ended:
        end_as(ending_of(started.start.wait_status));
    case wire::Start::restored:
        status->write.reset();
        serve_restored(std::move(ckptd), std::move(started.root), std::move(status->read), checkpoint_signal,
                       std::move(steps));
    case wire::Start::alone:
        become(application);
    case wire::Start::unmanaged:
        ckptd.close(); // no need to ask it before passing a SIGTERM on
        [[fallthrough]];
    case wire::Start::fresh:
        start_fresh(std::move(ckptd), application, std::move(*status), checkpoint_signal, std::move(steps));
    }
    become(application);
}
