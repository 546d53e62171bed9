// SPDX-License-Identifier: GPL-2.0-or-later
#include "programs.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <sstream>

#include "os/files.hpp"
#include "os/process.hpp"

namespace ckpt::cli {

namespace {

constexpr std::chrono::minutes k_command_limit{5};
constexpr std::size_t k_output_max = 64U << 20U; // more than any script that Slurm takes

} // namespace

Result<std::string> find_program(const std::string& name) {
    const char* path = std::getenv("PATH"); // NOLINT(concurrency-mt-unsafe): one thread
    std::istringstream dirs(path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin");
    for (std::string dir; std::getline(dirs, dir, ':');) {
        const std::string file = dir + "/" + name;
        if (dir.starts_with('/') && ::access(file.c_str(), X_OK) == 0) return file;
    }
    return fail(Code::not_found, "there is no " + name + " here", "run this where jobs are submitted");
}

Result<Done> run_program(const std::vector<std::string>& argv, int input, bool quiet) {
    CKPT_TRY(Pipe out, make_pipe());
    SpawnSpec spec;
    spec.path = argv.front();
    spec.argv = argv;
    for (char** variable = environ; *variable != nullptr; ++variable)
        spec.environment.emplace_back(*variable);
    spec.fds = {{out.write.get(), STDOUT_FILENO}};
    if (input >= 0) spec.fds.emplace_back(input, STDIN_FILENO);
    if (!quiet) spec.fds.emplace_back(STDERR_FILENO, STDERR_FILENO);
    CKPT_TRY(Child child, spawn(spec));
    out.write.reset();
    CKPT_TRY(std::string output, read_all(out.read.get(), k_output_max));
    CKPT_TRY(const int status, child.wait(k_command_limit));
    return Done{WIFEXITED(status) && WEXITSTATUS(status) == 0, std::move(output)};
}

} // namespace ckpt::cli
