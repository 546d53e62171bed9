// SPDX-License-Identifier: GPL-2.0-or-later
// Images that are of no use any more, until somebody has removed them: removing takes seconds for a large job
// (0.2 s per GiB on ext4), and the loop answers shims meanwhile.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

class Trash {
public:
    static constexpr const char* k_name = "trash";
    static constexpr unsigned k_attempts = 5;

    // <local>/trash, made when it is missing; what an earlier daemon has left in it is to be removed as well.
    // `path`: of `local`, whose every directory is root's alone, so that paths below it stay what they are.
    static Result<Trash> open(int local, const std::string& path);

    // Takes `name` out of `dir`, with everything in it. No error when there is none.
    Status take(int dir, const std::string& name);
    // What is to be removed now, by absolute path: at most `most`, each once.
    std::vector<std::string> collect(std::size_t most);
    // They are gone.
    void forget(const std::vector<std::string>& paths);
    // They are not: a killed criu may still have written into one. collect() hands them out again, unless
    // that has been tried `k_attempts` times; false then, and they stay until a daemon after this one.
    bool retry(const std::vector<std::string>& paths);
    // That will be free.
    [[nodiscard]] std::uint64_t bytes() const;

private:
    Trash(Fd dir, std::string path) : m_dir(std::move(dir)), m_path(std::move(path)) {}
    void add(const std::string& name);

    struct Item {
        std::uint64_t bytes = 0;
        bool is_collected = false;
        unsigned attempts = 0;
    };
    Fd m_dir;
    std::string m_path;
    std::uint64_t m_next = 1;
    std::map<std::string, Item> m_items; // by path
};

} // namespace ckpt
