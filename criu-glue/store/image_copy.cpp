// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/image_copy.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <format>
#include <limits>
#include <span>

#include "os/files.hpp"
#include "os/safe_path.hpp"
#include "store/digest.hpp"

namespace ckpt::store {
namespace {

constexpr std::size_t k_buffer = std::size_t{1} << 20U;
constexpr std::size_t k_granule = std::size_t{64} << 10U; // shorter runs of zeros are not worth a seek

bool is_zero(std::string_view bytes) {
    // Every byte equals its neighbour, and the first is zero.
    return bytes.front() == '\0' && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

// Fills the buffer as far as the file goes.
Result<std::size_t> read_some(int fd, std::span<char> buffer) {
    std::size_t have = 0;
    while (have < buffer.size()) {
        const ssize_t got = ::read(fd, buffer.data() + have, buffer.size() - have);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno(Code::store_corrupt, "read");
        if (got == 0) break;
        have += static_cast<std::size_t>(got);
    }
    return have;
}

// Writes at the file's offset and moves it on by bytes.size(); returns how much was not left out as a hole.
Result<std::uint64_t> write_sparse(int fd, std::string_view bytes) {
    std::uint64_t written = 0;
    while (!bytes.empty()) {
        const bool zero = is_zero(bytes.substr(0, k_granule));
        std::size_t run = 0;
        while (run < bytes.size() && is_zero(bytes.substr(run, k_granule)) == zero)
            run = std::min(run + k_granule, bytes.size());
        if (zero) {
            if (::lseek(fd, static_cast<off_t>(run), SEEK_CUR) < 0) return fail_errno(Code::os, "seek");
        } else {
            CKPT_CHECK(write_all(fd, bytes.substr(0, run)));
            written += run;
        }
        bytes.remove_prefix(run);
    }
    return written;
}

Error about(Error error, const std::string& name) {
    error.what = name + ": " + error.what;
    return error;
}

tl::unexpected<Error> of_source(Error error) {
    error.code = Code::store_corrupt;
    return tl::unexpected(std::move(error));
}

// Opens an image without waiting on a FIFO and without following links, and returns its size.
Result<Fd> open_image(int dir, const std::string& name, std::uint64_t& size) {
    CKPT_TRY(Fd in, open_beneath(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY));
    struct stat st{};
    if (::fstat(in.get(), &st) != 0) return fail_errno(Code::os, "look at the file");
    if (!S_ISREG(st.st_mode)) return fail(Code::internal, "not a regular file");
    size = static_cast<std::uint64_t>(st.st_size);
    return in;
}

Result<Copied> store_file(int source, int target, const std::string& name) {
    if (!is_store_name(name)) return fail(Code::internal, "not the name of an image");
    std::uint64_t size = 0;
    CKPT_TRY(const Fd in, open_image(source, name, size));
    CKPT_TRY(const Fd out, open_beneath(target, name, O_WRONLY | O_CREAT | O_EXCL, 0600));
    CKPT_TRY(Copied copied, copy_hashed(in.get(), out.get(), std::numeric_limits<std::uint64_t>::max()));
    CKPT_CHECK(sync_fd(out.get(), "the copy"));
    return copied;
}

// What is wrong with the source is Code::store_corrupt, what is wrong with the target anything else.
Status unpack_file(int source, int target, const FileEntry& file) {
    std::uint64_t size = 0;
    const auto in = open_image(source, file.name, size);
    if (!in) return of_source(in.error());
    if (size != file.size)
        return fail(Code::store_corrupt, std::format("{} bytes long, not {}", size, file.size));
    CKPT_TRY(const Fd out, open_beneath(target, file.name, O_WRONLY | O_CREAT | O_EXCL, 0600));
    CKPT_TRY(const Copied copied, copy_hashed(in->get(), out.get(), file.size));
    if (copied.size != file.size || copied.sha256 != file.sha256)
        return fail(Code::store_corrupt, "altered: its SHA-256 is not the manifest's");
    return {};
}

} // namespace

Result<Copied> copy_hashed(int from, int to, std::uint64_t limit) {
    std::vector<char> buffer(k_buffer);
    CKPT_TRY(Sha256 hash, Sha256::start());
    Copied copied;
    for (;;) {
        CKPT_TRY(const std::size_t have, read_some(from, buffer));
        if (have == 0) break;
        if (have > limit - copied.size) return fail(Code::store_corrupt, "longer than it was");
        const std::string_view bytes(buffer.data(), have);
        CKPT_CHECK(hash.add(bytes));
        CKPT_TRY(const std::uint64_t written, write_sparse(to, bytes));
        copied.size += have;
        copied.written += written;
    }
    // A hole at the end does not lengthen the file by itself.
    if (::ftruncate(to, static_cast<off_t>(copied.size)) != 0) return fail_errno(Code::os, "set the length");
    CKPT_TRY(copied.sha256, hash.finish());
    return copied;
}

Result<StoredFiles> store_files(int source, int target, std::size_t files_left) {
    CKPT_TRY(const auto names, list_dir(source));
    if (names.size() > files_left)
        return fail(Code::internal, std::format("more than {} image files", k_files_max));
    StoredFiles stored;
    stored.files.reserve(names.size());
    for (const std::string& name : names) {
        auto copied = store_file(source, target, name);
        if (!copied) return tl::unexpected(about(copied.error(), name));
        stored.files.push_back({name, copied->size, std::move(copied->sha256)});
        stored.written += copied->written;
    }
    CKPT_CHECK(sync_fd(target, "the part's directory"));
    return stored;
}

Status unpack_files(int source, int target, const PartEntry& part) {
    const auto names = list_dir(source);
    if (!names) return of_source(names.error());
    // Nothing that is not listed would be copied; but a stray file means that somebody was at work here.
    for (const std::string& name : *names)
        if (std::ranges::find(part.files, name, &FileEntry::name) == part.files.end())
            return fail(Code::store_corrupt, name + ": not in the manifest");
    for (const FileEntry& file : part.files)
        if (auto done = unpack_file(source, target, file); !done)
            return tl::unexpected(about(done.error(), file.name));
    return {};
}

} // namespace ckpt::store
