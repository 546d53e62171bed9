// SPDX-License-Identifier: GPL-2.0-or-later
// The options of one job as Slurm's callbacks tell them: the last value of each, as Slurm itself keeps and
// transports them (slurm src/common/spank.c:_do_option_cb).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/request.hpp"

namespace ckpt {

class GivenOptions {
public:
    void set(const OptionRow& row, std::string_view value);
    [[nodiscard]] bool empty() const { return m_values.empty(); }
    // In the order of the option table, which is the order in which slurmstepd replays them.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> list() const;

private:
    std::map<Option, std::string> m_values;
};

// The request, and whether every value was understood. A value that was not counts as said (ckptd will say
// what is wrong with it), so that `asked_for` tells a job without our options from one with broken ones.
struct GivenRequest {
    Request request;
    bool understood = true;
    bool asked_for = false; // any option, unless --checkpoint=off
};
GivenRequest request_of(const GivenOptions& options);

} // namespace ckpt
