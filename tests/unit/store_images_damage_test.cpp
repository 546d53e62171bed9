// SPDX-License-Identifier: GPL-2.0-or-later
// What is damaged is put right or reported, and never restored.
#include "images_testbed.hpp"

namespace ckpt::store {
namespace {

using namespace images_test;

// What restores is what was sealed; what does not is Code::store_corrupt, and the target holds beginnings of
// the files and nothing else.
struct Outcome {
    bool restored = false;
    std::uint64_t healed = 0;
    int errnum = 0;
};

Outcome restore(Job& job, const ImagesEntry& entry, int generation, const Files& files) {
    const Dir target;
    const auto read = job.unseal(entry, generation, target);
    const auto verified = job.verify(entry, generation);
    EXPECT_EQ(read.has_value(), verified.has_value());
    if (read) {
        EXPECT_TRUE(same(target.files(), files));
        return {true, read->healed, 0};
    }
    EXPECT_EQ(read.error().code, Code::store_corrupt) << one_line(read.error());
    for (const auto& [name, content] : target.files())
        EXPECT_TRUE(files.contains(name) && files.at(name).starts_with(content)) << name;
    return {false, 0, read.error().errnum};
}

// Where each block of a file lies; parity too.
struct Region {
    std::uint64_t at = 0;
    std::uint32_t size = 0;
    std::size_t stripe = 0;
    bool parity = false;
};

std::vector<Region> regions(const std::vector<std::uint32_t>& lengths) {
    std::vector<Region> regions;
    std::uint64_t at = 0;
    std::uint32_t longest = 0;
    for (std::size_t i = 0; i < lengths.size(); ++i) {
        regions.push_back({at, lengths[i], i / 16, false});
        at += lengths[i];
        longest = std::max(longest, lengths[i]);
        if (i % 16 != 15 && i + 1 != lengths.size()) continue;
        regions.push_back({at, longest, i / 16, true});
        at += longest;
        longest = 0;
    }
    return regions;
}

// Two generations, so that there are two packs; 19 blocks in the first one.
class Damage : public ::testing::Test {
protected:
    void SetUp() override {
        Random random(21);
        m_files = {{"pages-1.img", noise(random, std::size_t{1100} * k_page)}, {"core-1.img", "the core"}};
        const auto first = m_job.seal(m_files, 1);
        ASSERT_TRUE(first);
        m_first = first->entry;
        m_old_files = m_files;
        m_files["pages-1.img"].replace(0, 100 * k_page, noise(random, 100 * k_page));
        const auto second = m_job.seal(m_files, 2, &m_first);
        ASSERT_TRUE(second);
        m_entry = second->entry;
        ASSERT_EQ(m_entry.packs.size(), 2U);
        const auto index = IndexReader::open(m_job.place(2), m_entry);
        ASSERT_TRUE(index);
        m_tables = index->packs();
        m_regions[m_job.place(2).index] = regions(m_entry.blocks);
        for (const PackTable& table : m_tables)
            m_regions[Job::path(table.name)] = regions(table.lengths);
        for (const auto& [path, all] : m_regions) {
            const Region& last = all.back();
            ASSERT_EQ(m_job.volume.files.at(path)->size(), last.at + last.size) << path;
        }
    }
    Outcome outcome() { return restore(m_job, m_entry, 2, m_files); }

    Job m_job;
    Files m_files;
    Files m_old_files;
    ImagesEntry m_first;
    ImagesEntry m_entry;
    std::vector<PackTable> m_tables;
    std::map<std::string, std::vector<Region>> m_regions;
};

TEST_F(Damage, OneBlockIsPutRight) {
    Random random(22);
    for (const auto& [path, all] : m_regions)
        for (const Region& region : all) {
            const std::uint64_t at = region.at + random() % region.size;
            SCOPED_TRACE(std::format("{} at {}", path, at));
            m_job.volume.flip(path, at);
            const Outcome got = outcome();
            EXPECT_TRUE(got.restored);
            EXPECT_EQ(got.healed, region.parity ? 0U : 1U);
            m_job.volume.flip(path, at);
        }
}

TEST_F(Damage, OneBlockThatCannotBeReadIsPutRight) {
    for (const auto& [path, all] : m_regions) {
        m_job.volume.make_unreadable(path, all.front().at + 5);
        const Outcome got = outcome();
        EXPECT_TRUE(got.restored);
        EXPECT_EQ(got.healed, 1U);
        m_job.volume.make_unreadable(path, all.back().at + 5); // with its parity, if it is of the same stripe
        const Outcome more = outcome();
        EXPECT_EQ(more.restored, all.back().stripe != 0);
        EXPECT_EQ(more.errnum, more.restored ? 0 : EIO);
        m_job.volume.make_readable();
    }
}

TEST_F(Damage, TwoBlocksOfAStripeAreLost) {
    for (const auto& [path, all] : m_regions) {
        SCOPED_TRACE(path);
        m_job.volume.flip(path, all[0].at);
        m_job.volume.flip(path, all[1].at + all[1].size - 1);
        const Outcome got = outcome();
        EXPECT_FALSE(got.restored);
        EXPECT_EQ(got.errnum, 0);
        m_job.volume.flip(path, all[0].at);
        m_job.volume.flip(path, all[1].at + all[1].size - 1);
    }
    EXPECT_TRUE(outcome().restored);
}

TEST_F(Damage, OneBlockInEachStripeIsPutRight) {
    const std::string pack = Job::path(m_first.packs.front());
    m_job.volume.flip(pack, m_regions[pack][3].at);
    m_job.volume.flip(pack, m_regions[pack][18].at);
    const Outcome got = outcome();
    EXPECT_TRUE(got.restored);
    EXPECT_EQ(got.healed, 2U);
}

TEST_F(Damage, ATruncatedFileIsNeverHalfRestored) {
    Random random(23);
    std::size_t restored = 0;
    for (const auto& [path, all] : m_regions) {
        const std::string whole = *m_job.volume.files[path];
        std::vector<std::size_t> sizes{0, 1, whole.size() - 1, static_cast<std::size_t>(all.back().at)};
        for (int i = 0; i < 8; ++i)
            sizes.push_back(random() % whole.size());
        for (const std::size_t size : sizes) {
            SCOPED_TRACE(std::format("{} of {} bytes", path, size));
            *m_job.volume.files[path] = whole.substr(0, size);
            const Outcome got = outcome();
            restored += got.restored ? 1 : 0;
            const bool parity_alone_is_lost = size >= all.back().at;
            EXPECT_TRUE(got.restored || !parity_alone_is_lost);
            EXPECT_FALSE(size == 0 && got.restored);
        }
        *m_job.volume.files[path] = whole + "x";
        EXPECT_FALSE(outcome().restored);
        *m_job.volume.files[path] = whole;
    }
    EXPECT_GE(restored, 6U);
}

TEST_F(Damage, BlocksThatWereSwappedAreNotTaken) {
    const std::string pack = Job::path(m_first.packs.front());
    const auto& all = m_regions[pack];
    ASSERT_EQ(all[4].size, all[9].size);
    std::string& bytes = *m_job.volume.files[pack];
    std::swap_ranges(bytes.begin() + static_cast<std::ptrdiff_t>(all[4].at),
                     bytes.begin() + static_cast<std::ptrdiff_t>(all[4].at + all[4].size),
                     bytes.begin() + static_cast<std::ptrdiff_t>(all[9].at));
    EXPECT_FALSE(outcome().restored);
}

TEST_F(Damage, FilesThatWereSwappedAreNotTaken) {
    auto& files = m_job.volume.files;
    const std::string first = Job::path(m_entry.packs[0]);
    const std::string second = Job::path(m_entry.packs[1]);
    std::swap(files[first], files[second]);
    EXPECT_FALSE(outcome().restored);
    std::swap(files[first], files[second]);
    std::swap(files[m_job.place(1).index], files[m_job.place(2).index]);
    EXPECT_FALSE(outcome().restored);
    std::swap(files[m_job.place(1).index], files[m_job.place(2).index]);
    EXPECT_TRUE(outcome().restored);
    // The older generation is what it was, too.
    EXPECT_TRUE(restore(m_job, m_first, 1, m_old_files).restored);
}

TEST_F(Damage, AnotherJobsFilesAreNotTaken) {
    Job other(2);
    const auto sealed = other.seal(m_old_files, 1);
    ASSERT_TRUE(sealed);
    // The other job's generation, entry and all, in this one's directory.
    m_job.volume.files[m_job.place(3).index] = other.volume.files.at(other.place(1).index);
    const std::string pack = Job::path(sealed->entry.packs.front());
    m_job.volume.files[pack] = other.volume.files.at(pack);
    EXPECT_FALSE(restore(m_job, sealed->entry, 3, m_old_files).restored);
    // Its pack in the place of ours, which has the same pages.
    const std::string ours = Job::path(m_first.packs.front());
    ASSERT_EQ(m_job.volume.files.at(ours)->size(), m_job.volume.files.at(pack)->size());
    m_job.volume.files[ours] = m_job.volume.files.at(pack);
    EXPECT_FALSE(outcome().restored);
}

TEST_F(Damage, AVolumeThatFailsIsReportedWithItsErrno) {
    for (const int errnum : {ESTALE, ETIMEDOUT, EACCES}) {
        for (std::uint64_t nth = 0; nth < 12; ++nth) {
            m_job.volume.fail_from(MemoryVolume::Calls::reading, nth, errnum);
            const Dir target;
            const auto read = m_job.unseal(m_entry, 2, target);
            m_job.volume.fail_no_more();
            ASSERT_FALSE(read);
            EXPECT_EQ(read.error().code, Code::store_corrupt);
            EXPECT_EQ(read.error().errnum, errnum);
        }
    }
    for (const auto& [path, all] : m_regions) {
        const auto content = m_job.volume.files[path];
        m_job.volume.files.erase(path);
        EXPECT_EQ(outcome().errnum, ENOENT);
        m_job.volume.files[path] = content;
    }
}

TEST_F(Damage, AManifestThatSaysSomethingElseIsNotBelieved) {
    const ImagesEntry good = m_entry;
    std::vector<ImagesEntry> wrong(9, good);
    wrong[0].packs.pop_back();
    std::swap(wrong[1].packs[0], wrong[1].packs[1]);
    wrong[2].packs.push_back({3, std::string(32, 'a')});
    wrong[3].tables_at = 0;
    wrong[4].tables_at = static_cast<std::uint32_t>(good.blocks.size());
    wrong[5].blocks.clear();
    wrong[6].index_id = "../../etc/passwd";
    wrong[7].files = 1;
    wrong[8].bytes -= 1;
    for (const ImagesEntry& entry : wrong)
        EXPECT_FALSE(restore(m_job, entry, 2, m_files).restored);
    ImagesEntry lengths = good;
    for (const std::uint32_t length : {0U, 17U, UINT32_MAX}) {
        lengths.blocks[0] = length;
        EXPECT_FALSE(restore(m_job, lengths, 2, m_files).restored);
    }
}

// An index that authenticates, and says anything.
class ForgedIndex {
public:
    ForgedIndex(Job& job, ImagesEntry entry, int generation)
        : m_job(job), m_entry(std::move(entry)), m_place(job.place(generation)) {
        auto opener = BlockOpener::start(job.key(), m_entry.index_id, BlockKind::index);
        auto reader = BlockReader::open(job.volume, m_place.index, std::move(*opener), m_entry.blocks);
        for (std::uint64_t i = 0; i < m_entry.blocks.size(); ++i) {
            std::vector<char> plain;
            EXPECT_TRUE(reader->read(i, plain));
            m_plain.emplace_back(plain.begin(), plain.end());
        }
    }
    [[nodiscard]] const std::vector<std::string>& plain() const { return m_plain; }
    ImagesEntry with(const std::vector<std::string>& plain) {
        m_job.volume.files.erase(m_place.index);
        m_entry.index_id = new_file_id().value();
        auto sealer = BlockSealer::start(m_job.key(), m_entry.index_id, BlockKind::index, 1);
        BlockWriter writer(std::move(*m_job.volume.create(m_place.index)), std::move(*sealer));
        for (const std::string& block : plain)
            EXPECT_TRUE(writer.write(block));
        EXPECT_TRUE(writer.finish());
        m_entry.blocks = writer.lengths();
        return m_entry;
    }

private:
    Job& m_job;
    ImagesEntry m_entry;
    ImagesPlace m_place;
    std::vector<std::string> m_plain;
};

TEST(StoreImagesForged, AnIndexWithNonsenseIsRefused) {
    Job job;
    Random random(24);
    const Files files{{"pages-1.img", memory(random, 40) + std::string(9 * k_page, '\0')},
                      {"core-1.img", "x"}};
    const auto sealed = job.seal(files, 1);
    ASSERT_TRUE(sealed);
    ForgedIndex index(job, sealed->entry, 1);
    std::size_t refused = 0;
    for (std::uint64_t seed = 0; seed < 600; ++seed) {
        SCOPED_TRACE(std::format("seed {}", seed));
        Random change(seed);
        auto plain = index.plain();
        std::string& block = plain[change() % plain.size()];
        const std::size_t at = change() % std::min<std::size_t>(block.size(), seed % 2 == 0 ? 200 : 10000);
        switch (change() % 3) {
        case 0:
            block[at] = static_cast<char>(change());
            break;
        case 1:
            block.insert(at, noise(change, 1 + change() % 12));
            break;
        default:
            block.erase(at == 0 ? 1 : at, 1 + change() % 20);
            break;
        }
        const auto verified = job.verify(index.with(plain), 1);
        if (verified) continue;
        EXPECT_EQ(verified.error().code, Code::store_corrupt) << one_line(verified.error());
        ++refused;
    }
    EXPECT_GT(refused, 300U);
}

// A pack that is shared has gone bad in two places of a stripe after generation 1.
class Rot : public ::testing::Test {
protected:
    static constexpr std::size_t k_stripe_pages = std::size_t{64} * 16;
    void SetUp() override {
        Random random(33);
        m_files = {{"pages-1.img", noise(random, 5 * k_stripe_pages * k_page)}};
        const auto first = m_job.seal(m_files, 1);
        ASSERT_TRUE(first);
        m_entry = first->entry;
        m_pack = Job::path(m_entry.packs.front());
        const auto index = IndexReader::open(m_job.place(1), m_entry);
        ASSERT_TRUE(index);
        m_regions = regions(index->packs().front().lengths);
    }
    void flip_blocks_of(std::size_t stripe, int count) {
        for (const Region& region : m_regions)
            if (region.stripe == stripe && count-- > 0) m_job.volume.flip(m_pack, region.at + 100);
    }
    // The next generation: nothing but a page has changed.
    bool next_restores(int generation) {
        m_files["pages-1.img"][static_cast<std::size_t>(generation)] ^= 1;
        const auto sealed = m_job.seal(m_files, generation, &m_entry);
        EXPECT_TRUE(sealed);
        if (!sealed) return false;
        m_stored = sealed->stored_bytes;
        m_entry = sealed->entry;
        const Dir target;
        const auto read = m_job.unseal(m_entry, generation, target);
        if (!read) return false;
        EXPECT_TRUE(same(target.files(), m_files));
        return true;
    }

    Job m_job;
    Files m_files;
    ImagesEntry m_entry;
    std::string m_pack;
    std::vector<Region> m_regions;
    std::uint64_t m_stored = 0;
};

TEST_F(Rot, AtTheBeginningOfAPackItIsFoundAtOnce) {
    flip_blocks_of(0, 2);
    EXPECT_TRUE(next_restores(2));
}

TEST_F(Rot, AtTheEndOfAPackItIsFoundAtOnce) {
    flip_blocks_of(4, 2);
    EXPECT_TRUE(next_restores(2));
}

TEST_F(Rot, AnywhereElseItIsFoundInAsManyTurnsAsThereAre) {
    flip_blocks_of(2, 2);
    int generation = 2;
    while (!next_restores(generation++))
        ASSERT_LE(generation, 2 + static_cast<int>(k_check_turns));
    EXPECT_TRUE(next_restores(generation)) << "and stays so";
}

TEST_F(Rot, WhatParityStillMakesGoodIsStoredAnew) {
    flip_blocks_of(0, 1);
    EXPECT_TRUE(next_restores(2));
    EXPECT_GT(m_stored, 5 * k_stripe_pages * k_page) << "all of it";
    flip_blocks_of(0, 3); // and nobody needs that pack any more
    EXPECT_TRUE(next_restores(3));
    EXPECT_LT(m_stored, 100 * k_page) << "sound: referred to";
}

} // namespace
} // namespace ckpt::store
