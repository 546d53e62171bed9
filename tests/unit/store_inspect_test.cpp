// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/inspect.hpp"

#include <nlohmann/json.hpp>

#include "os/files.hpp"
#include "store_testbed.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Json = nlohmann::json;

class InspectTest : public StoreTest {
protected:
    std::vector<Json> lines(const InspectSpec& spec) {
        const fs::path path = m_temp.path() / "out";
        {
            const Fd out(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
            const Fd base = open_path(m_base);
            const auto done = inspect(Base{base.get(), m_base}, m_key, spec, out.get());
            EXPECT_TRUE(done) << one_line(done.error());
        }
        std::ifstream in(path);
        std::vector<Json> all;
        for (std::string line; std::getline(in, line);)
            all.push_back(Json::parse(line));
        return all;
    }
};

TEST_F(InspectTest, AnEmptyStore) {
    EXPECT_THAT(lines({}), IsEmpty());
}

TEST_F(InspectTest, OneLinePerGenerationOldestFirst) {
    must_commit({0, 9});
    must_adopt(1);
    must_commit({1, 2});
    const auto all = lines({});
    ASSERT_THAT(all, SizeIs(2));
    EXPECT_EQ(all[0]["generation"], 9);
    EXPECT_EQ(all[1]["generation"], 2);
    const Json& line = all[1];
    EXPECT_EQ(line["cluster"], "alpha");
    EXPECT_EQ(line["job"], 4711);
    EXPECT_EQ(line["uid"], 1000);
    EXPECT_EQ(line["incarnation"], 1);
    EXPECT_EQ(line["taken_at"], 1700000002);
    EXPECT_EQ(line["reason"], "interval");
    EXPECT_EQ(line["nodes"], Json::array({"n1"}));
    EXPECT_EQ(line["image_bytes"], 4096);
    EXPECT_EQ(line["frozen_us"], 1200);
    EXPECT_EQ(line["processes"], 3);
    EXPECT_EQ(line["criu_version"], "4.1.1");
    EXPECT_EQ(line["verified"], true);
    EXPECT_GT(line["stored_bytes"], 1000);
    EXPECT_FALSE(line.contains("parts"));
    EXPECT_EQ(lines({0, 0, true})[1]["parts"][0]["files"], 4);
}

TEST_F(InspectTest, FilteredByJobAndUser) {
    must_commit({0, 1});
    m_owner.job_id = 4712;
    m_owner.uid = 1001;
    must_commit({0, 1});
    EXPECT_THAT(lines({}), SizeIs(2));
    EXPECT_THAT(lines({4711, 0, false}), SizeIs(1));
    EXPECT_THAT(lines({471, 0, false}), IsEmpty());
    ASSERT_THAT(lines({0, 1001, false}), SizeIs(1));
    EXPECT_EQ(lines({0, 1001, false})[0]["job"], 4712);
    EXPECT_THAT(lines({4711, 1001, false}), IsEmpty());
}

TEST_F(InspectTest, WhatDoesNotVerifySaysWhy) {
    must_commit({0, 1});
    must_commit({0, 2});
    write_file(path_of({0, 2}) / "manifest", "garbage");
    const auto mine = lines({0, 1000, false});
    ASSERT_THAT(mine, SizeIs(2));
    EXPECT_EQ(mine[1]["verified"], false);
    EXPECT_THAT(mine[1]["problem"].get<std::string>(), HasSubstr("not a manifest"));
    fs::remove_all(path_of({0, 1}));
    EXPECT_THAT(lines({0, 1000, false}), IsEmpty()) << "nobody can say whose it is";
    EXPECT_THAT(lines({}), SizeIs(1));
}

TEST_F(InspectTest, AReplayedManifestDoesNotVerify) {
    must_commit({0, 1});
    fs::copy(path_of({0, 1}), path_of({0, 2}), fs::copy_options::recursive);
    m_owner.job_id = 4712;
    fs::create_directories(path_of({0, 3}).parent_path());
    const fs::path theirs = path_of({0, 1});
    m_owner.job_id = 4711;
    fs::copy(path_of({0, 1}), theirs, fs::copy_options::recursive);
    const auto all = lines({});
    ASSERT_THAT(all, SizeIs(3));
    EXPECT_EQ(all[0]["verified"], true);
    EXPECT_EQ(all[1]["verified"], false);
    EXPECT_EQ(all[2]["verified"], false);
    EXPECT_THAT(lines({4712, 1000, false}), IsEmpty());
}

TEST_F(InspectTest, StrangersInTheStoreArePassedOver) {
    must_commit({0, 1});
    write_file(m_base / "notes", "x");
    fs::create_directory(m_base / "lost+found");
    fs::create_directory(m_base / "alpha" / "4711");
    fs::create_symlink("inc-0", job_path() / "inc-7");
    EXPECT_THAT(lines({}), SizeIs(1));
}

} // namespace
} // namespace ckpt::store::test
