// SPDX-License-Identifier: GPL-2.0-or-later
// A pagemap says what CRIU would read from it, and anything else says nothing and harms nobody.
#include <sys/mman.h>

#include "images_testbed.hpp"
#include "store/pagemap.hpp"

namespace ckpt::store {
namespace {

using namespace images_test;
using Runs = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

struct Parsed {
    bool is_pagemap = false;
    Runs runs;
    bool sane = false;
    std::uint32_t pages_id = 0;
};

Parsed parse(const std::string& bytes) {
    Fd file(::memfd_create("pagemap", MFD_CLOEXEC));
    EXPECT_EQ(::pwrite(file.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    auto reader = PagemapReader::open(std::move(file));
    Parsed parsed;
    if (!reader) return parsed;
    parsed.is_pagemap = true;
    while (const auto run = reader->next()) {
        EXPECT_GT(run->count, 0U);
        EXPECT_LE(run->first, (std::uint64_t{1} << 52U));
        EXPECT_LE(run->count, (std::uint64_t{1} << 52U) - run->first);
        parsed.runs.emplace_back(run->first, run->count);
    }
    parsed.sane = reader->sane();
    parsed.pages_id = reader->pages_id();
    return parsed;
}

std::string field(unsigned number, std::uint64_t value) {
    return Pagemap::field(number, value);
}

TEST(StorePagemap, SaysWhichPagesAreInTheFile) {
    const auto parsed =
        parse(Pagemap(7).entry(10, 2).entry(20, 3, 0).entry(30, 4, 1).entry(40, 5, 6).bytes());
    ASSERT_TRUE(parsed.is_pagemap);
    EXPECT_TRUE(parsed.sane);
    EXPECT_EQ(parsed.pages_id, 7U);
    EXPECT_EQ(parsed.runs, (Runs{{10, 2}, {40, 5}}));
}

// criu/pagemap.c:init_compat_pagemap_entry
TEST(StorePagemap, FillsInWhatOlderOnesDoNotSay) {
    Pagemap map(1);
    map.message(field(1, 10 * k_page) + field(2, 2));                             // no flags: present
    map.message(field(1, 20 * k_page) + field(2, 2) + field(3, 1));               // in the parent
    map.message(field(1, 30 * k_page) + field(2, 2) + field(3, 0));               // not in the parent
    map.message(field(1, 40 * k_page) + field(2, 2) + field(4, 4) + field(5, 9)); // the new count wins
    map.message(field(1, 50 * k_page) + field(2, 2) + field(9, 1) +
                "\x52\x03"
                "abc"); // what we do not know
    const auto parsed = parse(map.bytes());
    ASSERT_TRUE(parsed.is_pagemap);
    EXPECT_TRUE(parsed.sane);
    EXPECT_EQ(parsed.runs, (Runs{{10, 2}, {30, 2}, {40, 9}, {50, 2}}));
}

TEST(StorePagemap, StopsWhereItMakesNoSense) {
    const std::string good = Pagemap(1).entry(10, 2).bytes();
    for (const std::string& bad :
         {field(2, 2) + field(4, 4), field(1, 123) + field(2, 2), std::string("\xff"),
          field(1, UINT64_MAX / k_page * k_page) + field(2, 2) + field(5, UINT64_MAX), std::string("\x0b"),
          std::string("\x12\x7fxx")}) {
        Pagemap map(1);
        const auto parsed = parse(map.entry(10, 2).message(bad).entry(30, 2).bytes());
        ASSERT_TRUE(parsed.is_pagemap);
        EXPECT_FALSE(parsed.sane);
        EXPECT_EQ(parsed.runs, (Runs{{10, 2}}));
    }
    EXPECT_FALSE(parse(good + std::string("\xff\xff\xff\xff")).sane); // a length beyond all bounds
}

TEST(StorePagemap, ManyEntriesAreReadInPieces) {
    Pagemap map(1);
    for (std::uint64_t i = 0; i < 200000; ++i)
        map.entry(2 * i, 1);
    const auto parsed = parse(map.bytes());
    ASSERT_TRUE(parsed.is_pagemap);
    EXPECT_TRUE(parsed.sane);
    ASSERT_EQ(parsed.runs.size(), 200000U);
    EXPECT_EQ(parsed.runs.back().first, 399998U);
}

TEST(StorePagemap, TruncatedAnywhereItIsTheBeginningOfItself) {
    const std::string whole = Pagemap(1).entry(10, 2).entry(1U << 30U, 300).entry(1U << 31U, 1).bytes();
    const Runs all = parse(whole).runs;
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto parsed = parse(whole.substr(0, size));
        if (!parsed.is_pagemap) continue;
        ASSERT_LT(parsed.runs.size(), all.size());
        EXPECT_TRUE(std::ranges::equal(parsed.runs, std::span(all).first(parsed.runs.size()))) << size;
    }
}

TEST(StorePagemap, NonsenseIsHarmless) {
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
        SCOPED_TRACE(std::format("seed {}", seed));
        Random random(seed);
        Pagemap map(static_cast<std::uint32_t>(random()));
        for (std::size_t i = random() % 20; i > 0; --i) {
            if (random() % 2 == 0)
                map.entry(random() >> random() % 64, random() >> random() % 64, random() % 8);
            else
                map.message(noise(random, random() % 30));
        }
        std::string bytes = map.bytes();
        for (std::size_t i = random() % 4; i > 0; --i)
            bytes[random() % bytes.size()] = static_cast<char>(random());
        bytes.resize(bytes.size() - random() % 3 * (random() % bytes.size()) / 4);
        (void)parse(bytes);
    }
}

} // namespace
} // namespace ckpt::store
