// SPDX-License-Identifier: GPL-2.0-or-later
// The record beside the images, and what is read from the images themselves.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "engine/addresses.hpp"
#include "engine/clocks.hpp"
#include "engine/image_creds.hpp"
#include "engine/image_fields.hpp"
#include "engine/image_safety.hpp"
#include "engine/pid_gap.hpp"
#include "engine/record.hpp"
#include "engine/timers.hpp"
#include "engine/undo_record.hpp"
#include "os/fd.hpp"

namespace ckpt {

namespace {

DumpRecord sample() {
    DumpRecord record;
    record.stdio = {StdioIdentity{}, StdioIdentity{StdioIdentity::Kind::pipe, 12, ""},
                    StdioIdentity{StdioIdentity::Kind::file, 13, "/home/\xff\n%41/out"}};
    record.status_pipe = UINT64_MAX;
    record.script = ScriptPosition{"/spool/job00001/slurm_script", 77};
    record.outputs = {{"/home/a\nb", 70, 6, "output-1"}};
    record.links = {{"/home/link_remap.3", 9, 70, 0640, "/home/x y", "linked-0", true}};
    record.copied_files.emplace_back();
    record.copied_files.back().kind = LocalFile::Kind::absent;
    record.copied_files.back().path = "db-journal";
    record.clocks = {-5, 1'000'000'000'000};
    record.files = {{"/home/a b", 1, 2, 3, 4, 0102001}, {"/home/\xc3\xa9", 5, 6, 7, 8, 2}};
    record.boot_id = "4711";
    LocalFile file{LocalFile::Kind::file, "/tmp", "a\n/\xff", 0644, 1, 2, 3, -4, false, "local-0"};
    LocalFile fifo{LocalFile::Kind::fifo, "/dev/shm", "f", 0600, 1, 5, 0, 0, true, ""};
    record.local_files = {file, fifo};
    record.copied_files.back().directory = 12;
    record.copied_files.back().born_ns = -6;
    record.files.back().born_ns = 1'700'000'000'000'000'001;
    record.task = "7-0123abcd-1-0";
    return record;
}

TEST(Record, SurvivesJson) {
    const auto read = record_from_json(to_json(sample()));
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(*read, sample());
    DumpRecord empty;
    EXPECT_EQ(*record_from_json(to_json(empty)), empty);
}

TEST(Record, RefusesNonsense) {
    std::string unknown_kind = to_json(sample());
    unknown_kind.replace(unknown_kind.find("fifo"), 4, "door");
    for (const std::string& text : std::vector<std::string>{
             "", "{", "[]", "{\"version\":2}", "{\"version\":1}", "{\"version\":\"x\"}", unknown_kind}) {
        const auto read = record_from_json(text);
        ASSERT_FALSE(read) << text;
        EXPECT_EQ(read.error().code, Code::store_corrupt);
    }
}

// Nothing of it may be copied before it is known to be a list of files: that recurses.
TEST(Record, RefusesListsNestedWithoutEnd) {
    const std::string whole = to_json(DumpRecord{});
    for (const std::string member : {"local_files", "copied_files", "outputs", "links", "files"}) {
        std::string nested = whole;
        const std::size_t at = nested.find("[]", nested.find('"' + member + '"'));
        ASSERT_NE(at, std::string::npos) << member;
        constexpr std::size_t k_deep = 200000;
        nested.replace(at, 2, std::string(k_deep, '[') + std::string(k_deep, ']'));
        const auto read = record_from_json(nested);
        ASSERT_FALSE(read) << member;
        EXPECT_EQ(read.error().code, Code::store_corrupt);
    }
}

TEST(Record, RefusesNumbersThatAreNotWhole) {
    for (const char* number : {"1e30", "-1e30", "1.5", "18446744073709551616"}) {
        std::string text = to_json(sample());
        const std::string mine = "18446744073709551615"; // the status pipe
        text.replace(text.find(mine), mine.size(), number);
        const auto read = record_from_json(text);
        ASSERT_FALSE(read) << number;
        EXPECT_EQ(read.error().code, Code::store_corrupt);
        const auto undo =
            undo_records_from_json(R"({"version":1,"records":[{"root":"","path":"","prefix":"","until_ns":)" +
                                   std::string(number) + R"(,"directory_mode":0,"entries":[]}]})");
        EXPECT_FALSE(undo) << number;
    }
}

TEST(Record, EscapesBytes) {
    EXPECT_EQ(escape_bytes("a b%\x01\xff"), "a b%25%01%FF");
    for (const std::string text : {"", "%", "%4", "%zz", "plain", "\x80%41"})
        EXPECT_EQ(unescape_bytes(escape_bytes(text)), text);
}

TEST(Clocks, ReadsOffsets) {
    EXPECT_EQ(parse_offsets("monotonic         12  345\nboottime          -2  5\n"),
              (ClockReadings{12'000'000'345, -1'999'999'995}));
    EXPECT_EQ(parse_offsets(""), ClockReadings{});
}

// ---- protobuf ----

std::string varint(std::uint64_t value) {
    std::string out;
    for (; value > 0x7f; value >>= 7)
        out += static_cast<char>((value & 0x7f) | 0x80);
    return out + static_cast<char>(value);
}

std::string number(std::uint32_t field, std::uint64_t value) {
    return varint(field << 3) + varint(value);
}
std::string bytes(std::uint32_t field, const std::string& value) {
    return varint(field << 3 | 2) + varint(value.size()) + value;
}

std::string image(const std::vector<std::string>& entries) {
    const auto u32 = [](std::uint32_t value) {
        std::string out(4, '\0');
        std::memcpy(out.data(), &value, 4);
        return out;
    };
    std::string out = u32(0x54564319) + u32(0x55053847);
    for (const std::string& entry : entries)
        out += u32(static_cast<std::uint32_t>(entry.size())) + entry;
    return out;
}

TEST(ImageFields, ReadsMessages) {
    const std::string fixed32 = varint(3 << 3 | 5) + std::string("\x07\0\0\0", 4);
    const std::string whole = number(1, 300) + bytes(2, "xyz") + fixed32;
    const auto good = fields_of(whole);
    ASSERT_TRUE(good);
    ASSERT_EQ(good->size(), 3U);
    EXPECT_EQ((*good)[2].value, 7U);
    EXPECT_FALSE(fields_of(std::string_view(fixed32).substr(0, 3)));
    EXPECT_EQ((*good)[0].value, 300U);
    EXPECT_EQ((*good)[1].bytes, "xyz");
}

TEST(ImageFields, RefusesEveryCut) {
    const std::string whole = image({number(1, 1) + bytes(2, "abc"), number(9, 1)});
    ASSERT_TRUE(entries_of(whole));
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const auto entries = entries_of(std::string_view(whole).substr(0, size));
        if (!entries) continue;
        for (const auto entry : *entries)
            EXPECT_TRUE(fields_of(entry)) << size;
    }
    EXPECT_FALSE(entries_of("not an image"));
    EXPECT_FALSE(fields_of(bytes(1, "abcdef").substr(0, 4)));
    EXPECT_FALSE(fields_of(std::string(11, '\xff')));
}

// ---- credentials ----

std::string core(const std::string& creds) {
    return image({number(1, 1) + bytes(5, number(1, 0) + bytes(10, creds))});
}

std::string ids(std::uint64_t uid, std::uint64_t gid) {
    std::string out;
    for (std::uint32_t field = 1; field <= 8; ++field)
        out += number(field, field % 2 == 1 ? uid : gid);
    return out;
}

TEST(ImageCreds, OnlyTheUsersTasksPass) {
    const wire::UserIds user{2001, 2002, {3001}};
    EXPECT_TRUE(check_core_image(
        core(ids(2001, 2002) + number(10, 0) + number(12, 0xffffffff) + number(14, 3001)), user));
    EXPECT_FALSE(*check_core_image(image({number(1, 1)}), user)); // a zombie
    EXPECT_TRUE(*check_core_image(core(ids(2001, 3001)), user));  // under newgrp(1)
    EXPECT_EQ(check_core_image(core(ids(0, 2002)), user).error().code, Code::restore_refused);
    EXPECT_FALSE(check_core_image(core(ids(2001, 0)), user));
    EXPECT_FALSE(check_core_image(core(ids(2001, 2002) + number(5, 0)), user));    // saved uid, given twice
    EXPECT_FALSE(check_core_image(core(ids(2001, 2002) + number(10, 1)), user));   // permitted
    EXPECT_FALSE(check_core_image(core(ids(2001, 2002) + number(11, 1)), user));   // effective
    EXPECT_FALSE(check_core_image(core(ids(2001, 2002) + number(19, 1)), user));   // ambient
    EXPECT_FALSE(check_core_image(core(ids(2001, 2002) + number(14, 0)), user));   // group root
    EXPECT_FALSE(check_core_image(core(ids(2001, 2002) + bytes(10, "\1")), user)); // packed
}

// ---- what a restore would turn against others ----

TEST(ImageSafety, AGhostsOwnerIsRead) {
    const std::string ghost = image({number(1, 2001) + number(2, 2001) + number(3, 0100600)}) + "content";
    EXPECT_EQ(*ghost_owner(ghost), 2001U);
    for (std::size_t size = 0; size < ghost.size() - 7; ++size)
        EXPECT_FALSE(ghost_owner(std::string_view(ghost).substr(0, size))) << size;
    EXPECT_FALSE(ghost_owner(image({number(2, 2001)})));
}

class Rseq : public testing::Test {
protected:
    // A process 7 with threads 7 and 8, a private mapping, and a shared one from 0x2000 to 0x3000.
    Status check(std::uint64_t area_of_7, std::uint64_t area_of_8) {
        std::string name = testing::TempDir() + "ckpt-rseq-XXXXXX";
        EXPECT_NE(::mkdtemp(name.data()), nullptr);
        const auto vma = [](std::uint64_t from, std::uint64_t to, std::uint64_t flags) {
            return bytes(14, number(1, from) + number(2, to) + number(6, flags));
        };
        const auto put = [&](const std::string& file, const std::string& text) {
            std::ofstream(name + "/" + file) << text;
        };
        const auto thread = [](std::uint64_t area) {
            return image({bytes(5, area == 0 ? number(1, 0) : bytes(15, number(1, area) + number(2, 32)))});
        };
        put("pstree.img", image({number(1, 7) + number(2, 0) + number(5, 7) + number(5, 8)}));
        put("mm-7.img", image({vma(0x1000, 0x2000, 2) + vma(0x2000, 0x3000, 1)}));
        put("core-7.img", thread(area_of_7));
        put("core-8.img", thread(area_of_8));
        const Fd images(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        auto status = check_rseq(images.get());
        std::filesystem::remove_all(name);
        return status;
    }
};

TEST_F(Rseq, OnlyInPrivateMemory) {
    EXPECT_TRUE(check(0x1100, 0));
    EXPECT_TRUE(check(0x1100, 0x3000));
    EXPECT_EQ(check(0x2fff, 0x1100).error().code, Code::restore_refused);
    EXPECT_EQ(check(0x1100, 0x2000).error().code, Code::restore_refused);
}

// ---- timers ----

std::string timer(std::uint64_t waiting, std::uint64_t left, std::uint64_t interval) {
    return number(1, 17) + number(2, 3) +
           bytes(12, number(1, 3) + bytes(3, "own") + number(4, 1) + number(5, waiting) + number(7, 0) +
                         number(8, left) + number(9, 0) + number(10, interval)) +
           number(99, 1);
}

TEST(Timers, AnExpiredPeriodicTimerExpiresAgain) {
    const std::string other = number(1, 1) + bytes(2, "a regular file");
    const std::string healthy = image({other, timer(0, 500, 1000), timer(0, 0, 1000), timer(1, 0, 0)});
    EXPECT_EQ(*repair_timers(healthy), healthy);
    const auto repaired = repair_timers(image({other, timer(2, 0, 1000), other}));
    ASSERT_TRUE(repaired);
    const auto entries = entries_of(*repaired);
    ASSERT_EQ(entries->size(), 3U);
    EXPECT_EQ((*entries)[0], other);
    EXPECT_EQ((*entries)[2], other);
    const auto file = fields_of((*entries)[1]);
    ASSERT_EQ(file->size(), 4U);
    const auto fields = fields_of((*file)[2].bytes);
    ASSERT_EQ(fields->size(), 8U);
    EXPECT_EQ(fields->back().number, 8U);
    EXPECT_EQ(fields->back().value, 1U);
    EXPECT_FALSE(repair_timers("junk"));
}

// ---- addresses ----

std::uint32_t word(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
    return ::htonl(std::uint32_t{a} << 24 | std::uint32_t{b} << 16 | std::uint32_t{c} << 8 | d);
}

std::string words(std::uint32_t field, const std::vector<std::uint32_t>& values) {
    std::string out;
    for (const std::uint32_t value : values)
        out += number(field, value);
    return out;
}

std::string inet(const std::vector<std::uint32_t>& from, std::uint32_t port,
                 const std::vector<std::uint32_t>& to) {
    const std::uint32_t family = from.size() == 1 ? AF_INET : AF_INET6;
    return number(1, 2) + number(2, 3) +
           bytes(4, number(1, 3) + number(2, 4) + number(3, family) + number(6, 1) + number(7, port) +
                        number(8, 0) + words(11, from) + words(12, to) + bytes(13, "own")) +
           number(99, 1);
}

class Addresses : public ::testing::Test {
protected:
    std::uint32_t old = word(192, 0, 2, 11);
    std::uint32_t here = word(192, 0, 2, 12);
    std::uint32_t mapped = ::htonl(0xffff);
    std::vector<Address> asked;

    Result<std::string> move(const std::vector<std::string>& entries) {
        return move_addresses(image(entries), [this](const Address& address) -> std::optional<Address> {
            asked.push_back(address);
            if (address.words[0] != old) return std::nullopt;
            return Address{false, {here, 0, 0, 0}};
        });
    }
};

TEST_F(Addresses, BothEndsOfAConnectionInsideMoveInWhateverForm) {
    const std::string other = number(1, 1) + bytes(2, "a regular file");
    const std::uint32_t outside = word(192, 0, 2, 1);
    const auto moved = move({inet({old}, 7, {0}), other, inet({old}, 8, {old}),
                             inet({0, 0, mapped, old}, 7, {0, 0, mapped, old}), inet({old}, 9, {outside})});
    EXPECT_EQ(*moved,
              image({inet({here}, 7, {0}), other, inet({here}, 8, {here}),
                     inet({0, 0, mapped, here}, 7, {0, 0, mapped, here}), inet({here}, 9, {outside})}));
    EXPECT_EQ(asked.size(), 1U);
}

TEST_F(Addresses, WhatIsNotBoundToOneOfTheOldNodeStays) {
    const std::uint32_t loopback = word(127, 0, 0, 1);
    const std::string all = image({inet({loopback}, 7, {loopback}), inet({0}, 8, {0}), inet({old}, 0, {0}),
                                   inet({0}, 9, {old}), inet({0, 0, 0, 0}, 8, {0, 0, 0, 0})});
    EXPECT_EQ(*move_addresses(all,
                              [](const Address& a) -> std::optional<Address> {
                                  return a.words[0] == word(127, 0, 0, 1) ? std::nullopt
                                                                          : std::optional(Address{});
                              }),
              all);
    EXPECT_FALSE(move_addresses("junk", address_here));
}

TEST_F(Addresses, HereAreThoseThatASocketCanBeBoundTo) {
    EXPECT_FALSE(address_here({false, {word(127, 0, 0, 1), 0, 0, 0}}));
    EXPECT_FALSE(address_here({true, {::htonl(0xfe800000), 0, 0, ::htonl(1)}})); // CRIU's own matter
    const auto foreign = address_here({false, {word(192, 0, 2, 250), 0, 0, 0}}); // TEST-NET-1
    ASSERT_TRUE(foreign);
    EXPECT_FALSE(address_here(*foreign));
}

// ---- pids ----

TEST(PidGap, PrefersHighAndFree) {
    EXPECT_EQ(*pick_last_pid({500, 501, 700}, 4194304), 100000);
    EXPECT_EQ(*pick_last_pid({500, 100300}, 4194304), 100300); // behind the taken one
    EXPECT_EQ(*pick_last_pid({100000, 100100, 100900}, 4194304), 100100);
}

TEST(PidGap, FindsAPlaceBelowASmallLimit) {
    const auto picked = pick_last_pid({500, 501, 20000}, 32768);
    ASSERT_TRUE(picked);
    EXPECT_EQ(*picked, 20000);
    const auto wrapped = pick_last_pid({500, 32700}, 32768);
    ASSERT_TRUE(wrapped);
    EXPECT_EQ(*wrapped, 500);
    std::vector<pid_t> full;
    for (pid_t pid = 300; pid < 32768; pid += 400)
        full.push_back(pid);
    EXPECT_FALSE(pick_last_pid(full, 32768));
}

TEST(PidGap, WhatNoKernelHasIsNoPid) {
    std::string name = testing::TempDir() + "ckpt-pids-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    const Fd images(::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const auto pids = [&](std::uint64_t pid) {
        const std::string zombie = number(1, 7) + number(2, 1) + number(5, UINT32_MAX - 4);
        std::ofstream(name + "/pstree.img") << image({number(1, pid) + number(2, 0), zombie});
        return pids_in_images(images.get());
    };
    EXPECT_EQ(pids(4194304)->front(), 4194304);
    for (const std::uint64_t none :
         {std::uint64_t{4194305}, std::uint64_t{INT32_MAX}, UINT64_MAX, std::uint64_t{1} << 32U}) {
        EXPECT_EQ(*pids(none), (std::vector<pid_t>{0, 7, 1})) << none;
    }
    std::filesystem::remove_all(name);
    EXPECT_EQ(*pick_last_pid({100000, 100400, INT32_MAX}, 100500), 300);
}

} // namespace

} // namespace ckpt
