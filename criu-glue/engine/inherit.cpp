// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/inherit.hpp"

#include <algorithm>

namespace ckpt {

namespace {

std::string pipe_key(std::uint64_t inode) {
    return "pipe:[" + std::to_string(inode) + "]";
}

// files-reg.c keeps paths relative to the root.
std::string path_key(const std::string& path) {
    return path.starts_with('/') ? path.substr(1) : path;
}

// CRIU takes the first entry with a matching key (files.c:inherit_fd_lookup_id): a second one would only
// confuse.
void add(std::vector<Inheritance>& plan, Inheritance item) {
    const auto same = [&](const Inheritance& other) { return other.key == item.key; };
    if (std::ranges::none_of(plan, same)) plan.push_back(std::move(item));
}

} // namespace

std::vector<Inheritance> plan_inheritance(const DumpRecord& record, const std::array<StdioIdentity, 3>& now,
                                          const std::string& script) {
    std::vector<Inheritance> plan;
    add(plan, {pipe_key(record.status_pipe), NewFile::status_pipe, std::nullopt});
    constexpr std::array k_stdio = {NewFile::standard_input, NewFile::standard_output,
                                    NewFile::standard_error};
    for (std::size_t i = 0; i < k_stdio.size(); ++i) {
        const StdioIdentity& old = record.stdio.at(i);
        if (old.kind == StdioIdentity::Kind::pipe)
            add(plan, {pipe_key(old.inode), k_stdio.at(i), std::nullopt});
        // A regular stdin stays the file it was: its offset is part of the program's state.
        const bool moved = old.kind == StdioIdentity::Kind::file && i > 0 && !(old == now.at(i));
        if (moved) add(plan, {path_key(old.path), k_stdio.at(i), old.path});
    }
    if (record.script && !script.empty() && record.script->path != script)
        add(plan, {path_key(record.script->path), NewFile::script, record.script->path});
    return plan;
}

} // namespace ckpt
