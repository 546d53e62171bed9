// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/reopen.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <format>
#include <set>
#include <string_view>

#include "engine/image_fields.hpp"
#include "engine/user_child.hpp"
#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

// images/remap-file-path.proto, fdinfo.proto (file_entry), regfile.proto
constexpr std::uint32_t k_remap_origin = 1;
constexpr std::uint32_t k_file_reg = 3;
constexpr std::uint32_t k_reg_id = 1;
constexpr std::uint32_t k_reg_flags = 2;
constexpr std::uint32_t k_reg_name = 6;

Result<std::set<std::uint64_t>> remapped(int images) {
    std::set<std::uint64_t> ids;
    const auto image = read_image(images, "remap-fpath.img");
    if (!image && image.error().code == Code::not_found) return ids;
    if (!image) return tl::unexpected(image.error());
    CKPT_TRY(const auto entries, entries_of(*image));
    for (const std::string_view entry : entries) {
        CKPT_TRY(const auto fields, fields_of(entry));
        ids.insert(value_of(fields, k_remap_origin));
    }
    return ids;
}

int access_of(std::uint32_t flags) {
    switch (flags & O_ACCMODE) {
    case O_RDONLY:
        return R_OK;
    case O_WRONLY:
        return W_OK;
    default:
        return R_OK | W_OK;
    }
}

// As the user.
bool may_open(const OpenedByPath& file) {
    if (file.is_gone || (file.flags & O_PATH) != 0) return true;
    if (::faccessat(AT_FDCWD, file.path.c_str(), access_of(file.flags), AT_EACCESS) == 0) return true;
    return errno != EACCES && errno != EPERM;
}

std::string mode_of(const std::string& path) {
    struct stat st{};
    return ::stat(path.c_str(), &st) == 0 ? std::format("{:04o}", st.st_mode & 07777U) : "?";
}

} // namespace

Result<std::vector<OpenedByPath>> opened_by_path(int images) {
    CKPT_TRY(const auto gone, remapped(images));
    CKPT_TRY(const std::string image, read_image(images, "files.img"));
    CKPT_TRY(const auto entries, entries_of(image));
    std::vector<OpenedByPath> files;
    for (const std::string_view entry : entries) {
        CKPT_TRY(const auto fields, fields_of(entry));
        for (const ImageField& field : fields) {
            if (field.number != k_file_reg || !field.is_bytes) continue;
            CKPT_TRY(const auto reg, fields_of(field.bytes));
            const auto name = std::ranges::find(reg, k_reg_name, &ImageField::number);
            if (name == reg.end()) continue;
            files.push_back({std::string(name->bytes), static_cast<std::uint32_t>(value_of(reg, k_reg_flags)),
                             gone.contains(value_of(reg, k_reg_id))});
            if (!files.back().path.starts_with('/')) files.back().path.insert(0, 1, '/');
        }
    }
    return files;
}

Status check_reopen(const std::vector<OpenedByPath>& files, const JobUser& user, int mount_ns,
                    std::chrono::milliseconds patience) {
    const auto found = as_user(user, mount_ns, patience, [&files]() -> Result<std::string> {
        const auto refused = std::ranges::find_if_not(files, may_open);
        if (refused == files.end()) return std::string();
        const char* verb = access_of(refused->flags) == R_OK ? "read" : "write";
        return std::format("{}, which the job has open, could not be opened again to {} it: its mode is {}",
                           refused->path, verb, mode_of(refused->path));
    });
    if (!found || found->empty()) return {};
    return fail(Code::dump_refused, "the checkpoint would not restore: " + *found,
                "give the job's user the right to, or have the program close it");
}

} // namespace ckpt
