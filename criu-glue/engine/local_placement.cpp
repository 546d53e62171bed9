// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/local_placement.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <map>
#include <ranges>
#include <sstream>

#include "engine/local_files.hpp"
#include "engine/user_child.hpp"
#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

using Kind = LocalFile::Kind;
using What = LocalNow::What;

std::string base_name(const LocalFile& file) {
    return file.path.substr(file.path.rfind('/') + 1);
}

bool is_kind(mode_t mode, Kind kind) {
    switch (kind) {
    case Kind::file:
        return S_ISREG(mode);
    case Kind::directory:
        return S_ISDIR(mode);
    case Kind::fifo:
        return S_ISFIFO(mode);
    }
    return false;
}

// Everything below runs as the user.

// The directory the file is in. Code::not_found; Code::not_permitted when a directory on the way is somebody
// else's. The root itself is the admin's word.
Result<Fd> open_parent(const LocalFile& file) {
    Fd dir(::open(file.root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!dir) return fail_errno(errno == ENOENT ? Code::not_found : Code::os, "open " + file.root);
    std::istringstream parts(file.path);
    for (std::string part; std::getline(parts, part, '/') && !parts.eof();) {
        CKPT_TRY(dir, open_beneath(dir.get(), part, O_PATH | O_DIRECTORY));
        struct stat st{};
        if (::fstat(dir.get(), &st) != 0) return fail_errno(Code::os, "look at " + file.full_path());
        if (st.st_uid != ::geteuid() && st.st_uid != 0) return fail(Code::not_permitted, file.full_path());
    }
    return dir;
}

Result<LocalNow> look(const LocalFile& file) {
    const auto parent = open_parent(file);
    if (!parent && parent.error().code == Code::not_found) return LocalNow{};
    if (!parent && parent.error().code == Code::not_permitted) return LocalNow{What::foreign, 0, 0};
    if (!parent) return tl::unexpected(parent.error());
    struct stat st{};
    if (::fstatat(parent->get(), base_name(file).c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) return LocalNow{};
        return fail_errno(Code::os, "look at " + file.full_path());
    }
    LocalNow now{What::same_kind, st.st_dev, st.st_ino};
    if (!is_kind(st.st_mode, file.kind))
        now.what = What::other_kind;
    else if (st.st_uid != ::geteuid() && (!S_ISDIR(st.st_mode) || st.st_uid != 0))
        now.what = What::foreign;
    return now;
}

Status write_copy(int parent, const LocalFile& file, const std::string& name, int images) {
    CKPT_TRY(const Fd content, open_beneath(images, file.content, O_RDONLY));
    CKPT_TRY(const Fd copy, open_beneath(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    if (const auto copied = copy_sparse(content.get(), 0, copy.get(), file.size); !copied)
        return tl::unexpected(copied.error());
    const timespec mtime{file.mtime_ns / 1'000'000'000, file.mtime_ns % 1'000'000'000};
    const std::array times = {timespec{0, UTIME_OMIT}, mtime};
    if (::fchmod(copy.get(), file.mode) != 0 || ::futimens(copy.get(), times.data()) != 0)
        return fail_errno(Code::os, "set the mode and time of a copy");
    return {};
}

Status make_file(int parent, const LocalFile& file, Placement placement, const std::string& aside,
                 int images) {
    Status made = write_copy(parent, file, aside, images);
    const unsigned how = placement == Placement::replace ? RENAME_EXCHANGE : RENAME_NOREPLACE;
    if (made && ::renameat2(parent, aside.c_str(), parent, base_name(file).c_str(), how) != 0)
        made = fail_errno(Code::os, "rename a copy");
    if (!made) ::unlinkat(parent, aside.c_str(), 0);
    return made;
}

Status set_mode(int parent, const LocalFile& file) {
    if (::fchmodat(parent, base_name(file).c_str(), file.mode, 0) != 0)
        return fail_errno(Code::os, "set its mode");
    return {};
}

Status make(const LocalFile& file, Placement placement, const std::string& aside, int images) {
    CKPT_TRY(const Fd parent, open_parent(file));
    const std::string name = base_name(file);
    if (file.kind == Kind::file) return make_file(parent.get(), file, placement, aside, images);
    const int made = file.kind == Kind::directory ? ::mkdirat(parent.get(), name.c_str(), S_IRWXU)
                                                  : ::mkfifoat(parent.get(), name.c_str(), S_IRUSR | S_IWUSR);
    if (made != 0) return fail_errno(Code::os, "make it");
    return file.kind == Kind::directory ? Status() : set_mode(parent.get(), file);
}

// A directory's comes when everything is in it: it may forbid writing.
Status finish_directory(const LocalFile& file) {
    CKPT_TRY(const Fd parent, open_parent(file));
    return set_mode(parent.get(), file);
}

// criu binds sockets anew in the directories that we have made for them.
void remove_sockets(int parent, const std::string& name) {
    const auto dir = open_beneath(parent, name, O_RDONLY | O_DIRECTORY);
    if (!dir) return;
    const auto entries = list_dir(dir->get());
    if (!entries) return;
    for (const std::string& entry : *entries) {
        struct stat st{};
        if (::fstatat(dir->get(), entry.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode))
            ::unlinkat(dir->get(), entry.c_str(), 0);
    }
}

// What was replaced lies aside, and is the only copy of it.
void put_back(int parent, const std::string& name, const std::string& aside) {
    if (::renameat2(parent, aside.c_str(), parent, name.c_str(), RENAME_EXCHANGE) == 0)
        ::unlinkat(parent, aside.c_str(), 0);
    else // ours has gone meanwhile
        (void)::renameat2(parent, aside.c_str(), parent, name.c_str(), RENAME_NOREPLACE);
}

// A directory that forbids writing must let go of what is in it.
void open_up(const LocalFile& file) {
    if (file.kind != Kind::directory) return;
    if (const auto parent = open_parent(file))
        (void)!::fchmodat(parent->get(), base_name(file).c_str(), S_IRWXU, 0);
}

void unmake(const LocalFile& file, Placement placement, const std::string& aside) {
    const auto parent = open_parent(file);
    if (!parent) return;
    const std::string name = base_name(file);
    if (placement == Placement::create && file.kind == Kind::directory) remove_sockets(parent->get(), name);
    if (placement == Placement::create)
        ::unlinkat(parent->get(), name.c_str(), file.kind == Kind::directory ? AT_REMOVEDIR : 0);
    if (placement == Placement::replace) put_back(parent->get(), name, aside);
}

void remove_aside(const LocalFile& file, const std::string& aside) {
    const auto parent = open_parent(file);
    if (parent) ::unlinkat(parent->get(), aside.c_str(), 0);
}

Result<std::string> random_tag() {
    std::uint64_t value = 0;
    if (::getrandom(&value, sizeof value, 0) != sizeof value)
        return fail_errno(Code::os, "draw a random name");
    return ".ckpt-" + std::to_string(value) + "-";
}

Result<std::vector<LocalNow>> from_text(const std::string& text) {
    std::istringstream in(text);
    std::vector<LocalNow> all;
    unsigned what = 0;
    for (LocalNow now; in >> what >> now.device >> now.inode; all.push_back(now))
        now.what = static_cast<What>(what);
    return all;
}

} // namespace

Result<Placement> decide_placement(const LocalFile& file, const LocalNow& now, bool same_boot) {
    const std::string hint = "remove it on this node, or have the job restored on another one";
    switch (now.what) {
    case What::missing:
        return Placement::create;
    case What::foreign:
        return fail(Code::restore_failed, file.full_path() + " belongs to another user on this node", hint);
    case What::other_kind:
        return fail(Code::restore_failed, file.full_path() + " is of another kind on this node", hint);
    case What::same_kind:
        break;
    }
    if (file.kind != Kind::file) return Placement::leave;
    const bool same_file = same_boot && now.device == file.device && now.inode == file.inode;
    return same_file && file.only_grows ? Placement::leave : Placement::replace;
}

std::vector<LocalFile> with_directories(std::vector<LocalFile> files) {
    std::map<std::string, LocalFile> all;
    for (LocalFile& file : files) {
        for (std::size_t slash = file.path.find('/'); slash != std::string::npos;
             slash = file.path.find('/', slash + 1)) {
            LocalFile directory;
            directory.kind = Kind::directory;
            directory.root = file.root;
            directory.path = file.path.substr(0, slash);
            directory.mode = S_IRWXU;
            all.try_emplace(directory.full_path(), directory);
        }
        all.insert_or_assign(file.full_path(), std::move(file));
    }
    std::vector<LocalFile> out;
    out.reserve(all.size());
    for (auto& [path, file] : all)
        out.push_back(std::move(file));
    return out;
}

Status LocalFiles::as_the_user(std::chrono::milliseconds limit, const std::function<Status()>& work) const {
    const auto done = as_user(m_user, m_mount_ns, limit, [&]() -> Result<std::string> {
        CKPT_CHECK(work());
        return std::string();
    });
    if (!done) return tl::unexpected(done.error());
    return {};
}

Status LocalFiles::plan(const DumpRecord& record, const std::set<std::string>& passed,
                        std::chrono::milliseconds limit) {
    auto wanted = record.local_files;
    std::erase_if(wanted, [&](const LocalFile& file) { return passed.contains(file.full_path()); });
    if (wanted.empty()) return {};
    const auto files = with_directories(std::move(wanted));
    CKPT_TRY(const std::string boot, boot_id());
    CKPT_TRY(const std::string tag, random_tag());
    CKPT_TRY(const std::string text, as_user(m_user, m_mount_ns, limit, [&]() -> Result<std::string> {
                 std::ostringstream out;
                 for (const LocalFile& file : files) {
                     CKPT_TRY(const LocalNow now, look(file));
                     out << static_cast<unsigned>(now.what) << ' ' << now.device << ' ' << now.inode << '\n';
                 }
                 return out.str();
             }));
    CKPT_TRY(const auto now, from_text(text));
    if (now.size() != files.size()) return fail(Code::internal, "not every local file was looked at");
    for (std::size_t i = 0; i < files.size(); ++i) {
        CKPT_TRY(const Placement placement, decide_placement(files[i], now[i], boot == record.boot_id));
        if (placement != Placement::leave) m_steps.push_back({files[i], placement, tag + std::to_string(i)});
    }
    return {};
}

std::set<std::string> LocalFiles::placed() const {
    std::set<std::string> paths;
    for (const Step& step : m_steps)
        if (step.file.kind == Kind::file) paths.insert(step.file.full_path());
    return paths;
}

Status LocalFiles::apply(std::chrono::milliseconds limit) {
    if (m_steps.empty()) return {};
    CKPT_CHECK(as_the_user(limit, [&] { return make_all(); }));
    m_applied = true;
    return {};
}

Status LocalFiles::make_all() const {
    const auto cannot = [](const Step& step, const Error& why) {
        return fail_errno(Code::restore_failed,
                          step.file.full_path() + " cannot be put back on this node: " + why.what,
                          why.errnum);
    };
    for (std::size_t i = 0; i < m_steps.size(); ++i) {
        const Step& step = m_steps[i];
        const Status made = make(step.file, step.placement, step.aside, m_images);
        if (made) continue;
        unmake_first(i);
        return cannot(step, made.error());
    }
    for (const Step& step : std::views::reverse(m_steps)) { // what is in a directory comes before it
        if (step.file.kind != Kind::directory) continue;
        const Status done = finish_directory(step.file);
        if (done) continue;
        unmake_first(m_steps.size());
        return cannot(step, done.error());
    }
    return {};
}

void LocalFiles::unmake_first(std::size_t count) const {
    for (std::size_t i = 0; i < count; ++i)
        if (m_steps[i].placement == Placement::create) open_up(m_steps[i].file);
    for (std::size_t i = count; i > 0; --i)
        unmake(m_steps[i - 1].file, m_steps[i - 1].placement, m_steps[i - 1].aside);
}

Status LocalFiles::undo(std::chrono::milliseconds limit) {
    if (!std::exchange(m_applied, false)) return {};
    return as_the_user(limit, [&]() -> Status {
        unmake_first(m_steps.size());
        return {};
    });
}

void LocalFiles::settle(std::chrono::milliseconds limit) {
    if (!std::exchange(m_applied, false)) return;
    (void)as_the_user(limit, [&]() -> Status {
        for (const Step& step : m_steps)
            if (step.placement == Placement::replace) remove_aside(step.file, step.aside);
        return {};
    });
}

} // namespace ckpt
