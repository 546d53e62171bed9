// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/local_placement.hpp"

#include <sys/random.h>

#include <ranges>
#include <sstream>

#include "engine/local_files.hpp"
#include "engine/placing.hpp"
#include "engine/user_child.hpp"

namespace ckpt {

namespace {

using Kind = LocalFile::Kind;

Result<std::string> random_tag() {
    std::uint64_t value = 0;
    if (::getrandom(&value, sizeof value, 0) != sizeof value)
        return fail_errno(Code::os, "draw a random name");
    return ".ckpt-" + std::to_string(value) + "-";
}

std::vector<LocalNow> from_text(const std::string& text) {
    std::istringstream in(text);
    std::vector<LocalNow> all;
    unsigned what = 0;
    for (LocalNow now; in >> what >> now.device >> now.inode >> now.size >> now.mtime_ns; all.push_back(now))
        now.what = static_cast<LocalNow::What>(what);
    return all;
}

tl::unexpected<Error> cannot(const LocalFile& file, const Error& why) {
    if (why.code == Code::rollback_refused) return tl::unexpected(why);
    if (why.errnum == EFBIG)
        return fail(Code::rollback_refused,
                    "this node has no room to keep what " + file.full_path() +
                        " has got since the checkpoint",
                    "free space below storage.local, or have the job restored on another node");
    return fail_errno(Code::restore_failed, file.full_path() + " cannot be put back: " + why.what,
                      why.errnum);
}

} // namespace

Status LocalFiles::as_the_user(std::chrono::milliseconds limit, const std::function<Status()>& work) const {
    const auto done = as_user(m_user, m_mount_ns, limit, [&]() -> Result<std::string> {
        CKPT_CHECK(work());
        return std::string();
    });
    if (!done) return tl::unexpected(done.error());
    return {};
}

Status LocalFiles::look(const std::vector<LocalFile>& files, std::vector<LocalNow>& now,
                        std::chrono::milliseconds limit) const {
    CKPT_TRY(const std::string text, as_user(m_user, m_mount_ns, limit, [&]() -> Result<std::string> {
                 std::ostringstream out;
                 for (const LocalFile& file : files) {
                     CKPT_TRY(const LocalNow one, look_at(file));
                     out << static_cast<unsigned>(one.what) << ' ' << one.device << ' ' << one.inode << ' '
                         << one.size << ' ' << one.mtime_ns << '\n';
                 }
                 return out.str();
             }));
    now = from_text(text);
    if (now.size() != files.size()) return fail(Code::internal, "not every saved file was looked at");
    return {};
}

Status LocalFiles::plan(const DumpRecord& record, const std::set<std::string>& passed, bool tree_was_stopped,
                        std::chrono::milliseconds limit) {
    const auto is_passed = [&](const LocalFile& file) { return passed.contains(file.full_path()); };
    auto wanted = record.local_files;
    std::erase_if(wanted, is_passed);
    auto files = with_directories(std::move(wanted));
    const std::size_t locals = files.size();
    std::ranges::copy(record.copied_files, std::back_inserter(files));
    std::erase_if(files, is_passed);
    if (files.empty()) return {};
    CKPT_TRY(const std::string boot, boot_id());
    CKPT_TRY(const std::string tag, random_tag());
    std::vector<LocalNow> now;
    CKPT_CHECK(look(files, now, limit));
    for (std::size_t i = 0; i < files.size(); ++i) {
        const bool shared = i >= locals;
        CKPT_TRY(const Placement placement, shared
                                                ? decide_copy(files[i], now[i], tree_was_stopped)
                                                : decide_placement(files[i], now[i], boot == record.boot_id));
        if (placement == Placement::leave) continue;
        m_steps.push_back({files[i], placement, tag + std::to_string(i), shared, {}, Fd()});
    }
    return {};
}

std::set<std::string> LocalFiles::placed() const {
    std::set<std::string> paths;
    for (const Step& step : m_steps)
        if (step.file.kind == Kind::file) paths.insert(step.file.full_path());
    return paths;
}

// Into files that root has made, by the user: only the user may read the file, be it on a server that refuses
// root.
Status LocalFiles::save_what_is_rewritten(std::chrono::milliseconds limit) {
    for (Step& step : m_steps) {
        if (step.placement != Placement::rewrite) continue;
        CKPT_TRY(step.saved, m_tails.make_scratch());
        CKPT_TRY(const std::uint64_t room, room_for_tails(step.saved.get()));
        const auto text = as_user(m_user, m_mount_ns, limit, [&]() -> Result<std::string> {
            CKPT_TRY(const Rewrite rewrite, save_differences(step.file, m_images, step.saved.get(), room));
            return to_text(rewrite);
        });
        if (!text) return cannot(step.file, text.error());
        step.rewrite = rewrite_from_text(*text);
    }
    return {};
}

Status LocalFiles::apply(std::chrono::milliseconds limit) {
    if (m_steps.empty()) return {};
    CKPT_CHECK(save_what_is_rewritten(limit));
    CKPT_CHECK(as_the_user(limit, [&] { return make_all(); }));
    m_applied = true;
    return {};
}

Status LocalFiles::make_one(const Step& step) const {
    if (step.placement != Placement::rewrite) return make(step.file, step.placement, step.aside, m_images);
    const Status written = write_differences(step.file, m_images, step.rewrite);
    if (!written) (void)undo_rewrite(step.file, step.rewrite, step.saved.get());
    return written;
}

Status LocalFiles::make_all() const {
    for (std::size_t i = 0; i < m_steps.size(); ++i) {
        const Status made = make_one(m_steps[i]);
        if (made) continue;
        (void)unmake_first(i);
        return cannot(m_steps[i].file, made.error());
    }
    for (const Step& step : std::views::reverse(m_steps)) { // what is in a directory comes before it
        if (step.file.kind != Kind::directory) continue;
        const Status done = finish_directory(step.file);
        if (done) continue;
        (void)unmake_first(m_steps.size());
        return cannot(step.file, done.error());
    }
    return {};
}

Status LocalFiles::unmake_first(std::size_t count) const {
    Status worst;
    for (std::size_t i = 0; i < count; ++i)
        if (m_steps[i].placement == Placement::create) open_up(m_steps[i].file);
    for (std::size_t i = count; i > 0; --i) {
        const Step& step = m_steps[i - 1];
        if (step.placement != Placement::rewrite)
            unmake(step.file, step.placement, step.aside);
        else if (Status undone = undo_rewrite(step.file, step.rewrite, step.saved.get()); !undone)
            worst = std::move(undone);
    }
    return worst;
}

Status LocalFiles::undo(std::chrono::milliseconds limit) {
    if (!std::exchange(m_applied, false)) return {};
    return as_the_user(limit, [&] { return unmake_first(m_steps.size()); });
}

// What cannot be kept stays where it is.
void LocalFiles::keep(const Step& step, std::uint64_t most, std::chrono::milliseconds limit) const {
    auto tail = m_tails.make(step.file.full_path(), 0);
    if (!tail) return;
    const auto dropped = as_user(m_user, m_mount_ns, limit, [&]() -> Result<std::string> {
        CKPT_TRY(const std::uint64_t bytes, keep_aside(step.file, step.aside, tail->file.get(), most));
        return std::to_string(bytes);
    });
    if (dropped)
        (void)m_tails.note_dropped(*tail, std::strtoull(dropped->c_str(), nullptr, 10));
    else
        m_tails.drop(*tail);
}

void LocalFiles::settle(std::uint64_t keep_most, std::chrono::milliseconds limit) {
    if (!std::exchange(m_applied, false)) return;
    const auto displaces = [](const Step& step) {
        return step.placement == Placement::replace || step.placement == Placement::remove;
    };
    for (const Step& step : m_steps)
        if (step.shared && displaces(step)) keep(step, keep_most, limit);
    (void)as_the_user(limit, [&]() -> Status {
        for (const Step& step : m_steps)
            if (!step.shared && displaces(step)) remove_aside(step.file, step.aside);
        return {};
    });
}

} // namespace ckpt
