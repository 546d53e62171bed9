// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/tails.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <ctime>

#include "engine/record.hpp"
#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

// One name per restore and file.
std::string Tails::next_name() {
    return std::to_string(::time(nullptr)) + "-" + std::to_string(::getpid()) + "-" +
           std::to_string(m_count++);
}

Result<Fd> Tails::make_file(const std::string& name) const {
    return open_beneath(m_dir, name, O_RDWR | O_CREAT | O_EXCL, 0600);
}

Status Tails::add_line(const std::string& line) const {
    CKPT_TRY(const Fd index, open_beneath(m_dir, "index", O_WRONLY | O_CREAT | O_APPEND, 0600));
    return write_all(index.get(), line + "\n");
}

Result<Tail> Tails::make(const std::string& path, std::uint64_t from) {
    Tail tail{Fd(), next_name(), path, from};
    CKPT_TRY(tail.file, make_file(tail.name));
    CKPT_CHECK(add_line(tail.name + " " + std::to_string(from) + " " + escape_bytes(path)));
    return tail;
}

Result<Fd> Tails::make_scratch() {
    const std::string name = next_name();
    CKPT_TRY(Fd file, make_file(name));
    ::unlinkat(m_dir, name.c_str(), 0);
    return file;
}

void Tails::drop(const std::string& name) const {
    ::unlinkat(m_dir, name.c_str(), 0);
}

Status Tails::cap(const Tail& tail, std::uint64_t most) const {
    struct stat st{};
    if (::fstat(tail.file.get(), &st) != 0) return fail_errno(Code::os, "look at a tail");
    const auto size = static_cast<std::uint64_t>(st.st_size);
    if (size <= most) return {};
    const std::string shorter = tail.name + ".new";
    CKPT_TRY(const Fd copy, make_file(shorter));
    Status done;
    if (const auto copied = copy_sparse(tail.file.get(), size - most, copy.get(), most); !copied)
        done = tl::unexpected(copied.error());
    if (done && ::renameat(m_dir, shorter.c_str(), m_dir, tail.name.c_str()) != 0)
        done = fail_errno(Code::os, "rename a tail");
    if (done) return note_dropped(tail, size - most);
    ::unlinkat(m_dir, shorter.c_str(), 0);
    return done;
}

Status Tails::note_dropped(const Tail& tail, std::uint64_t dropped) const {
    if (dropped == 0) return {};
    return add_line(tail.name + " " + std::to_string(tail.from + dropped) + " " + escape_bytes(tail.path) +
                    ", " + std::to_string(dropped) + " bytes before it not kept");
}

Result<std::uint64_t> room_for_tails(int fd) {
    struct statvfs fs{};
    if (::fstatvfs(fd, &fs) != 0) return fail_errno(Code::os, "look for free space");
    return std::uint64_t{fs.f_bavail} * fs.f_frsize / 2;
}

} // namespace ckpt
