// SPDX-License-Identifier: GPL-2.0-or-later
#include "result/printable.hpp"

#include <gtest/gtest.h>

#include <string>

#include "result/result.hpp"

namespace ckpt {
namespace {

TEST(Printable, TextStaysAsItIs) {
    for (const char* text : {"", "plain ~", "Müller", "日本語", "\U0001F600", "a\xC2\xA0z"})
        EXPECT_EQ(printable(text), text);
}

TEST(Printable, NothingSteersATerminal) {
    EXPECT_EQ(printable("a\nb\x1b[31mc\td\x7f"), "a?b?[31mc?d?");
    EXPECT_EQ(printable("\xC2\x9B" "31m"), "?31m") << "CSI as one character";
    EXPECT_EQ(printable("\xE2\x80\xA8|\xE2\x80\xA9"), "?|?") << "separators of lines and paragraphs";
    EXPECT_EQ(printable("\xE2\x80\xAE" "cod.exe\xE2\x81\xA6\xD8\x9C"), "?cod.exe??") << "direction";
    EXPECT_EQ(printable(std::string("a\0b", 3)), "a?b");
}

TEST(Printable, BytesThatAreNoUtf8) {
    EXPECT_EQ(printable("\xff\xfe"), "??");
    EXPECT_EQ(printable("\xC3"), "?") << "cut off";
    EXPECT_EQ(printable("\xE2\x82" "a"), "??a");
    EXPECT_EQ(printable("\xC1\x8A"), "??") << "a newline in a longer form";
    EXPECT_EQ(printable("\xE0\x82\x9B"), "???");
    EXPECT_EQ(printable("\xED\xA0\x80"), "???") << "half of a pair";
    EXPECT_EQ(printable("\xF5\x80\x80\x80"), "????") << "beyond Unicode";
}

// Whatever bytes: it is printable then, and stays what it is.
TEST(Printable, IsDoneOnce) {
    std::string all;
    for (int a = 0; a < 256; ++a)
        for (int b = 0; b < 256; b += 7)
            all += {static_cast<char>(a), static_cast<char>(b), static_cast<char>(a ^ b)};
    const std::string once = printable(all);
    EXPECT_EQ(printable(once), once);
    EXPECT_EQ(once.find_first_of(std::string("\0\n\x1b\x7f", 4)), std::string::npos);
}

TEST(Printable, EveryMessageIs) {
    EXPECT_EQ(one_line({Code::os, "open a\xC2\x9B" "b", "x\ny", 0}), "open a?b; x?y [" + to_string(Code::os) + "]");
}

} // namespace
} // namespace ckpt
