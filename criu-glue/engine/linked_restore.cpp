// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "engine/linked_files.hpp"
#include "engine/undo_record.hpp"
#include "engine/user_child.hpp"
#include "engine/way.hpp"
#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_compared = 1 << 16;

std::string directory_of(const std::string& path) {
    return path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
}

// ---- as the user ----

bool is_same(const std::string& path, std::uint64_t inode) {
    struct stat st{};
    return ::lstat(path.c_str(), &st) == 0 && S_ISREG(st.st_mode) && st.st_ino == inode;
}

bool are_same(const std::string& one, const std::string& other) {
    struct stat a{};
    struct stat b{};
    return ::lstat(one.c_str(), &a) == 0 && ::lstat(other.c_str(), &b) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

bool same_content(int one, int other, std::uint64_t size) {
    std::vector<char> a(k_compared);
    std::vector<char> b(k_compared);
    for (std::uint64_t at = 0; at < size;) {
        const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(size - at, k_compared));
        const ssize_t n = ::pread(one, a.data(), want, static_cast<off_t>(at));
        if (n <= 0 || ::pread(other, b.data(), static_cast<std::size_t>(n), static_cast<off_t>(at)) != n ||
            !std::equal(a.begin(), a.begin() + n, b.begin()))
            return false;
        at += static_cast<std::uint64_t>(n);
    }
    return true;
}

// Under CRIU's name for it, with no other name, and nothing else in it: an earlier restore has made it.
bool was_made_by_us(const LinkedFile& file, int images) {
    const Fd found(::open(file.link.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    const auto content = open_beneath(images, file.content, O_RDONLY);
    struct stat st{};
    return found && content && ::fstat(found.get(), &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
           st.st_uid == ::geteuid() && static_cast<std::uint64_t>(st.st_size) == file.size &&
           same_content(found.get(), content->get(), file.size);
}

// It gets its name when it is complete: what a restore that dies leaves under that name can be used.
Status make_from_content(const LinkedFile& file, int images, const std::string& job) {
    CKPT_TRY(const Fd content, open_beneath(images, file.content, O_RDONLY));
    const std::string directory = directory_of(file.link);
    CKPT_TRY(const std::string prefix, random_prefix(job));
    const std::string fresh = directory + (directory == "/" ? "" : "/") + prefix + ".link.new";
    const Fd made(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!made) return fail_errno(Code::os, "make " + fresh);
    Status done;
    if (const auto copied = copy_whole(content.get(), made.get(), file.size); !copied)
        done = tl::unexpected(copied.error());
    if (done && ::fchmod(made.get(), file.mode) != 0) done = fail_errno(Code::os, "set its mode");
    if (done && ::link(fresh.c_str(), file.link.c_str()) != 0) {
        done = fail_errno(Code::os, "make " + file.link);
        if (done.error().errnum == EEXIST && was_made_by_us(file, images)) done = Status();
    }
    ::unlink(fresh.c_str());
    return done;
}

} // namespace

Status LinkedFiles::plan(const DumpRecord& record, const std::set<std::string>& placed,
                         std::chrono::milliseconds limit) {
    if (record.links.empty()) return {};
    CKPT_TRY(const std::string ways, as_user(m_user, m_mount_ns, limit, [&]() -> Result<std::string> {
                 std::string out;
                 for (const LinkedFile& file : record.links) {
                     if (const auto way = open_way_to(directory_of(file.link), 0);
                         !way && way.error().code == Code::not_permitted)
                         return fail(Code::rollback_refused, way.error().what, way.error().hint);
                     const bool sibling = !file.sibling.empty() && (placed.contains(file.sibling) ||
                                                                    is_same(file.sibling, file.inode));
                     out += is_same(file.link, file.inode) ? 'k' : sibling ? 's' : 'c';
                 }
                 return out;
             }));
    for (std::size_t i = 0; i < ways.size(); ++i) {
        const LinkedFile& file = record.links[i];
        const Way way = ways[i] == 'k' ? Way::keep : ways[i] == 's' ? Way::from_sibling : Way::from_content;
        if (way == Way::from_content && file.content.empty())
            return fail(Code::restore_failed,
                        "a deleted file that the job has open is gone: no other name of it is left in " +
                            directory_of(file.link));
        if (way == Way::from_content && !file.sibling.empty()) m_replaced.insert(file.sibling);
        m_steps.push_back({file, way});
        // Opened more than once, it is one file all the same.
        const auto first = std::ranges::find_if(m_steps, [&](const Step& step) {
            return step.way == Way::from_content && step.file.inode == file.inode &&
                   step.file.link != file.link;
        });
        if (way != Way::from_content || first == m_steps.end()) continue;
        m_steps.back().way = Way::from_sibling;
        m_steps.back().file.sibling = first->file.link;
    }
    return {};
}

Status LinkedFiles::make(const Step& step) const {
    switch (step.way) {
    case Way::keep:
        return {};
    case Way::from_sibling:
        if (::link(step.file.sibling.c_str(), step.file.link.c_str()) == 0) return {};
        if (errno == EEXIST && are_same(step.file.sibling, step.file.link)) return {};
        return fail_errno(Code::os, "make " + step.file.link);
    case Way::from_content:
        break;
    }
    return make_from_content(step.file, m_images, m_job);
}

void LinkedFiles::unmake(const Step& step) const {
    const bool ours = step.way == Way::from_sibling   ? are_same(step.file.sibling, step.file.link)
                      : step.way == Way::from_content ? was_made_by_us(step.file, m_images)
                                                      : false;
    if (ours) ::unlink(step.file.link.c_str());
}

Status LinkedFiles::apply(std::chrono::milliseconds limit) {
    while (m_applied < m_steps.size()) {
        const Step& step = m_steps[m_applied++]; // a child that is killed says nothing
        const auto done = as_user(m_user, m_mount_ns, limit, [&]() -> Result<std::string> {
            CKPT_CHECK(make(step));
            return std::string();
        });
        if (done) continue;
        return fail_errno(Code::restore_failed,
                          "a deleted file that the job has open cannot be put back: " + done.error().what,
                          done.error().errnum);
    }
    return {};
}

Status LinkedFiles::undo(std::chrono::milliseconds limit) {
    const std::size_t count = std::exchange(m_applied, 0);
    if (count == 0) return {};
    const auto done = as_user(m_user, m_mount_ns, limit, [&]() -> Result<std::string> {
        for (std::size_t i = count; i > 0; --i) // one may be a name of the one before
            unmake(m_steps[i - 1]);
        return std::string();
    });
    if (!done) return tl::unexpected(done.error());
    return {};
}

} // namespace ckpt
