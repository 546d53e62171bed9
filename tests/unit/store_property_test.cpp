// SPDX-License-Identifier: GPL-2.0-or-later
// Random lives of a job against a model of what must be left of it. Whatever happens: every generation that
// should be kept restores to exactly what it was made of, one that is fenced is never offered, no pack that
// is in use is swept, and what is on disk is bounded by what is kept.
#include <sys/wait.h>

#include <cstdlib>
#include <random>
#include <set>

#include "store/choice.hpp"
#include "store/packs.hpp"
#include "store/scan.hpp"
#include "store_faults.hpp"
#include "store_testbed.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::IsEmpty;

constexpr int k_steps = 40;
constexpr unsigned k_sequences_max = 10; // for each seed, in tests/run full
constexpr unsigned k_sequences = 4;
constexpr std::size_t k_page = 4096;
constexpr std::size_t k_pages = 24;
constexpr int k_calls = 70; // about as many as a commit makes

class PropertyTest : public StoreTest, public ::testing::WithParamInterface<unsigned> {
protected:
    void begin(unsigned seed) {
        m_random.seed(seed);
        fs::remove_all(m_base);
        fs::create_directory(m_base);
        fs::remove(m_key_path);
        ASSERT_TRUE(create_key(m_key_path));
        read_keys();
        m_made.clear();
        m_alive.clear();
        m_incarnation = 0;
        m_generation = 0;
        m_ended = false;
        m_ended_here = false;
        m_strays = 0;
        m_late.clear();
        m_pages = std::string(k_pages * k_page, '\0');
        for (std::size_t page = 0; page < k_pages; ++page)
            change(page);
        must_adopt(0);
    }
    unsigned random(unsigned bound) { return static_cast<unsigned>(m_random() % bound); }
    bool chance(unsigned percent) { return random(100) < percent; }
    void change(std::size_t page) {
        for (std::size_t at = 0; at < k_page; at += 8)
            m_pages.replace(page * k_page + at, 8, std::to_string(10000000 + random(80000000)));
    }
    // The images of the next generation: some pages have changed, a few are zeros, the file may have grown.
    Files next_images(GenerationId id) {
        const unsigned changes = chance(10) ? k_pages : random(6);
        for (unsigned i = 0; i < changes; ++i)
            change(random(k_pages));
        if (chance(20)) m_pages.replace(random(k_pages) * k_page, k_page, k_page, '\0');
        return {{"core-1.img", to_text(id)},
                {"pages-1.img", m_pages.substr(0, m_pages.size() - random(2 * k_page))}};
    }

    // ---- what is checked after every step ----

    [[nodiscard]] JobAt job(LocalVolume& here) const { return job_at(Store{here, m_keys}, m_owner).value(); }
    Files restored(const JobAt& job, GenerationId id) {
        const auto manifest = verified_manifest(job, id);
        EXPECT_TRUE(manifest) << to_text(id) << ": " << one_line(manifest ? Error{} : manifest.error());
        if (!manifest) return {};
        const fs::path target = m_temp.path() / "restored";
        fs::remove_all(target);
        fs::create_directory(target);
        const Fd dir = open_path(target);
        const ImagesPlace place{job.volume, job.dir, job.generation(id) + "/" + index_name(k_step, 0),
                                *job.keys.find(manifest->key_id)};
        const auto read = unseal_images(place, manifest->parts.front().images, dir.get());
        EXPECT_TRUE(read) << to_text(id) << ": " << one_line(read ? Error{} : read.error());
        return files_in(target);
    }
    void check() {
        LocalVolume here = volume(m_base);
        const JobAt at = job(here);
        const auto state = scan(at);
        ASSERT_TRUE(state);
        const Choice choice = choose(*state, m_incarnation + 1);
        const std::vector<GenerationId> offered(choice.candidates.rbegin(), choice.candidates.rend());
        EXPECT_TRUE(offered == m_alive) << ::testing::PrintToString(texts(offered)) << " are offered, "
                                        << ::testing::PrintToString(texts(m_alive)) << " should be";
        EXPECT_EQ(choice.completed, m_ended && m_alive.empty());
        EXPECT_THAT(choice.doubt, IsEmpty());
        EXPECT_GE(m_generation, state->newest_generation);
        std::set<std::string> used;
        for (const IncarnationState& inc : state->incarnations)
            for (const std::uint32_t generation : inc.generations) {
                const GenerationId id{inc.number, generation};
                if (m_late.contains(id)) continue; // what it needs was swept, perhaps
                EXPECT_TRUE(restored(at, id) == m_made.at(id)) << to_text(id) << ", kept or not";
                for (const fs::path& pack : packs_of(id))
                    used.insert(pack.filename());
            }
        for (const std::string& pack : used)
            EXPECT_TRUE(fs::exists(job_path() / "packs" / pack)) << "a pack in use was swept";
        m_used = used;
    }
    // When nothing has been interrupted since the last time that everything was swept.
    void check_size() {
        const auto there = packs();
        EXPECT_TRUE(std::set<std::string>(there.begin(), there.end()) == m_used)
            << "a pack that nothing needs";
        std::uint64_t size = 0;
        for (const auto& entry : fs::recursive_directory_iterator(m_base))
            if (entry.is_regular_file()) size += entry.file_size();
        // A generation's packs hold at most its own pages, and twice of what its parent used; each with as
        // much parity at worst; its index and manifest are small, as is a record.
        const std::uint64_t images = (k_pages + 2) * k_page;
        const std::uint64_t records = m_incarnation + 1 + m_strays;
        EXPECT_LE(size, m_alive.size() * (6 * images + 16384) + records * 4096);
    }
    static std::vector<std::string> texts(const std::vector<GenerationId>& ids) {
        std::vector<std::string> all;
        all.reserve(ids.size());
        for (const GenerationId id : ids)
            all.push_back(to_text(id));
        return all;
    }

    // ---- the steps ----

    bool on_disk(GenerationId id) const { return fs::exists(path_of(id)); }
    // What a commit that came to its end, pruning included, has left.
    void keep_newest(std::uint32_t keep) {
        while (m_alive.size() > keep)
            m_alive.erase(m_alive.begin());
    }
    // What was interrupted has removed some, the oldest first.
    void look_what_is_left() {
        std::erase_if(m_alive, [&](GenerationId id) { return !on_disk(id); });
    }
    // Every one whose number is used at all.
    GenerationId next_id() { return {m_incarnation, ++m_generation}; }

    void commit_step() {
        const GenerationId id = next_id();
        const std::uint32_t keep = 1 + random(3);
        m_made[id] = next_images(id);
        const auto done = commit_files(id, m_made[id], keep);
        if (m_ended_here) {
            EXPECT_FALSE(done) << "the job has ended in this incarnation";
            return;
        }
        ASSERT_TRUE(done) << one_line(done.error());
        EXPECT_THAT(done->notes, IsEmpty());
        m_alive.push_back(id);
        keep_newest(keep);
        m_swept = true;
    }
    void failing_commit_step() {
        const GenerationId id = next_id();
        const std::uint32_t keep = 1 + random(3);
        m_made[id] = next_images(id);
        const fs::path dump = make_dump(m_made[id]);
        const Fd dir = open_path(dump);
        Faults faults;
        faults.fail_at(1 + static_cast<int>(random(k_calls)), chance(50) ? ENOSPC : EIO);
        const auto done = commit_to_store(spec_of(m_owner, id, keep, dir.get()));
        EXPECT_EQ(done.has_value(), on_disk(id));
        if (!done) return; // the others are as they were: check()
        m_alive.push_back(id);
        if (done->notes.empty()) keep_newest(keep);
        EXPECT_GE(std::ranges::count_if(m_alive, [&](GenerationId one) { return on_disk(one); }),
                  std::min<std::ptrdiff_t>(keep, std::ssize(m_alive)));
        look_what_is_left();
    }
    void killed_commit_step() {
        const GenerationId id = next_id();
        const std::uint32_t keep = 1 + random(3);
        m_made[id] = next_images(id);
        const auto before = m_alive;
        crash([&] { return commit_files(id, m_made[id], keep).has_value(); });
        if (!on_disk(id)) return; // the others are as they were: check()
        m_alive.push_back(id);
        look_what_is_left();
        EXPECT_GE(m_alive.size(), std::min<std::size_t>(keep, before.size() + 1));
    }
    // Runs `work` in a process that ends at a random call.
    void crash(const std::function<bool()>& work) {
        const int call = 1 + static_cast<int>(random(k_calls));
        const pid_t child = ::fork();
        if (child == 0) {
            Faults faults;
            faults.die_at(call);
            ::_exit(work() ? 0 : 1);
        }
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        if (WEXITSTATUS(status) == Faults::k_died) ++m_strays; // one temporary record, perhaps
    }
    void next_incarnation() {
        ++m_incarnation;
        m_ended_here = false;
    }
    void adopt_step() {
        next_incarnation();
        if (chance(20)) crash([&] { return try_adopt(m_incarnation).has_value(); });
        const Taken taken = must_adopt(m_incarnation);
        EXPECT_THAT(taken.adoption.skipped, IsEmpty());
        m_generation = std::max(m_generation, taken.adoption.newest_generation);
        expect_taken(taken);
        // It does not restore: the one before, and what is newer is fenced.
        while (m_alive.size() > 1 && chance(25)) {
            const GenerationId newest = m_alive.back();
            m_alive.pop_back();
            expect_taken(must_adopt(m_incarnation, newest));
        }
    }
    void expect_taken(const Taken& taken) {
        if (m_alive.empty()) {
            EXPECT_EQ(taken.adoption.found, m_ended ? Found::completed : Found::nothing);
            return;
        }
        ASSERT_EQ(taken.adoption.found, Found::generation)
            << ::testing::PrintToString(taken.adoption.skipped);
        EXPECT_EQ(to_text(taken.adoption.id), to_text(m_alive.back()));
        EXPECT_TRUE(taken.files == m_made.at(m_alive.back()));
    }
    // The node was declared dead and lives on: the successor adopts between the last check of a commit and
    // the moment it becomes visible, and may have saved something of its own by then.
    void late_commit_step() {
        if (m_ended_here) return;
        const GenerationId late = next_id();
        m_made[late] = next_images(late);
        const fs::path dump = make_dump(m_made[late]);
        const Fd dir = open_path(dump);
        bool successor_commits = false;
        Faults faults;
        faults.before("renameat", generation_dir_name(late.generation), [&] {
            adopt_step();
            successor_commits = chance(50);
            if (successor_commits) commit_step();
        });
        const auto done = commit_to_store(spec_of(m_owner, late, 1, dir.get()));
        EXPECT_EQ(done.has_value(), !successor_commits) << "which sweeps what was not finished before it";
        EXPECT_EQ(on_disk(late), !successor_commits);
        m_late.insert(late);
        m_swept = false; // its pack, perhaps, until its successor's next commit
        // And once more, now that it could know.
        m_made[{late.incarnation, late.generation + 1000}] = m_made[late];
        EXPECT_FALSE(commit_files({late.incarnation, late.generation + 1000}, m_made[late], 1));
        EXPECT_FALSE(end_job_of(late.incarnation));
    }
    bool end_job_of(std::uint32_t incarnation) { return end_job(incarnation, true).has_value(); }
    void complete_step() {
        const bool drop = chance(50);
        ASSERT_TRUE(end_job(m_incarnation, drop));
        m_ended = true;
        m_ended_here = true;
        m_alive.clear();
        if (drop) {
            EXPECT_THAT(packs(), IsEmpty());
        }
    }
    void rotate_step() {
        const auto added = add_key(m_key_path, ::geteuid());
        ASSERT_TRUE(added) << one_line(added.error());
        ASSERT_TRUE(use_key(m_key_path, *added, ::geteuid()));
        read_keys();
    }
    void step() {
        const unsigned dice = random(100);
        if (dice < 45) return commit_step();
        if (dice < 57) return failing_commit_step();
        if (dice < 70) return killed_commit_step();
        if (dice < 85) return adopt_step();
        if (dice < 93) return late_commit_step();
        if (dice < 96) return complete_step();
        if (m_keys.size() < k_keys_max) rotate_step();
    }

    std::mt19937 m_random{0}; // each sequence has a seed of its own
    std::map<GenerationId, Files> m_made;
    std::vector<GenerationId> m_alive; // oldest first: what the next incarnation may start from
    std::uint32_t m_incarnation = 0;
    std::uint32_t m_generation = 0;
    bool m_ended = false;      // once
    bool m_ended_here = false; // in this very incarnation
    bool m_swept = false;      // by the last step, and nothing was interrupted since
    std::uint32_t m_strays = 0;
    std::set<GenerationId> m_late; // committed when a successor had adopted
    std::string m_pages;
    std::set<std::string> m_used;
};

unsigned sequences() {
    const char* wanted = std::getenv("CKPT_SEQUENCES"); // NOLINT(concurrency-mt-unsafe): one thread
    return wanted == nullptr ? k_sequences : static_cast<unsigned>(std::atoi(wanted));
}

TEST_P(PropertyTest, WhatShouldBeKeptRestoresWhateverHappens) {
    for (unsigned sequence = 0; sequence < sequences() && !HasFailure(); ++sequence) {
        const unsigned seed = GetParam() * k_sequences_max + sequence;
        SCOPED_TRACE("seed " + std::to_string(seed));
        begin(seed);
        for (int number = 0; number < k_steps && !HasFailure(); ++number) {
            SCOPED_TRACE("step " + std::to_string(number));
            m_swept = false;
            step();
            check();
            if (m_swept) check_size();
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Seeds, PropertyTest, ::testing::Range(0U, 20U));

} // namespace
} // namespace ckpt::store::test
