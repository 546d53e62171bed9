// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/cut_record.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <sstream>

#include "engine/record.hpp"
#include "engine/user_child.hpp"
#include "engine/way.hpp"
#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_record_max = 64 << 20;
constexpr std::size_t k_chunk = 64 << 10;

// The file reads at `at` as `tail` does from its beginning.
Result<bool> reads_like(int file, std::uint64_t at, int tail, std::uint64_t size) {
    std::array<char, k_chunk> one;   // NOLINT(cppcoreguidelines-pro-type-member-init): filled by pread
    std::array<char, k_chunk> other; // NOLINT(cppcoreguidelines-pro-type-member-init): likewise
    for (std::uint64_t done = 0; done < size;) {
        const std::size_t most = std::min<std::uint64_t>(size - done, one.size());
        const ssize_t n = ::pread(tail, one.data(), most, static_cast<off_t>(done));
        if (n <= 0) return fail_errno(Code::os, "read a tail", n == 0 ? EIO : errno);
        const auto length = static_cast<std::size_t>(n);
        if (::pread(file, other.data(), length, static_cast<off_t>(at + done)) != n) return false;
        if (std::memcmp(one.data(), other.data(), length) != 0) return false;
        done += length;
    }
    return true;
}

// As the user.
Status take_back(const Cut& cut, int tail) {
    const auto file = open_on_way(cut.path, O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (!file) return {};
    struct stat st{};
    if (::fstat(file->get(), &st) != 0) return fail_errno(Code::os, "look at " + cut.path);
    const auto size = static_cast<std::uint64_t>(st.st_size);
    if (!S_ISREG(st.st_mode) || st.st_ino != cut.inode || size < cut.to) return {};
    const std::uint64_t length = cut.from - cut.to;
    if (size >= cut.from) {
        CKPT_TRY(const bool was_not_cut, reads_like(file->get(), cut.to, tail, length));
        if (was_not_cut) return {};
    }
    if (::ftruncate(file->get(), static_cast<off_t>(cut.to)) != 0)
        return fail_errno(Code::os, "cut " + cut.path);
    return copy_range(tail, 0, file->get(), cut.to, length);
}

} // namespace

// A line for each: "TAIL INODE FROM TO PATH".
Status CutRecord::write(const std::vector<OpenCut>& cuts) const {
    forget();
    if (cuts.empty()) return {};
    std::ostringstream text;
    for (const auto& [cut, tail] : cuts)
        text << tail << ' ' << cut.inode << ' ' << cut.from << ' ' << cut.to << ' ' << escape_bytes(cut.path)
             << '\n';
    const std::string part = m_name + ".part";
    ::unlinkat(m_tails->dir(), part.c_str(), 0);
    CKPT_TRY(const Fd file, open_beneath(m_tails->dir(), part, O_WRONLY | O_CREAT | O_EXCL, 0600));
    CKPT_CHECK(write_all(file.get(), text.str()));
    CKPT_CHECK(sync_fd(file.get(), part));
    if (::renameat(m_tails->dir(), part.c_str(), m_tails->dir(), m_name.c_str()) != 0)
        return fail_errno(Code::os, "rename " + part);
    return sync_fd(m_tails->dir(), "the directory of tails");
}

Result<std::vector<OpenCut>> CutRecord::read() const {
    std::vector<OpenCut> cuts;
    const auto file = open_beneath(m_tails->dir(), m_name, O_RDONLY);
    if (!file && file.error().code == Code::not_found) return cuts;
    if (!file) return tl::unexpected(file.error());
    CKPT_TRY(const std::string text, read_all(file->get(), k_record_max));
    std::istringstream in(text);
    std::string path;
    for (OpenCut one; in >> one.tail >> one.cut.inode >> one.cut.from >> one.cut.to && in.ignore(1) &&
                      std::getline(in, path);) {
        one.cut.path = unescape_bytes(path);
        cuts.push_back(one);
    }
    return cuts;
}

void CutRecord::forget() const {
    ::unlinkat(m_tails->dir(), m_name.c_str(), 0);
}

Status take_back_cuts(const CutRecord& record, const Tails& tails, const UserPlace& place,
                      std::chrono::milliseconds limit) {
    CKPT_TRY(const auto cuts, record.read());
    for (const auto& [cut, name] : cuts) {
        CKPT_TRY(const Fd tail, open_beneath(tails.dir(), name, O_RDONLY));
        const auto done = as_user(place.user, place.mount_ns, limit, [&cut, &tail]() -> Result<std::string> {
            CKPT_CHECK(take_back(cut, tail.get()));
            return std::string();
        });
        if (!done) return tl::unexpected(done.error());
    }
    record.forget();
    for (const OpenCut& one : cuts)
        tails.drop(one.tail);
    return {};
}

} // namespace ckpt
