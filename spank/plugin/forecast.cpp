// SPDX-License-Identifier: GPL-2.0-or-later
#include "forecast.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <format>

#include "os/files.hpp"
#include "policy/values.hpp"
#include "text/text.hpp"

namespace ckpt {

namespace {

std::uint64_t size_of(std::string text) {
    if (!text.empty() && text.back() >= '0' && text.back() <= '9') text += 'M'; // slurm_opt.c:mbytes_to_str
    return parse_size(text).value_or(0);
}

std::uint64_t count_of(const std::string& text) {
    constexpr std::uint32_t k_most = 1000000;
    return parse_count(text, 1, k_most).value_or(1); // "unset" and the like
}

// The nearest directory that is there. Only calls that are safe after a fork from whatever sbatch is.
bool measure(std::string& dir, RoomThere& room) {
    for (;;) {
        struct statvfs fs{};
        if (::statvfs(dir.c_str(), &fs) == 0) {
            room = {std::uint64_t{fs.f_bavail} * fs.f_frsize, std::uint64_t{fs.f_blocks} * fs.f_frsize};
            return true;
        }
        const std::size_t slash = dir.rfind('/');
        if ((errno != ENOENT && errno != ENOTDIR) || slash == std::string::npos || slash == 0) return false;
        dir.resize(slash);
    }
}

[[noreturn]] void answer(int pipe, std::string dir) {
    RoomThere room;
    if (measure(dir, room)) (void)!::write(pipe, &room, sizeof room);
    ::_exit(0);
}

bool is_readable_within(int fd, std::chrono::milliseconds limit) {
    pollfd waiting{fd, POLLIN, 0};
    return ::poll(&waiting, 1, static_cast<int>(limit.count())) == 1;
}

} // namespace

std::uint64_t memory_asked_for(const AskedMemory& asked) {
    if (const std::uint64_t memory = size_of(asked.mem); memory > 0) return memory;
    return size_of(asked.mem_per_cpu) * count_of(asked.cpus_per_task) * count_of(asked.tasks);
}

std::optional<RoomThere> room_at(const std::string& dir, std::chrono::milliseconds limit) {
    auto pipe = make_pipe();
    if (!pipe) return std::nullopt;
    const pid_t child = ::fork();
    if (child < 0) return std::nullopt;
    if (child == 0) answer(pipe->write.get(), dir);
    pipe->write.reset();
    RoomThere room;
    const bool known = is_readable_within(pipe->read.get(), limit) &&
                       ::read(pipe->read.get(), &room, sizeof room) == static_cast<ssize_t>(sizeof room);
    ::kill(child, SIGKILL);
    // One that has answered ends at once; one that hangs in the kernel is left to whoever reaps it.
    ::waitpid(child, nullptr, known ? 0 : WNOHANG);
    return known ? std::optional(room) : std::nullopt;
}

std::optional<Error> short_store(std::uint32_t keep, std::uint64_t memory, const std::string& dir,
                                 const std::optional<RoomThere>& room, const PolicyRetention& policy) {
    const std::uint64_t need = keep * memory;
    if (need == 0) return std::nullopt;
    const auto error = [&](std::uint64_t have, const char* what, const char* hint) {
        return Error{
            Code::store_short,
            std::format(
                "the checkpoints of this job may need about {} ({} of up to {}), of the {} that {} {}",
                text::bytes(need), keep, text::bytes(memory), text::bytes(have), what, dir),
            hint, 0};
    };
    if (policy.user_limit > 0 && need > policy.user_limit)
        return error(policy.user_limit, "you may have in",
                     "a smaller --checkpoint-keep, or less --mem if the job does not need it");
    if (!room) return std::nullopt;
    const auto kept_free = static_cast<std::uint64_t>(policy.min_free * static_cast<double>(room->total));
    const std::uint64_t free = room->free - std::min(room->free, kept_free);
    if (need <= free) return std::nullopt;
    return error(free, "are free at",
                 "free space there, a smaller --checkpoint-keep, or less --mem if the job does not need it");
}

} // namespace ckpt
