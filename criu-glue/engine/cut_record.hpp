// SPDX-License-Identifier: GPL-2.0-or-later
// Which cuts a restore has under way, kept on the node beside the tails: whoever comes after a restore that was
// killed takes them back, before an older generation, or the same one later, is tried. It is root's.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "engine/leftovers.hpp"
#include "engine/rollback.hpp"
#include "engine/tails.hpp"
#include "result/result.hpp"

namespace ckpt {

struct OpenCut {
    Cut cut;
    std::string tail; // Tail::name
    bool operator==(const OpenCut&) const = default;
};

class CutRecord {
public:
    // `task`: a plain name; the tasks of a job on a node have their tails in one directory.
    CutRecord(const Tails& tails, const std::string& task) : m_tails(&tails), m_name("cuts-" + task) {}

    // On disk when it returns.
    [[nodiscard]] Status write(const std::vector<OpenCut>& cuts) const;
    // Empty when there is none.
    [[nodiscard]] Result<std::vector<OpenCut>> read() const;
    void forget() const;

private:
    const Tails* m_tails;
    std::string m_name;
};

// Puts back what was cut, and forgets it. What is behind a cut has come from the killed restore's own tree,
// which has ended. A file that was replaced or made shorter since stays as it is.
Status take_back_cuts(const CutRecord& record, const Tails& tails, const UserPlace& place,
                      std::chrono::milliseconds limit);

} // namespace ckpt
