// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "os/fd.hpp"
#include "result/result.hpp"
#include "wire/shim_state.hpp"

namespace ckpt {

// A file in memory: TaskHello::state, of which ckpt-engine takes a copy, or such a copy, which comes with a
// restored tree.
class StateFile {
public:
    StateFile() = default; // there is none: write() fails, and read() finds a state of nothing
    explicit StateFile(Fd file) : m_file(std::move(file)) {}
    static Result<StateFile> make();

    [[nodiscard]] int number() const { return m_file.get(); }
    // Replaces the content.
    Status write(const wire::ShimState& state) const;
    // An empty file is a state of nothing. Code::wire_malformed.
    [[nodiscard]] Result<wire::ShimState> read() const;

private:
    Fd m_file;
};

} // namespace ckpt
