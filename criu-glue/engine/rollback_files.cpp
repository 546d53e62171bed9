// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/rollback_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "engine/user_child.hpp"
#include "engine/way.hpp"
#include "os/files.hpp"

namespace ckpt {

namespace {

constexpr std::uint64_t k_end_max = 64 * 1024; // of a tail that is looked through
constexpr std::size_t k_complaints_max = 8;    // of all files

// Runs as the user: opens what the user may open, wherever a link of the user's may lead; the inode decides
// later.
Result<FileNow> look(const std::string& path) {
    const auto fd = open_on_way(path, O_WRONLY | O_NOCTTY | O_NONBLOCK);
    if (!fd && fd.error().code == Code::not_permitted)
        return fail(Code::rollback_refused, path + " cannot be trusted: " + fd.error().what, fd.error().hint);
    struct stat st{};
    if (!fd || ::fstat(fd->get(), &st) != 0 || !S_ISREG(st.st_mode)) return FileNow{};
    return FileNow{true, st.st_ino, static_cast<std::uint64_t>(st.st_size), birth_ns(fd->get(), "")};
}

std::string to_text(const FileNow& now) {
    return std::to_string(now.exists ? 1 : 0) + " " + std::to_string(now.inode) + " " +
           std::to_string(now.size) + " " + std::to_string(now.born_ns) + "\n";
}

Result<std::vector<FileNow>> from_text(const std::string& text) {
    std::istringstream in(text);
    std::vector<FileNow> out;
    for (FileNow now; in >> now.exists >> now.inode >> now.size >> now.born_ns;)
        out.push_back(now);
    return out;
}

Result<Fd> open_same(const Cut& cut, int flags, std::uint64_t expected_size) {
    auto fd = open_on_way(cut.path, flags | O_NOCTTY | O_NONBLOCK);
    if (!fd) return fail(Code::rollback_refused, fd.error().what, fd.error().hint);
    struct stat st{};
    if (::fstat(fd->get(), &st) != 0) return fail_errno(Code::rollback_refused, "look at " + cut.path);
    if (!S_ISREG(st.st_mode) || st.st_ino != cut.inode ||
        static_cast<std::uint64_t>(st.st_size) != expected_size)
        return fail(Code::rollback_refused, cut.path + " changed while it was being rolled back");
    return fd;
}

// Both copies are complete before anything is cut.
Status save_tail(const Cut& cut, int tail) {
    CKPT_TRY(const Fd file, open_same(cut, O_RDONLY, cut.from));
    CKPT_TRY(const std::uint64_t room, room_for_tails(tail));
    const auto copied = copy_sparse(file.get(), cut.to, tail, cut.from - cut.to, room);
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

// Nothing to do where it was not cut.
Status put_back(const Cut& cut, int tail) {
    if (open_same(cut, O_WRONLY, cut.from)) return {};
    CKPT_TRY(const Fd file, open_same(cut, O_WRONLY, cut.to));
    return copy_range(tail, 0, file.get(), cut.to, cut.from - cut.to);
}

} // namespace

Status Rollback::plan(const std::vector<RecordedFile>& files, const RollbackRules& rules,
                      std::chrono::milliseconds limit) {
    CKPT_TRY(const std::string text, as_user(m_user, m_mount_ns, limit, [&]() -> Result<std::string> {
                 std::string out;
                 for (const RecordedFile& file : files) {
                     CKPT_TRY(const FileNow now, look(file.path));
                     out += to_text(now);
                 }
                 return out;
             }));
    CKPT_TRY(const auto now, from_text(text));
    CKPT_TRY(m_plan, decide_rollback(files, now, rules));
    return {};
}

Status Rollback::apply(std::chrono::milliseconds limit) {
    CKPT_CHECK(make_tail_files());
    const auto saved = as_user(m_user, m_mount_ns, limit, [&]() -> Result<std::string> {
        for (std::size_t i = 0; i < m_plan.cuts.size(); ++i)
            CKPT_CHECK(save_tail(m_plan.cuts[i], m_kept[i].file.get()));
        return std::string();
    });
    if (!saved) {
        drop_tails();
        return tl::unexpected(saved.error());
    }
    for (const Tail& tail : m_kept)
        CKPT_CHECK(sync_fd(tail.file.get(), "a tail"));
    CKPT_CHECK(record_cuts());
    while (m_applied < m_plan.cuts.size()) {
        const Cut& cut = m_plan.cuts[m_applied++]; // a child that is killed says nothing
        const auto done = as_user(m_user, m_mount_ns, limit, [&]() -> Result<std::string> {
            CKPT_CHECK(cut_file(cut));
            return std::string();
        });
        if (done) continue;
        if (done.error().code == Code::rollback_refused) --m_applied; // it was not touched
        return tl::unexpected(done.error());
    }
    return {};
}

// For whoever comes after us, should we be killed.
Status Rollback::record_cuts() {
    std::vector<OpenCut> open;
    for (std::size_t i = 0; i < m_plan.cuts.size(); ++i)
        open.push_back({m_plan.cuts[i], m_kept[i].name});
    return m_record.write(open);
}

Status Rollback::make_tail_files() {
    for (const Cut& cut : m_plan.cuts) {
        CKPT_TRY(Tail tail, m_tails.make(cut.path, cut.to));
        m_kept.push_back(std::move(tail));
    }
    return {};
}

std::vector<std::string> Rollback::cut_complaints() const {
    std::vector<std::string> all;
    for (std::size_t i = 0; i < m_plan.cuts.size(); ++i) {
        const std::uint64_t length = m_plan.cuts[i].from - m_plan.cuts[i].to;
        std::string end(std::min<std::uint64_t>(length, k_end_max), '\0');
        const ssize_t n =
            ::pread(m_kept[i].file.get(), end.data(), end.size(), static_cast<off_t>(length - end.size()));
        if (n <= 0) continue;
        for (std::string& line : complaints_in(std::string_view(end).substr(0, static_cast<std::size_t>(n))))
            if (std::ranges::find(all, line) == all.end()) all.push_back(std::move(line));
    }
    if (all.size() > k_complaints_max) all.resize(k_complaints_max);
    return all;
}

// Nothing was cut: no need to keep copies.
void Rollback::drop_tails() {
    for (const Tail& tail : m_kept)
        m_tails.drop(tail.name);
}

// A tail that cannot be made shorter stays as it is.
void Rollback::settle(std::uint64_t keep_most) {
    m_record.forget();
    for (const Tail& tail : m_kept)
        (void)m_tails.cap(tail, keep_most);
}

Status Rollback::undo(std::chrono::milliseconds limit) {
    const std::size_t count = std::exchange(m_applied, 0);
    const auto done = as_user(m_user, m_mount_ns, limit, [&]() -> Result<std::string> {
        Status worst;
        for (std::size_t i = 0; i < count; ++i)
            if (Status back = put_back(m_plan.cuts[i], m_kept[i].file.get()); !back) worst = std::move(back);
        if (!worst) return tl::unexpected(worst.error());
        return std::string();
    });
    if (!done) return tl::unexpected(done.error());
    m_record.forget();
    drop_tails();
    return {};
}

} // namespace ckpt
