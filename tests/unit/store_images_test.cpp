// SPDX-License-Identifier: GPL-2.0-or-later
// What goes into the store comes back, one generation at a time or many of them, and what was there already
// is not written again.
#include <sys/stat.h>

#include "images_testbed.hpp"

namespace ckpt::store {
namespace {

using namespace images_test;
using ::testing::SizeIs;

std::string zeros(std::size_t size) {
    std::string bytes(size, '\0');
    return bytes;
}

Files many_small(std::size_t count) {
    Files files;
    for (std::size_t i = 0; i < count; ++i)
        files[std::format("core-{}.img", i)] = std::format("the core of process {}", i);
    return files;
}

std::vector<Files> shapes() {
    Random random(7);
    std::vector<Files> shapes{{}, {{"a", ""}}, {{"a", "x"}, {"b", ""}, {"c", zeros(1)}}};
    for (const std::size_t size : {4095, 4096, 4097, 64 * 4096 - 1, 64 * 4096, 64 * 4096 + 1, 3000000})
        shapes.push_back({{"noise", noise(random, size)}, {"zeros", zeros(size)}});
    shapes.push_back({{"a", zeros(k_page) + memory_page(random) + zeros(3 * k_page) + "end"},
                      {"b", memory_page(random) + zeros(300 * k_page) + memory_page(random) + zeros(100)},
                      {"c", zeros(k_page - 1) + "x" + zeros(k_page)}});
    shapes.push_back(many_small(2000));
    const std::string name(128, 'n');
    shapes.push_back({{name, "a long name"}, {"inventory.img", "x"}, {"pages-1.img", memory(random, 3)}});
    return shapes;
}

TEST(StoreImages, EveryShapeComesBack) {
    for (const Files& files : shapes()) {
        Job job;
        const auto sealed = job.seal(files, 1);
        ASSERT_TRUE(sealed) << one_line(sealed.error());
        EXPECT_TRUE(same(job.restored(sealed->entry, 1), files));
        std::uint64_t bytes = 0;
        for (const auto& [name, content] : files)
            bytes += content.size();
        const auto verified = job.verify(sealed->entry, 1);
        ASSERT_TRUE(verified) << one_line(verified.error());
        EXPECT_EQ(verified->bytes, bytes);
        EXPECT_EQ(verified->healed, 0U);
        EXPECT_EQ(sealed->entry.bytes, bytes);
        EXPECT_EQ(sealed->entry.files, files.size());
        EXPECT_EQ(sealed->stored_bytes, job.volume.written);
        EXPECT_THAT(job.volume.unsynced, SizeIs(0));
    }
}

TEST(StoreImages, ZerosAreNotStored) {
    Job job;
    const auto sealed = job.seal(Files{{"zeros", zeros(std::size_t{32} << 20U)}}, 1);
    ASSERT_TRUE(sealed);
    EXPECT_THAT(sealed->entry.packs, SizeIs(0));
    EXPECT_LT(sealed->stored_bytes, 1000U);
}

TEST(StoreImages, AHoleOfATerabyteStaysOne) {
    constexpr off_t k_tib = off_t{1} << 40U;
    Job job;
    const Dir source;
    const Fd out(::open((source.path() / "ghost-1.img").c_str(), O_WRONLY | O_CREAT, 0600));
    const std::string text = "far behind the beginning";
    ASSERT_EQ(::pwrite(out.get(), text.data(), text.size(), k_tib / 2 + 10),
              static_cast<ssize_t>(text.size()));
    ASSERT_EQ(::ftruncate(out.get(), k_tib + 5), 0);
    const auto sealed = job.seal(source, 1);
    ASSERT_TRUE(sealed) << one_line(sealed.error());
    EXPECT_LT(sealed->stored_bytes, 10000U);

    const Dir target;
    const auto read = job.unseal(sealed->entry, 1, target);
    ASSERT_TRUE(read) << one_line(read.error());
    const Fd back(::open((target.path() / "ghost-1.img").c_str(), O_RDONLY));
    struct stat st{};
    ASSERT_EQ(::fstat(back.get(), &st), 0);
    EXPECT_EQ(st.st_size, k_tib + 5);
    EXPECT_EQ(st.st_mode & 07777U, 0600U);
    EXPECT_LT(st.st_blocks, 64);
    std::string got(text.size(), '\0');
    ASSERT_EQ(::pread(back.get(), got.data(), got.size(), k_tib / 2 + 10), static_cast<ssize_t>(got.size()));
    EXPECT_EQ(got, text);
}

TEST(StoreImages, WhatIsNoImageIsRefused) {
    Job job;
    const Dir with_dir;
    fs::create_directory(with_dir.path() / "inside");
    const Dir with_link;
    fs::create_symlink("/etc/hostname", with_link.path() / "link");
    const Dir with_name(Files{{"white space", "x"}});
    const Dir with_fifo;
    ASSERT_EQ(::mkfifo((with_fifo.path() / "fifo").c_str(), 0600), 0);
    int generation = 0;
    for (const Dir* dir : {&with_dir, &with_link, &with_name, &with_fifo})
        EXPECT_FALSE(job.seal(*dir, ++generation));
}

// A process whose memory is one mapping behind the other, each with room to grow.
struct Process {
    std::uint32_t pid = 1;
    std::uint32_t pages_id = 1;
    std::map<std::uint64_t, std::string> mappings; // first page → bytes
    [[nodiscard]] Files images() const {
        Pagemap map(pages_id);
        std::string pages;
        for (const auto& [first, bytes] : mappings) {
            map.entry(first, bytes.size() / k_page);
            map.entry(first + 500000, 3, 0); // not in the file
            pages += bytes;
        }
        return {{std::format("pagemap-{}.img", pid), map.bytes()},
                {std::format("pages-{}.img", pages_id), pages}};
    }
};

TEST(StoreImages, AMappingThatGrowsShiftsNothing) {
    Job job;
    Random random(3);
    Process process{.mappings = {{1000, memory(random, 500)}, {1000000, memory(random, 500)}}};
    const auto first = job.seal(process.images(), 1);
    ASSERT_TRUE(first);
    process.mappings[1000] += memory(random, 7);
    process.pages_id = 12; // criu numbers them anew
    const auto second = job.seal(process.images(), 2, &first->entry);
    ASSERT_TRUE(second);
    EXPECT_LT(second->stored_bytes, first->stored_bytes / 20);
    EXPECT_TRUE(same(job.restored(second->entry, 2), process.images()));
}

TEST(StoreImages, PagesOfAForkAreStoredOnce) {
    Job job;
    Random random(4);
    const Process parent{.mappings = {{1000, memory(random, 1000)}}};
    Files files = parent.images();
    const auto alone = job.seal(files, 1);
    Process child{.pid = 2, .pages_id = 2, .mappings = parent.mappings};
    child.mappings[1000].replace(0, k_page, memory_page(random));
    files.merge(child.images());
    const auto both = job.seal(files, 2);
    ASSERT_TRUE(alone && both);
    EXPECT_LT(both->stored_bytes, alone->stored_bytes * 11 / 10);
    EXPECT_TRUE(same(job.restored(both->entry, 2), files));
}

TEST(StoreImages, AForkAfterTheFirstGenerationStoresNothingTwice) {
    Job job;
    Random random(14);
    const Process parent{.mappings = {{1000, memory(random, 1000)}}};
    Files files = parent.images();
    const auto alone = job.seal(files, 1);
    ASSERT_TRUE(alone);
    files.merge(Process{.pid = 2, .pages_id = 2, .mappings = parent.mappings}.images());
    const auto both = job.seal(files, 2, &alone->entry);
    ASSERT_TRUE(both);
    EXPECT_LT(both->stored_bytes, alone->stored_bytes / 20);
    EXPECT_TRUE(same(job.restored(both->entry, 2), files));
}

TEST(StoreImages, APagemapThatLiesCostsNothingButSpace) {
    Random random(5);
    const std::string pages = memory(random, 300);
    std::vector<std::string> maps{"", "pagemap", Pagemap(2).entry(0, 300).bytes(), Pagemap(1).bytes()};
    maps.push_back(Pagemap(1).entry(0, 299).bytes());
    maps.push_back(Pagemap(1).entry(0, 301).bytes());
    maps.push_back(Pagemap(1).entry(500, 100).entry(100, 100).entry(500, 100).bytes());
    maps.push_back(Pagemap(1).entry((std::uint64_t{1} << 52U) - 300, 300).bytes());
    maps.push_back(Pagemap(1).entry((std::uint64_t{1} << 52U) - 1, 300).bytes());
    maps.push_back(Pagemap(1).entry(0, 1U << 31U).entry(0, std::uint64_t{1} << 63U).bytes());
    maps.push_back(Pagemap(1).entry(10, 300).bytes().substr(0, 20));
    for (const std::string& map : maps) {
        const Files files{{"pagemap-1.img", map}, {"pagemap-2.img", map}, {"pages-1.img", pages}};
        Job job;
        const auto first = job.seal(files, 1);
        ASSERT_TRUE(first) << one_line(first.error());
        EXPECT_TRUE(same(job.restored(first->entry, 1), files));
        const auto second = job.seal(files, 2, &first->entry);
        ASSERT_TRUE(second) << one_line(second.error());
        EXPECT_TRUE(same(job.restored(second->entry, 2), files));
    }
}

void change(Random& random, std::string& bytes, double share) {
    std::uniform_real_distribution<double> chance(0, 1);
    for (std::size_t at = 0; at < bytes.size(); at += k_page)
        if (chance(random) < share) bytes.replace(at, k_page, memory_page(random));
}

TEST(StoreImages, ASecondGenerationIsWhatHasChanged) {
    Job job;
    Random random(6);
    Files files{{"pages-1.img", memory(random, 2000)}, {"core-1.img", noise(random, 10000)}};
    const auto first = job.seal(files, 1);
    change(random, files["pages-1.img"], 0.05);
    ASSERT_TRUE(first);
    const auto second = job.seal(files, 2, &first->entry);
    ASSERT_TRUE(second);
    EXPECT_LT(second->stored_bytes, first->stored_bytes / 10);
    EXPECT_TRUE(same(job.restored(second->entry, 2), files));
    const auto third = job.seal(files, 3, &second->entry); // the index alone
    ASSERT_TRUE(third);
    EXPECT_EQ(third->entry.packs, second->entry.packs);
    EXPECT_TRUE(same(job.restored(third->entry, 3), files));
}

// Anything that may happen to memory between two generations.
void live_on(Random& random, std::vector<Process>& processes, std::uint32_t& last_pid) {
    for (Process& process : processes) {
        process.pages_id = static_cast<std::uint32_t>(random() % 5 + std::uint64_t{5} * process.pid);
        for (auto& [first, bytes] : process.mappings) {
            change(random, bytes, random() % 8 == 0 ? 0.6 : 0.03);
            if (random() % 4 == 0) bytes += memory(random, random() % 20);
            if (random() % 8 == 0) bytes.resize(bytes.size() / k_page / 2 * k_page);
            if (random() % 4 == 0 && bytes.size() > 9 * k_page)
                bytes.replace(k_page, 5 * k_page, zeros(5 * k_page));
        }
    }
    if (random() % 5 == 0 && processes.size() < 4) {
        Process child = processes[random() % processes.size()];
        child.pid = ++last_pid;
        child.pages_id = 5 * child.pid;
        processes.push_back(child);
    } else if (random() % 5 == 0 && processes.size() > 1) {
        processes.erase(processes.begin());
    }
}

struct Taken {
    int generation = 0;
    Files files;
    ImagesEntry entry;
};

std::uint64_t full_size(const Files& files) {
    Job fresh;
    EXPECT_TRUE(fresh.seal(files, 1));
    return fresh.packs_size();
}

// Seals `files` as the next generation, removes what the last two do not need, and restores both.
void go_on(Job& job, std::vector<Taken>& chain, Files files) {
    const int generation = chain.empty() ? 1 : chain.back().generation + 1;
    const auto sealed = job.seal(files, generation, chain.empty() ? nullptr : &chain.back().entry);
    ASSERT_TRUE(sealed) << one_line(sealed.error());
    chain.push_back({generation, std::move(files), sealed->entry});
    if (chain.size() > 2) chain.erase(chain.begin());
    std::vector<const ImagesEntry*> kept;
    kept.reserve(chain.size());
    for (const Taken& taken : chain)
        kept.push_back(&taken.entry);
    job.prune(kept);
    for (const Taken& taken : chain)
        ASSERT_TRUE(same(job.restored(taken.entry, taken.generation), taken.files)) << taken.generation;
}

TEST(StoreImages, EveryGenerationOfAChainRestoresOnItsOwn) {
    for (const std::uint64_t seed : {1, 2, 3}) {
        SCOPED_TRACE(std::format("seed {}", seed));
        Random random(seed);
        Job job;
        std::uint32_t last_pid = 10;
        std::vector<Process> processes{
            {.pid = 10,
             .pages_id = 50,
             .mappings = {{16, memory(random, 120)}, {5000, memory(random, 120)}}}};
        std::vector<Taken> chain;
        // Which packs are kept is decided by how much of them the parent uses, and the parent is kept as
        // well: what three generations had counts.
        std::vector<std::uint64_t> full;
        for (int generation = 1; generation <= 30; ++generation) {
            Files files{{"inventory.img", std::format("{}", generation)}};
            for (const Process& process : processes)
                files.merge(process.images());
            full.push_back(full_size(files));
            ASSERT_NO_FATAL_FAILURE(go_on(job, chain, std::move(files)));
            const auto recent = std::span(full).last(std::min<std::size_t>(full.size(), 3));
            EXPECT_LT(job.packs_size(), 3 * std::ranges::max(recent)) << generation;
            live_on(random, processes, last_pid);
        }
    }
}

TEST(StoreImages, ManyGenerationsOfSmallChangesReferToFewPacks) {
    Job job;
    Random random(8);
    Files files{{"pages-1.img", memory(random, 300)}};
    ImagesEntry last;
    for (int generation = 1; generation <= 80; ++generation) {
        const auto sealed = job.seal(files, generation, generation == 1 ? nullptr : &last);
        ASSERT_TRUE(sealed) << one_line(sealed.error());
        ASSERT_LE(sealed->entry.packs.size(), 64U);
        last = sealed->entry;
        files["pages-1.img"].replace(random() % 300 * k_page, k_page, memory_page(random));
        if (generation == 80) break;
    }
    job.prune({&last});
    const auto verified = job.verify(last, 80);
    EXPECT_TRUE(verified) << one_line(verified.error());
}

TEST(StoreImages, APackThatIsHardlyUsedIsLeftBehind) {
    Job job;
    Random random(9);
    Files files{{"pages-1.img", memory(random, 640)}};
    const auto first = job.seal(files, 1);
    ASSERT_TRUE(first);
    files["pages-1.img"].replace(0, 400 * k_page, memory(random, 400));
    const auto second = job.seal(files, 2, &first->entry); // uses 240 pages of the first pack
    ASSERT_TRUE(second);
    EXPECT_THAT(second->entry.packs, SizeIs(2));
    const auto third = job.seal(files, 3, &second->entry);
    ASSERT_TRUE(third);
    EXPECT_THAT(third->entry.packs, SizeIs(2));
    EXPECT_EQ(std::ranges::count(third->entry.packs, first->entry.packs.front()), 0);
    job.prune({&third->entry});
    EXPECT_TRUE(same(job.restored(third->entry, 3), files));
}

TEST(StoreImages, AParentThatIsLostIsNoParent) {
    Random random(10);
    const Files files{{"pages-1.img", memory(random, 300)}, {"z", noise(random, 100000)}};
    Job whole;
    const auto first = whole.seal(files, 1);
    ASSERT_TRUE(first);
    const std::uint64_t reads_before = whole.volume.reads;
    ASSERT_TRUE(whole.seal(files, 2, &first->entry));
    const std::uint64_t reads = whole.volume.reads - reads_before;
    ASSERT_GT(reads, 3U);
    for (std::uint64_t nth = 0; nth < reads; ++nth) {
        SCOPED_TRACE(std::format("read {}", nth));
        Job job;
        const auto parent = job.seal(files, 1);
        ASSERT_TRUE(parent);
        job.volume.fail_from(MemoryVolume::Calls::reading, nth, ESTALE, nth % 2 == 0);
        const auto sealed = job.seal(files, 2, &parent->entry);
        job.volume.fail_no_more();
        ASSERT_TRUE(sealed) << one_line(sealed.error());
        EXPECT_TRUE(same(job.restored(sealed->entry, 2), files));
    }
}

TEST(StoreImages, APackOfTheParentThatIsGoneIsWrittenAnew) {
    Job job;
    Random random(11);
    const Files files{{"pages-1.img", memory(random, 300)}};
    const auto first = job.seal(files, 1);
    ASSERT_TRUE(first);
    job.volume.files.erase(Job::path(first->entry.packs.front()));
    const auto second = job.seal(files, 2, &first->entry);
    ASSERT_TRUE(second);
    EXPECT_TRUE(same(job.restored(second->entry, 2), files));
}

TEST(StoreImages, AFullVolumeIsReportedWhereverItShows) {
    Random random(12);
    const Dir source(Files{{"pages-1.img", memory(random, 1300)}, {"core-1.img", "x"}});
    Job whole;
    const std::uint64_t before = whole.volume.changes;
    ASSERT_TRUE(whole.seal(source, 1));
    const std::uint64_t calls = whole.volume.changes - before;
    ASSERT_GT(calls, 20U);
    for (std::uint64_t nth = 0; nth < calls; ++nth) {
        Job job;
        job.volume.fail_from(MemoryVolume::Calls::changing, nth, nth % 2 == 0 ? ENOSPC : EDQUOT,
                             nth % 3 == 0);
        const auto sealed = job.seal(source, 1);
        ASSERT_FALSE(sealed) << nth;
        EXPECT_EQ(sealed.error().code, Code::store_full) << one_line(sealed.error());
    }
}

TEST(StoreImages, ATargetThatFailsIsNotADamagedStore) {
    Job job;
    Random random(13);
    const auto sealed = job.seal(Files{{"a", memory(random, 3)}}, 1);
    ASSERT_TRUE(sealed);
    const Dir taken(Files{{"a", "something else"}});
    const auto read = job.unseal(sealed->entry, 1, taken);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().errnum, EEXIST);
    EXPECT_EQ(read.error().code, Code::restore_impossible) << "nor a full one";
    EXPECT_EQ(taken.files().at("a"), "something else");
}

} // namespace
} // namespace ckpt::store
