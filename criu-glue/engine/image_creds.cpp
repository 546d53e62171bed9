// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/image_creds.hpp"

#include <fcntl.h>

#include <algorithm>

#include "engine/image_fields.hpp"
#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_core_max = 64 << 20;

// images/core.proto and images/creds.proto
constexpr std::uint32_t k_core_thread = 5;
constexpr std::uint32_t k_thread_creds = 10;
constexpr std::uint32_t k_last_id = 8; // uid gid euid egid suid sgid fsuid fsgid
constexpr std::uint32_t k_cap_inh = 9;
constexpr std::uint32_t k_cap_prm = 10;
constexpr std::uint32_t k_cap_eff = 11;
constexpr std::uint32_t k_groups = 14;
constexpr std::uint32_t k_cap_amb = 19;

bool has_group(std::uint64_t gid, const wire::UserIds& user) {
    return gid == user.gid || std::ranges::find(user.groups, gid) != user.groups.end();
}

bool is_allowed(const ImageField& field, const wire::UserIds& user) {
    switch (field.number) {
    case k_cap_inh:
    case k_cap_prm:
    case k_cap_eff:
    case k_cap_amb:
        return !field.is_bytes && field.value == 0;
    case k_groups:
        return !field.is_bytes && has_group(field.value, user);
    default:
        break;
    }
    if (field.number > k_last_id) return true;
    return field.number % 2 == 1 ? field.value == user.uid : has_group(field.value, user);
}

bool is_other_gid(const ImageField& field, const wire::UserIds& user) {
    return field.number <= k_last_id && field.number % 2 == 0 && field.value != user.gid;
}

// The creds messages of one task: one per thread.
Result<std::vector<std::string_view>> creds_in(std::string_view core_entry) {
    std::vector<std::string_view> found;
    CKPT_TRY(const auto core, fields_of(core_entry));
    for (const ImageField& part : core) {
        if (part.number != k_core_thread || !part.is_bytes) continue;
        CKPT_TRY(const auto thread, fields_of(part.bytes));
        for (const ImageField& field : thread)
            if (field.number == k_thread_creds && field.is_bytes) found.push_back(field.bytes);
    }
    return found;
}

} // namespace

Result<bool> check_core_image(std::string_view image, const wire::UserIds& user) {
    bool other_gid = false;
    CKPT_TRY(const auto entries, entries_of(image));
    for (const std::string_view entry : entries) {
        CKPT_TRY(const auto creds, creds_in(entry));
        for (const std::string_view one : creds) {
            CKPT_TRY(const auto ids, fields_of(one));
            if (!std::ranges::all_of(ids, [&](const ImageField& id) { return is_allowed(id, user); }))
                return fail(Code::restore_refused,
                            "the images hold a task with rights that are not the user's");
            other_gid |=
                std::ranges::any_of(ids, [&](const ImageField& id) { return is_other_gid(id, user); });
        }
    }
    return other_gid;
}

Result<bool> check_image_creds(int images, const wire::UserIds& user) {
    bool other_gid = false;
    CKPT_TRY(const auto names, list_dir(images));
    for (const std::string& name : names) {
        if (!name.starts_with("core-")) continue;
        CKPT_TRY(const Fd file, open_beneath(images, name, O_RDONLY));
        CKPT_TRY(const std::string image, read_all(file.get(), k_core_max));
        CKPT_TRY(const bool other, check_core_image(image, user));
        other_gid |= other;
    }
    return other_gid;
}

} // namespace ckpt
