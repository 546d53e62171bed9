// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/sealed_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdio>
#include <format>
#include <random>

#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt::store {
namespace {

Status write_synced(int dir, const std::string& name, std::string_view text) {
    CKPT_TRY(const Fd out, open_beneath(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600));
    CKPT_CHECK(write_all(out.get(), text));
    return sync_fd(out.get(), name);
}

} // namespace

Result<std::size_t> write_sealed(int dir, std::string_view name, std::string body, const SealKey& key) {
    CKPT_TRY(const std::string text, seal(std::move(body), key));
    // Tasks of one job start on several nodes and record the same adoption: each writes a temporary of its
    // own.
    std::random_device random;
    const std::string temp = std::format("{}{}-{:08x}{:08x}", k_temp_prefix, name, random(), random());
    const std::string final_name(name);
    Status done = write_synced(dir, temp, text);
    if (done && ::renameat(dir, temp.c_str(), dir, final_name.c_str()) != 0)
        done = fail_errno(Code::os, "rename " + temp);
    if (!done) {
        ::unlinkat(dir, temp.c_str(), 0);
        return tl::unexpected(done.error());
    }
    CKPT_CHECK(sync_fd(dir, "the directory of " + final_name));
    return text.size();
}

Result<std::string> read_small_file(int dir, std::string_view name, std::size_t max) {
    // O_NONBLOCK: a FIFO in the file's place must not hang us before fstat tells.
    CKPT_TRY(const Fd in, open_beneath(dir, std::string(name), O_RDONLY | O_NONBLOCK));
    struct stat st{};
    if (::fstat(in.get(), &st) != 0) return fail_errno(Code::os, std::format("look at {}", name));
    if (!S_ISREG(st.st_mode)) return fail(Code::store_corrupt, std::format("{} is not a regular file", name));
    return read_all(in.get(), max);
}

Result<std::string> read_sealed(int dir, std::string_view name, std::size_t max, const SealKey& key) {
    CKPT_TRY(std::string text, read_small_file(dir, name, max));
    auto body = unseal(text, key);
    if (!body) {
        Error error = body.error();
        error.what = std::format("{}: {}", name, error.what);
        return tl::unexpected(error);
    }
    text.resize(body->size()); // the body is the front of the text
    return text;
}

} // namespace ckpt::store
