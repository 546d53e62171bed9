// SPDX-License-Identifier: GPL-2.0-or-later
// Reading a key file, and whom to trust.
#include "store/key.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <format>
#include <optional>

#include "store/key_text.hpp"

namespace ckpt::store {
namespace {

// Consumes `expected` from the front of `text`.
bool take(std::string_view& text, std::string_view expected) {
    if (!text.starts_with(expected)) return false;
    text.remove_prefix(expected.size());
    return true;
}

// One key from the front of `text`.
std::optional<ClusterKey> take_key(std::string_view& text) {
    if (text.size() < k_pair_size) return std::nullopt;
    ClusterKey key;
    if (!take(text, k_id_label)) return std::nullopt;
    key.id = text.substr(0, k_id_digits);
    text.remove_prefix(k_id_digits);
    if (!std::ranges::all_of(key.id, [](char c) { return hex_value(c) >= 0; })) return std::nullopt;
    if (!take(text, "\n") || !take(text, k_key_label)) return std::nullopt;
    if (!from_hex(text.substr(0, 2 * Secret::k_size), key.secret.writable())) return std::nullopt;
    text.remove_prefix(2 * Secret::k_size);
    if (!take(text, "\n")) return std::nullopt;
    return key;
}

// None: it is not exactly a key file's.
std::vector<ClusterKey> parse_keys(std::string_view text) {
    const bool one = take(text, k_first_line_of_one);
    if (!one && !take(text, k_first_line)) return {};
    std::vector<ClusterKey> keys;
    keys.reserve(k_keys_max);
    while (!text.empty()) {
        std::optional<ClusterKey> key = take_key(text);
        if (!key || keys.size() == (one ? 1 : k_keys_max)) return {};
        if (std::ranges::find(keys, key->id, &ClusterKey::id) != keys.end()) return {};
        keys.push_back(std::move(*key));
    }
    return keys;
}

// At most one byte more than a key file may have, so that a longer one is noticed.
Status read_text(int fd, KeyText& text, const std::string& path) {
    const std::span<char> room = text.room();
    std::size_t have = 0;
    while (have < room.size()) {
        const ssize_t got = ::pread(fd, room.data() + have, room.size() - have, static_cast<off_t>(have));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno(Code::store_key, "cannot read the key file " + path);
        if (got == 0) break;
        have += static_cast<std::size_t>(got);
    }
    text.used(have);
    return {};
}

Status check_key_file(int fd, const std::string& path, uid_t owner) {
    struct stat st{};
    if (::fstat(fd, &st) != 0) return fail_errno(Code::store_key, "cannot read the key file " + path);
    if (!S_ISREG(st.st_mode)) return fail(Code::store_key, "the key file " + path + " is not a regular file");
    if (st.st_uid != owner)
        return fail(Code::store_key, std::format("the key file {} belongs to uid {}", path, st.st_uid),
                    std::format("chown {} {}", owner, path));
    if ((st.st_mode & 07177U) != 0)
        return fail(Code::store_key,
                    std::format("the key file {} has mode {:04o}: others may have seen the key", path,
                                st.st_mode & 07777U),
                    "replace the key, then keep it at mode 0600");
    return {};
}

} // namespace

const ClusterKey* ClusterKeys::find(std::string_view id) const {
    const auto found = std::ranges::find(m_keys, id, &ClusterKey::id);
    return found == m_keys.end() ? nullptr : &*found;
}

Result<Fd> open_key_file(const std::string& path) {
    // O_NONBLOCK: a FIFO in the file's place must not hang us before fstat tells.
    Fd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (fd) return fd;
    auto error = fail_errno(Code::store_key, "cannot read the key file " + path);
    if (error.value().errnum == ENOENT)
        error.value().hint = "copy it from another node; if none has one yet, make it with 'sckpt key create'";
    return error;
}

Result<ClusterKeys> load_keys(int fd, const std::string& path, uid_t owner) {
    CKPT_CHECK(check_key_file(fd, path, owner));
    KeyText text;
    CKPT_CHECK(read_text(fd, text, path));
    std::vector<ClusterKey> keys = parse_keys(text.text());
    if (keys.empty())
        return fail(Code::store_key, path + " is not a key file",
                    "copy it from another node; if none has one yet, make it with 'sckpt key create'");
    return ClusterKeys(std::move(keys));
}

Result<ClusterKeys> load_keys(const std::string& path, uid_t owner) {
    CKPT_TRY(const Fd fd, open_key_file(path));
    return load_keys(fd.get(), path, owner);
}

Result<ClusterKey> load_key(const std::string& path, uid_t owner) {
    CKPT_TRY(ClusterKeys keys, load_keys(path, owner));
    return std::move(std::move(keys).take().front());
}

} // namespace ckpt::store
