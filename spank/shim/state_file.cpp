// SPDX-License-Identifier: GPL-2.0-or-later
#include "state_file.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "os/files.hpp"

namespace ckpt {

namespace {
constexpr std::size_t k_read_max = std::size_t{1} << 30;
} // namespace

Result<StateFile> StateFile::make() {
    Fd file(::memfd_create("ckpt-shim-state", MFD_CLOEXEC));
    if (!file) return fail_errno(Code::os, "make a file in memory");
    return StateFile(std::move(file));
}

Status StateFile::write(const wire::ShimState& state) const {
    if (::ftruncate(m_file.get(), 0) != 0 || ::lseek(m_file.get(), 0, SEEK_SET) < 0)
        return fail_errno(Code::os, "empty the shim's file in memory");
    CKPT_CHECK(write_all(m_file.get(), wire::encode(state)));
    ::lseek(m_file.get(), 0, SEEK_SET); // the position is shared with whoever takes the descriptor
    return {};
}

Result<wire::ShimState> StateFile::read() const {
    if (!m_file) return wire::ShimState{};
    if (::lseek(m_file.get(), 0, SEEK_SET) < 0) return fail_errno(Code::os, "read the shim's file in memory");
    CKPT_TRY(const std::string bytes, read_all(m_file.get(), k_read_max));
    if (bytes.empty()) return wire::ShimState{};
    return wire::decode<wire::ShimState>(bytes);
}

} // namespace ckpt
