// SPDX-License-Identifier: GPL-2.0-or-later
// What a restore takes out of the user's files is kept on the node for a while: one file for each, and an
// index that says where it was. They are root's.
#pragma once

#include <cstdint>
#include <string>

#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

struct Tail {
    Fd file;
    std::string name;
    std::string path;       // whose it was
    std::uint64_t from = 0; // its first byte there
};

class Tails {
public:
    explicit Tails(int dir) : m_dir(dir) {}

    // An empty one, and its line "NAME FROM PATH" in the index.
    Result<Tail> make(const std::string& path, std::uint64_t from);
    // Without a name: gone when it is closed.
    Result<Fd> make_scratch();
    void drop(const std::string& name) const;
    [[nodiscard]] int dir() const { return m_dir; }
    // Once nothing has to be put back any more: keeps the newest `most` bytes, with a line in the index that
    // says so.
    Status cap(const Tail& tail, std::uint64_t most) const;
    // A line "NAME FROM PATH, N bytes before it not kept".
    Status note_dropped(const Tail& tail, std::uint64_t dropped) const;

private:
    Result<Fd> make_file(const std::string& name) const;
    [[nodiscard]] std::string next_name();
    Status add_line(const std::string& line) const;

    int m_dir;
    unsigned m_count = 0;
};

// So much may go into `fd`'s file system: half of what is free.
Result<std::uint64_t> room_for_tails(int fd);

} // namespace ckpt
