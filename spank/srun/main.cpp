// SPDX-License-Identifier: GPL-2.0-or-later
// srun in the PATH of a checkpointed job (docs/steps.md). Whatever fails here, the real srun runs, in our
// place.
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "command.hpp"
#include "real_srun.hpp"
#include "shim/ending.hpp"
#include "shim/signals.hpp"
#include "stand_in.hpp"

namespace {

using namespace ckpt;

constexpr int k_not_found = 127; // as a shell says it
constexpr int k_not_run = 126;

[[noreturn]] void give_up(const std::string& program, int errnum) {
    std::fprintf(stderr, "srun: %s: %s\n", program.c_str(), std::strerror(errnum));
    std::exit(errnum == ENOENT ? k_not_found : k_not_run);
}

[[noreturn]] void become(const std::string& program, char** argv, const sigset_t& mask) {
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);
    ::execv(program.c_str(), argv);
    give_up(program, errno);
}

// Our socket is gone when it returns.
template <typename Become>
Result<wire::StepEnded> run_outside(const char* dir, const wire::StepCommand& command, Become become_it) {
    auto stand_in = StandIn::start(dir, command);
    if (!stand_in) become_it();
    return stand_in->wait();
}

} // namespace

int main(int argc, char** argv) {
    const sigset_t mask = block_all_signals();
    const char* path = std::getenv("PATH");
    const std::string program = find_real_srun(path != nullptr ? path : "", "/proc/self/exe");
    if (program.empty()) give_up("no other srun is in the PATH", ENOENT);
    const char* dir = std::getenv(wire::k_steps_variable);
    if (dir == nullptr || needs_terminal(argc, argv)) become(program, argv, mask);
    const wire::StepCommand command = command_of(argc, argv, program, mask);
    const auto ended = run_outside(dir, command, [&] { become(program, argv, mask); });
    if (!ended) {
        std::fprintf(stderr, "srun: %s\n", one_line(ended.error()).c_str());
        return 1;
    }
    if (ended->errnum != 0) give_up(program, ended->errnum);
    end_as(ending_of(ended->wait_status));
}
