// SPDX-License-Identifier: GPL-2.0-or-later
#include "compat/node_here.hpp"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <string>
#include <string_view>

#include "compat/mounts.hpp"
#include "compat/processor.hpp"
#include "os/fd.hpp"
#include "os/files.hpp"

namespace ckpt::compat {

namespace {

constexpr std::size_t k_one_processor = 16 << 10; // its part of /proc/cpuinfo has some 2 KiB
constexpr std::size_t k_mountinfo_max = 4 << 20;
constexpr std::size_t k_count_bytes = 8; // of two strings in a message

std::string beginning_of(const char* path) {
    const Fd file(::open(path, O_RDONLY | O_CLOEXEC));
    std::array<char, k_one_processor> text{};
    std::size_t length = 0;
    while (file && length < text.size()) {
        const ssize_t n = ::read(file.get(), text.data() + length, text.size() - length);
        if (n <= 0) break;
        length += static_cast<std::size_t>(n);
    }
    return {text.data(), length};
}

} // namespace

Node node_here() {
    Node node;
    struct utsname names{};
    if (::uname(&names) == 0) node.kernel = std::string(std::string_view(names.release));
    node.cpu = processor_of(beginning_of("/proc/cpuinfo"), std::string(std::string_view(names.machine)));
    add_register_sizes(node.cpu);
    return node;
}

Result<std::vector<Mount>> mounts_of_process(pid_t pid) {
    const std::string path = "/proc/" + std::to_string(pid) + "/mountinfo";
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return fail_errno(Code::os, "open " + path);
    CKPT_TRY(const std::string text, read_all(file.get(), k_mountinfo_max));
    return parse_mountinfo(text);
}

Node node_as_seen_by(pid_t pid) {
    Node node = node_here();
    const auto mounts = mounts_of_process(pid);
    if (!mounts) return node;
    node.mounts = mounts_that_matter(*mounts);
    std::size_t bytes = 0;
    for (const Mount& mount : node.mounts)
        bytes += mount.point.size() + mount.type.size() + k_count_bytes;
    node.knows_mounts = bytes <= k_node_mounts_bytes;
    if (!node.knows_mounts) node.mounts.clear();
    return node;
}

} // namespace ckpt::compat
