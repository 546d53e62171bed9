// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/key.hpp"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <format>
#include <span>
#include <string_view>

#include "os/fd.hpp"
#include "os/files.hpp"
#include "os/safe_path.hpp"
#include "store/hex.hpp"

namespace ckpt::store {
namespace {

constexpr std::string_view k_first_line = "slurm-checkpoint-key 1\n";
constexpr std::string_view k_id_label = "id: ";
constexpr std::string_view k_key_label = "key: ";
constexpr std::size_t k_id_digits = 16;
constexpr std::size_t k_text_size =
    k_first_line.size() + k_id_label.size() + k_id_digits + 1 + k_key_label.size() + 2 * Secret::k_size + 1;

// The file's text on the stack, so that no reallocation leaves a copy of the key behind.
class KeyText {
public:
    KeyText() = default;
    KeyText(const KeyText&) = delete;
    KeyText& operator=(const KeyText&) = delete;
    KeyText(KeyText&&) = delete;
    KeyText& operator=(KeyText&&) = delete;
    ~KeyText() { OPENSSL_cleanse(m_text.data(), m_text.size()); }

    // False when the file is not exactly as long as a key file.
    bool read_from(int fd) {
        std::size_t have = 0;
        while (have < m_text.size()) {
            const ssize_t got = ::read(fd, m_text.data() + have, m_text.size() - have);
            if (got < 0 && errno == EINTR) continue;
            if (got <= 0) break;
            have += static_cast<std::size_t>(got);
        }
        m_used = have;
        return have == k_text_size;
    }
    void append(std::string_view part) {
        std::ranges::copy(part, m_text.begin() + static_cast<std::ptrdiff_t>(m_used));
        m_used += part.size();
    }
    void append_hex(std::span<const unsigned char> bytes) {
        for (const unsigned char byte : bytes) {
            m_text[m_used++] = hex_digit(byte >> 4U);
            m_text[m_used++] = hex_digit(byte & 0xfU);
        }
    }
    [[nodiscard]] std::string_view text() const { return {m_text.data(), m_used}; }

private:
    std::array<char, k_text_size + 1> m_text{}; // one more, to notice a file that is longer
    std::size_t m_used = 0;
};

// Consumes `expected` from the front of `text`.
bool take(std::string_view& text, std::string_view expected) {
    if (!text.starts_with(expected)) return false;
    text.remove_prefix(expected.size());
    return true;
}

bool parse_key(std::string_view text, ClusterKey& key) {
    if (!take(text, k_first_line) || !take(text, k_id_label)) return false;
    key.id = text.substr(0, k_id_digits);
    if (!std::ranges::all_of(key.id, [](char c) { return hex_value(c) >= 0; })) return false;
    text.remove_prefix(k_id_digits);
    if (!take(text, "\n") || !take(text, k_key_label)) return false;
    return from_hex(text.substr(0, 2 * Secret::k_size), key.secret.writable()) &&
           text.substr(2 * Secret::k_size) == "\n";
}

Status fill_random(std::span<unsigned char> out) {
    std::size_t have = 0;
    while (have < out.size()) {
        const ssize_t got = ::getrandom(out.data() + have, out.size() - have, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno(Code::store_key, "cannot make a key: getrandom");
        have += static_cast<std::size_t>(got);
    }
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

// Writes `text` under a name of its own and links it to `name`, which fails where a file is already: neither
// a crash nor a second administrator can leave half a key or two.
Status publish(int dir, const std::string& name, const std::string& path, std::string_view text) {
    const std::string temp = std::format(".{}.{}", name, ::getpid());
    const Fd out(::openat(dir, temp.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!out) return fail_errno(Code::store_key, "cannot create " + path);
    Status done =
        ::fchmod(out.get(), 0600) == 0 ? Status{} : fail_errno(Code::store_key, "cannot create " + path);
    if (done) done = write_all(out.get(), text);
    if (done) done = sync_fd(out.get(), path);
    if (done && ::linkat(dir, temp.c_str(), dir, name.c_str(), 0) != 0) {
        done = errno == EEXIST
                   ? Status(fail(Code::store_key, path + " exists already",
                                 "a key is never replaced in place: what it sealed would be lost"))
                   : fail_errno(Code::store_key, "cannot create " + path);
    }
    ::unlinkat(dir, temp.c_str(), 0);
    if (done) done = sync_fd(dir, path);
    return done;
}

} // namespace

Result<ClusterKey> load_key(const std::string& path, uid_t owner) {
    // O_NONBLOCK: a FIFO in the file's place must not hang us before fstat tells.
    const Fd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!fd) {
        auto error = fail_errno(Code::store_key, "cannot read the key file " + path);
        if (error.value().errnum == ENOENT)
            error.value().hint = "make one with 'sckpt key create', copy it to every node";
        return error;
    }
    CKPT_CHECK(check_key_file(fd.get(), path, owner));
    KeyText text;
    ClusterKey key;
    if (!text.read_from(fd.get()) || !parse_key(text.text(), key))
        return fail(Code::store_key, path + " is not a key file of version 1",
                    "make one with 'sckpt key create', copy it to every node");
    return key;
}

Status create_key(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (path.empty() || path.front() != '/' || !is_plain_name(path.substr(slash + 1)))
        return fail(Code::store_key, "the key file needs an absolute path, not '" + path + "'");
    const std::string parent = slash == 0 ? "/" : path.substr(0, slash);
    const Fd dir(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!dir) return fail_errno(Code::store_key, "cannot open " + parent);

    std::array<unsigned char, k_id_digits / 2> id{};
    Secret secret;
    CKPT_CHECK(fill_random(id));
    CKPT_CHECK(fill_random(secret.writable()));
    KeyText text;
    text.append(k_first_line);
    text.append(k_id_label);
    text.append_hex(id);
    text.append("\n");
    text.append(k_key_label);
    text.append_hex(secret.bytes());
    text.append("\n");
    return publish(dir.get(), path.substr(slash + 1), path, text.text());
}

} // namespace ckpt::store
