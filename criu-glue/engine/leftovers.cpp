// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/leftovers.hpp"

#include <algorithm>
#include <map>
#include <ranges>

#include "engine/undo.hpp"
#include "engine/user_child.hpp"
#include "text/text.hpp"

namespace ckpt {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

milliseconds until(Clock::time_point end) {
    return std::max(std::chrono::duration_cast<milliseconds>(end - Clock::now()), milliseconds(0));
}

// False when it could not be kept: then its helpers stay.
bool keep_one(const UndoRecord& record, const UndoEntry& entry, const UserPlace& place, Tails& tails,
              std::uint64_t most, milliseconds limit) {
    if (!entry.keeps || (entry.placement == Placement::rewrite && entry.was.ranges.empty())) return true;
    auto tail = tails.make(record.full_path(entry), 0);
    if (!tail) return false;
    const auto dropped = as_user(place.user, place.mount_ns, limit, [&]() -> Result<std::string> {
        CKPT_TRY(const std::uint64_t room, room_for_tails(tail->file.get()));
        CKPT_TRY(const std::uint64_t bytes,
                 keep_displaced(record, entry, tail->file.get(), std::min(room, most)));
        return std::to_string(bytes);
    });
    if (dropped) {
        (void)tails.note_dropped(*tail, std::strtoull(dropped->c_str(), nullptr, 10));
        return true;
    }
    tails.drop(tail->name);
    return dropped.error().code == Code::not_found;
}

// As the user. The finished records as text, their locks with the post; those that somebody else was in the
// way of have no time. Only one lock is waited for at a time, and none that is held: a directory may be in
// `where` twice, and others may come to it in another order.
Result<std::string> undo_all(const std::vector<LocalFile>& where, const std::string& job, bool ignore_changed,
                             UndoEnd end, const LockPost& post) {
    Leftovers found;
    for (const LocalFile& file : where)
        CKPT_CHECK(find_leftovers(file, job, found));
    for (UndoRecord& record : found.open) {
        const Status undone = undo(record, end, ignore_changed ? Refused::used : Refused::stays);
        if (undone) continue;
        if (undone.error().code != Code::rollback_refused || !ignore_changed)
            return tl::unexpected(undone.error());
        for (UndoEntry& entry : record.entries)
            entry.keeps = true;
        record.until_ns = 0;
        record.finished = true;
        found.finished.push_back(std::move(record));
    }
    std::vector<Fd> locks;
    std::erase_if(found.finished, [&](const UndoRecord& record) { // who is at one keeps it
        auto lock = lock_undo(record, UndoEnd::min());
        if (lock) locks.push_back(std::move(*lock));
        return !lock;
    });
    post.send(locks);
    return to_json(found.finished);
}

} // namespace

void keep_and_forget(const std::vector<UndoRecord>& records, const UserPlace& place, Tails& tails,
                     std::uint64_t keep_most, milliseconds limit) {
    if (records.empty()) return;
    const auto end = Clock::now() + limit;
    std::vector<const UndoRecord*> kept;
    for (const UndoRecord& record : records) {
        const bool all = std::ranges::all_of(record.entries, [&](const UndoEntry& entry) {
            return keep_one(record, entry, place, tails, keep_most, until(end));
        });
        if (all) kept.push_back(&record);
    }
    (void)as_user(place.user, place.mount_ns, until(end), [&]() -> Result<std::string> {
        for (const UndoRecord* record : kept)
            forget_undo(*record);
        return std::string();
    });
}

std::vector<std::string> notes_on_dropped(const std::vector<UndoRecord>& records, std::uint64_t keep_most) {
    std::vector<std::string> lines;
    for (const UndoRecord& record : records)
        for (const UndoEntry& entry : record.entries) {
            const std::uint64_t dropped = entry.keeps ? beyond(entry, keep_most) : 0;
            if (dropped != 0)
                lines.push_back("of what " + record.full_path(entry) + " held before the restore, " +
                                text::bytes(dropped) +
                                " are lost, as more than engine.tail_limit is not kept");
        }
    return lines;
}

std::vector<LocalFile> one_per_directory(const DumpRecord& record) {
    std::map<std::string, LocalFile> by_directory;
    const auto add = [&](const LocalFile& file) {
        const std::string path = file.full_path();
        by_directory.try_emplace(path.substr(0, path.rfind('/')), file);
    };
    std::ranges::for_each(record.local_files, add);
    std::ranges::for_each(record.copied_files, add);
    const auto add_path = [&](const std::string& path) {
        if (!path.starts_with('/')) return;
        LocalFile file;
        file.root = path.substr(0, path.rfind('/'));
        file.path = path.substr(path.rfind('/') + 1);
        add(file);
    };
    for (const OpenFile& open : record.files)
        add_path(open.path);
    for (const LinkedFile& linked : record.links)
        add_path(linked.link);
    std::vector<LocalFile> out;
    for (auto& file : by_directory | std::views::values)
        out.push_back(std::move(file));
    return out;
}

Result<std::vector<std::string>> clear_leftovers(const DumpRecord& record, const std::string& job,
                                                 bool ignore_changed, const UserPlace& place, Tails& tails,
                                                 std::uint64_t keep_most, milliseconds limit) {
    std::vector<std::string> lines;
    const auto where = one_per_directory(record);
    if (where.empty()) return lines;
    const auto end = Clock::now() + limit;
    CKPT_TRY(const LockPost post, LockPost::make());
    CKPT_TRY(const std::string text, as_user(place.user, place.mount_ns, limit, [&] {
                 return undo_all(where, job, ignore_changed, last_wait(limit), post);
             }));
    const std::vector<Fd> locks = post.receive(); // until they are forgotten
    CKPT_TRY(const auto finished, undo_records_from_json(text));
    for (const UndoRecord& one : finished)
        if (one.until_ns == 0)
            for (const UndoEntry& entry : one.entries)
                lines.push_back(
                    one.full_path(entry) +
                    " was changed while an earlier restore had it half put back, and is used as it is");
    std::ranges::copy(notes_on_dropped(finished, keep_most), std::back_inserter(lines));
    keep_and_forget(finished, place, tails, keep_most, until(end));
    return lines;
}

} // namespace ckpt
