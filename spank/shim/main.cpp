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

[[noreturn]] void serve(Ckptd ckptd, Tree tree, Fd status, int checkpoint_signal, bool lost_ckptd = false) {
    Service(
        Service::Parts{std::move(ckptd), std::move(tree), std::move(status), checkpoint_signal, lost_ckptd})
        .run();
}

[[noreturn]] void start_fresh(Ckptd ckptd, const Application& application, Pipe status,
                              int checkpoint_signal) {
    auto tree = launch(application, status.read.get(), std::move(status.write));
    if (!tree) {
        say(one_line(tree.error()) + "; the job runs without checkpoints");
        become(application);
    }
    const bool managed = static_cast<bool>(ckptd);
    if (managed) ckptd.send(wire::TreeStarted{tree->child});
    const bool lost = managed && !ckptd;
    serve(std::move(ckptd), std::move(*tree), std::move(status.read), checkpoint_signal, lost);
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
        serve(std::move(ckptd), Tree{std::move(started.root), 0}, std::move(status->read), checkpoint_signal);
    case wire::Start::alone:
        become(application);
    case wire::Start::unmanaged:
        ckptd.close(); // no need to ask it before passing a SIGTERM on
        [[fallthrough]];
    case wire::Start::fresh:
        start_fresh(std::move(ckptd), application, std::move(*status), checkpoint_signal);
    }
    become(application);
}
