// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/stat.h>

#include "crypto/hkdf.hpp"
#include "store/hex.hpp"
#include "store/seal.hpp"
#include "store_testbed.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::HasSubstr;

class KeyTest : public ::testing::Test {
protected:
    void expect_refused(const std::string& path, const std::string& why) {
        const auto key = load_key(path, ::geteuid());
        ASSERT_FALSE(key);
        EXPECT_EQ(key.error().code, Code::store_key);
        EXPECT_THAT(key.error().what, HasSubstr(why));
    }
    TempDir m_temp;
    std::string m_path = m_temp.path() / "key";
};

TEST_F(KeyTest, ANewKeyIsReadBackAndReadableByItsOwnerOnly) {
    ASSERT_TRUE(create_key(m_path));
    struct stat st{};
    ASSERT_EQ(::stat(m_path.c_str(), &st), 0);
    EXPECT_EQ(st.st_mode & 07777U, 0600U);
    EXPECT_EQ(st.st_nlink, 1U);
    const auto key = load_key(m_path, ::geteuid());
    ASSERT_TRUE(key) << one_line(key.error());
    EXPECT_EQ(key->id.size(), 16U);
    EXPECT_EQ(read_file(m_path),
              "slurm-checkpoint-key 2\nid: " + key->id + "\nkey: " + to_hex(key->secret.bytes()) + "\n");
}

TEST_F(KeyTest, TwoKeysDiffer) {
    const std::string other = m_temp.path() / "other";
    ASSERT_TRUE(create_key(m_path));
    ASSERT_TRUE(create_key(other));
    EXPECT_NE(read_file(m_path), read_file(other));
}

TEST_F(KeyTest, AnExistingKeyIsNeverReplaced) {
    ASSERT_TRUE(create_key(m_path));
    const std::string before = read_file(m_path);
    const auto again = create_key(m_path);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Code::store_key);
    EXPECT_EQ(read_file(m_path), before);
    EXPECT_EQ(std::distance(fs::directory_iterator(m_temp.path()), {}), 1) << "a temporary file stayed";
}

TEST_F(KeyTest, ReadableByOthersIsRefused) {
    ASSERT_TRUE(create_key(m_path));
    for (const mode_t mode : {0640U, 0604U, 0620U, 0700U, 0660U}) {
        ASSERT_EQ(::chmod(m_path.c_str(), mode), 0);
        expect_refused(m_path, "has mode");
    }
    ASSERT_EQ(::chmod(m_path.c_str(), 0400), 0);
    EXPECT_TRUE(load_key(m_path, ::geteuid()));
}

TEST_F(KeyTest, AnotherOwnersFileIsRefused) {
    ASSERT_TRUE(create_key(m_path));
    const auto key = load_key(m_path, ::geteuid() + 1);
    ASSERT_FALSE(key);
    EXPECT_THAT(key.error().what, HasSubstr("belongs to uid"));
}

TEST_F(KeyTest, MissingLinkDirectoryAndFifoAreRefused) {
    expect_refused(m_path, "No such file");
    ASSERT_TRUE(create_key(m_path));
    const std::string link = m_temp.path() / "link";
    fs::create_symlink(m_path, link);
    expect_refused(link, "symbolic link");
    expect_refused(m_temp.path(), "not a regular file");
    const std::string fifo = m_temp.path() / "fifo";
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    expect_refused(fifo, "not a regular file");
}

TEST_F(KeyTest, AnythingButAKeyIsRefused) {
    ASSERT_TRUE(create_key(m_path));
    const std::string good = read_file(m_path);
    std::string upper = good;
    upper[upper.size() - 2] = 'F';
    const std::string other_version = "slurm-checkpoint-key 3" + good.substr(22);
    for (const std::string& bad : {std::string(), good.substr(0, good.size() - 1), good + "\n", other_version,
                                   upper, std::string(good.size(), 'a')}) {
        write_file(m_path, bad);
        expect_refused(m_path, "not a key file");
    }
    write_file(m_path, good);
    EXPECT_TRUE(load_key(m_path, ::geteuid()));
}

TEST_F(KeyTest, RelativePathsAreRefused) {
    EXPECT_FALSE(create_key("key"));
    EXPECT_FALSE(create_key("/tmp/.."));
    EXPECT_FALSE(create_key(""));
}

std::string unhex(std::string_view text) {
    std::string bytes(text.size() / 2, '\0');
    EXPECT_TRUE(from_hex(text, {reinterpret_cast<unsigned char*>(bytes.data()), bytes.size()}));
    return bytes;
}

TEST(Hkdf, Rfc5869TestCase1) {
    const std::string key = unhex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
    std::array<unsigned char, 42> out{};
    ASSERT_TRUE(hkdf_sha256({reinterpret_cast<const unsigned char*>(key.data()), key.size()},
                            unhex("000102030405060708090a0b0c"), unhex("f0f1f2f3f4f5f6f7f8f9"), out));
    EXPECT_EQ(to_hex(out),
              "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
}

class SealTest : public StoreTest {
protected:
    [[nodiscard]] JobKeys keys_of(const Owner& owner) const {
        auto keys = derive_job_keys(m_keys, owner);
        EXPECT_TRUE(keys) << one_line(keys.error());
        return keys ? std::move(*keys) : JobKeys{};
    }
};

TEST_F(SealTest, VerifiesOnlyForTheSameJobUserAndCluster) {
    const JobKeys keys = keys_of(m_owner);
    const auto text = seal("hello\n", keys.sealing());
    ASSERT_TRUE(text);
    ASSERT_TRUE(unseal(*text, keys));
    EXPECT_EQ(*unseal(*text, keys), "hello\n");

    std::vector<Owner> others(4, m_owner);
    others[0].cluster = "beta";
    others[1].uid = 1001;
    others[2].job_id = 4712;
    others[3].uuid.back() = '0';
    for (const Owner& other : others)
        EXPECT_FALSE(unseal(*text, keys_of(other)));
}

TEST_F(SealTest, EveryBitCounts) {
    const JobKeys keys = keys_of(m_owner);
    const std::string text = *seal("{\"format\":1}\n", keys.sealing());
    for (std::size_t i = 0; i < text.size(); ++i)
        for (unsigned bit = 0; bit < 8; ++bit) {
            std::string bad = text;
            bad[i] = static_cast<char>(static_cast<unsigned char>(bad[i]) ^ (1U << bit));
            EXPECT_FALSE(unseal(bad, keys)) << "byte " << i << " bit " << bit;
        }
    for (std::size_t size = 0; size < text.size(); ++size)
        EXPECT_FALSE(unseal(text.substr(0, size), keys));
    EXPECT_FALSE(unseal(text + "\n", keys));
    EXPECT_FALSE(unseal(text + text, keys));
}

TEST_F(SealTest, AKeyThatIsNotHereSaysSo) {
    const std::string other_path = m_temp.path() / "other";
    ASSERT_TRUE(create_key(other_path));
    const auto others = load_keys(other_path, ::geteuid());
    const auto other = derive_job_keys(others->all(), m_owner);
    const auto text = seal("x\n", keys_of(m_owner).sealing());
    const auto body = unseal(*text, *other);
    ASSERT_FALSE(body);
    EXPECT_THAT(body.error().what, HasSubstr("a key that this node's key file does not hold"));
}

TEST_F(SealTest, EveryKeyOpensAndTheFirstSeals) {
    const std::string old_text = *seal("old\n", keys_of(m_owner).sealing());
    const auto added = add_key(m_key_path, ::geteuid());
    ASSERT_TRUE(added);
    read_keys();
    EXPECT_EQ(*seal("old\n", keys_of(m_owner).sealing()), old_text) << "the new one does not seal yet";
    ASSERT_TRUE(use_key(m_key_path, *added, ::geteuid()));
    read_keys();
    const std::string text = *seal("old\n", keys_of(m_owner).sealing());
    EXPECT_NE(text, old_text);
    EXPECT_TRUE(unseal(old_text, keys_of(m_owner)));
    EXPECT_TRUE(unseal(text, keys_of(m_owner)));
    ASSERT_TRUE(remove_key(m_key_path, m_keys[1].id, ::geteuid()));
    read_keys();
    EXPECT_FALSE(unseal(old_text, keys_of(m_owner)));
    EXPECT_TRUE(unseal(text, keys_of(m_owner)));
}

TEST_F(SealTest, NoKeysIsAnError) {
    const auto none = derive_job_keys({}, m_owner);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, Code::store_key);
}

TEST_F(SealTest, OwnersThatCannotNameADirectoryAreRefused) {
    for (const char* cluster : {"", ".", "..", "a/b", ".hidden", "a b", "a|b"}) {
        Owner owner = m_owner;
        owner.cluster = cluster;
        EXPECT_FALSE(derive_seal_key(m_keys.front(), owner)) << cluster;
    }
    for (const char* uuid :
         {"", "0a1b2c3d", "0A1B2C3D4E5F60718293A4B5C6D7E8F9", "../../../../etc/passwd0000000000"}) {
        Owner owner = m_owner;
        owner.uuid = uuid;
        EXPECT_FALSE(derive_seal_key(m_keys.front(), owner)) << uuid;
    }
}

TEST(Names, OneNamePerNumber) {
    EXPECT_EQ(incarnation_of("inc-0"), 0U);
    EXPECT_EQ(incarnation_of("inc-4294967295"), 4294967295U);
    for (const char* bad :
         {"inc-", "inc-00", "inc-01", "inc--1", "inc-+1", "inc-1 ", "inc-4294967296", "Inc-1", "inc-1x"})
        EXPECT_FALSE(incarnation_of(bad)) << bad;
    EXPECT_EQ(generation_of("gen-000007"), 7U);
    EXPECT_EQ(generation_of("gen-999999"), 999999U);
    for (const char* bad : {"gen-7", "gen-0000007", "gen-1000000", ".tmp-gen-000007", "gen-00000a"})
        EXPECT_FALSE(generation_of(bad)) << bad;
}

} // namespace
} // namespace ckpt::store::test
