// SPDX-License-Identifier: GPL-2.0-or-later
#include "trash.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr mode_t k_mode = 0700;

// Directories of images are flat.
std::uint64_t bytes_in(int parent, const std::string& name) {
    const auto dir = open_beneath(parent, name, O_RDONLY | O_DIRECTORY);
    if (!dir) return 0;
    const auto names = list_dir(dir->get());
    if (!names) return 0;
    std::uint64_t sum = 0;
    for (const std::string& file : *names) {
        struct stat st{};
        if (::fstatat(dir->get(), file.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0)
            sum += static_cast<std::uint64_t>(st.st_blocks) * 512;
    }
    return sum;
}

} // namespace

Result<Trash> Trash::open(int local, const std::string& path) {
    CKPT_TRY(Fd dir, make_dir_beneath(local, k_name, k_mode));
    CKPT_TRY(const auto left, list_dir(dir.get()));
    Trash trash(std::move(dir), path + "/" + k_name);
    for (const std::string& name : left)
        trash.add(name);
    return trash;
}

void Trash::add(const std::string& name) {
    m_items[m_path + "/" + name].bytes = bytes_in(m_dir.get(), name);
}

Status Trash::take(int dir, const std::string& name) {
    std::string item;
    do
        item = std::to_string(m_next++);
    while (m_items.contains(m_path + "/" + item));
    if (::renameat(dir, name.c_str(), m_dir.get(), item.c_str()) != 0)
        return errno == ENOENT ? Status{} : remove_tree(dir, name);
    add(item);
    return {};
}

std::vector<std::string> Trash::collect(std::size_t most) {
    std::vector<std::string> paths;
    for (auto& [path, item] : m_items) {
        if (paths.size() == most) break;
        if (!std::exchange(item.is_collected, true)) paths.push_back(path);
    }
    return paths;
}

void Trash::forget(const std::vector<std::string>& paths) {
    for (const std::string& path : paths)
        m_items.erase(path);
}

bool Trash::retry(const std::vector<std::string>& paths) {
    bool all = true;
    for (const std::string& path : paths) {
        Item& item = m_items[path];
        item.is_collected = ++item.attempts >= k_attempts;
        if (item.is_collected) item.bytes = 0; // they are not going to be free
        all = all && !item.is_collected;
    }
    return all;
}

std::uint64_t Trash::bytes() const {
    std::uint64_t sum = 0;
    for (const auto& [path, item] : m_items)
        sum += item.bytes;
    return sum;
}

} // namespace ckpt
