// SPDX-License-Identifier: GPL-2.0-or-later
#include "users.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "ask.hpp"
#include "os/fd.hpp"
#include "os/safe_path.hpp"
#include "policy/policy_yaml.hpp"
#include "policy/resolve.hpp"

namespace ckpt::cli {

namespace {

constexpr const char* k_policy = "/etc/slurm/checkpoint.yaml";

// Without %% for a percent sign.
std::string plain(std::string text) {
    for (std::size_t at = 0; (at = text.find("%%", at)) != std::string::npos; ++at)
        text.erase(at, 1);
    return text;
}

std::size_t find_user(const std::string& base) {
    for (std::size_t at = 0; (at = base.find('%', at)) != std::string::npos; at += 2)
        if (base.compare(at, 2, "%u") == 0) return at;
    return std::string::npos;
}

// It may be that only the user can look into it.
bool may_have_store(const std::string& base, const std::string& user) {
    const auto path = user_base(base, user);
    struct stat st{};
    return path && (::stat(path->c_str(), &st) == 0 || (errno != ENOENT && errno != ENOTDIR));
}

Result<std::vector<StoreUser>> everybody(const std::string& dir) {
    CKPT_CHECK(connect_to_ckptd()); // without it nobody's can be seen, be there users or not
    std::string base = dir;
    if (base.empty()) {
        CKPT_TRY(const Policy policy, load_policy(k_policy));
        base = policy.storage.base;
    } else if (find_user(base) == std::string::npos) {
        return fail(Code::option_value, "--dir: whose checkpoints in " + base + " are meant is not said",
                    "add --user=NAME, or %u for the user's name to the directory");
    }
    const UserPattern pattern = user_pattern(base);
    std::vector<StoreUser> users;
    const Fd above(::open(pattern.above.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!above && errno == ENOENT) return users;
    if (!above) return fail_errno(Code::os, "look for the users in " + pattern.above);
    CKPT_TRY(const auto entries, list_dir(above.get()));
    for (const std::string& entry : entries) {
        const std::string name = user_in(pattern, entry);
        if (name.empty()) continue;
        const passwd* found = ::getpwnam(name.c_str()); // NOLINT(concurrency-mt-unsafe): one thread
        if (found != nullptr && may_have_store(base, name)) users.push_back({name, found->pw_uid});
    }
    return users;
}

} // namespace

UserPattern user_pattern(const std::string& base) {
    const std::size_t at = find_user(base);
    if (at == std::string::npos) return {plain(base), "", ""};
    const std::size_t start = base.rfind('/', at);
    const std::size_t end = std::min(base.find('/', at), base.size());
    return {start == 0 ? "/" : plain(base.substr(0, start)), plain(base.substr(start + 1, at - start - 1)),
            plain(base.substr(at + 2, end - at - 2))};
}

std::string user_in(const UserPattern& pattern, const std::string& entry) {
    const std::size_t around = pattern.before.size() + pattern.after.size();
    if (entry.size() <= around || !entry.starts_with(pattern.before) || !entry.ends_with(pattern.after))
        return {};
    return entry.substr(pattern.before.size(), entry.size() - around);
}

Result<std::vector<StoreUser>> users_in_question(const std::string& wanted, const std::string& dir) {
    const uid_t own = ::getuid();
    if (wanted.empty() && own == 0) return everybody(dir);
    const passwd* entry = // NOLINT(concurrency-mt-unsafe): one thread
        wanted.empty() ? ::getpwuid(own) : ::getpwnam(wanted.c_str());
    if (entry == nullptr)
        return fail(Code::not_found, wanted.empty() ? "you have no user name" : "no user " + wanted);
    if (own != 0 && entry->pw_uid != own)
        return fail(Code::not_permitted, "only root may see the checkpoints of other users",
                    "leave --user away");
    return std::vector{StoreUser{entry->pw_name, entry->pw_uid}};
}

} // namespace ckpt::cli
