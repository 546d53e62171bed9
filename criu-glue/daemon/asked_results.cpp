// SPDX-License-Identifier: GPL-2.0-or-later
#include "asked_results.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "os/safe_path.hpp"

namespace ckpt {

namespace {
constexpr mode_t k_readable = 0755;
constexpr const char* k_new = "new";
} // namespace

Result<AskedResults> AskedResults::open(const std::string& path) {
    CKPT_TRY(Fd dir, make_trusted_dir(path, k_readable));
    if (::fchmod(dir.get(), k_readable) != 0) return fail_errno(Code::os, "set the mode of " + path);
    CKPT_TRY(const auto names, list_dir(dir.get()));
    for (const std::string& name : names)
        CKPT_CHECK(remove_tree(dir.get(), name));
    return AskedResults(std::move(dir));
}

Status AskedResults::publish(const std::string& name, const std::string& word) const {
    remove(k_new); // of a ckptd that died between these two calls
    if (::symlinkat(word.c_str(), m_dir.get(), k_new) != 0) return fail_errno(Code::os, "tell " + name);
    if (::renameat(m_dir.get(), k_new, m_dir.get(), name.c_str()) != 0)
        return fail_errno(Code::os, "tell " + name);
    return {};
}

void AskedResults::remove(const std::string& name) const {
    ::unlinkat(m_dir.get(), name.c_str(), 0);
}

} // namespace ckpt
