// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/local_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "os/files.hpp"
#include "os/procfs.hpp"
#include "os/safe_path.hpp"
#include "os/tree.hpp"
#include "text/text.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_unix_table_max = 64 << 20;
constexpr mode_t k_permissions = 07777;
constexpr std::uint64_t k_block = 512; // of st_blocks
constexpr std::string_view k_socket_prefix = "socket:[";

// Only plain names between the slashes.
bool is_straight(const std::string& path) {
    std::istringstream parts(path + "/");
    for (std::string part; std::getline(parts, part, '/');)
        if (!is_plain_name(part)) return false;
    return true;
}

Result<Fd> open_dir(int proc, const char* name) {
    Fd dir(::openat(proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!dir) return fail_errno(Code::os, std::string("list /proc/…/") + name);
    return dir;
}

// O_RDONLY counts as growing: it changes nothing.
bool only_grows(int fdinfo, const std::string& name) {
    const auto info = fd_info(fdinfo, name);
    return info && ((info->flags & O_ACCMODE) == O_RDONLY || (info->flags & O_APPEND) != 0);
}

using Place = std::pair<std::string, std::string>; // of below_root()

class Finder {
public:
    Finder(const LocalRules& rules, int images) : m_rules(rules), m_images(images) {}

    Status look_at(pid_t pid) {
        CKPT_TRY(const Fd proc, open_proc(pid));
        CKPT_CHECK(look_at_descriptors(proc.get()));
        CKPT_CHECK(look_at_mappings(proc.get()));
        const auto cwd = wanted(link_target(proc.get(), "cwd"));
        return cwd ? add(proc.get(), "cwd", *cwd, true) : Status();
    }

    // The kernel's table names the path of every bound socket of the network namespace.
    Status look_at_sockets(pid_t any) {
        if (m_sockets.empty()) return {};
        CKPT_TRY(const Fd proc, open_proc(any));
        const Fd table(::openat(proc.get(), "net/unix", O_RDONLY | O_CLOEXEC));
        if (!table) return fail_errno(Code::os, "read the table of Unix sockets");
        CKPT_TRY(const std::string text, read_all(table.get(), k_unix_table_max));
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) {
            std::istringstream words(line);
            std::string word;
            std::uint64_t inode = 0;
            for (int i = 0; i < 6; ++i)
                words >> word;
            words >> inode >> std::ws;
            std::string bound;
            if (!words || !m_sockets.contains(inode) || !std::getline(words, bound)) continue;
            add_directory_of(bound);
        }
        return {};
    }

    [[nodiscard]] std::uint64_t bytes() const { return m_bytes; }

    // With the directories on the way to it that are the user's, which get the mode they have.
    Result<std::vector<LocalFile>> take(pid_t any) {
        const std::string path = "/proc/" + std::to_string(any) + "/root";
        const Fd root(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!root) return fail_errno(Code::os, "open " + path);
        const auto found = m_found;
        for (const auto& [name, file] : found)
            add_directories_of(root.get(), file);
        std::vector<LocalFile> out;
        out.reserve(m_found.size());
        for (auto& [where, file] : m_found)
            out.push_back(std::move(file));
        return out;
    }

private:
    Status look_at_descriptors(int proc) {
        CKPT_TRY(const Fd fds, open_dir(proc, "fd"));
        CKPT_TRY(const Fd fdinfo, open_dir(proc, "fdinfo"));
        CKPT_TRY(const auto names, list_dir(fds.get()));
        for (const std::string& name : names) {
            const std::string link = link_target(fds.get(), name);
            if (link.starts_with(k_socket_prefix))
                m_sockets.insert(std::strtoull(link.c_str() + k_socket_prefix.size(), nullptr, 10));
            else if (const auto place = wanted(link))
                CKPT_CHECK(add(fds.get(), name, *place, only_grows(fdinfo.get(), name)));
        }
        return {};
    }

    // A mapping's link shows its protection as its own mode (fs/proc/base.c:proc_map_files_instantiate).
    Status look_at_mappings(int proc) {
        CKPT_TRY(const Fd maps, open_dir(proc, "map_files"));
        CKPT_TRY(const auto names, list_dir(maps.get()));
        for (const std::string& name : names) {
            const auto place = wanted(link_target(maps.get(), name));
            if (!place) continue;
            struct stat link{};
            const bool known = ::fstatat(maps.get(), name.c_str(), &link, AT_SYMLINK_NOFOLLOW) == 0;
            CKPT_CHECK(add(maps.get(), name, *place, known && (link.st_mode & S_IWUSR) == 0));
        }
        return {};
    }

    // The job stands still: most of what it has open lies elsewhere and costs no more than this.
    [[nodiscard]] std::optional<Place> wanted(const std::string& link) const {
        Place place = below_root(m_rules.roots, link);
        if (place.first.empty() || m_rules.passed.contains(link)) return std::nullopt;
        return place;
    }

    // `name` is a link of the kernel's, which leads to the very file that the process has.
    Status add(int dir, const std::string& name, const Place& place, bool grows) {
        struct stat st{};
        if (::fstatat(dir, name.c_str(), &st, 0) != 0)
            return fail_errno(Code::os, "look at " + place.first + "/" + place.second);
        if (st.st_nlink == 0 || st.st_uid != m_rules.uid) return {};
        if (place.second.ends_with(" (deleted)")) { // linked_files.hpp brings it into its directory
            add_directory_of(place.first + "/" + place.second);
            return {};
        }
        LocalFile file;
        file.root = place.first;
        file.path = place.second;
        file.mode = st.st_mode & k_permissions;
        file.device = st.st_dev;
        file.inode = st.st_ino;
        if (S_ISDIR(st.st_mode))
            file.kind = LocalFile::Kind::directory;
        else if (S_ISFIFO(st.st_mode))
            file.kind = LocalFile::Kind::fifo;
        else if (!S_ISREG(st.st_mode))
            return {};
        const auto [found, fresh] = m_found.try_emplace(file.full_path(), file);
        found->second.only_grows &= grows;
        if (!fresh || file.kind != LocalFile::Kind::file) return {};
        if (m_images < 0) { // only looked at
            m_bytes += static_cast<std::uint64_t>(st.st_blocks) * k_block;
            return {};
        }
        return copy_content(dir, name, found->second);
    }

    Status copy_content(int dir, const std::string& name, LocalFile& file) {
        const Fd source(::openat(dir, name.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
        struct stat st{};
        if (!source || ::fstat(source.get(), &st) != 0)
            return fail_errno(Code::os, "open " + file.full_path());
        if (!S_ISREG(st.st_mode) || st.st_uid != m_rules.uid)
            return fail(Code::dump_failed, file.full_path() + " has changed under the dump");
        file.size = static_cast<std::uint64_t>(st.st_size);
        file.mtime_ns = std::int64_t{st.st_mtim.tv_sec} * 1'000'000'000 + st.st_mtim.tv_nsec;
        file.content = "local-" + std::to_string(m_contents++);
        CKPT_TRY(const Fd copy, open_beneath(m_images, file.content, O_WRONLY | O_CREAT | O_EXCL, 0600));
        const auto copied =
            copy_sparse(source.get(), 0, copy.get(), file.size, m_rules.limit - m_bytes, m_rules.deadline);
        if (!copied) return tl::unexpected(as_dump_error(copied.error(), file));
        m_bytes += *copied;
        return {};
    }

    [[nodiscard]] Error as_dump_error(Error error, const LocalFile& file) const {
        if (error.errnum == EFBIG)
            return {Code::dump_refused,
                    "the files that the job uses below " + file.root + " and the like hold more than " +
                        text::bytes(m_rules.limit),
                    "put large files on a shared file system, or have engine.node_local_limit raised", 0};
        if (error.code == Code::store_full) error.code = Code::dump_unfit;
        return error;
    }

    void add_directories_of(int root, const LocalFile& file) {
        for (std::size_t slash = file.path.find('/'); slash != std::string::npos;
             slash = file.path.find('/', slash + 1)) {
            LocalFile directory;
            directory.kind = LocalFile::Kind::directory;
            directory.root = file.root;
            directory.path = file.path.substr(0, slash);
            if (m_found.contains(directory.full_path())) continue;
            const auto fd = open_beneath(root, directory.full_path().substr(1), O_PATH | O_DIRECTORY);
            struct stat st{};
            if (!fd || ::fstat(fd->get(), &st) != 0 || st.st_uid != m_rules.uid) continue;
            directory.mode = st.st_mode & k_permissions;
            m_found.emplace(directory.full_path(), std::move(directory));
        }
    }

    void add_directory_of(const std::string& socket) {
        const std::size_t slash = socket.rfind('/');
        if (socket[0] != '/' || slash == 0) return;
        const auto [root, path] = below_root(m_rules.roots, socket.substr(0, slash));
        if (root.empty() || !is_straight(path)) return; // the process chose these words itself
        LocalFile directory;
        directory.kind = LocalFile::Kind::directory;
        directory.root = root;
        directory.path = path;
        directory.mode = S_IRWXU;
        m_found.try_emplace(directory.full_path(), directory);
    }

    const LocalRules& m_rules;
    int m_images;
    std::map<std::string, LocalFile> m_found; // by full path: a directory comes before what is in it
    std::set<std::uint64_t> m_sockets;
    std::uint64_t m_bytes = 0;
    unsigned m_contents = 0;
};

} // namespace

std::pair<std::string, std::string> below_root(const std::vector<std::string>& roots,
                                               const std::string& path) {
    std::string best;
    for (const std::string& root : roots)
        if (root.size() > best.size() && path.size() > root.size() + 1 && path.starts_with(root + "/"))
            best = root;
    if (best.empty()) return {};
    return {best, path.substr(best.size() + 1)};
}

Result<std::vector<LocalFile>> save_local_files(pid_t root, const LocalRules& rules, int images) {
    Finder finder(rules, images);
    CKPT_TRY(const auto pids, tree_pids(root));
    for (const pid_t pid : pids) {
        const auto info = process_info(pid);
        if (info && info->state != 'Z') CKPT_CHECK(finder.look_at(pid));
    }
    CKPT_CHECK(finder.look_at_sockets(root));
    return finder.take(root);
}

std::uint64_t bytes_of_local_files(pid_t root, const LocalRules& rules) {
    Finder finder(rules, -1);
    const auto pids = tree_pids(root);
    if (!pids) return 0;
    for (const pid_t pid : *pids)
        (void)finder.look_at(pid); // which may have ended meanwhile
    return finder.bytes();
}

Result<std::string> boot_id() {
    const Fd file(::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC));
    if (!file) return fail_errno(Code::os, "read the node's boot id");
    CKPT_TRY(std::string text, read_all(file.get(), 64));
    text.erase(text.find_last_not_of('\n') + 1);
    return text;
}

} // namespace ckpt
