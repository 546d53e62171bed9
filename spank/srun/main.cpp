// SPDX-License-Identifier: GPL-2.0-or-later
// srun in the PATH of a checkpointed job (docs/steps.md). Whatever fails here, the real srun runs, in our
// place.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "allocation_step.hpp"
#include "command.hpp"
#include "launcher_daemon.hpp"
#include "os/cgroup.hpp"
#include "os/files.hpp"
#include "os/process.hpp"
#include "real_srun.hpp"
#include "shim/ending.hpp"
#include "shim/signals.hpp"
#include "srun_options.hpp"
#include "stand_in.hpp"
#include "wire/allocation.hpp"

namespace {

using namespace ckpt;

constexpr int k_not_found = 127; // as a shell says it
constexpr int k_not_run = 126;
constexpr std::size_t k_cgroup_max = 1 << 16;

[[noreturn]] void give_up(const std::string& program, int errnum) {
    (void)std::fprintf(stderr, "srun: %s: %s\n", program.c_str(), std::strerror(errnum));
    std::exit(errnum == ENOENT ? k_not_found : k_not_run);
}

[[noreturn]] void become(const std::string& program, char** argv, const sigset_t& mask) {
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);
    ::execv(program.c_str(), argv);
    give_up(program, errno);
}

// Without a number of its own the step runs as it would without us.
void become_allocation_step(const std::string& program, const std::vector<std::string>& words,
                            const SrunOptions& options, const sigset_t& mask) {
    std::vector<std::string> environment;
    for (char** variable = environ; *variable != nullptr; ++variable)
        environment.emplace_back(*variable);
    auto step = allocation_step(words, options, environment);
    if (!step) return;
    std::vector<char*> argv = exec_pointers(step->argv);
    std::vector<char*> variables = exec_pointers(step->environment);
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);
    ::execve(program.c_str(), argv.data(), variables.data());
    give_up(program, errno);
}

// In a step that stands for a script one interrupt is all that comes of those that the user has typed: the
// srun at the terminal keeps the first for itself (slurm src/srun/srun_job.c:_handle_intr).
std::vector<std::string> as_script(std::vector<std::string> words) {
    words.insert(words.begin() + 1, "--quit-on-interrupt");
    return words;
}

// Our socket is gone when it returns.
template <typename Become>
Result<wire::StepEnded> run_outside(const std::string& dir, const wire::StepCommand& command, bool is_script,
                                    Become become_it) {
    auto stand_in = StandIn::start(dir, command, is_script);
    if (!stand_in) become_it();
    return stand_in->wait();
}

// sbatch within a job takes its variables along: the shim of that job is not for this one.
bool is_of_this_job(const std::string& dir) {
    const char* job = std::getenv("SLURM_JOB_ID");
    return job != nullptr && dir.ends_with("/" + wire::step_dir_name(::getuid(), job));
}

// That of the job that this process is in; what the environment says may be that of the job which its
// script's checkpoint is of, where several may go on from the same one. "" = not there.
std::string dir_of_own_job() {
    const Fd file(::open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC));
    const auto text = file ? read_all(file.get(), k_cgroup_max) : Result<std::string>(std::string());
    const std::string of_job = text ? job_cgroup(*text) : std::string();
    if (of_job.empty()) return {};
    const std::string link = wire::step_link_name(::getuid(), of_job.substr(of_job.rfind('/') + 1));
    const Fd dirs(::open(wire::k_step_dirs, O_PATH | O_DIRECTORY | O_CLOEXEC));
    const std::string name = dirs ? link_target(dirs.get(), link) : std::string();
    return name.empty() ? name : std::string(wire::k_step_dirs) + "/" + name;
}

std::string steps_dir() {
    const char* given = std::getenv(wire::k_steps_variable);
    if (given == nullptr) return {};
    std::string own = dir_of_own_job();
    if (!own.empty()) return own;
    return is_of_this_job(given) ? given : std::string();
}

// What srun would open and read itself is opened here: then how far it was read belongs to the script's tree,
// and is saved with it. A file that cannot be opened is srun's to complain about.
std::vector<std::string> open_input(std::vector<std::string> argv, const SrunOptions& options) {
    std::string input = options.input;
    for (const char* name : {"SRUN_INPUT", "SLURM_STDINMODE"})
        if (const char* value = std::getenv(name); input.empty() && value != nullptr) input = value;
    const std::string path(input_file(input));
    const bool in_cluster = !options.input.empty() && options.input_at == 0;
    if (path.empty() || in_cluster) return argv;
    const int file = ::open(path.c_str(), O_RDONLY);
    if (file < 0) return argv;
    if (file != STDIN_FILENO) {
        ::dup2(file, STDIN_FILENO);
        ::close(file);
    }
    const auto at = argv.begin() + static_cast<std::ptrdiff_t>(std::max<std::size_t>(options.input_at, 1));
    argv.insert(argv.erase(at, at + static_cast<std::ptrdiff_t>(options.input_words)), "--input=all");
    return argv;
}

// Its input is none, as srun's would be.
[[noreturn]] void become_launcher_daemon(char** argv, const sigset_t& mask) {
    const int null = ::open("/dev/null", O_RDONLY);
    if (null > STDIN_FILENO) {
        ::dup2(null, STDIN_FILENO);
        ::close(null);
    }
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);
    ::execvp(argv[0], argv);
    give_up(argv[0], errno);
}

constexpr const char* k_default_path = "/usr/local/bin:/usr/bin:/bin"; // of a script that has none

// PRRTE 5 takes the number of nodes away from the srun that it starts (plm_slurm_module.c).
bool has_one_node() {
    if (const char* nodes = std::getenv("SLURM_JOB_NUM_NODES")) return std::strcmp(nodes, "1") == 0;
    const char* cpus = std::getenv("SLURM_JOB_CPUS_PER_NODE"); // "4"; of more nodes "4(x2)" or "4,2"
    return cpus != nullptr && *cpus != '\0' && cpus[std::strspn(cpus, "0123456789")] == '\0';
}

} // namespace

int main(int argc, char** argv) {
    const sigset_t mask = block_all_signals();
    const char* path = std::getenv("PATH");
    const std::string program = find_real_srun(path != nullptr ? path : k_default_path, "/proc/self/exe");
    if (program.empty()) give_up("no other srun is in the PATH", ENOENT);
    const std::string dir = steps_dir();
    std::vector<std::string> words(argv, argv + argc);
    if (const std::size_t at = launcher_daemon_at(words); at != 0 && !dir.empty() && has_one_node())
        become_launcher_daemon(argv + at, mask);
    SrunOptions options = read_srun_options(words);
    if (dir.empty() && is_allocation_step(options, words.size()))
        become_allocation_step(program, words, options, mask);
    const bool is_script = std::getenv(wire::k_script_variable) != nullptr;
    ::unsetenv(wire::k_script_variable);
    // A terminal cannot be handed to somebody outside.
    if (dir.empty() || options.pty) become(program, argv, mask);
    if (is_script) {
        words = as_script(std::move(words));
        options = read_srun_options(words);
    }
    const wire::StepCommand command = command_of(open_input(words, options), program, mask);
    const auto ended = run_outside(dir, command, is_script, [&] { become(program, argv, mask); });
    if (!ended) {
        (void)std::fprintf(stderr, "srun: %s\n", one_line(ended.error()).c_str());
        return 1;
    }
    if (ended->errnum != 0) give_up(program, ended->errnum);
    end_as(ending_of(ended->wait_status));
}
