// SPDX-License-Identifier: GPL-2.0-or-later
// Files with several keys, and replacing a key: at every step every node opens what any other has sealed.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "store/hex.hpp"
#include "store_testbed.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> ids_of(const std::string& path) {
    std::vector<std::string> ids;
    const auto keys = load_keys(path, ::geteuid());
    if (!keys) return {one_line(keys.error())};
    for (const ClusterKey& key : keys->all())
        ids.push_back(key.id);
    return ids;
}

class KeyEditTest : public ::testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(create_key(m_path));
        m_first = ids_of(m_path).at(0);
    }
    std::string add() {
        const auto id = add_key(m_path, ::geteuid());
        EXPECT_TRUE(id) << one_line(id.error());
        return id.value_or("");
    }
    void expect_refused(const Status& status, const std::string& why) {
        ASSERT_FALSE(status);
        EXPECT_EQ(status.error().code, Code::store_key);
        EXPECT_THAT(status.error().what, HasSubstr(why));
        EXPECT_EQ(std::distance(fs::directory_iterator(m_temp.path()), {}), 1) << "a temporary file stayed";
    }
    TempDir m_temp;
    std::string m_path = m_temp.path() / "key";
    std::string m_first;
};

TEST_F(KeyEditTest, AnAddedKeyOpensAndDoesNotSeal) {
    const std::string before = read_file(m_path);
    const std::string second = add();
    EXPECT_THAT(ids_of(m_path), ElementsAre(m_first, second));
    EXPECT_TRUE(read_file(m_path).starts_with(before)) << "the key that was there is as it was";
    const auto keys = load_keys(m_path, ::geteuid());
    EXPECT_EQ(keys->sealing().id, m_first);
    ASSERT_NE(keys->find(second), nullptr);
    EXPECT_NE(to_hex(keys->find(second)->secret.bytes()), to_hex(keys->sealing().secret.bytes()));
    EXPECT_EQ(keys->find("0000"), nullptr);
    EXPECT_EQ(load_key(m_path, ::geteuid())->id, m_first);
    struct stat st{};
    ASSERT_EQ(::stat(m_path.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777U, 0600U);
}

TEST_F(KeyEditTest, AUsedKeySealsAndTheOthersKeepTheirOrder) {
    const std::string second = add();
    const std::string third = add();
    ASSERT_TRUE(use_key(m_path, third, ::geteuid()));
    EXPECT_THAT(ids_of(m_path), ElementsAre(third, m_first, second));
    ASSERT_TRUE(use_key(m_path, third, ::geteuid())) << "once more changes nothing";
    EXPECT_THAT(ids_of(m_path), ElementsAre(third, m_first, second));
}

TEST_F(KeyEditTest, TheKeyThatSealsIsNotRemoved) {
    const std::string second = add();
    expect_refused(remove_key(m_path, m_first, ::geteuid()), "is the one that seals");
    ASSERT_TRUE(use_key(m_path, second, ::geteuid()));
    ASSERT_TRUE(remove_key(m_path, m_first, ::geteuid()));
    EXPECT_THAT(ids_of(m_path), ElementsAre(second));
    expect_refused(remove_key(m_path, second, ::geteuid()), "is the one that seals");
    expect_refused(remove_key(m_path, m_first, ::geteuid()), "has no key");
    expect_refused(use_key(m_path, m_first, ::geteuid()), "has no key");
    EXPECT_THAT(ids_of(m_path), ElementsAre(second));
}

// Two nodes, whose files are copied one after the other: what either seals at any time, the other can open.
TEST_F(KeyEditTest, NoNodeMeetsASealItCannotOpen) {
    const std::string other = m_temp.path() / "other-node";
    const auto copy = [&] { fs::copy_file(m_path, other, fs::copy_options::overwrite_existing); };
    const auto agree = [&] {
        const auto ours = load_keys(m_path, ::geteuid());
        const auto theirs = load_keys(other, ::geteuid());
        ASSERT_TRUE(ours && theirs);
        EXPECT_NE(ours->find(theirs->sealing().id), nullptr);
        EXPECT_NE(theirs->find(ours->sealing().id), nullptr);
    };
    copy();
    ASSERT_EQ(::chmod(other.c_str(), 0600), 0);
    agree();
    const std::string second = add();
    agree();
    copy();
    agree();
    ASSERT_TRUE(use_key(m_path, second, ::geteuid()));
    agree();
    copy();
    agree();
    ASSERT_TRUE(remove_key(m_path, m_first, ::geteuid()));
    agree();
    copy();
    agree();
}

TEST_F(KeyEditTest, AFileOfVersion1IsReadAndBecomesVersion2) {
    std::string text = read_file(m_path);
    text[21] = '1';
    write_file(m_path, text);
    ASSERT_EQ(::chmod(m_path.c_str(), 0600), 0);
    EXPECT_THAT(ids_of(m_path), ElementsAre(m_first));
    const std::string second = add();
    EXPECT_THAT(ids_of(m_path), ElementsAre(m_first, second));
    EXPECT_TRUE(read_file(m_path).starts_with("slurm-checkpoint-key 2\n"));
}

TEST_F(KeyEditTest, AnythingButKeysIsRefused) {
    add();
    const std::string good = read_file(m_path);
    const std::size_t line = good.find('\n') + 1;
    const std::string pair = good.substr(line, (good.size() - line) / 2);
    std::string one_with_two = good;
    one_with_two[21] = '1';
    std::string too_many = good.substr(0, line);
    for (std::size_t i = 0; i < k_keys_max + 1; ++i) {
        std::string another = pair;
        another[4] = hex_digit(static_cast<unsigned>(i));
        another[5] = hex_digit(static_cast<unsigned>(i) / 16);
        too_many += another;
    }
    for (const std::string& bad :
         {good.substr(0, line), good.substr(0, good.size() - 1),
          good.substr(0, good.size() - pair.size() / 2), good + "\n", good + pair, one_with_two, too_many,
          good + std::string(100'000, 'a'), good.substr(0, line) + "\n" + pair}) {
        write_file(m_path, bad);
        const auto keys = load_keys(m_path, ::geteuid());
        ASSERT_FALSE(keys) << bad.size();
        EXPECT_THAT(keys.error().what, HasSubstr("not a key file"));
        EXPECT_FALSE(add_key(m_path, ::geteuid()));
        EXPECT_EQ(read_file(m_path), bad) << "what is not understood is not written over";
    }
    const std::string most = too_many.substr(0, too_many.size() - pair.size());
    write_file(m_path, most);
    EXPECT_EQ(ids_of(m_path).size(), k_keys_max);
    const auto full = add_key(m_path, ::geteuid());
    ASSERT_FALSE(full);
    EXPECT_THAT(full.error().what, HasSubstr("the most there can be"));
}

// ckptd opens the file and hands the descriptor to a worker that may not open it; several read the same one.
TEST_F(KeyEditTest, ADescriptorIsReadFromItsBeginningHoweverOften) {
    const auto fd = open_key_file(m_path);
    ASSERT_TRUE(fd);
    ASSERT_EQ(::lseek(fd->get(), 50, SEEK_SET), 50);
    for (int i = 0; i < 2; ++i) {
        const auto keys = load_keys(fd->get(), m_path, ::geteuid());
        ASSERT_TRUE(keys) << one_line(keys.error());
        EXPECT_EQ(keys->sealing().id, m_first);
    }
    EXPECT_FALSE(load_keys(fd->get(), m_path, ::geteuid() + 1)) << "it is judged behind the descriptor too";
    ASSERT_TRUE(add_key(m_path, ::geteuid()));
    EXPECT_EQ(load_keys(fd->get(), m_path, ::geteuid())->all().size(), 1U) << "the file as it was opened";
}

TEST_F(KeyEditTest, ASecondAdministratorIsRefused) {
    const auto fd = open_key_file(m_path);
    ASSERT_TRUE(fd);
    ASSERT_EQ(::flock(fd->get(), LOCK_EX | LOCK_NB), 0);
    const std::string before = read_file(m_path);
    const auto id = add_key(m_path, ::geteuid());
    ASSERT_FALSE(id);
    EXPECT_THAT(id.error().what, HasSubstr("somebody else"));
    EXPECT_EQ(read_file(m_path), before);
    ASSERT_EQ(::flock(fd->get(), LOCK_UN), 0);
    EXPECT_TRUE(add_key(m_path, ::geteuid()));
}

TEST_F(KeyEditTest, WhatOthersCouldReadIsNotChanged) {
    ASSERT_EQ(::chmod(m_path.c_str(), 0640), 0);
    EXPECT_FALSE(add_key(m_path, ::geteuid()));
    const std::string link = m_temp.path() / "link";
    fs::create_symlink(m_path, link);
    EXPECT_FALSE(add_key(link, ::geteuid()));
    EXPECT_TRUE(fs::is_symlink(link));
    EXPECT_FALSE(add_key("key", ::geteuid()));
}

} // namespace
} // namespace ckpt::store::test
