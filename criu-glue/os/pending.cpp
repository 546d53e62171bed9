// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/pending.hpp"

#include <fcntl.h>

#include <sstream>
#include <string>

#include "os/files.hpp"
#include "os/procfs.hpp"

namespace ckpt {

bool has_handled_its_signals(pid_t pid) {
    constexpr std::size_t k_status_max = 64U << 10U;
    const auto dir = open_proc(pid);
    const Fd file(dir ? ::openat(dir->get(), "status", O_RDONLY | O_CLOEXEC) : -1);
    if (!file) return true;
    const auto text = read_all(file.get(), k_status_max);
    if (!text) return true;
    std::istringstream lines(*text);
    bool waits = true;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("State:")) waits = waits && line.find('S', 6) != std::string::npos;
        if (line.starts_with("SigPnd:") || line.starts_with("ShdPnd:"))
            waits = waits && line.find_first_not_of("0 \t", 7) == std::string::npos;
    }
    return waits;
}

} // namespace ckpt
