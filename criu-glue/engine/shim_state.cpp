// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/shim_state.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <string>

#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr const char* k_name = "shim-state";
constexpr std::size_t k_max = std::size_t{64} << 20U; // its streams are bounded well below (spank/shim)

// memfd_create(2): on the kernel's own tmpfs, without a name.
Status require_in_memory(int fd) {
    struct stat file{};
    struct statfs system{};
    if (::fstat(fd, &file) != 0 || ::fstatfs(fd, &system) != 0)
        return fail_errno(Code::os, "look at the shim's state");
    if (S_ISREG(file.st_mode) && file.st_nlink == 0 && system.f_type == TMPFS_MAGIC) return {};
    return fail(Code::dump_refused, "the shim's state is not a file in memory");
}

} // namespace

Status save_shim_state(int state, int images) {
    CKPT_CHECK(require_in_memory(state));
    if (::lseek(state, 0, SEEK_SET) < 0) return fail_errno(Code::os, "read the shim's state");
    auto bytes = read_all(state, k_max);
    if (!bytes) return fail(Code::dump_refused, "the shim's state: " + bytes.error().what);
    CKPT_TRY(const Fd file, open_beneath(images, k_name, O_WRONLY | O_CREAT | O_EXCL, 0600));
    return write_all(file.get(), *bytes);
}

Status put_back_shim_state(int images, int state) {
    const auto file = open_beneath(images, k_name, O_RDONLY, 0);
    if (!file && file.error().errnum == ENOENT) return {};
    if (!file) return tl::unexpected(file.error());
    CKPT_CHECK(require_in_memory(state));
    CKPT_TRY(const std::string bytes, read_all(file->get(), k_max));
    if (::ftruncate(state, 0) != 0 || ::lseek(state, 0, SEEK_SET) < 0)
        return fail_errno(Code::os, "write the shim's state");
    return write_all(state, bytes);
}

} // namespace ckpt
