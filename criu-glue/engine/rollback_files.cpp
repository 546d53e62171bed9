// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/rollback_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <sstream>

#include "engine/user_child.hpp"
#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr std::uint64_t k_end_max = 64 * 1024; // of a tail that is looked through
constexpr std::size_t k_complaints_max = 8;    // of all files

// Runs as the user: opens what the user may open, wherever a link may lead; the inode decides later.
FileNow look(const std::string& path) {
    const Fd fd(::open(path.c_str(), O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    struct stat st{};
    if (!fd || ::fstat(fd.get(), &st) != 0 || !S_ISREG(st.st_mode)) return {};
    return {true, st.st_ino, static_cast<std::uint64_t>(st.st_size)};
}

std::string to_text(const FileNow& now) {
    return std::to_string(now.exists ? 1 : 0) + " " + std::to_string(now.inode) + " " +
           std::to_string(now.size) + "\n";
}

Result<std::vector<FileNow>> from_text(const std::string& text) {
    std::istringstream in(text);
    std::vector<FileNow> out;
    for (FileNow now; in >> now.exists >> now.inode >> now.size;)
        out.push_back(now);
    return out;
}

Result<Fd> open_same(const Cut& cut, int flags, std::uint64_t expected_size) {
    Fd fd(::open(cut.path.c_str(), flags | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
    struct stat st{};
    if (!fd || ::fstat(fd.get(), &st) != 0) return fail_errno(Code::rollback_refused, "open " + cut.path);
    if (!S_ISREG(st.st_mode) || st.st_ino != cut.inode ||
        static_cast<std::uint64_t>(st.st_size) != expected_size)
        return fail(Code::rollback_refused, cut.path + " changed while it was being rolled back");
    return fd;
}

Result<std::uint64_t> free_bytes(int fd) {
    struct statvfs fs{};
    if (::fstatvfs(fd, &fs) != 0) return fail_errno(Code::os, "look for free space");
    return std::uint64_t{fs.f_bavail} * fs.f_frsize;
}

// Both copies are complete before anything is cut.
Status save_tail(const Cut& cut, int tail) {
    CKPT_TRY(const Fd file, open_same(cut, O_RDONLY, cut.from));
    CKPT_TRY(const std::uint64_t free, free_bytes(tail));
    const auto copied = copy_sparse(file.get(), cut.to, tail, cut.from - cut.to, free / 2);
    if (copied) return {};
    if (copied.error().errnum != EFBIG) return tl::unexpected(copied.error());
    return fail(Code::rollback_refused,
                "this node has no room to keep what " + cut.path + " has got since the checkpoint",
                "free space below storage.local, or have the job restored on another node");
}

Status cut_file(const Cut& cut) {
    CKPT_TRY(const Fd file, open_same(cut, O_WRONLY, cut.from));
    if (::ftruncate(file.get(), static_cast<off_t>(cut.to)) != 0)
        return fail_errno(Code::os, "cut " + cut.path);
    return {};
}

Status put_back(const Cut& cut, int tail) {
    CKPT_TRY(const Fd file, open_same(cut, O_WRONLY, cut.to));
    return copy_range(tail, 0, file.get(), cut.to, cut.from - cut.to);
}

} // namespace

Status Rollback::plan(const std::vector<RecordedFile>& files, bool tree_was_stopped,
                      std::chrono::milliseconds limit) {
    CKPT_TRY(const std::string text, as_user(m_user, m_mount_ns, limit, [&]() -> Result<std::string> {
                 std::string out;
                 for (const RecordedFile& file : files)
                     out += to_text(look(file.path));
                 return out;
             }));
    CKPT_TRY(const auto now, from_text(text));
    CKPT_TRY(m_cuts, decide_rollback(files, now, tree_was_stopped));
    return {};
}

Status Rollback::apply(std::chrono::milliseconds limit) {
    CKPT_CHECK(make_tail_files());
    const auto saved = as_user(m_user, m_mount_ns, limit, [&]() -> Result<std::string> {
        for (std::size_t i = 0; i < m_cuts.size(); ++i)
            CKPT_CHECK(save_tail(m_cuts[i], m_tail_files[i].get()));
        return std::string();
    });
    if (!saved) {
        drop_tails();
        return tl::unexpected(saved.error());
    }
    for (const Fd& tail : m_tail_files)
        CKPT_CHECK(sync_fd(tail.get(), "a tail"));
    for (; m_applied < m_cuts.size(); ++m_applied) {
        const auto done = as_user(m_user, m_mount_ns, limit, [&]() -> Result<std::string> {
            CKPT_CHECK(cut_file(m_cuts[m_applied]));
            return std::string();
        });
        if (done) continue;
        (void)undo(limit);
        return tl::unexpected(done.error());
    }
    return {};
}

// One name per restore and file; the index says which file a tail was cut from, and where.
Status Rollback::make_tail_files() {
    if (m_cuts.empty()) return {};
    CKPT_TRY(const Fd index, open_beneath(m_tails, "index", O_WRONLY | O_CREAT | O_APPEND, 0600));
    const std::string prefix = std::to_string(::time(nullptr)) + "-" + std::to_string(::getpid()) + "-";
    for (const Cut& cut : m_cuts) {
        const std::string name = prefix + std::to_string(m_tail_files.size());
        CKPT_TRY(Fd tail, open_beneath(m_tails, name, O_RDWR | O_CREAT | O_EXCL, 0600));
        m_tail_files.push_back(std::move(tail));
        m_tail_names.push_back(name);
        CKPT_CHECK(write_all(index.get(),
                             name + " " + std::to_string(cut.to) + " " + escape_bytes(cut.path) + "\n"));
    }
    return {};
}

std::vector<std::string> Rollback::cut_complaints() const {
    std::vector<std::string> all;
    for (std::size_t i = 0; i < m_cuts.size(); ++i) {
        const std::uint64_t length = m_cuts[i].from - m_cuts[i].to;
        std::string end(std::min<std::uint64_t>(length, k_end_max), '\0');
        const ssize_t n =
            ::pread(m_tail_files[i].get(), end.data(), end.size(), static_cast<off_t>(length - end.size()));
        if (n <= 0) continue;
        for (std::string& line : complaints_in(std::string_view(end).substr(0, static_cast<std::size_t>(n))))
            if (std::ranges::find(all, line) == all.end()) all.push_back(std::move(line));
    }
    if (all.size() > k_complaints_max) all.resize(k_complaints_max);
    return all;
}

// Nothing was cut: no need to keep copies.
void Rollback::drop_tails() {
    for (const std::string& name : m_tail_names)
        ::unlinkat(m_tails, name.c_str(), 0);
}

Status Rollback::undo(std::chrono::milliseconds limit) {
    const std::size_t count = std::exchange(m_applied, 0);
    const auto done = as_user(m_user, m_mount_ns, limit, [&]() -> Result<std::string> {
        Status worst;
        for (std::size_t i = 0; i < count; ++i)
            if (Status back = put_back(m_cuts[i], m_tail_files[i].get()); !back) worst = std::move(back);
        if (!worst) return tl::unexpected(worst.error());
        return std::string();
    });
    if (!done) return tl::unexpected(done.error());
    drop_tails();
    return {};
}

} // namespace ckpt
