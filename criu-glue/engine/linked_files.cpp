// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/linked_files.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "engine/image_fields.hpp"
#include "engine/user_child.hpp"
#include "os/files.hpp"
#include "os/safe_path.hpp"
#include "text/text.hpp"

namespace ckpt {

namespace {

constexpr mode_t k_permissions = 07777;
constexpr std::string_view k_criu_name = "link_remap."; // files-reg.c:create_link_remap
constexpr std::string_view k_nfs_name = ".nfs";         // the kernel's fs/nfs/unlink.c
// images/remap-file-path.proto, fdinfo.proto, regfile.proto
constexpr std::uint32_t k_remap_id = 2;
constexpr std::uint32_t k_remap_type = 3;
constexpr std::uint64_t k_linked = 0;
constexpr std::uint32_t k_file_id = 2;
constexpr std::uint32_t k_file_reg = 3;
constexpr std::uint32_t k_reg_name = 6;

std::string_view bytes_of(const std::vector<ImageField>& fields, std::uint32_t number) {
    const auto found = std::ranges::find(fields, number, &ImageField::number);
    return found != fields.end() ? found->bytes : std::string_view();
}

Result<std::set<std::uint64_t>> linked_ids(int images) {
    std::set<std::uint64_t> ids;
    const auto image = read_image(images, "remap-fpath.img");
    if (!image && image.error().code == Code::not_found) return ids;
    if (!image) return tl::unexpected(image.error());
    CKPT_TRY(const auto entries, entries_of(*image));
    for (const std::string_view entry : entries) {
        CKPT_TRY(const auto fields, fields_of(entry));
        if (value_of(fields, k_remap_type) == k_linked) ids.insert(value_of(fields, k_remap_id));
    }
    return ids;
}

// ---- as the user ----

std::string directory_of(const std::string& path) {
    return path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
}

struct Names {
    std::string sibling;
    std::uint64_t count = 0; // of all names in the directory
};

Result<Names> names_of(const LinkedFile& file) {
    const std::string path = directory_of(file.link);
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), ::closedir);
    if (!dir) return fail_errno(Code::os, "list " + path);
    Names names;
    while (const dirent* entry = ::readdir(dir.get())) {
        const std::string_view name = entry->d_name;
        struct stat st{};
        if (entry->d_ino != file.inode ||
            ::fstatat(::dirfd(dir.get()), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
            st.st_ino != file.inode)
            continue;
        ++names.count;
        if (names.sibling.empty() && !name.starts_with(k_criu_name) && !name.starts_with(k_nfs_name))
            names.sibling = path + (path == "/" ? "" : "/") + std::string(name);
    }
    return names;
}

class Saver {
public:
    Saver(int images, const LinkRules& rules) : m_images(images), m_rules(rules) {}

    Status save(const std::string& link) {
        const Fd file(::open(link.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
        struct stat st{};
        if (::lstat(link.c_str(), &st) != 0) return fail_errno(Code::dump_failed, "look at " + link);
        LinkedFile saved;
        saved.link = link;
        saved.inode = st.st_ino;
        saved.size = static_cast<std::uint64_t>(st.st_size);
        saved.mode = st.st_mode & k_permissions;
        CKPT_TRY(const Names names, names_of(saved));
        saved.sibling = names.sibling;
        saved.elsewhere = st.st_nlink > names.count;
        const bool own = file && S_ISREG(st.st_mode) && st.st_uid == ::geteuid();
        if (own) CKPT_CHECK(save_content(file.get(), saved));
        const bool link_must_stay = saved.sibling.empty() && (saved.elsewhere || saved.content.empty());
        if (link_must_stay && saved.content.empty() && !m_rules.tree_stops) return refuse(link, own);
        if (m_rules.tree_stops && !link_must_stay) ::unlink(link.c_str());
        m_record.links.push_back(std::move(saved));
        return {};
    }

    DumpRecord take() { return std::move(m_record); }

private:
    Status save_content(int file, LinkedFile& saved) const {
        const std::string name = "linked-" + std::to_string(m_record.links.size());
        Fd copy;
        CKPT_TRY(copy, open_beneath(m_images, name, O_WRONLY | O_CREAT | O_EXCL, 0600));
        const auto copied = copy_whole(file, copy.get(), saved.size, m_rules.content_limit);
        if (copied) {
            saved.content = name;
            return {};
        }
        ::unlinkat(m_images, name.c_str(), 0);
        if (copied.error().errnum == EFBIG) return {};
        return tl::unexpected(copied.error());
    }

    [[nodiscard]] Status refuse(const std::string& link, bool own) const {
        return fail(
            Code::dump_refused,
            "the job holds a file open that was deleted in " + directory_of(link) + " and " +
                (own ? "has more than " + text::bytes(m_rules.content_limit) : "is not the user's own"),
            own ? "have engine.ghost_limit raised, or keep the file's name until the job ends"
                : "keep the file's name until the job ends");
    }

    int m_images;
    const LinkRules& m_rules;
    DumpRecord m_record;
};

// As the kernel shows it in /proc/PID/fd.
bool has_lost_name(const std::string& path) {
    return path.ends_with(" (deleted)") || path.substr(path.rfind('/') + 1).starts_with(k_nfs_name);
}

} // namespace

Result<std::vector<std::string>> links_in_images(int images) {
    std::vector<std::string> links;
    CKPT_TRY(const auto ids, linked_ids(images));
    if (ids.empty()) return links;
    CKPT_TRY(const std::string image, read_image(images, "files.img"));
    CKPT_TRY(const auto entries, entries_of(image));
    for (const std::string_view entry : entries) {
        CKPT_TRY(const auto fields, fields_of(entry));
        if (!ids.contains(value_of(fields, k_file_id))) continue;
        CKPT_TRY(const auto reg, fields_of(bytes_of(fields, k_file_reg)));
        const std::string name(bytes_of(reg, k_reg_name));
        if (!name.empty()) links.push_back(name.starts_with('/') ? name : "/" + name);
    }
    return links;
}

Result<std::vector<LinkedFile>> save_links(const std::vector<std::string>& links, const JobUser& user,
                                           int mount_ns, int images, const LinkRules& rules,
                                           std::chrono::milliseconds patience) {
    if (links.empty()) return std::vector<LinkedFile>();
    CKPT_TRY(const std::string text, as_user(user, mount_ns, patience, [&]() -> Result<std::string> {
                 Saver saver(images, rules);
                 for (const std::string& link : links)
                     CKPT_CHECK(saver.save(link));
                 return to_json(saver.take());
             }));
    CKPT_TRY(DumpRecord record, record_from_json(text));
    return std::move(record.links);
}

void rename_linked(std::vector<OpenFile>& files, const std::vector<LinkedFile>& links) {
    for (const LinkedFile& link : links) {
        const auto is_it = [&](const OpenFile& file) {
            return file.inode == link.inode && has_lost_name(file.path);
        };
        if (link.sibling.empty())
            std::erase_if(files, is_it);
        else
            for (OpenFile& file : files)
                if (is_it(file)) file.path = link.sibling;
    }
}

} // namespace ckpt
