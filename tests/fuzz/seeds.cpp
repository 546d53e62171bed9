// SPDX-License-Identifier: GPL-2.0-or-later
// fuzz_seeds SOURCE OUT: writes what each target begins with, anew in every run, so that it follows the
// formats.
#include "seeds.hpp"

#include <cstdlib>

using namespace ckpt::fuzz;

int main(int argc, char** argv) {
    if (argc != 3) return EXIT_FAILURE;
    const std::filesystem::path out = argv[2];
    wire_seeds({out, "wire"});
    policy_seeds({out, "policy"}, argv[1]);
    options_seeds({out, "options"});
    manifest_seeds({out, "manifest"});
    pack_seeds({out, "pack"});
    images_seeds({out, "images"});
    return EXIT_SUCCESS;
}
