// SPDX-License-Identifier: GPL-2.0-or-later
// Generations that have parts of steps' tasks besides the batch script's.
#include <limits>

#include <nlohmann/json.hpp>

#include "store_testbed.hpp"
#include "wire/worker.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Json = nlohmann::json;

constexpr std::uint64_t k_first = 0xfedcba9876543210; // above what a signed number holds
constexpr std::uint64_t k_second = 7;
constexpr const char* k_step_dir = "steps-4711.0a1b2c3d";

class StepsTest : public StoreTest {
protected:
    // A step's task, by its stand-in; the step ids are Slurm's of that incarnation.
    struct Task {
        std::uint64_t stand_in;
        std::uint32_t step_id;
        std::uint32_t task_id;
        Files files;
    };
    static std::vector<Task> tasks(const std::string& mark) {
        return {{k_first, 0, 1, {{"core-2.img", "first " + mark}, {"shim-state", std::string(5000, 's')}}},
                {k_second, 3, 0, {{"core-3.img", "second " + mark}}}};
    }

    Result<CommitDone> commit_steps(const Owner& owner, GenerationId id, const std::vector<Task>& tasks,
                                    const std::function<void(CommitSpec&)>& change = {}) {
        std::vector<Fd> dirs;
        dirs.push_back(open_path(make_dump(images(id))));
        CommitSpec spec = spec_of(owner, id, 100, dirs.front().get());
        for (const Task& task : tasks) {
            dirs.push_back(open_path(make_dump(task.files)));
            spec.parts.push_back(
                {{task.step_id, task.task_id, "n2", 900, 8192, 2, "4.1.1", {}, task.stand_in},
                 dirs.back().get()});
        }
        spec.exited = {{k_second, 1, 256}};
        spec.step_dir = k_step_dir;
        if (change) change(spec);
        return commit_to_store(spec);
    }
    void must_commit_steps(GenerationId id, const std::vector<Task>& tasks) {
        const auto done = commit_steps(m_owner, id, tasks);
        ASSERT_TRUE(done) << one_line(done.error());
    }

    [[nodiscard]] PartSpec part_by(std::uint32_t incarnation, GenerationId id, const Task& task) const {
        return {m_owner, incarnation, id, task.stand_in, task.task_id, -1};
    }
    // The target is set here; what a failure leaves in it is none of its business.
    Result<Files> unpack(PartSpec spec) {
        const fs::path target = make_dump({});
        const Fd dir = open_path(target);
        spec.target = dir.get();
        LocalVolume here = volume(m_base);
        const Status done = unpack_part(Store{here, m_keys}, spec);
        if (done) return files_in(target);
        EXPECT_THAT(files_in(target), IsEmpty());
        return tl::unexpected(done.error());
    }
    void expect_unpacks(std::uint32_t incarnation, GenerationId id, const std::vector<Task>& tasks) {
        for (const Task& task : tasks) {
            const auto files = unpack(part_by(incarnation, id, task));
            ASSERT_TRUE(files) << one_line(files.error());
            EXPECT_TRUE(*files == task.files) << task.stand_in;
        }
    }
    void expect_refused(const PartSpec& spec, const std::string& why) {
        const auto files = unpack(spec);
        ASSERT_FALSE(files) << why;
        EXPECT_EQ(files.error().code, Code::store_corrupt);
        EXPECT_THAT(files.error().what, HasSubstr(why));
    }
};

TEST_F(StepsTest, AManifestSaysAll) {
    must_commit_steps({0, 1}, tasks("one"));
    const Manifest manifest = manifest_of({0, 1});
    ASSERT_EQ(manifest.parts.size(), 3U);
    EXPECT_EQ(manifest.parts[0].stand_in, 0U);
    const PartEntry* first = manifest.part_of(k_first, 1);
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(first->step_id, 0U);
    EXPECT_EQ(first->node, "n2");
    EXPECT_EQ(first->images.files, 2U);
    ASSERT_NE(manifest.part_of(k_second, 0), nullptr);
    EXPECT_EQ(manifest.part_of(k_second, 0), manifest.part(3, 0));
    EXPECT_EQ(manifest.part_of(k_second, 1), nullptr) << "it had ended";
    EXPECT_THAT(manifest.exited, ElementsAre(ExitedTask{k_second, 1, 256}));
    EXPECT_EQ(manifest.step_dir, k_step_dir);
    const auto again = parse_manifest(to_json(manifest));
    ASSERT_TRUE(again);
    EXPECT_EQ(to_json(*again), to_json(manifest));
}

// A generation without steps is what it always was: older readers' members, and no others.
TEST_F(StepsTest, WithoutStepsThereIsNoMemberMore) {
    must_commit({0, 1});
    const Json object = Json::parse(to_json(manifest_of({0, 1})));
    EXPECT_FALSE(object.contains("exited"));
    EXPECT_FALSE(object.contains("step_dir"));
    EXPECT_FALSE(object["parts"][0].contains("stand_in"));
    EXPECT_THAT(must_adopt(1).adoption.steps, IsEmpty());
}

// As large as a job may be.
TEST_F(StepsTest, AllTasksOfAJobComeBack) {
    const auto all = [](CommitSpec& spec) {
        const PartSource one = spec.parts.back();
        while (spec.parts.size() < wire::k_job_tasks_max) {
            spec.parts.push_back(one);
            spec.parts.back().about.task_id = static_cast<std::uint32_t>(spec.parts.size());
        }
        spec.exited.clear();
    };
    for (const std::uint32_t generation : {1U, 2U}) { // the second has a parent
        const auto done = commit_steps(m_owner, {0, generation}, tasks("all"), all);
        ASSERT_TRUE(done) << one_line(done.error());
        EXPECT_THAT(done->notes, IsEmpty());
    }
    const auto taken = must_adopt(1);
    ASSERT_EQ(taken.adoption.found, Found::generation);
    EXPECT_EQ(taken.adoption.id.generation, 2U);
    EXPECT_EQ(taken.adoption.steps.size(), wire::k_job_tasks_max - 1);
}

// Each of 4 GiB, with pages in 16 packs.
TEST_F(StepsTest, AManifestHoldsAllTasksOfAJob) {
    must_commit_steps({0, 1}, tasks("one"));
    Manifest manifest = manifest_of({0, 1});
    PartEntry part = manifest.parts.back();
    part.node.assign(64, 'n');
    part.frozen_us = part.image_bytes = std::numeric_limits<std::uint32_t>::max();
    part.images.bytes = part.image_bytes;
    part.images.blocks.assign(82, 262'160);
    part.images.packs.assign(16, {10, std::string(32, 'a')});
    part.stand_in = k_first;
    manifest.parts.clear();
    while (manifest.parts.size() < wire::k_job_tasks_max) {
        part.task_id = static_cast<std::uint32_t>(1000 + manifest.parts.size());
        manifest.parts.push_back(part);
    }
    const std::string text = to_json(manifest);
    EXPECT_LT(text.size(), k_manifest_max);
    const auto again = parse_manifest(text);
    ASSERT_TRUE(again) << one_line(again.error());
    EXPECT_EQ(again->parts.size(), wire::k_job_tasks_max);
}

TEST_F(StepsTest, AnyWaitStatusComesBack) {
    must_commit_steps({0, 1}, tasks("one"));
    Manifest manifest = manifest_of({0, 1});
    for (const std::int32_t status :
         {0, 9, 256, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()}) {
        manifest.exited = {{k_first, 5, status}};
        const auto again = parse_manifest(to_json(manifest));
        ASSERT_TRUE(again) << status;
        EXPECT_EQ(again->exited, manifest.exited);
    }
}

TEST_F(StepsTest, NonsenseIsRefused) {
    must_commit_steps({0, 1}, tasks("one"));
    const Json sound = Json::parse(to_json(manifest_of({0, 1})));
    ASSERT_TRUE(parse_manifest(sound.dump()));
    const auto refused = [&](const char* what, const std::function<void(Json&)>& change) {
        Json object = sound;
        change(object);
        const auto manifest = parse_manifest(object.dump());
        ASSERT_FALSE(manifest) << what;
        EXPECT_EQ(manifest.error().code, Code::store_corrupt) << what;
    };
    for (const Json& bad : {Json("7"), Json(-7), Json(7.5), Json(nullptr), Json(0), Json::array()}) {
        refused("stand_in of a part", [&](Json& object) { object["parts"][1]["stand_in"] = bad; });
        refused("stand_in of an exited task", [&](Json& object) { object["exited"][0]["stand_in"] = bad; });
    }
    for (const Json& bad : {Json(std::int64_t{1} << 31), Json(-(std::int64_t{1} << 31) - 1),
                            Json(std::numeric_limits<std::uint64_t>::max()), Json("0"), Json(0.5)})
        refused("wait_status", [&](Json& object) { object["exited"][0]["wait_status"] = bad; });
    for (const Json& bad : {Json("a/b"), Json("/run/steps"), Json(".."), Json("."), Json(".hidden"),
                            Json("a b"), Json(std::string(129, 'a')), Json(4711)})
        refused("step_dir", [&](Json& object) { object["step_dir"] = bad; });
    for (const char* member : {"stand_in", "task", "wait_status"})
        refused(member, [&](Json& object) { object["exited"][0].erase(member); });
    refused("exited", [](Json& object) { object["exited"] = Json::object(); });
    refused("a task of exited", [](Json& object) { object["exited"][0] = 7; });
    refused("the same step and task", [](Json& object) {
        object["parts"][2]["step"] = object["parts"][1]["step"];
        object["parts"][2]["task"] = object["parts"][1]["task"];
    });
    refused("the same stand-in and task", [](Json& object) {
        object["parts"][2]["stand_in"] = object["parts"][1]["stand_in"];
        object["parts"][2]["task"] = object["parts"][1]["task"];
    });
    refused("ended twice", [](Json& object) { object["exited"].push_back(object["exited"][0]); });
    refused("ended and running", [](Json& object) { object["exited"][0]["task"] = 0; });
}

// What could not be read again is not written.
TEST_F(StepsTest, CommitsThatMakeNoSenseAreRefused) {
    const auto refused = [&](const char* what, const std::function<void(CommitSpec&)>& change) {
        const auto done = commit_steps(m_owner, {0, 1}, tasks("one"), change);
        ASSERT_FALSE(done) << what;
        EXPECT_EQ(done.error().code, Code::internal) << what;
        EXPECT_THAT(listing(), IsEmpty()) << what;
    };
    refused("the same stand-in and task", [](CommitSpec& spec) {
        spec.parts.push_back(spec.parts.back());
        spec.parts.back().about.step_id = 9;
    });
    refused("the same step and task", [](CommitSpec& spec) {
        spec.parts.push_back(spec.parts.back());
        spec.parts.back().about.stand_in = 9;
    });
    refused("ended twice", [](CommitSpec& spec) { spec.exited.push_back(spec.exited.back()); });
    refused("ended and running", [](CommitSpec& spec) { spec.exited.back().task_id = 0; });
    refused("the batch script has ended", [](CommitSpec& spec) { spec.exited.back().stand_in = 0; });
    refused("a path", [](CommitSpec& spec) { spec.step_dir = "../elsewhere"; });
}

TEST_F(StepsTest, AnAdoptionTellsOfThem) {
    must_commit_steps({0, 1}, tasks("one"));
    const Taken taken = must_adopt(1);
    EXPECT_EQ(taken.adoption.found, Found::generation);
    EXPECT_TRUE(taken.files == images({0, 1})) << "the batch script's alone";
    EXPECT_THAT(taken.adoption.steps, ElementsAre(StepPart{k_first, 0, 1}, StepPart{k_second, 3, 0}));
    EXPECT_THAT(taken.adoption.exited, ElementsAre(ExitedTask{k_second, 1, 256}));
    EXPECT_EQ(taken.adoption.step_dir, k_step_dir);
}

TEST_F(StepsTest, OfAGenerationThatWasPassedOverNothingIsTold) {
    must_commit({0, 1});
    must_commit_steps({0, 2}, tasks("two"));
    for (const fs::path& pack : packs_of({0, 2}))
        if (pack != pack_path({0, 1})) ruin(pack);
    const Taken older = must_adopt(1);
    EXPECT_EQ(to_text(older.adoption.id), to_text({0, 1}));
    EXPECT_THAT(older.adoption.steps, IsEmpty());
    EXPECT_THAT(older.adoption.exited, IsEmpty());
    EXPECT_EQ(older.adoption.step_dir, "");
}

TEST_F(StepsTest, WhereNoneCanBeUsedNothingIsTold) {
    must_commit_steps({0, 1}, tasks("one"));
    ruin(packs_of({0, 1}).front());
    const Taken none = must_adopt(1);
    EXPECT_EQ(none.adoption.found, Found::unusable);
    EXPECT_THAT(none.adoption.steps, IsEmpty());
    EXPECT_THAT(none.adoption.exited, IsEmpty());
    EXPECT_EQ(none.adoption.step_dir, "");
}

TEST_F(StepsTest, EachPartComesBack) {
    must_commit_steps({0, 1}, tasks("one"));
    must_adopt(1);
    expect_unpacks(1, {0, 1}, tasks("one"));
    expect_unpacks(1, {0, 1}, tasks("one")); // as often as it is asked for
}

// Not the newest one: that of the script.
TEST_F(StepsTest, FromTheAdoptedGenerationAlone) {
    must_commit_steps({0, 1}, tasks("one"));
    must_commit_steps({0, 2}, tasks("two"));
    must_adopt(1, GenerationId{0, 2});
    expect_unpacks(1, {0, 1}, tasks("one"));
    expect_refused(part_by(1, {0, 2}, tasks("two").front()), "goes on from another generation");
    expect_refused(part_by(1, {0, 3}, tasks("two").front()), "goes on from another generation");
    expect_refused(part_by(2, {0, 1}, tasks("one").front()), "goes on from another generation"); // no record
    ruin(record_path(1, "adopted"));
    expect_refused(part_by(1, {0, 1}, tasks("one").front()), "goes on from another generation");
}

// Such an adoption leaves no record.
TEST_F(StepsTest, FromOneOfTheIncarnationsOwn) {
    must_commit_steps({1, 1}, tasks("own"));
    must_adopt(1);
    ASSERT_FALSE(fs::exists(record_path(1, "adopted")));
    expect_unpacks(1, {1, 1}, tasks("own"));
}

TEST_F(StepsTest, WhatTheGenerationDoesNotHaveIsRefused) {
    must_commit_steps({0, 1}, tasks("one"));
    must_adopt(1);
    Task task = tasks("one").front();
    task.stand_in = 99;
    expect_refused(part_by(1, {0, 1}, task), "no such part");
    task = tasks("one").front();
    task.task_id = 7;
    expect_refused(part_by(1, {0, 1}, task), "no such part");
    expect_refused(part_by(1, {0, 1}, {k_second, 3, 1, {}}), "no such part"); // has ended
    fs::remove_all(path_of({0, 1}));
    expect_refused(part_by(1, {0, 1}, tasks("one").front()), "is lost");
}

TEST_F(StepsTest, ADamagedPartIsRefusedAndTheOthersAreNot) {
    must_commit_steps({0, 1}, tasks("one"));
    must_adopt(1);
    const Manifest manifest = manifest_of({0, 1});
    ruin(job_path() / "packs" / pack_file_name(manifest.part_of(k_first, 1)->images.packs.front()));
    const auto damaged = unpack(part_by(1, {0, 1}, tasks("one")[0]));
    ASSERT_FALSE(damaged);
    EXPECT_EQ(damaged.error().code, Code::store_corrupt);
    expect_unpacks(1, {0, 1}, {tasks("one")[1]});
    ruin(path_of({0, 1}) / index_name(3, 0));
    EXPECT_FALSE(unpack(part_by(1, {0, 1}, tasks("one")[1])));
    ruin(manifest_path({0, 1}));
    EXPECT_EQ(unpack(part_by(1, {0, 1}, tasks("one")[1])).error().code, Code::store_corrupt);
}

TEST_F(StepsTest, OnlyIntoAnEmptyDirectory) {
    must_commit_steps({0, 1}, tasks("one"));
    must_adopt(1);
    const fs::path target = make_dump({{"core-2.img", "planted"}});
    const Fd dir = open_path(target);
    PartSpec spec = part_by(1, {0, 1}, tasks("one").front());
    spec.target = dir.get();
    LocalVolume here = volume(m_base);
    EXPECT_FALSE(unpack_part(Store{here, m_keys}, spec));
    EXPECT_EQ(files_in(target), (Files{{"core-2.img", "planted"}}));
}

TEST_F(StepsTest, FromAnotherJobsGeneration) {
    const Owner source{"alpha", 1000, 99, "99999999999999999999999999999999"};
    const auto done = commit_steps(source, {0, 1}, tasks("theirs"));
    ASSERT_TRUE(done) << one_line(done.error());
    AdoptSpec spec = adoption_by(0, -1);
    spec.other_job = source.job_id;
    const auto taken = try_adopt(spec, m_base);
    ASSERT_TRUE(taken) << one_line(taken.error());
    EXPECT_EQ(taken->adoption.of_job, source.job_id);
    EXPECT_THAT(taken->adoption.steps, ElementsAre(StepPart{k_first, 0, 1}, StepPart{k_second, 3, 0}));
    EXPECT_EQ(taken->adoption.step_dir, k_step_dir);
    expect_unpacks(0, {0, 1}, tasks("theirs"));
    // It has saved one with the same number meanwhile, before all of its steps were back.
    must_commit_steps({0, 1}, tasks("own"));
    expect_unpacks(0, {0, 1}, tasks("theirs"));
}

// Slurm counts steps anew in each incarnation; which srun of the script it is stays.
TEST_F(StepsTest, PagesAreSharedWithTheSameStandInsPartBefore) {
    constexpr std::size_t k_pages = 256;
    const auto memory = [](std::uint64_t seed) {
        std::string bytes;
        for (std::size_t page = 0; page < k_pages; ++page) {
            std::string text = std::to_string(seed) + "/" + std::to_string(page) + ";";
            for (std::uint64_t x = seed * k_pages + page + 1; text.size() < 4096;) {
                x = x * 6364136223846793005U + 1442695040888963407U; // does not compress
                text.append(reinterpret_cast<const char*>(&x), sizeof x);
            }
            bytes += text.substr(0, 4096);
        }
        return bytes;
    };
    const Files first{{"pages-1.img", memory(1)}};
    const Files second{{"pages-1.img", memory(2)}};
    const auto before = commit_steps(m_owner, {0, 1}, {{k_first, 0, 0, first}, {k_second, 1, 0, second}});
    ASSERT_TRUE(before);
    EXPECT_GT(before->stored_bytes, k_pages * 4096) << "or the test shows nothing";
    must_adopt(1);
    // The two have changed places.
    const auto after = commit_steps(m_owner, {1, 2}, {{k_second, 0, 0, second}, {k_first, 1, 0, first}});
    ASSERT_TRUE(after);
    EXPECT_LT(after->stored_bytes, std::uint64_t{128} << 10U);
    must_adopt(2);
    expect_unpacks(2, {1, 2}, {{k_second, 0, 0, second}, {k_first, 1, 0, first}});
}

} // namespace
} // namespace ckpt::store::test
