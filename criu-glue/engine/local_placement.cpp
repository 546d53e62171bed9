// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/local_placement.hpp"

#include <algorithm>
#include <map>
#include <ranges>
#include <sstream>

#include "engine/local_files.hpp"
#include "engine/placing.hpp"
#include "engine/undo.hpp"
#include "engine/user_child.hpp"

namespace ckpt {

namespace {

using Kind = LocalFile::Kind;

// Not a directory or a FIFO, which are made where none is, and in nobody's way if they stay.
bool is_content(const LocalFile& file) {
    return file.kind == Kind::file || file.kind == Kind::absent;
}

std::vector<LocalNow> from_text(const std::string& text) {
    std::istringstream in(text);
    std::vector<LocalNow> all;
    unsigned what = 0;
    for (LocalNow now; in >> what >> now.device >> now.inode >> now.size >> now.mtime_ns >> now.born_ns;
         all.push_back(now))
        now.what = static_cast<LocalNow::What>(what);
    return all;
}

tl::unexpected<Error> cannot(const LocalFile& file, const Error& why) {
    if (why.code == Code::rollback_refused) return tl::unexpected(why);
    if (why.errnum == EFBIG || why.code == Code::store_full)
        return fail(Code::rollback_refused,
                    "there is no room to keep what " + file.full_path() + " has got since the checkpoint",
                    "free space in its file system");
    return fail_errno(Code::restore_failed, file.full_path() + " cannot be put back: " + why.what,
                      why.errnum);
}

} // namespace

Status LocalFiles::as_the_user(std::chrono::milliseconds limit, const std::function<Status()>& work) const {
    const auto done = as_user(m_place.user, m_place.mount_ns, limit, [&]() -> Result<std::string> {
        CKPT_CHECK(work());
        return std::string();
    });
    if (!done) return tl::unexpected(done.error());
    return {};
}

Status LocalFiles::look(const std::vector<LocalFile>& files, std::vector<LocalNow>& now,
                        std::chrono::milliseconds limit) const {
    CKPT_TRY(const std::string text,
             as_user(m_place.user, m_place.mount_ns, limit, [&]() -> Result<std::string> {
                 std::ostringstream out;
                 for (const LocalFile& file : files) {
                     CKPT_TRY(const LocalNow one, look_at(file));
                     out << static_cast<unsigned>(one.what) << ' ' << one.device << ' ' << one.inode << ' '
                         << one.size << ' ' << one.mtime_ns << ' ' << one.born_ns << '\n';
                 }
                 return out.str();
             }));
    now = from_text(text);
    if (now.size() != files.size()) return fail(Code::internal, "not every saved file was looked at");
    return {};
}

Status LocalFiles::plan(const DumpRecord& record, const std::set<std::string>& passed,
                        const PlacingRules& rules, std::chrono::milliseconds limit) {
    m_rules = rules;
    const auto is_passed = [&](const LocalFile& file) { return passed.contains(file.full_path()); };
    auto wanted = record.local_files;
    std::erase_if(wanted, is_passed);
    auto files = with_directories(std::move(wanted));
    const std::size_t locals = files.size();
    std::ranges::copy(record.copied_files, std::back_inserter(files));
    std::erase_if(files, is_passed);
    if (files.empty()) return {};
    CKPT_TRY(const std::string boot, boot_id());
    CKPT_TRY(m_prefix, random_prefix(m_job));
    std::vector<LocalNow> now;
    CKPT_CHECK(look(files, now, limit));
    std::set<std::string> fresh; // directories
    for (std::size_t i = 0; i < files.size(); ++i) {
        const bool shared = i >= locals;
        const bool same_boot = boot == record.boot_id;
        CKPT_TRY(const Placement placement, shared ? decide_copy(files[i], now[i], rules)
                                                   : decide_placement(files[i], now[i], same_boot));
        const bool is_directory = files[i].kind == Kind::directory;
        if (placement == Placement::leave && !is_directory) continue; // which may forbid writing
        const std::string path = files[i].full_path();
        if (is_directory && placement == Placement::create) fresh.insert(path);
        const bool in_new_dir = fresh.contains(path.substr(0, path.rfind('/')));
        m_steps.push_back({files[i], placement, now[i], m_prefix + "." + std::to_string(i), shared,
                           shared || !is_dumps_own(files[i], now[i], same_boot), in_new_dir});
    }
    return {};
}

std::set<std::string> LocalFiles::placed() const {
    std::set<std::string> paths;
    for (const Step& step : m_steps)
        if (step.file.kind == Kind::file) paths.insert(step.file.full_path());
    return paths;
}

Status LocalFiles::apply(std::chrono::milliseconds limit, std::int64_t until_ns) {
    if (m_steps.empty()) return {};
    m_applied = true; // a child that is killed says nothing
    CKPT_TRY(const LockPost post, LockPost::make());
    CKPT_TRY(const std::string text,
             as_user(m_place.user, m_place.mount_ns, limit, [&] { return make_all(until_ns, post); }));
    m_locks = post.receive();
    CKPT_TRY(m_records, undo_records_from_json(text));
    return {};
}

// Everything is prepared, and on record, before the first file is touched.
Result<std::string> LocalFiles::make_all(std::int64_t until_ns, const LockPost& post) const {
    CKPT_TRY(const auto records, prepare_all(until_ns));
    std::vector<Fd> locks;
    std::set<std::string> opened; // directories that forbade to write
    for (const UndoRecord& record : records) {
        CKPT_TRY(Fd lock, write_undo(record));
        locks.push_back(std::move(lock));
        if (record.directory_mode != 0)
            opened.insert(record.root + (record.path.empty() ? "" : "/" + record.path));
    }
    std::map<std::string, const Step*> by_helper;
    for (const Step& step : m_steps)
        by_helper[step.helper] = &step;
    for (const UndoRecord& record : records)
        for (const UndoEntry& entry : record.entries) {
            const LocalFile& file = by_helper.at(entry.helper)->file;
            if (const Status done = carry_out(file, entry, m_images); !done)
                return cannot(file, done.error());
        }
    for (const Step& step : std::views::reverse(m_steps)) { // what is in a directory comes before it
        if (step.file.kind != Kind::directory || step.placement != Placement::create) continue;
        if (const Status done = finish_directory(step.file); !done) return cannot(step.file, done.error());
    }
    for (const Step& step : std::views::reverse(m_steps))
        if (step.placement == Placement::leave &&
            (opened.contains(step.file.full_path()) || is_unfinished(step.file)))
            CKPT_CHECK(finish_directory(step.file));
    post.send(locks);
    return to_json(records);
}

Result<std::vector<UndoRecord>> LocalFiles::prepare_all(std::int64_t until_ns) const {
    std::map<std::string, UndoRecord> by_directory;
    for (const Step& step : m_steps) {
        if (step.placement == Placement::leave) {
            if (needs_record(step.file.full_path()))
                by_directory[step.file.full_path()].directory_mode = open_up_existing(step.file);
            continue;
        }
        if (step.in_new_dir || !is_content(step.file)) {
            if (const Status made = make_new(step.file, m_images); !made)
                return cannot(step.file, made.error());
            continue;
        }
        auto entry = prepare(step.file, step.placement, step.now, step.helper, m_images, step.shared);
        if (!entry) return cannot(step.file, entry.error());
        entry->keeps = step.keeps;
        if (step.placement == Placement::rewrite) CKPT_CHECK(judge_rewrite(step.file, entry->was, m_rules));
        const std::string path = step.file.full_path();
        UndoRecord& record = by_directory[path.substr(0, path.rfind('/'))];
        record.root = step.file.root;
        record.directory = step.file.directory;
        const std::size_t slash = step.file.path.rfind('/');
        record.path = slash == std::string::npos ? "" : step.file.path.substr(0, slash);
        record.prefix = m_prefix;
        record.until_ns = until_ns;
        record.entries.push_back(std::move(*entry));
    }
    std::vector<UndoRecord> records;
    for (auto& record : by_directory | std::views::values)
        if (!record.entries.empty()) records.push_back(std::move(record));
    return records;
}

bool LocalFiles::needs_record(const std::string& directory) const {
    return std::ranges::any_of(m_steps, [&](const Step& step) {
        const std::string path = step.file.full_path();
        return !step.in_new_dir && is_content(step.file) && path.substr(0, path.rfind('/')) == directory;
    });
}

std::vector<LocalFile> LocalFiles::directories() const {
    std::map<std::string, LocalFile> all;
    for (const Step& step : m_steps) {
        const std::string path = step.file.full_path();
        if (!step.in_new_dir && is_content(step.file))
            all.try_emplace(path.substr(0, path.rfind('/')), step.file);
    }
    std::vector<LocalFile> out;
    for (auto& file : all | std::views::values)
        out.push_back(std::move(file));
    return out;
}

Status LocalFiles::finish(std::chrono::milliseconds limit) {
    if (!m_applied) return {};
    const Status done = as_the_user(limit, [&]() -> Status {
        for (const UndoRecord& record : m_records)
            CKPT_CHECK(finish_undo(record));
        return {};
    });
    m_finished = done.has_value();
    return done;
}

Status LocalFiles::unmake_all(UndoEnd end) const {
    Status worst;
    std::set<std::string> on_record; // directories
    std::set<std::string> kept;      // in which helpers are still needed
    for (const LocalFile& file : directories()) {
        const auto record = read_undo(file, m_prefix);
        if (record) on_record.insert(file.full_path().substr(0, file.full_path().rfind('/')));
        Status undone = record ? ckpt::undo(*record, end) : tl::unexpected(record.error());
        if (undone || undone.error().code == Code::not_found) continue;
        kept.insert(file.full_path().substr(0, file.full_path().rfind('/')));
        worst = std::move(undone);
    }
    for (const Step& step : m_steps) // of those that have no record yet
        if (!kept.contains(step.file.full_path().substr(0, step.file.full_path().rfind('/'))))
            remove_helpers(step.file, step.helper);
    for (const Step& step : m_steps) // one that was opened up to write in it, and not on record yet
        if (step.placement == Placement::leave && (step.file.mode & 0300U) != 0300U &&
            needs_record(step.file.full_path()) && !on_record.contains(step.file.full_path()))
            (void)finish_directory(step.file);
    unmake_new_ones();
    return worst;
}

void LocalFiles::unmake_new_ones() const {
    const auto is_new = [](const Step& step) {
        return step.in_new_dir || (!is_content(step.file) && step.placement == Placement::create);
    };
    for (const Step& step : m_steps)
        if (is_new(step)) open_up(step.file);
    for (const Step& step : std::views::reverse(m_steps))
        if (is_new(step)) unmake_new(step.file);
}

Status LocalFiles::undo(std::chrono::milliseconds limit) {
    if (!std::exchange(m_applied, false)) return {};
    if (m_finished)
        return fail(Code::rollback_refused,
                    "the restored job has had them, and they stay as at the checkpoint");
    m_locks.clear(); // a child of ours takes them
    return as_the_user(limit, [&] { return unmake_all(last_wait(limit)); });
}

void LocalFiles::settle(std::uint64_t keep_most, std::chrono::milliseconds limit) {
    if (m_finished) keep_and_forget(m_records, m_place, m_tails, keep_most, limit);
    m_locks.clear();
    m_applied = false;
}

std::vector<std::string> LocalFiles::notes(std::uint64_t keep_most) const {
    std::vector<std::string> lines;
    std::set<std::string> shared;
    for (const Step& step : m_steps)
        if (step.shared) shared.insert(step.file.full_path());
    for (const UndoRecord& record : m_records)
        for (const UndoEntry& entry : record.entries)
            if (m_rules.tree_was_stopped && shared.contains(record.full_path(entry)))
                if (auto line = note_on_changed(record.full_path(entry), entry.placement, entry.was);
                    !line.empty())
                    lines.push_back(std::move(line));
    std::ranges::copy(notes_on_dropped(m_records, keep_most), std::back_inserter(lines));
    return lines;
}

std::vector<std::string> LocalFiles::changes() const {
    std::vector<std::string> lines;
    for (const UndoRecord& record : m_records)
        for (const UndoEntry& entry : record.entries)
            if (entry.keeps && (entry.placement != Placement::rewrite || !entry.was.ranges.empty()))
                lines.push_back(record.full_path(entry) + ": written anew, as at the checkpoint");
    return lines;
}

} // namespace ckpt
