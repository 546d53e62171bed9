// SPDX-License-Identifier: GPL-2.0-or-later
#include "exec_error.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

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

std::string exec_error(const char* node, const std::string& program, int errnum) {
    std::string line = "slurmstepd";
    if (k_names_node && node != nullptr) line += std::string("-") + node;
    line += ": error: execve(): ";
    const std::string interpreter = errnum == ENOENT ? interpreter_of(program) : std::string();
    line += interpreter.empty() ? program : "bad interpreter(" + interpreter + ")";
    return line + ": " + std::strerror(errnum) + "\n";
}

} // namespace ckpt
