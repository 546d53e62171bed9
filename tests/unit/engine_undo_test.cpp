// SPDX-License-Identifier: GPL-2.0-or-later
// What a restore does to files can be taken back wherever it was interrupted.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "engine/dump_room.hpp"
#include "engine/leftovers.hpp"
#include "engine/placing.hpp"
#include "engine/rollback.hpp"
#include "engine/saved_output.hpp"
#include "engine/undo.hpp"
#include "os/files.hpp"

namespace ckpt {

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
namespace fs = std::filesystem;
using Files = std::map<std::string, std::string>;

UndoEntry entry(Placement placement) {
    UndoEntry one;
    one.name = "data";
    one.placement = placement;
    one.helper = ".ckpt-j.5.0";
    if (placement != Placement::create) one.was = {11, 50, 0640, 1000, {{0, 20}, {40, 60}}};
    if (placement != Placement::remove) one.inode = placement == Placement::rewrite ? 11 : 12;
    one.size = 60;
    one.mtime_ns = 2000;
    one.keeps = true;
    return one;
}

TEST(DecideUndo, OnlyWhatIsOursIsTakenBack) {
    constexpr std::int64_t k_until = 1'000'000;
    constexpr std::int64_t k_late = 3'600'000'000'000;
    const auto step = [&](Placement placement, const UndoNow& now) {
        return decide_undo(entry(placement), now, k_until);
    };
    EXPECT_EQ(step(Placement::create, {0, 0, 0, 0}), UndoStep::nothing) << "not yet made";
    EXPECT_EQ(step(Placement::create, {12, 60, 2000, 0}), UndoStep::unlink);
    EXPECT_EQ(step(Placement::create, {12, 61, 2000, 0}), UndoStep::is_changed);
    EXPECT_EQ(step(Placement::create, {13, 60, 2000, 0}), UndoStep::nothing) << "somebody else's";
    EXPECT_EQ(step(Placement::replace, {11, 50, 1000, 0}), UndoStep::nothing) << "not yet touched";
    EXPECT_EQ(step(Placement::replace, {11, 50, 1000, 11}), UndoStep::drop_old) << "between link and rename";
    EXPECT_EQ(step(Placement::replace, {0, 0, 0, 11}), UndoStep::put_back) << "without hard links";
    EXPECT_EQ(step(Placement::replace, {12, 60, 2000, 11}), UndoStep::put_back);
    EXPECT_EQ(step(Placement::replace, {12, 60, 2001, 11}), UndoStep::is_changed);
    EXPECT_EQ(step(Placement::replace, {13, 60, 2000, 11}), UndoStep::is_changed);
    EXPECT_EQ(step(Placement::remove, {0, 0, 0, 11}), UndoStep::put_back);
    EXPECT_EQ(step(Placement::remove, {13, 1, 1, 11}), UndoStep::is_changed);
    EXPECT_EQ(step(Placement::rewrite, {11, 50, 1000, 0}), UndoStep::write);
    EXPECT_EQ(step(Placement::rewrite, {11, 60, 5000, 0}), UndoStep::write) << "half written by us";
    EXPECT_EQ(step(Placement::rewrite, {11, 55, 5000, 0}), UndoStep::is_changed) << "of no length of ours";
    EXPECT_EQ(step(Placement::rewrite, {11, 60, k_late, 0}), UndoStep::is_changed) << "later than we were";
    EXPECT_EQ(step(Placement::rewrite, {13, 60, 5000, 0}), UndoStep::is_changed);
}

TEST(UndoRecord, IsReadAsItWasWritten) {
    UndoRecord record{"/h", "a b", ".ckpt-j.5",
                      77,   0500,  {entry(Placement::rewrite), entry(Placement::create)}};
    record.entries[0].name = "d\xff\"\n";
    EXPECT_EQ(*undo_records_from_json(to_json({record, UndoRecord()})), (std::vector{record, UndoRecord()}));
    EXPECT_EQ(undo_records_from_json("{}").error().code, Code::store_corrupt);
}

TEST(Beyond, CountsWhatWasThere) {
    EXPECT_EQ(beyond(entry(Placement::replace), 20), 30U);
    EXPECT_EQ(beyond(entry(Placement::replace), 50), 0U);
    EXPECT_EQ(beyond(entry(Placement::rewrite), 20), 10U) << "20 and 10 bytes were written over";
    const UndoRecord record{"/h", "", ".ckpt-j.5", 77, 0, {entry(Placement::rewrite)}};
    EXPECT_THAT(notes_on_dropped({record}, 20), ElementsAre(HasSubstr("/h/data")));
    EXPECT_THAT(notes_on_dropped({record}, 30), IsEmpty());
    EXPECT_EQ(note_on_dropped({"/h/out", 1, 100, 40}, 60), "");
    EXPECT_THAT(note_on_dropped({"/h/out", 1, 100, 40}, 50), HasSubstr("10 B"));
}

// A restore of four files, one of each kind, step by step.
class Interrupted : public ::testing::Test {
protected:
    void SetUp() override {
        std::string name = ::testing::TempDir() + "ckpt-undo-XXXXXX";
        ASSERT_NE(::mkdtemp(name.data()), nullptr);
        m_root = name;
        fs::create_directory(m_root + "/files");
        fs::create_directory(m_root + "/images");
        m_images = Fd(::open((m_root + "/images").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    void TearDown() override { fs::remove_all(m_root); }

    void put(const std::string& path, const std::string& text) const {
        std::ofstream(m_root + "/" + path, std::ios::binary) << text;
    }

    void begin(const Files& before, const Files& saved, std::int64_t until_ns = INT64_MAX / 2) {
        for (const auto& [name, text] : before)
            put("files/" + name, text);
        m_files.clear();
        m_record = {m_root + "/files", "", undo_prefix("job") + "7", until_ns, 0, {}};
        for (const auto& [name, text] : saved) {
            put("images/" + name, text);
            add(name, text.size(), before.contains(name));
        }
        add("journal", 0, true);
        m_before = before;
    }

    void add(const std::string& name, std::size_t size, bool is_there) {
        LocalFile file;
        file.kind = name == "journal" ? LocalFile::Kind::absent : LocalFile::Kind::file;
        file.root = m_root + "/files";
        file.path = name;
        file.mode = 0600;
        file.size = size;
        file.mtime_ns = 5'000'000'007;
        file.content = name;
        const auto now = look_at(file);
        EXPECT_TRUE(now);
        const Placement placement = !is_there           ? Placement::create
                                    : name == "journal" ? Placement::remove
                                    : name == "replace" ? Placement::replace
                                                        : Placement::rewrite;
        auto made = prepare(file, placement, *now, m_record.prefix + "." + std::to_string(m_files.size()),
                            m_images.get(), true);
        EXPECT_TRUE(made) << one_line(made.error());
        made->keeps = true;
        m_record.entries.push_back(std::move(*made));
        m_files.push_back(file);
    }

    Status carry_out_one(std::size_t i) {
        return carry_out(m_files.at(i), m_record.entries.at(i), m_images.get());
    }

    [[nodiscard]] Files files() const {
        Files all;
        for (const auto& one : fs::directory_iterator(m_root + "/files")) {
            std::ifstream in(one.path(), std::ios::binary);
            all[one.path().filename()] = {std::istreambuf_iterator<char>(in), {}};
        }
        return all;
    }

    // As the next restore does, which knows nothing but the directory.
    Status undo_what_is_found() {
        LocalFile any;
        any.root = m_root + "/files";
        any.path = "whatever";
        Leftovers found;
        CKPT_CHECK(find_leftovers(any, "job", found));
        for (const UndoRecord& record : found.open)
            CKPT_CHECK(undo(record, UndoEnd::max()));
        return {};
    }

    std::string m_root;
    Fd m_images;
    UndoRecord m_record;
    std::vector<LocalFile> m_files;
    Files m_before;
};

const Files k_before = {{"data", std::string(200'000, 'b')}, {"replace", "newer"}, {"journal", "hot"}};
const Files k_saved = {
    {"data", std::string(150'000, 'a')}, {"replace", "older"}, {"create", "it was there once"}};

TEST_F(Interrupted, AfterAnyNumberOfFiles) {
    for (std::size_t count = 0; count <= 4; ++count) {
        begin(k_before, k_saved);
        ASSERT_EQ(m_files.size(), 4U);
        ASSERT_TRUE(write_undo(m_record));
        for (std::size_t i = 0; i < count; ++i)
            ASSERT_TRUE(carry_out_one(i));
        if (count == 4) {
            Files now = files();
            std::erase_if(now, [](const auto& one) { return one.first.starts_with("."); });
            EXPECT_EQ(now, k_saved);
        }
        ASSERT_TRUE(undo_what_is_found()) << count;
        EXPECT_EQ(files(), k_before) << count;
        ASSERT_TRUE(undo_what_is_found()) << "there is nothing any more";
        EXPECT_EQ(files(), k_before) << count;
    }
}

TEST_F(Interrupted, BeforeItWasOnRecord) {
    begin(k_before, k_saved);
    put("files/" + m_record.prefix + ".part", "{");
    put("files/.ckpt-other.7.0.saved", "another job's");
    ASSERT_TRUE(undo_what_is_found());
    Files expected = k_before;
    expected[".ckpt-other.7.0.saved"] = "another job's";
    EXPECT_EQ(files(), expected);
}

TEST_F(Interrupted, InTheMiddleOfTheUndo) {
    for (std::size_t done = 0; done <= 4; ++done) {
        begin(k_before, k_saved);
        ASSERT_TRUE(write_undo(m_record));
        for (std::size_t i = 0; i < 4; ++i)
            ASSERT_TRUE(carry_out_one(i));
        UndoRecord last = m_record; // only its last entries were undone
        last.entries.erase(last.entries.begin(),
                           last.entries.begin() + static_cast<std::ptrdiff_t>(4 - done));
        const fs::path record = m_root + "/files/" + m_record.prefix + ".undo";
        fs::copy_file(record, m_root + "/kept");
        const Files helpers = files();
        ASSERT_TRUE(undo(last, UndoEnd::max()));
        fs::copy_file(m_root + "/kept", record);
        fs::remove(m_root + "/kept");
        for (const auto& [name, text] : helpers)
            if (name.ends_with(".saved")) put("files/" + name, text);
        ASSERT_TRUE(undo_what_is_found()) << done;
        EXPECT_EQ(files(), k_before) << done;
    }
}

// Killed anywhere while it writes.
TEST_F(Interrupted, InTheMiddleOfAFile) {
    std::string was;
    std::string is;
    for (int i = 0; i < 4'000'000; ++i) {
        was.push_back(static_cast<char>('a' + i % 23));
        is.push_back(i % 200'000 < 90'000 ? was.back() : static_cast<char>('A' + i % 19));
    }
    is += std::string(70'000, 'z');
    const Files before = {{"data", is}, {"journal", "hot"}};
    bool killed = false;
    for (int delay = 0; delay < 40; ++delay) {
        begin(before, {{"data", was}});
        ASSERT_TRUE(write_undo(m_record));
        const pid_t child = ::fork();
        if (child == 0) ::_exit(carry_out_one(0) ? 0 : 1);
        ::usleep(static_cast<useconds_t>(delay * 100));
        ::kill(child, SIGKILL);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        killed |= WIFSIGNALED(status);
        ASSERT_TRUE(undo_what_is_found());
        EXPECT_TRUE(files() == before) << delay;
    }
    EXPECT_TRUE(killed);
}

TEST_F(Interrupted, WhatSomebodyElseHasWrittenIsNotTouched) {
    begin(k_before, k_saved, 0); // the restore was over long ago
    ASSERT_TRUE(write_undo(m_record));
    for (std::size_t i = 0; i < 4; ++i)
        ASSERT_TRUE(carry_out_one(i));
    put("files/data", std::string(150'000, 'c'));
    const Status undone = undo_what_is_found();
    ASSERT_FALSE(undone);
    EXPECT_EQ(undone.error().code, Code::rollback_refused);
    EXPECT_THAT(undone.error().what, HasSubstr("/files/data"));
    Files now = files();
    EXPECT_EQ(now["data"], std::string(150'000, 'c'));
    EXPECT_EQ(now["replace"], "newer") << "the others are put back";
    EXPECT_FALSE(now.contains("create"));
    std::string kept;
    for (const auto& [name, text] : now)
        if (name.ends_with(".saved")) kept = text;
    EXPECT_EQ(kept, k_before.at("data")) << "what it held is not lost";
}

TEST_F(Interrupted, AFileThatChangesMeanwhileIsRefused) {
    begin(k_before, k_saved);
    ASSERT_TRUE(write_undo(m_record));
    put("files/data", "somebody is quick");
    put("files/replace", "somebody is quick");
    put("files/create", "somebody is quick");
    for (std::size_t i = 0; i < 3; ++i) {
        const Status done = carry_out_one(i);
        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().code, Code::rollback_refused) << one_line(done.error());
    }
    EXPECT_EQ(files()["data"], "somebody is quick");
    EXPECT_EQ(files()["replace"], "somebody is quick");
    EXPECT_EQ(files()["create"], "somebody is quick");
}

TEST_F(Interrupted, OnceTheJobHasTheFilesTheyStay) {
    begin(k_before, k_saved);
    ASSERT_TRUE(write_undo(m_record));
    for (std::size_t i = 0; i < 4; ++i)
        ASSERT_TRUE(carry_out_one(i));
    ASSERT_TRUE(finish_undo(m_record));
    put("files/data", "the job goes on");
    ASSERT_TRUE(undo_what_is_found());
    Files now = files();
    EXPECT_EQ(now["data"], "the job goes on");
    Leftovers found;
    ASSERT_TRUE(find_leftovers(m_files[0], "job", found));
    ASSERT_EQ(found.finished.size(), 1U);
    const Fd tail(::open((m_root + "/tail").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    EXPECT_EQ(*keep_displaced(found.finished[0], found.finished[0].entries[2], tail.get(), 3), 2U);
    std::ifstream in(m_root + "/tail");
    EXPECT_EQ((std::string{std::istreambuf_iterator<char>(in), {}}), "wer");
    forget_undo(found.finished[0]);
    now = files();
    EXPECT_FALSE(std::ranges::any_of(now, [](const auto& one) { return one.first.starts_with("."); }));
}

// Somebody who has locked the record, until it is told to end.
class Holder {
public:
    explicit Holder(const UndoRecord& record) {
        auto ready = make_pipe();
        auto go = make_pipe();
        if (!ready || !go) return;
        m_pid = ::fork();
        if (m_pid == 0) {
            go->write.reset();
            const auto lock = lock_undo(record, UndoEnd::min());
            char byte = lock ? 'y' : 'n';
            (void)!::write(ready->write.get(), &byte, 1);
            const bool finishes = ::read(go->read.get(), &byte, 1) == 1;
            ::_exit(!lock || (finishes && !finish_undo(record)) ? 1 : 0);
        }
        char answer = 'n';
        m_has_it = ::read(ready->read.get(), &answer, 1) == 1 && answer == 'y';
        m_go = std::move(go->write);
    }
    Holder(const Holder&) = delete;
    Holder& operator=(const Holder&) = delete;
    Holder(Holder&&) = delete;
    Holder& operator=(Holder&&) = delete;
    ~Holder() {
        m_go.reset();
        if (m_pid > 0) (void)::waitpid(m_pid, nullptr, 0);
    }
    [[nodiscard]] bool has_it() const { return m_has_it; }
    void finish() const { (void)!::write(m_go.get(), "f", 1); }

private:
    pid_t m_pid = -1;
    bool m_has_it = false;
    Fd m_go;
};

TEST_F(Interrupted, WhatAnotherIsAtIsNotTouched) {
    begin(k_before, k_saved);
    ASSERT_TRUE(write_undo(m_record));
    for (std::size_t i = 0; i < 4; ++i)
        ASSERT_TRUE(carry_out_one(i));
    const Files made = files();
    {
        const Holder other(m_record);
        ASSERT_TRUE(other.has_it());
        const Status undone = undo(m_record, UndoEnd::min());
        ASSERT_FALSE(undone);
        EXPECT_EQ(undone.error().code, Code::restore_failed);
        EXPECT_EQ(files(), made);
    }
    ASSERT_TRUE(undo(m_record, UndoEnd::max())) << "the other has died over it";
    EXPECT_EQ(files(), k_before);
}

TEST_F(Interrupted, WhatAnotherHasFinishedMeanwhileIsNotUndone) {
    begin(k_before, k_saved);
    ASSERT_TRUE(write_undo(m_record));
    for (std::size_t i = 0; i < 4; ++i)
        ASSERT_TRUE(carry_out_one(i));
    const Holder other(m_record);
    ASSERT_TRUE(other.has_it());
    other.finish();
    EXPECT_TRUE(undo(m_record, UndoEnd::max())) << "waits, and then there is nothing to do";
    EXPECT_EQ(files()["data"], k_saved.at("data"));
    EXPECT_EQ(files()["replace"], k_saved.at("replace"));
    Leftovers found;
    ASSERT_TRUE(find_leftovers(m_files[0], "job", found));
    EXPECT_EQ(found.finished.size(), 1U) << "with what is to be kept";
}

TEST_F(Interrupted, ARecordUnderTheNameOfAnotherIsNotLocked) {
    begin(k_before, k_saved);
    const auto written = write_undo(m_record);
    ASSERT_TRUE(written);
    const Fd dir(::open((m_root + "/files").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const std::string name = m_record.prefix + ".undo";
    EXPECT_TRUE(lock_record(written->get(), dir.get(), name, "", UndoEnd::min()));
    fs::rename(m_root + "/files/" + name, m_root + "/old");
    EXPECT_EQ(lock_record(written->get(), dir.get(), name, "", UndoEnd::min()).error().code, Code::not_found);
    put("files/" + name, "another");
    EXPECT_EQ(lock_record(written->get(), dir.get(), name, "", UndoEnd::min()).error().code, Code::not_found);
}

TEST_F(Interrupted, TheLocksOfAChildGoOnInItsParent) {
    begin(k_before, k_saved);
    const auto post = LockPost::make();
    ASSERT_TRUE(post);
    const pid_t child = ::fork();
    if (child == 0) {
        auto lock = write_undo(m_record);
        if (!lock) ::_exit(1);
        std::vector<Fd> locks(20); // more than one message takes
        for (Fd& one : locks)
            one = Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        locks.push_back(std::move(*lock));
        post->send(locks);
        ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    std::vector<Fd> locks = post->receive();
    EXPECT_EQ(locks.size(), 21U);
    const auto locked = lock_undo(m_record, UndoEnd::min());
    ASSERT_FALSE(locked);
    EXPECT_EQ(locked.error().code, Code::restore_failed);
    locks.clear();
    EXPECT_TRUE(lock_undo(m_record, UndoEnd::min()));
}

TEST(DecideOutput, NothingIsPutInFrontTwice) {
    SavedOutput output;
    output.size = 100;
    output.from = 40;
    EXPECT_EQ(decide_output(output, 100, false, true), OutputStep::leave) << "Slurm has not emptied it";
    EXPECT_EQ(decide_output(output, 0, false, false), OutputStep::put_back);
    EXPECT_EQ(decide_output(output, 300, false, false), OutputStep::put_back);
    EXPECT_EQ(decide_output(output, 75, true, false), OutputStep::is_back)
        << "an earlier restore has done it";
    EXPECT_EQ(decide_output(output, 30, true, false), OutputStep::put_back) << "less than there was";
    EXPECT_EQ(decide_output(output, 17 << 20, false, false), OutputStep::too_much);
}

TEST(JudgeRoom, FilesCountLikeMemory) {
    EXPECT_TRUE(judge_room(60, 40, 100));
    const Status judged = judge_room(60, 41, 100);
    ASSERT_FALSE(judged);
    EXPECT_EQ(judged.error().code, Code::dump_unfit);
    EXPECT_THAT(judged.error().what, HasSubstr("41 B of these for files"));
}

TEST_F(Interrupted, ACopyLooksAtTheClock) {
    put("from", std::string(100'000, 'x'));
    const Fd from(::open((m_root + "/from").c_str(), O_RDONLY | O_CLOEXEC));
    const Fd to(::open((m_root + "/to").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    const auto late = copy_sparse(from.get(), 0, to.get(), 100'000, UINT64_MAX, CopyEnd::min());
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Code::deadline);
    EXPECT_EQ(*copy_sparse(from.get(), 0, to.get(), 100'000), 100'000U);
}

} // namespace

} // namespace ckpt
