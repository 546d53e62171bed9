// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/history.hpp"

#include <ctime>

#include "store/inspect.hpp"
#include "store_testbed.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::SizeIs;

class HistoryTest : public StoreTest {
protected:
    Json events() {
        LocalVolume here = volume(m_base);
        auto read = read_history({here, m_keys}, m_owner);
        EXPECT_TRUE(read) << one_line(read.error());
        return read.value_or(Json::array());
    }
    Status add(Json event) {
        LocalVolume here = volume(m_base);
        const Store store{here, m_keys};
        auto job = job_at(store, m_owner);
        EXPECT_TRUE(job);
        return add_to_history(*job, std::move(event));
    }
    fs::path file() const { return m_base / m_owner.cluster / history_name(m_owner); }
};

TEST_F(HistoryTest, TellsOfWhatIsGone) {
    must_commit({0, 1}, 1);
    must_commit({0, 2}, 1);
    must_adopt(1);
    must_commit({1, 3}, 1);
    ASSERT_TRUE(complete_in_store({m_owner, 1, 0, true, false, {}, {}, true}));
    EXPECT_FALSE(
        fs::exists(m_base / m_owner.cluster / job_dir_name(m_owner) / "inc-1" / generation_dir_name(3)));
    const Json all = events();
    ASSERT_THAT(all, SizeIs(4));
    EXPECT_EQ(all[0]["event"], "generation");
    EXPECT_EQ(all[0]["generation"], 1);
    EXPECT_EQ(all[0]["nodes"], Json::array({"n1"}));
    EXPECT_EQ(all[0]["frozen_us"], 1200);
    EXPECT_EQ(all[1]["generation"], 2);
    EXPECT_EQ(all[2]["incarnation"], 1);
    EXPECT_EQ(all[3]["event"], "end");
    EXPECT_EQ(all[3]["how"], "completed");
}

TEST_F(HistoryTest, AStartNamesWhatItGoesOnFrom) {
    must_commit({0, 7});
    AdoptSpec spec;
    spec.owner = m_owner;
    spec.incarnation = 1;
    Adoption adoption;
    adoption.found = Found::generation;
    adoption.id = {0, 7};
    adoption.since = 1700000000;
    adoption.taken_at = 1700000900;
    adoption.cpus = 4;
    LocalVolume here = volume(m_base);
    ASSERT_TRUE(note_adoption({here, m_keys}, spec, adoption, "n2"));
    const Json start = events()[1];
    EXPECT_EQ(start["event"], "start");
    EXPECT_EQ(start["node"], "n2");
    EXPECT_EQ(start["from_generation"], 7);
    EXPECT_EQ(start["saved_s"], 900);
    EXPECT_EQ(start["cpus"], 4);
}

TEST_F(HistoryTest, WhatDoesNotVerifyIsBegunAnew) {
    must_commit({0, 1});
    ruin(file());
    LocalVolume here = volume(m_base);
    EXPECT_EQ(read_history({here, m_keys}, m_owner).error().code, Code::store_corrupt);
    must_commit({0, 2});
    EXPECT_THAT(events(), SizeIs(1));
}

TEST_F(HistoryTest, IsBounded) {
    must_commit({0, 1});
    ASSERT_TRUE(add({{"event", "start"}, {"incarnation", 1}}));
    for (int i = 0; i < 40; ++i)
        ASSERT_TRUE(add({{"event", "generation"}, {"generation", i}, {"text", std::string(5000, 'x')}}));
    const Json all = events();
    EXPECT_LT(all.size(), 30U);
    EXPECT_EQ(all[0]["event"], "start") << "generations go first, the oldest of them";
    EXPECT_EQ(all.back()["generation"], 39);
    EXPECT_LT(fs::file_size(file()), std::uintmax_t{300} << 10U);
    ASSERT_TRUE(add({{"event", "end"}, {"text", std::string(300'000, 'x')}}));
    EXPECT_THAT(events(), SizeIs(0)) << "nothing is too much for it";
}

TEST_F(HistoryTest, NamesOfFiles) {
    const std::string name = history_name(m_owner);
    EXPECT_EQ(owner_of_history(name, m_owner.cluster, m_owner.uid), m_owner);
    for (const std::string& other : {std::string("4711-0a1b2c3d"), std::string("history-"), "x" + name,
                                     name + "x", name.substr(0, name.size() - 1), std::string("history-x")})
        EXPECT_FALSE(owner_of_history(other, "alpha", 0)) << other;
}

TEST_F(HistoryTest, GoesWhenItIsOld) {
    must_commit({0, 1});
    LocalVolume here = volume(m_base);
    const std::int64_t now = std::time(nullptr);
    ASSERT_TRUE(sweep_histories(here, 100, now + 50));
    EXPECT_TRUE(fs::exists(file()));
    ASSERT_TRUE(sweep_histories(here, 100, now + 200));
    EXPECT_FALSE(fs::exists(file()));
    EXPECT_TRUE(fs::exists(m_base / m_owner.cluster / job_dir_name(m_owner))) << "the job's own stays";
}

} // namespace
} // namespace ckpt::store::test
