// SPDX-License-Identifier: GPL-2.0-or-later
// The tests, and under --catch-signal-32 the hostile program of attack_test.cpp.
#include <gtest/gtest.h>

#include <string_view>

#include "hostile.hpp"

int main(int argc, char** argv) {
    if (argc == 3 && std::string_view(argv[1]) == "--catch-signal-32")
        return ckpt::testing::catch_signal_32(argv[2]);
    ::testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
