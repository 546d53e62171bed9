// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/pmi.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>

#include "engine/task_environment.hpp"

namespace ckpt {

namespace {

constexpr const char* k_remedy =
    "start MPI programs with mpiexec or mpirun in the batch script, and others with srun --mpi=none, or have "
    "the program save itself (--checkpoint-method=app:SIG)";

Error refusal(const std::string& what) {
    return {Code::dump_refused, what + " a connection to slurmstepd for MPI, which cannot be restored",
            k_remedy, 0};
}

bool is_number(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c) != 0; });
}

} // namespace

Status judge_pmi2(pid_t shim, const std::vector<Member>& members) {
    const auto environment = environment_of(shim);
    if (!environment) return {};                                   // it has gone; the dump will see that
    const std::string number(variable_in(*environment, "PMI_FD")); // plugins/mpi/pmi2/mpi_pmi2.c
    if (!is_number(number)) return {};
    struct stat socket{};
    const std::string path = "/proc/" + std::to_string(shim) + "/fd/" + number;
    if (::stat(path.c_str(), &socket) != 0 || !S_ISSOCK(socket.st_mode)) return {};
    for (const Member& member : members)
        if (std::ranges::find(member.sockets, socket.st_ino) != member.sockets.end())
            return tl::unexpected(
                refusal(member.name + " (pid " + std::to_string(member.pid) + ") has from srun"));
    return {};
}

bool is_pmix_server(std::string_view environment, const std::string& address) {
    for (std::size_t at = 0; at < environment.size();) {
        const std::string_view variable = environment.substr(at, environment.find('\0', at) - at);
        if (variable.starts_with("PMIX_SERVER_URI") && variable.ends_with("//" + address)) return true;
        at += variable.size() + 1;
    }
    return false;
}

Error pmix_refusal() {
    return refusal("the program has from srun");
}

} // namespace ckpt
