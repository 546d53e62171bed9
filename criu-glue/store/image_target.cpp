// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/image_target.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt::store {
namespace {

constexpr std::size_t k_buffer = std::size_t{256} << 10U;

} // namespace

Result<ImageTarget> ImageTarget::create(int dir, const std::string& name) {
    CKPT_TRY(Fd file, open_beneath(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0600));
    return ImageTarget(std::move(file));
}

Status ImageTarget::write(std::uint64_t at, std::string_view bytes) {
    if (at != m_at + m_buffer.size() || m_buffer.size() >= k_buffer) {
        CKPT_CHECK(flush());
        m_at = at;
    }
    m_buffer += bytes;
    return {};
}

Status ImageTarget::flush() {
    if (m_buffer.empty()) return {};
    if (::lseek(m_file.get(), static_cast<off_t>(m_at), SEEK_SET) < 0) return fail_errno(Code::os, "seek");
    CKPT_CHECK(write_all(m_file.get(), m_buffer));
    m_buffer.clear();
    return {};
}

Status ImageTarget::finish(std::uint64_t size) {
    CKPT_CHECK(flush());
    // A hole at the end does not lengthen the file by itself.
    if (::ftruncate(m_file.get(), static_cast<off_t>(size)) != 0)
        return fail_errno(Code::os, "set the length");
    return {};
}

} // namespace ckpt::store
