// SPDX-License-Identifier: GPL-2.0-or-later
// What processes inside jobs are told of the generations they have asked for (wire/asked.hpp).
#pragma once

#include <string>

#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

class AskedResults {
public:
    // Opens (or makes) the directory, and empties it: nobody whom an earlier ckptd knew is known any more.
    static Result<AskedResults> open(const std::string& path);
    // Replaces what was there under that name.
    Status publish(const std::string& name, const std::string& word) const;
    void remove(const std::string& name) const;

private:
    explicit AskedResults(Fd dir) : m_dir(std::move(dir)) {}
    Fd m_dir;
};

} // namespace ckpt
