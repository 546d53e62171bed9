// SPDX-License-Identifier: GPL-2.0-or-later
#include "command.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "os/datagram.hpp"
#include "os/files.hpp"
#include "os/safe_path.hpp"
#include "real_srun.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_beside = 2; // the command's file and the working directory

// Ours alone are left out: steps run elsewhere, where there is no shim.
std::vector<std::string> environment_of_command() {
    constexpr std::string_view k_path = "PATH=";
    const std::string ours = std::string(wire::k_steps_variable) + "=";
    std::vector<std::string> environment;
    for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
        std::string text = *variable;
        if (text.starts_with(ours)) continue;
        if (text.starts_with(k_path))
            text = std::string(k_path) + without_stand_in(text.substr(k_path.size()));
        environment.push_back(std::move(text));
    }
    return environment;
}

// Whatever a shell has opened for srun, such as `--multi-prog <(…)`. Called before anything of ours is open.
std::vector<std::int32_t> open_descriptors() {
    std::vector<std::int32_t> numbers;
    const Fd dir(::open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!dir) return {0, 1, 2};
    const auto names = list_dir(dir.get());
    if (!names) return {0, 1, 2};
    for (const std::string& name : *names) {
        int number = -1;
        std::from_chars(name.data(), name.data() + name.size(), number);
        const int flags = ::fcntl(number, F_GETFD);
        if (flags >= 0 && (flags & FD_CLOEXEC) == 0) numbers.push_back(number);
    }
    std::ranges::sort(numbers);
    if (numbers.size() > k_datagram_fds_max - k_beside) numbers.resize(k_datagram_fds_max - k_beside);
    return numbers;
}

std::uint64_t ignored_signals() {
    std::uint64_t bits = 0;
    for (int signal = 1; signal < NSIG; ++signal) {
        struct sigaction action{};
        if (::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN)
            bits |= std::uint64_t{1} << (signal - 1);
    }
    return bits;
}

std::uint64_t bits_of(const sigset_t& set) {
    std::uint64_t bits = 0;
    for (int signal = 1; signal < NSIG; ++signal)
        if (::sigismember(&set, signal) == 1) bits |= std::uint64_t{1} << (signal - 1);
    return bits;
}

std::vector<wire::ResourceLimit> limits() {
    std::vector<wire::ResourceLimit> all;
    for (int resource = 0; resource < static_cast<int>(RLIM_NLIMITS); ++resource) {
        rlimit limit{};
        ::getrlimit(static_cast<__rlimit_resource>(resource), &limit);
        all.push_back({limit.rlim_cur, limit.rlim_max});
    }
    return all;
}

} // namespace

wire::StepCommand command_of(std::vector<std::string> argv, const std::string& program,
                             const sigset_t& mask) {
    wire::StepCommand command;
    command.descriptors = open_descriptors();
    command.program = program;
    command.argv = std::move(argv);
    command.environment = environment_of_command();
    command.limits = limits();
    command.ignored = ignored_signals();
    command.blocked = bits_of(mask);
    const mode_t mask_of_files = ::umask(0);
    ::umask(mask_of_files);
    command.umask = mask_of_files;
    command.nice = ::getpriority(PRIO_PROCESS, 0);
    return command;
}

Result<Fd> as_file(const wire::StepCommand& command) {
    Fd file(::memfd_create("srun", MFD_CLOEXEC));
    if (!file) return fail_errno(Code::os, "make a file in memory");
    CKPT_CHECK(write_all(file.get(), wire::encode(command)));
    return file;
}

} // namespace ckpt
