// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/undo.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <ranges>
#include <set>
#include <string_view>

#include "engine/placing.hpp"
#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_record_max = 64 << 20;
constexpr mode_t k_permissions = 07777;
constexpr const char* k_open = ".undo";
constexpr const char* k_finished = ".done";
constexpr const char* k_unwritten = ".part";

// A directory that forbids its owner to write lets go of what is ours for a moment.
class Writable {
public:
    explicit Writable(int dir) : m_dir(dir) {
        struct stat st{};
        if (::fstat(dir, &st) != 0 || st.st_uid != ::geteuid() || (st.st_mode & S_IRWXU) == S_IRWXU) return;
        if (::fchmod(dir, (st.st_mode & k_permissions) | S_IRWXU) == 0) m_mode = st.st_mode & k_permissions;
    }
    Writable(const Writable&) = delete;
    Writable& operator=(const Writable&) = delete;
    Writable(Writable&&) = delete;
    Writable& operator=(Writable&&) = delete;
    ~Writable() {
        if (m_mode != k_unchanged) (void)!::fchmod(m_dir, m_mode);
    }

private:
    static constexpr mode_t k_unchanged = 0xffff;
    int m_dir;
    mode_t m_mode = k_unchanged;
};

UndoNow now_at(int dir, const UndoEntry& entry) {
    UndoNow now;
    struct stat st{};
    if (::fstatat(dir, entry.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0) {
        now.inode = st.st_ino;
        now.size = static_cast<std::uint64_t>(st.st_size);
        now.mtime_ns = std::int64_t{st.st_mtim.tv_sec} * 1'000'000'000 + st.st_mtim.tv_nsec;
    }
    if (::fstatat(dir, (entry.helper + ".old").c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0)
        now.old_inode = st.st_ino;
    return now;
}

// In a directory that others may write to, anybody can make a file of such a name, and have a restore write
// what they like over the user's, or fail because it cannot be opened.
Result<Fd> open_own(int dir, const std::string& name, int access = O_RDONLY) {
    const auto is_own = [](const struct stat& st) { return S_ISREG(st.st_mode) && st.st_uid == ::geteuid(); };
    struct stat st{};
    if (::fstatat(dir, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && !is_own(st))
        return fail(Code::store_corrupt, name + " is somebody else's");
    CKPT_TRY(Fd file, open_beneath(dir, name, access | O_NONBLOCK | O_NOCTTY));
    if (::fstat(file.get(), &st) != 0) return fail_errno(Code::os, "look at " + name);
    if (!is_own(st)) return fail(Code::store_corrupt, name + " is somebody else's");
    return file;
}

Status write_back(const UndoRecord& record, const UndoEntry& entry, int dir) {
    const auto saved = open_own(dir, entry.helper + ".saved");
    if (!saved && saved.error().code == Code::not_found) return {}; // it was there before the record was
    if (!saved) return tl::unexpected(saved.error());
    return undo_rewrite(record.file(entry), entry.was, saved->get());
}

Status undo_entry(const UndoRecord& record, const UndoEntry& entry, int dir) {
    const std::string old = entry.helper + ".old";
    const auto failed = [&] { return fail_errno(Code::os, "put back " + record.full_path(entry)); };
    switch (decide_undo(entry, now_at(dir, entry), record.until_ns)) {
    case UndoStep::nothing:
        return {};
    case UndoStep::unlink:
        return ::unlinkat(dir, entry.name.c_str(), 0) == 0 ? Status() : failed();
    case UndoStep::drop_old:
        return ::unlinkat(dir, old.c_str(), 0) == 0 ? Status() : failed();
    case UndoStep::put_back:
        return ::renameat(dir, old.c_str(), dir, entry.name.c_str()) == 0 ? Status() : failed();
    case UndoStep::write:
        return write_back(record, entry, dir);
    case UndoStep::is_changed:
        break;
    }
    return fail(Code::rollback_refused,
                record.full_path(entry) +
                    " was changed by somebody else while a restore had it half put back",
                "what it held before is beside it in " + entry.helper +
                    ".*: put it right and remove these, or have failure.changed_file set to ignore");
}

void remove_beneath(int dir, const std::string& helper) {
    for (const char* what : {".new", ".old", ".saved"})
        ::unlinkat(dir, (helper + what).c_str(), 0);
}

void remove_record(int dir, const std::string& prefix) {
    for (const char* state : {k_unwritten, k_open, k_finished})
        ::unlinkat(dir, (prefix + state).c_str(), 0);
}

// Each entry has a helper of its own: one file must not become many tails.
bool is_usable(const UndoRecord& record) {
    std::set<std::string_view> helpers;
    return std::ranges::all_of(record.entries, [&](const UndoEntry& entry) {
        return is_plain_name(entry.name) && is_plain_name(entry.helper) &&
               entry.helper.starts_with(record.prefix + ".") && helpers.insert(entry.helper).second;
    });
}

// Code::store_corrupt when it is not one that we have written.
Result<UndoRecord> read_record(int dir, const std::string& name, const LocalFile& where) {
    CKPT_TRY(const Fd file, open_own(dir, name));
    CKPT_TRY(const std::string text, read_all(file.get(), k_record_max));
    CKPT_TRY(auto records, undo_records_from_json(text));
    if (records.size() != 1 || records[0].prefix + name.substr(name.rfind('.')) != name ||
        !is_usable(records[0]))
        return fail(Code::store_corrupt, name + " is no record of a restore");
    UndoRecord record = std::move(records[0]);
    record.finished = name.ends_with(k_finished);
    const std::size_t slash = where.path.rfind('/'); // mounted elsewhere now, perhaps
    record.root = where.root;
    record.directory = where.directory;
    record.path = slash == std::string::npos ? "" : where.path.substr(0, slash);
    return record;
}

Status undo_locked(const UndoRecord& record) {
    CKPT_TRY(const Fd dir, open_directory_of(record));
    const Writable writable(dir.get());
    Status worst;
    for (const UndoEntry& entry : std::views::reverse(record.entries)) {
        Status done = undo_entry(record, entry, dir.get());
        if (!done) worst = std::move(done);
    }
    CKPT_CHECK(worst);
    CKPT_CHECK(sync_fd(dir.get(), record.root));
    forget_undo(record);
    if (record.directory_mode != 0 && ::fchmod(dir.get(), record.directory_mode) != 0)
        return fail_errno(Code::os, "set the mode of " + record.root);
    return {};
}

// ".ckpt-JOB.RANDOM" of a name that begins so.
std::string prefix_of(const std::string& name, const std::string& job) {
    return name.substr(0, name.find('.', undo_prefix(job).size()));
}

} // namespace

Result<Fd> open_directory_of(const UndoRecord& record) {
    CKPT_TRY(const Fd path, open_parent(record.file(UndoEntry{})));
    Fd dir(::openat(path.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!dir) return fail_errno(Code::os, "open the directory " + record.root);
    return dir;
}

Result<Fd> write_undo(const UndoRecord& record) {
    CKPT_TRY(const Fd dir, open_directory_of(record));
    const std::string part = record.prefix + k_unwritten;
    CKPT_TRY(Fd file, open_beneath(dir.get(), part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    Status done = write_all(file.get(), to_json({record}));
    if (done) done = sync_fd(file.get(), part);
    (void)::flock(file.get(), LOCK_EX | LOCK_NB);
    if (done && ::renameat(dir.get(), part.c_str(), dir.get(), (record.prefix + k_open).c_str()) != 0)
        done = fail_errno(Code::os, "rename " + part);
    if (done) done = sync_fd(dir.get(), record.root);
    if (!done) return tl::unexpected(done.error());
    return file;
}

Result<Fd> lock_undo(const UndoRecord& record, UndoEnd end) {
    const std::string name = record.prefix + (record.finished ? k_finished : k_open);
    CKPT_TRY(const Fd dir, open_directory_of(record));
    CKPT_TRY(Fd file, open_own(dir.get(), name, O_RDWR)); // NFS locks only what may be written
    CKPT_CHECK(lock_record(file.get(), dir.get(), name, record.root, end));
    return file;
}

Status undo(const UndoRecord& record, UndoEnd end, Refused refused) {
    const auto lock = lock_undo(record, end);
    if (!lock && lock.error().code == Code::not_found) return {};
    if (!lock) return tl::unexpected(lock.error());
    Status done = undo_locked(record);
    if (!done && done.error().code == Code::rollback_refused && refused == Refused::used)
        CKPT_CHECK(finish_undo(record));
    return done;
}

Status finish_undo(const UndoRecord& record) {
    CKPT_TRY(const Fd dir, open_directory_of(record));
    const Writable writable(dir.get());
    if (::renameat(dir.get(), (record.prefix + k_open).c_str(), dir.get(),
                   (record.prefix + k_finished).c_str()) != 0)
        return fail_errno(Code::os, "rename the record of a restore in " + record.root);
    return sync_fd(dir.get(), record.root);
}

Result<UndoRecord> read_undo(const LocalFile& file, const std::string& prefix) {
    CKPT_TRY(const Fd dir, open_parent(file));
    auto record = read_record(dir.get(), prefix + k_open, file);
    if (record || record.error().code != Code::not_found) return record;
    return read_record(dir.get(), prefix + k_finished, file);
}

Result<std::uint64_t> keep_displaced(const UndoRecord& record, const UndoEntry& entry, int tail,
                                     std::uint64_t most) {
    CKPT_TRY(const Fd dir, open_directory_of(record));
    const bool rewritten = entry.placement == Placement::rewrite;
    CKPT_TRY(const Fd data, open_own(dir.get(), entry.helper + (rewritten ? ".saved" : ".old")));
    const std::uint64_t dropped = beyond(entry, most);
    if (!rewritten) {
        const auto copied = copy_sparse(data.get(), dropped, tail, entry.was.size - dropped);
        if (!copied) return tl::unexpected(copied.error());
        return dropped;
    }
    std::uint64_t room = most; // the ranges that lie behind come first: what is dropped is in front
    for (auto [begin, end] : std::views::reverse(entry.was.ranges)) {
        end = std::min(end, entry.was.size);
        if (begin >= end) continue;
        begin = std::max(begin, end - std::min(end - begin, room));
        room -= end - begin;
        CKPT_CHECK(copy_range(data.get(), begin, tail, begin, end - begin));
    }
    return dropped;
}

void remove_helpers(const LocalFile& file, const std::string& helper) {
    if (const auto dir = open_parent(file)) remove_beneath(dir->get(), helper);
}

void forget_undo(const UndoRecord& record) {
    const auto dir = open_directory_of(record);
    if (!dir) return;
    const Writable writable(dir->get());
    remove_record(dir->get(), record.prefix); // helpers without a record are rubbish: find_leftovers()
    for (const UndoEntry& entry : record.entries)
        remove_beneath(dir->get(), entry.helper);
}

Status find_leftovers(const LocalFile& file, const std::string& job, Leftovers& found) {
    const auto path = open_parent(file);
    if (!path) return {};
    const Fd dir(::openat(path->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!dir) return {};
    const auto names = list_dir(dir.get());
    if (!names) return {};
    std::set<std::string> known;
    for (const std::string& name : *names) {
        if (!name.starts_with(undo_prefix(job))) continue;
        const bool finished = name.ends_with(k_finished);
        if (!finished && !name.ends_with(k_open)) continue;
        known.insert(prefix_of(name, job));
        auto record = read_record(dir.get(), name, file);
        if (record)
            (finished ? found.finished : found.open).push_back(std::move(*record));
        else if (record.error().code != Code::store_corrupt && record.error().code != Code::not_found)
            return tl::unexpected(record.error()); // what it would undo must not be built upon
    }
    std::optional<Writable> writable;
    for (const std::string& name : *names) // a crash before the record was there: nothing was done
        if (name.starts_with(undo_prefix(job)) && !known.contains(prefix_of(name, job))) {
            if (!writable) writable.emplace(dir.get());
            ::unlinkat(dir.get(), name.c_str(), 0);
        }
    return {};
}

} // namespace ckpt
