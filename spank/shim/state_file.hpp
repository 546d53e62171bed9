// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "os/fd.hpp"
#include "result/result.hpp"
#include "wire/shim_state.hpp"

namespace ckpt {

// The file TaskHello::state, in memory: ckpt-engine reads what was written here, and writes, for a restored
// tree, what was read there.
class StateFile {
public:
    StateFile() = default; // there is none: write() fails
    static Result<StateFile> make();

    [[nodiscard]] int number() const { return m_file.get(); }
    // Replaces the content.
    Status write(const wire::ShimState& state) const;
    // An empty file is a state of nothing. Code::wire_malformed.
    [[nodiscard]] Result<wire::ShimState> read() const;

private:
    explicit StateFile(Fd file) : m_file(std::move(file)) {}
    Fd m_file;
};

} // namespace ckpt
