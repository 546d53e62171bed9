// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/shim_state.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr const char* k_name = "shim-state";
constexpr off_t k_max = off_t{32} << 20; // its streams are bounded below (spank/shim)

// memfd_create(2): on the kernel's own tmpfs, without a name.
Status require_in_memory(int fd) {
    struct stat file{};
    struct statfs system{};
    if (::fstat(fd, &file) != 0 || ::fstatfs(fd, &system) != 0)
        return fail_errno(Code::os, "look at the shim's state");
    if (!S_ISREG(file.st_mode) || file.st_nlink != 0 || system.f_type != TMPFS_MAGIC)
        return fail(Code::dump_refused, "the shim's state is not a file in memory");
    if (file.st_size > k_max) return fail(Code::dump_refused, "the shim's state is larger than 32 MiB");
    return {};
}

// By position: the description is shared, and its owner may hold the lock of its own position.
Status copy(int from, int to) {
    std::array<char, 65536> buffer; // NOLINT(cppcoreguidelines-pro-type-member-init): filled by pread
    for (off_t at = 0; at <= k_max;) {
        const ssize_t n = ::pread(from, buffer.data(), buffer.size(), at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail_errno(Code::dump_refused, "read the shim's state");
        if (n == 0) return {};
        CKPT_CHECK(write_all(to, std::string_view(buffer.data(), static_cast<std::size_t>(n))));
        at += n;
    }
    return fail(Code::dump_refused, "the shim's state grows while it is read");
}

} // namespace

Status save_shim_state(int state, int images) {
    CKPT_CHECK(require_in_memory(state));
    CKPT_TRY(const Fd file, open_beneath(images, k_name, O_WRONLY | O_CREAT | O_EXCL, 0600));
    Status saved = copy(state, file.get());
    if (!saved) (void)::unlinkat(images, k_name, 0);
    return saved;
}

Result<Fd> load_shim_state(int images) {
    const auto file = open_beneath(images, k_name, O_RDONLY | O_NONBLOCK, 0);
    if (!file && file.error().errnum == ENOENT) return Fd();
    if (!file) return tl::unexpected(file.error());
    struct stat status{};
    if (::fstat(file->get(), &status) != 0 || !S_ISREG(status.st_mode) || status.st_nlink != 1)
        return fail(Code::store_corrupt, "the shim's state among the images is no file");
    Fd state(::memfd_create("ckpt-shim-state", MFD_CLOEXEC));
    if (!state) return fail_errno(Code::os, "make a file in memory");
    CKPT_CHECK(copy(file->get(), state.get()));
    return state;
}

} // namespace ckpt
