// SPDX-License-Identifier: GPL-2.0-or-later
// ckpt-init: the root of every application tree (`run`) and pid 1 of every restored one (`pid1`).
#include <sys/prctl.h>

#include <cstring>

#include "pid1.hpp"
#include "process.hpp"
#include "run.hpp"

int main(int argc, char** argv) {
    ::prctl(PR_SET_NAME, "ckpt-init"); // execveat(2) of a descriptor would leave its number as our name
    if (argc > 1 && std::strcmp(argv[1], "run") == 0) return ckpt::run(argc, argv);
    if (argc > 1 && std::strcmp(argv[1], "pid1") == 0) return ckpt::pid1(argc, argv);
    return ckpt::k_failed;
}
