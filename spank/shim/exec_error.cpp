// SPDX-License-Identifier: GPL-2.0-or-later
#include "exec_error.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <format>
#include <utility>

#include "os/fd.hpp"

namespace ckpt {

namespace {

constexpr bool k_names_node = CKPT_MULTIPLE_SLURMD != 0;

// What follows "#!" in the first line, "" if `program` is no script. 255 bytes, as slurmstepd reads.
std::string interpreter_of(const std::string& program) {
    const Fd file(::open(program.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return {};
    std::array<char, 256> start{};
    const ssize_t n = ::read(file.get(), start.data(), start.size());
    if (n < 3 || start[0] != '#' || start[1] != '!') return {};
    start.back() = '\0';
    const std::string line = start.data() + 2;
    return line.substr(0, line.find('\n'));
}

} // namespace

std::string slurmstepd_on(const char* node) {
    return k_names_node && node != nullptr ? std::string("slurmstepd-") + node + ":" : "slurmstepd:";
}

std::string dated(std::chrono::system_clock::time_point now) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
    std::tm local{};
    ::localtime_r(&seconds, &local);
    std::array<char, 32> date{};
    std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &local);
    const auto passed = now - std::chrono::system_clock::from_time_t(seconds);
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(passed).count();
    return std::format("[{}.{:03}]", date.data(), milliseconds);
}

std::string exec_error(std::string beginning, const std::string& program, int errnum) {
    std::string line = std::move(beginning) + " error: execve(): ";
    const std::string interpreter = errnum == ENOENT ? interpreter_of(program) : std::string();
    line += interpreter.empty() ? program : "bad interpreter(" + interpreter + ")";
    return line + ": " + std::strerror(errnum) + "\n";
}

} // namespace ckpt
