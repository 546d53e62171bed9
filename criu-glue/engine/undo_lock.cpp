// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/undo_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

#include "os/socket.hpp"

namespace ckpt {

namespace {

constexpr std::chrono::milliseconds k_to_say_why{1000};
constexpr std::chrono::milliseconds k_at_once{0};
constexpr useconds_t k_pause_us = 50'000;

Status wait_for_lock(int file, const std::string& where, UndoEnd end) {
    while (::flock(file, LOCK_EX | LOCK_NB) != 0) {
        if (errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS) return {}; // such as Lustre's noflock
        if (errno != EWOULDBLOCK && errno != EINTR)
            return fail_errno(Code::os, "lock the record of a restore in " + where);
        if (std::chrono::steady_clock::now() >= end)
            return fail(Code::restore_failed, "another restore of this job is at work in " + where);
        ::usleep(k_pause_us);
    }
    return {};
}

} // namespace

UndoEnd last_wait(std::chrono::milliseconds limit) {
    return std::chrono::steady_clock::now() + limit - std::min(limit / 2, k_to_say_why);
}

Status lock_record(int file, int dir, const std::string& name, const std::string& where, UndoEnd end) {
    CKPT_CHECK(wait_for_lock(file, where, end));
    const Fd fresh(::openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)); // NFS: asks the server again
    struct stat held{};
    struct stat named{};
    const bool known = fresh && ::fstat(file, &held) == 0 &&
                       ::fstatat(fresh.get(), name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0;
    if (!known && errno != ENOENT && errno != ESTALE) return fail_errno(Code::os, "look at " + name);
    if (!known || held.st_ino != named.st_ino || held.st_dev != named.st_dev)
        return fail(Code::not_found, name + " is not there any more");
    return {};
}

Result<LockPost> LockPost::make() {
    CKPT_TRY(auto pair, make_socket_pair());
    return LockPost(std::move(pair.first), std::move(pair.second));
}

void LockPost::send(const std::vector<Fd>& locks) const {
    for (std::size_t i = 0; i < locks.size(); i += k_packet_fds_max) {
        std::vector<int> some;
        for (std::size_t j = i; j < std::min(locks.size(), i + k_packet_fds_max); ++j)
            some.push_back(locks[j].get());
        if (!send_packet(m_out.get(), "l", some, k_at_once)) return;
    }
}

std::vector<Fd> LockPost::receive() const {
    std::vector<Fd> locks;
    for (auto packet = receive_packet(m_in.get(), k_at_once); packet;
         packet = receive_packet(m_in.get(), k_at_once))
        std::ranges::move(packet->fds, std::back_inserter(locks));
    return locks;
}

} // namespace ckpt
