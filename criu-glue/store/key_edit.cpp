// SPDX-License-Identifier: GPL-2.0-or-later
// Writing a key file: a new one, and changes to one that is in use.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <format>

#include "os/files.hpp"
#include "os/safe_path.hpp"
#include "store/key.hpp"
#include "store/key_text.hpp"

namespace ckpt::store {
namespace {

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

Result<ClusterKey> new_key() {
    std::array<unsigned char, k_id_digits / 2> id{};
    ClusterKey key;
    CKPT_CHECK(fill_random(id));
    CKPT_CHECK(fill_random(key.secret.writable()));
    key.id = to_hex(id);
    return key;
}

void write_text(std::span<const ClusterKey> keys, KeyText& text) {
    text.append(k_first_line);
    for (const ClusterKey& key : keys) {
        text.append(k_id_label);
        text.append(key.id);
        text.append("\n");
        text.append(k_key_label);
        text.append_hex(key.secret.bytes());
        text.append("\n");
    }
}

// The directory of the key file, open, and the file's name in it.
struct Place {
    Fd dir;
    std::string name;
    std::string path; // for messages
};

Result<Place> place_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (path.empty() || path.front() != '/' || !is_plain_name(path.substr(slash + 1)))
        return fail(Code::store_key, "the key file needs an absolute path, not '" + path + "'");
    const std::string parent = slash == 0 ? "/" : path.substr(0, slash);
    Fd dir(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!dir) return fail_errno(Code::store_key, "cannot open " + parent);
    return Place{std::move(dir), path.substr(slash + 1), path};
}

// A new file with `keys` under a name of its own, durable; gone again with its owner.
class Draft {
public:
    explicit Draft(const Place& place)
        : m_place(place), m_name(std::format(".{}.{}", place.name, ::getpid())) {}
    Draft(const Draft&) = delete;
    Draft& operator=(const Draft&) = delete;
    Draft(Draft&&) = delete;
    Draft& operator=(Draft&&) = delete;
    ~Draft() {
        if (m_exists) ::unlinkat(m_place.dir.get(), m_name.c_str(), 0);
    }

    Status write(std::span<const ClusterKey> keys) {
        const Fd out(::openat(m_place.dir.get(), m_name.c_str(),
                              O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
        if (!out) return fail_errno(Code::store_key, "cannot write " + m_place.path);
        m_exists = true;
        if (::fchmod(out.get(), 0600) != 0)
            return fail_errno(Code::store_key, "cannot write " + m_place.path);
        KeyText text;
        write_text(keys, text);
        CKPT_CHECK(write_all(out.get(), text.text()));
        return sync_fd(out.get(), m_place.path);
    }
    // In the place of nothing: neither a crash nor a second administrator can leave half a key or two.
    Status create() const {
        if (::linkat(m_place.dir.get(), m_name.c_str(), m_place.dir.get(), m_place.name.c_str(), 0) == 0)
            return sync_fd(m_place.dir.get(), m_place.path);
        if (errno != EEXIST) return fail_errno(Code::store_key, "cannot create " + m_place.path);
        return fail(Code::store_key, m_place.path + " exists already",
                    "a key is never replaced in place, what it sealed would be lost; see 'sckpt key add'");
    }
    // In the place of the file that is there.
    Status replace() {
        if (::renameat(m_place.dir.get(), m_name.c_str(), m_place.dir.get(), m_place.name.c_str()) != 0)
            return fail_errno(Code::store_key, "cannot replace " + m_place.path);
        m_exists = false;
        return sync_fd(m_place.dir.get(), m_place.path);
    }

private:
    const Place& m_place;
    std::string m_name;
    bool m_exists = false;
};

// A second administrator would take away what the first one has just added. The lock is on the file that is
// going to be replaced, so it must still be the one at that path when it is held.
Status lock_file(int fd, const Place& place) {
    struct stat ours{};
    struct stat there{};
    const bool free = ::flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK; // no locks there: so be it
    const bool same = free && ::fstat(fd, &ours) == 0 &&
                      ::fstatat(place.dir.get(), place.name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
                      ours.st_dev == there.st_dev && ours.st_ino == there.st_ino;
    if (same) return {};
    return fail(Code::store_key, "somebody else is changing " + place.path, "try again");
}

// `change` gets the keys as they are and returns them as they shall be.
template <typename Change>
Status edit(const std::string& path, uid_t owner, Change change) {
    CKPT_TRY(const Place place, place_of(path));
    CKPT_TRY(const Fd fd, open_key_file(path));
    CKPT_CHECK(lock_file(fd.get(), place));
    CKPT_TRY(ClusterKeys keys, load_keys(fd.get(), path, owner));
    CKPT_TRY(const std::vector<ClusterKey> changed, change(std::move(keys).take()));
    Draft draft(place);
    CKPT_CHECK(draft.write(changed));
    return draft.replace();
}

Result<std::vector<ClusterKey>::iterator> find_in(std::vector<ClusterKey>& keys, const std::string& id,
                                                  const std::string& path) {
    const auto found = std::ranges::find(keys, id, &ClusterKey::id);
    if (found == keys.end())
        return fail(Code::store_key, path + " has no key '" + id + "'", "see 'sckpt key list'");
    return found;
}

} // namespace

Status create_key(const std::string& path) {
    CKPT_TRY(const Place place, place_of(path));
    CKPT_TRY(const ClusterKey key, new_key());
    Draft draft(place);
    CKPT_CHECK(draft.write(std::span(&key, 1)));
    return draft.create();
}

Result<std::string> add_key(const std::string& path, uid_t owner) {
    CKPT_TRY(ClusterKey added, new_key());
    std::string id = added.id;
    CKPT_CHECK(edit(path, owner, [&](std::vector<ClusterKey> keys) -> Result<std::vector<ClusterKey>> {
        if (keys.size() == k_keys_max)
            return fail(Code::store_key,
                        std::format("{} has {} keys, the most there can be", path, k_keys_max),
                        "remove one that nothing needs any more with 'sckpt key remove'");
        keys.push_back(std::move(added));
        return keys;
    }));
    return id;
}

Status use_key(const std::string& path, const std::string& id, uid_t owner) {
    return edit(path, owner, [&](std::vector<ClusterKey> keys) -> Result<std::vector<ClusterKey>> {
        CKPT_TRY(const auto found, find_in(keys, id, path));
        std::rotate(keys.begin(), found, found + 1);
        return keys;
    });
}

Status remove_key(const std::string& path, const std::string& id, uid_t owner) {
    return edit(path, owner, [&](std::vector<ClusterKey> keys) -> Result<std::vector<ClusterKey>> {
        CKPT_TRY(const auto found, find_in(keys, id, path));
        if (found == keys.begin())
            return fail(Code::store_key, "key '" + id + "' is the one that seals",
                        "let another one seal first with 'sckpt key use'");
        keys.erase(found);
        return keys;
    });
}

} // namespace ckpt::store
