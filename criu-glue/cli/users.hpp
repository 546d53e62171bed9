// SPDX-License-Identifier: GPL-2.0-or-later
// Whose checkpoints a command is about.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "result/result.hpp"

namespace ckpt::cli {

struct StoreUser {
    std::string name; // stands for %u in storage.base
    uid_t uid = 0;
};

// The user named `wanted`, whom only root may name if it is somebody else; without a name the caller, or for
// root everybody who has a directory in the store, in the order of their names. `dir`: in place of
// storage.base; root has to name a user where it has no %u.
Result<std::vector<StoreUser>> users_in_question(const std::string& wanted, const std::string& dir = {});

// What stands before and after the user's name in the component of `base` that has it, and where that
// component is:
// "/scratch/u-%u/x" is {"/scratch", "u-", ""}.
struct UserPattern {
    std::string above;
    std::string before;
    std::string after;
};
UserPattern user_pattern(const std::string& base);

// The user's name in the name of such a component; "" if it is none.
std::string user_in(const UserPattern& pattern, const std::string& entry);

} // namespace ckpt::cli
