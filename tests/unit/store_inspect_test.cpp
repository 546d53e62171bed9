// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/inspect.hpp"

#include <sys/stat.h>

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
            LocalVolume here = volume(m_base);
            const auto done = inspect(Store{here, m_keys}, spec, out.get());
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

TEST_F(InspectTest, WhoTakesNothingIsGivenUp) {
    must_commit({0, 1});
    auto pipe = make_pipe();
    ASSERT_TRUE(pipe);
    ASSERT_GT(::fcntl(pipe->write.get(), F_SETPIPE_SZ, 4096), 0);
    const std::string full(4096, 'x');
    ASSERT_EQ(::write(pipe->write.get(), full.data(), full.size()), 4096);
    LocalVolume here = volume(m_base);
    InspectSpec spec;
    spec.patience = std::chrono::milliseconds(50);
    const auto done = inspect(Store{here, m_keys}, spec, pipe->write.get());
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::deadline);
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
    EXPECT_GT(line["stored_bytes"], 300);
    EXPECT_FALSE(line.contains("parts"));
    EXPECT_EQ(lines({0, true, false})[1]["parts"][0]["files"], 4);
}

TEST_F(InspectTest, FilteredByJob) {
    must_commit({0, 1});
    m_owner.job_id = 4712;
    must_commit({0, 1});
    EXPECT_THAT(lines({}), SizeIs(2));
    ASSERT_THAT(lines({4712, false, false}), SizeIs(1));
    EXPECT_EQ(lines({4712, false, false})[0]["job"], 4712);
    EXPECT_THAT(lines({471, false, false}), IsEmpty());
}

// A directory of one's own may hold copies of what is another user's.
TEST_F(InspectTest, WhatIsSomebodyElsesIsNotVerifiedForAUser) {
    must_commit({0, 1});
    InspectSpec spec{0, true, true, 1001};
    const auto all = lines(spec);
    ASSERT_THAT(all, SizeIs(1));
    EXPECT_EQ(all[0]["verified"], false);
    EXPECT_EQ(all[0]["problem"], "the manifest is that of another user");
    for (const char* member : {"uid", "nodes", "parts", "intact", "taken_at"})
        EXPECT_FALSE(all[0].contains(member)) << member;
    for (const std::optional<std::uint32_t> whose : {std::optional<std::uint32_t>(1000), {}}) {
        spec.uid = whose; // one's own, and root's question
        EXPECT_EQ(lines(spec)[0]["intact"], true);
    }
}

TEST_F(InspectTest, WhatDoesNotVerifySaysWhy) {
    for (const std::uint32_t generation : {1U, 2U, 3U, 4U})
        must_commit({0, generation});
    write_file(manifest_path({0, 2}), "garbage");
    ruin(manifest_path({0, 3}));
    fs::remove(manifest_path({0, 4}));
    const auto all = lines({});
    ASSERT_THAT(all, SizeIs(4));
    EXPECT_EQ(all[0]["verified"], true);
    for (const std::size_t at : {1U, 2U, 3U}) {
        EXPECT_EQ(all[at]["verified"], false);
        EXPECT_EQ(all[at]["generation"], at + 1);
    }
    EXPECT_THAT(all[1]["problem"].get<std::string>(), HasSubstr("not a manifest"));
    EXPECT_THAT(all[3]["problem"].get<std::string>(), HasSubstr("the manifest is missing"));
}

TEST_F(InspectTest, AManifestOfWhichOneCopyIsLeftIsFine) {
    must_commit({0, 1});
    const std::string whole = read_file(manifest_path({0, 1}));
    write_file(manifest_path({0, 1}), whole.substr(0, whole.size() / 2));
    EXPECT_EQ(lines({}).at(0)["verified"], true);
    write_file(manifest_path({0, 1}), std::string(whole.size() / 2, 'x') + whole.substr(whole.size() / 2));
    EXPECT_EQ(lines({}).at(0)["verified"], true);
}

// A file where a directory was hides generations: that is said.
TEST_F(InspectTest, WhatIsNoDirectoryIsSaid) {
    must_commit({0, 1});
    must_adopt(1);
    must_commit({1, 2});
    const fs::path job = manifest_path({0, 1}).parent_path().parent_path().parent_path();
    fs::rename(job / "inc-0", job / "aside");
    ASSERT_EQ(::mkfifo((job / "inc-0").c_str(), 0600), 0);
    const auto all = lines({});
    ASSERT_THAT(all, SizeIs(2));
    EXPECT_EQ(all[0]["verified"], false);
    EXPECT_EQ(all[0]["incarnation"], 0);
    EXPECT_FALSE(all[0].contains("generation"));
    EXPECT_THAT(all[0]["problem"].get<std::string>(), HasSubstr("inc-0"));
    EXPECT_EQ(all[1]["generation"], 2);

    fs::remove_all(job);
    write_file(job, "no directory");
    const auto none = lines({4711, false, true});
    ASSERT_THAT(none, SizeIs(1));
    EXPECT_EQ(none[0]["job"], 4711);
    EXPECT_FALSE(none[0].contains("incarnation"));
}

TEST_F(InspectTest, EveryByteIsReadWhenAskedTo) {
    must_commit({0, 1});
    must_commit({0, 2});
    must_commit({0, 3});
    flip(pack_path({0, 2}), 20, 3);
    ruin(pack_path({0, 3}));
    EXPECT_EQ(lines({})[2]["verified"], true) << "the images are not looked at";
    EXPECT_FALSE(lines({})[2].contains("intact"));
    const auto all = lines({0, false, true});
    ASSERT_THAT(all, SizeIs(3));
    EXPECT_EQ(all[0]["intact"], true);
    EXPECT_EQ(all[0]["healed_blocks"], 0);
    EXPECT_EQ(all[1]["intact"], true);
    EXPECT_EQ(all[1]["healed_blocks"], 1);
    EXPECT_EQ(all[2]["verified"], false);
    EXPECT_FALSE(all[2].contains("intact"));
    EXPECT_THAT(all[2]["problem"].get<std::string>(), HasSubstr(pack_path({0, 3}).filename().string()));
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
    const auto theirs_only = lines({4712, false, true});
    ASSERT_THAT(theirs_only, SizeIs(1));
    EXPECT_EQ(theirs_only[0]["verified"], false);
}

TEST_F(InspectTest, StrangersInTheStoreArePassedOver) {
    must_commit({0, 1});
    write_file(m_base / "notes", "x");
    fs::create_directory(m_base / "lost+found");
    fs::create_directory(m_base / "alpha" / "4711");
    write_file(job_path() / "notes", "x");
    EXPECT_THAT(lines({}), SizeIs(1));
    fs::create_symlink("inc-0",
                       job_path() / "inc-7"); // in the place of an incarnation: not followed, but said
    const auto all = lines({});
    ASSERT_THAT(all, SizeIs(2));
    EXPECT_FALSE(all[0].contains("generation"));
}

} // namespace
} // namespace ckpt::store::test
