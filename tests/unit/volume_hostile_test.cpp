// SPDX-License-Identifier: GPL-2.0-or-later
// The process behind a RemoteVolume belongs to the user: whatever it answers, there is an error or data, and
// nothing of it reaches a log as it is.
#include <array>
#include <cerrno>
#include <chrono>
#include <future>
#include <random>
#include <thread>

#include "memory_volume.hpp"
#include "volume/messages.hpp"
#include "volume_testbed.hpp"

namespace ckpt::store::test {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t k_frame_limit = std::size_t{32} << 20U; // for the test's own receiving

std::string frame_of(std::string_view bytes) {
    std::string frame;
    for (unsigned i = 0; i < 4; ++i)
        frame += static_cast<char>(bytes.size() >> (8 * i) & 0xffU);
    frame += bytes;
    return frame;
}
std::string frame_of(const VolumeReply& reply) {
    return frame_of(wire::encode(reply));
}
VolumeReply error_reply(Code code, std::string what, std::string hint = {}, int errnum = 0) {
    VolumeReply reply;
    reply.outcome = {static_cast<std::uint32_t>(code), std::move(what), std::move(hint), errnum};
    return reply;
}

// Answers the first call as it should, with `first`, and each later one with these bytes as they are; with
// none it closes the stream.
class Liar {
public:
    explicit Liar(std::string answer, VolumeReply first = named("liar"))
        : m_peer([answer = std::move(answer), first = std::move(first)](int socket) {
              if (!receive_frame(socket, k_frame_limit)) return;
              send_raw(socket, frame_of(first));
              while (receive_frame(socket, k_frame_limit) && !answer.empty())
                  send_raw(socket, answer);
          }) {
        auto volume = RemoteVolume::connect(m_peer.take());
        EXPECT_TRUE(volume) << one_line(volume.error());
        if (volume) m_volume = std::move(*volume);
    }
    [[nodiscard]] Volume& volume() { return *m_volume; }
    static VolumeReply named(const std::string& name) {
        VolumeReply reply;
        reply.bytes = name;
        return reply;
    }

private:
    Peer m_peer; // goes last
    std::unique_ptr<Volume> m_volume;
};

// Everything that can be asked; how many of these gave an error.
int ask_everything(Volume& volume) {
    int errors = 0;
    const auto count = [&](const auto& result) { errors += result ? 0 : 1; };
    count(volume.list("dir"));
    count(volume.make_dir("dir"));
    count(volume.read("file", 1000));
    count(volume.rename("a", "b"));
    count(volume.sync("dir"));
    count(volume.remove("file"));
    count(volume.space());
    count(volume.usage("dir"));
    if (const auto file = volume.create("new")) {
        const std::string bytes(3U << 20U, 'x');
        const bool written = (*file)->write(bytes).has_value();
        const bool finished = (*file)->finish().has_value();
        errors += written && finished ? 0 : 1;
    } else {
        ++errors;
    }
    if (const auto file = volume.open("old")) {
        std::string into(2000, 'x');
        count((*file)->read_at(5, into));
    } else {
        ++errors;
    }
    return errors;
}
constexpr int k_questions = 10;

TEST(VolumeHostile, WhatIsNoReplyIsAnErrorEachTime) {
    std::string forged = wire::encode(VolumeReply{});
    const std::size_t names_at = 8 + 4 + 4 + 4 + 4; // behind the outcome
    forged.replace(names_at, 4, "\xff\xff\xff\xff");
    const std::map<std::string, std::string> answers{
        {"closed", ""},
        {"garbage", frame_of(std::string("garbage"))},
        {"nothing in it", frame_of(std::string())},
        {"a huge length", "\xff\xff\xff\xff"},
        {"more than a frame may have", std::string("\x01\x00\x00\x01", 4) + std::string(100, 'x')},
        {"a call", frame_of(wire::encode(VolumeCall{}))},
        {"bytes behind it", frame_of(wire::encode(VolumeReply{}) + "x")},
        {"cut short", frame_of(wire::encode(VolumeReply{}).substr(0, 20))},
        {"a list of four billion names", frame_of(forged)},
    };
    for (const auto& [what, answer] : answers) {
        Liar liar(answer);
        EXPECT_EQ(ask_everything(liar.volume()), k_questions) << what;
    }
}

TEST(VolumeHostile, AFrameThatIsNeverFinished) {
    Peer peer([](int socket) {
        (void)receive_frame(socket, k_frame_limit);
        send_raw(socket, std::string("\x64\x00\x00\x00half", 8));
    });
    const auto volume = RemoteVolume::connect(peer.take());
    ASSERT_FALSE(volume);
    EXPECT_EQ(volume.error().code, Code::os);
    EXPECT_EQ(volume.error().errnum, EPIPE);
}

TEST(VolumeHostile, AProcessThatHasGoneIsNoMissingFile) {
    Liar liar("");
    const auto missing = liar.volume().list("dir");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, Code::os) << "not_found would be an empty store";
    EXPECT_EQ(missing.error().errnum, EPIPE);
    EXPECT_THAT(missing.error().what, HasSubstr("ckpt-writer"));
}

TEST(VolumeHostile, NamesThatAreNone) {
    for (const std::string& name :
         {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("/etc/passwd"),
          std::string("a\0b", 3), std::string(256, 'x')}) {
        VolumeReply reply;
        reply.names = {"good", name};
        Liar liar(frame_of(reply));
        const auto names = liar.volume().list("");
        ASSERT_FALSE(names) << name;
        EXPECT_EQ(names.error().code, Code::wire_malformed);
    }
    VolumeReply unsorted;
    unsorted.names = {"b", "a", "c"};
    Liar liar(frame_of(unsorted));
    EXPECT_THAT(liar.volume().list("").value(), ::testing::ElementsAre("a", "b", "c"));
}

TEST(VolumeHostile, MoreThanWasAskedFor) {
    VolumeReply reply;
    reply.first = 10;
    reply.bytes = std::string(5000, 'x');
    Liar liar(frame_of(reply));
    const auto file = liar.volume().open("file");
    ASSERT_TRUE(file);
    std::string into(100, '-');
    const auto got = (*file)->read_at(0, into);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::wire_malformed);
    EXPECT_EQ(into, std::string(100, '-'));
    EXPECT_FALSE(liar.volume().read("file", 100));
}

TEST(VolumeHostile, FilesOfImpossibleSizes) {
    VolumeReply reply;
    reply.first = UINT64_MAX;
    Liar liar(frame_of(reply));
    EXPECT_FALSE(liar.volume().read("file", 1000));
    reply.first = 1000; // and then there is nothing
    Liar empty(frame_of(reply));
    EXPECT_EQ(empty.volume().read("file", 1000).value(), "");
}

TEST(VolumeHostile, ErrorsAreMadeFitForALog) {
    const std::string nasty = "line\nckptd: all is well\x1b[2J\x7f\xc3\xa9" + std::string(100000, 'x');
    Liar liar(frame_of(error_reply(Code::store_full, nasty, nasty, ENOSPC)));
    const auto failed = liar.volume().make_dir("dir");
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, Code::store_full);
    EXPECT_EQ(failed.error().errnum, ENOSPC);
    for (const std::string& text : {failed.error().what, failed.error().hint}) {
        EXPECT_LE(text.size(), 300U);
        EXPECT_THAT(text, ::testing::StartsWith("line?ckptd: all is well?[2J?"));
        for (const char c : text)
            EXPECT_TRUE(c >= ' ' && c <= '~') << static_cast<int>(c);
    }
}

TEST(VolumeHostile, CodesThatAVolumeNeverHasAreErrorsAllTheSame) {
    for (const std::uint32_t code : {301U, 302U, 501U, 604U, 701U, 901U, 7U, 0xffffffffU}) {
        Liar liar(frame_of(error_reply(static_cast<Code>(code), "no")));
        const auto failed = liar.volume().sync("");
        ASSERT_FALSE(failed);
        EXPECT_EQ(failed.error().code, Code::os) << code;
    }
    for (const Code code : {Code::not_found, Code::store_full, Code::not_permitted, Code::store_corrupt}) {
        Liar liar(frame_of(error_reply(code, "no")));
        EXPECT_EQ(liar.volume().sync("").error().code, code);
    }
}

TEST(VolumeHostile, ItsNameIsMadeFitForALog) {
    Liar liar("", Liar::named("/nfs/\nalice\x1b" + std::string(100000, 'x')));
    EXPECT_THAT(liar.volume().name(), ::testing::StartsWith("/nfs/?alice?x"));
    EXPECT_LE(liar.volume().name().size(), 4096U);
}

TEST(VolumeHostile, RandomBytesInPlaceOfReplies) {
    for (unsigned seed = 0; seed < 200; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        std::mt19937 random(seed);
        VolumeReply reply;
        reply.names = {"a", "b"};
        reply.bytes = "bytes";
        reply.first = 5;
        std::string bytes = wire::encode(reply);
        for (int i = 0; i < 4; ++i)
            bytes[random() % bytes.size()] = static_cast<char>(random());
        if (seed % 4 == 0) bytes.resize(random() % bytes.size());
        Liar liar(frame_of(bytes));
        const int errors = ask_everything(liar.volume());
        EXPECT_LE(errors, k_questions);
    }
}

constexpr VolumePatience k_impatient{std::chrono::milliseconds(100), std::chrono::milliseconds(1000)};

TEST(VolumeHostile, ASilentPeerIsGivenUpOnceForAllCalls) {
    Peer peer([](int socket) {
        (void)receive_frame(socket, k_frame_limit);
        send_raw(socket, frame_of(Liar::named("silent")));
        while (receive_frame(socket, k_frame_limit)) { // and never a word
        }
    });
    auto volume = RemoteVolume::connect(peer.take(), k_impatient);
    ASSERT_TRUE(volume);
    const auto listed = (*volume)->list("");
    ASSERT_FALSE(listed);
    EXPECT_EQ(listed.error().code, Code::deadline);
    EXPECT_EQ(listed.error().errnum, ETIMEDOUT);
    EXPECT_EQ(ask_everything(**volume), k_questions);
    EXPECT_EQ((*volume)->sync("").error().code, Code::deadline) << "not what a late reply was for";
}

TEST(VolumeHostile, APeerThatReadsNothingIsGivenUp) {
    std::promise<void> over;
    Peer peer([&over](int socket) {
        (void)receive_frame(socket, k_frame_limit);
        send_raw(socket, frame_of(Liar::named("deaf")));
        (void)receive_frame(socket, k_frame_limit);
        VolumeReply reply;
        reply.handle = 1;
        send_raw(socket, frame_of(reply));
        over.get_future().wait();
    });
    auto volume = RemoteVolume::connect(peer.take(), k_impatient);
    ASSERT_TRUE(volume);
    {
        const auto file = (*volume)->create("file");
        ASSERT_TRUE(file);
        const auto written = (*file)->write(std::string(std::size_t{8} << 20U, 'x'));
        ASSERT_FALSE(written);
        EXPECT_EQ(written.error().code, Code::deadline);
    }
    over.set_value();
    volume->reset();
}

// A sign of life is one only as long as it can be believed.
TEST(VolumeHostile, APeerThatIsBusyForEverIsGivenUp) {
    Peer peer([](int socket) {
        (void)receive_frame(socket, k_frame_limit);
        send_raw(socket, frame_of(Liar::named("busy")));
        (void)receive_frame(socket, k_frame_limit);
        for (std::array<char, 1> byte{}; ::recv(socket, byte.data(), 1, MSG_DONTWAIT) < 0;) {
            send_raw(socket, frame_of(wire::encode(VolumeBusy{})));
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
    });
    auto volume = RemoteVolume::connect(peer.take(), k_impatient);
    ASSERT_TRUE(volume);
    const auto listed = (*volume)->list("");
    ASSERT_FALSE(listed);
    EXPECT_EQ(listed.error().code, Code::deadline);
    volume->reset();
}

// Lists nothing before it is told to.
class Waiting final : public Volume {
public:
    explicit Waiting(std::future<void> go) : m_go(std::move(go)) {}
    [[nodiscard]] const std::string& name() const override { return m_inner.name(); }
    Result<std::vector<std::string>> list(const std::string& dir) override {
        m_go.wait();
        return m_inner.list(dir);
    }
    Status make_dir(const std::string& path) override { return m_inner.make_dir(path); }
    Result<std::unique_ptr<NewFile>> create(const std::string& path) override { return m_inner.create(path); }
    Result<std::unique_ptr<OldFile>> open(const std::string& path) override { return m_inner.open(path); }
    Result<std::string> read(const std::string& path, std::size_t max) override {
        return m_inner.read(path, max);
    }
    Status rename(const std::string& from, const std::string& to) override {
        return m_inner.rename(from, to);
    }
    Status sync(const std::string& dir) override { return m_inner.sync(dir); }
    Status remove(const std::string& path) override { return m_inner.remove(path); }
    Result<Space> space() override { return m_inner.space(); }
    Result<Usage> usage(const std::string& path) override { return m_inner.usage(path); }

private:
    MemoryVolume m_inner;
    std::future<void> m_go;
};

// The file system takes three times as long as silence is borne.
TEST(VolumeHostile, ASlowFileSystemIsWaitedForAndAHangingOneIsNot) {
    for (const bool hangs : {false, true}) {
        std::promise<void> go;
        Peer peer([going = std::make_shared<Waiting>(go.get_future()), hangs](int socket) {
            const std::chrono::milliseconds beat(20);
            (void)serve_volume(socket, *going, {beat, hangs ? 3 * beat : std::chrono::minutes(1)});
        });
        auto volume = RemoteVolume::connect(peer.take(), {std::chrono::seconds(1), std::chrono::minutes(1)});
        ASSERT_TRUE(volume);
        std::thread later;
        if (!hangs)
            later = std::thread([&go] {
                std::this_thread::sleep_for(std::chrono::seconds(3));
                go.set_value();
            });
        const auto listed = (*volume)->list("");
        if (later.joinable()) later.join();
        EXPECT_EQ(listed.has_value(), !hangs);
        if (!listed) {
            EXPECT_EQ(listed.error().code, Code::deadline);
        }
        volume->reset();
        if (hangs) go.set_value();
    }
}

// As ckpt-writer looks up the user and opens the directory: three times as long as silence is borne.
TEST(VolumeHostile, WhoeverOpensTheVolumeForLongIsWaitedFor) {
    for (const bool says_so : {true, false}) {
        Peer peer([says_so](int socket) {
            const auto opening = std::chrono::seconds(3);
            if (says_so) {
                Pulse pulse(socket, {std::chrono::milliseconds(20), std::chrono::minutes(1)});
                pulse.begin_call();
                std::this_thread::sleep_for(opening);
            } else {
                std::this_thread::sleep_for(opening);
            }
            MemoryVolume volume;
            (void)serve_volume(socket, volume);
        });
        const auto volume =
            RemoteVolume::connect(peer.take(), {std::chrono::seconds(1), std::chrono::minutes(1)});
        EXPECT_EQ(volume.has_value(), says_so);
        if (!volume) {
            EXPECT_EQ(volume.error().code, Code::deadline);
        }
    }
}

TEST(VolumeHostile, NoVolumeGivesItsReason) {
    Peer peer([](int socket) {
        const Error error{Code::not_permitted, "/nfs/alice belongs to uid 7", "chown it", 0};
        EXPECT_TRUE(serve_no_volume(socket, error));
    });
    const auto volume = RemoteVolume::connect(peer.take());
    ASSERT_FALSE(volume);
    EXPECT_EQ(volume.error().code, Code::not_permitted);
    EXPECT_EQ(volume.error().what, "/nfs/alice belongs to uid 7");
    EXPECT_EQ(volume.error().hint, "chown it");
}

TEST(VolumeHostile, NoVolumeBecauseThereIsNoDirectory) {
    Peer peer([](int socket) {
        EXPECT_TRUE(serve_no_volume(socket, Error{Code::not_found, "no such directory", "", ENOENT}));
    });
    const auto volume = RemoteVolume::connect(peer.take());
    ASSERT_FALSE(volume);
    EXPECT_EQ(volume.error().code, Code::not_found);
    EXPECT_EQ(volume.error().errnum, ENOENT);
}

// One write is under way while the caller goes on.
TEST(VolumeHostile, AWriteThatFailsIsKnownWhenTheFileIsFinished) {
    Peer peer([](int socket) {
        MemoryVolume served;
        served.fail_from(MemoryVolume::Calls::changing, 2, ENOSPC, true); // create, write, this one
        EXPECT_TRUE(serve_volume(socket, served));
    });
    const auto volume = RemoteVolume::connect(peer.take());
    ASSERT_TRUE(volume);
    {
        const auto file = (*volume)->create("file");
        ASSERT_TRUE(file);
        Status done = (*file)->write("one");
        if (done) done = (*file)->write("two");
        if (done) done = (*file)->finish();
        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().code, Code::store_full);
        EXPECT_EQ(done.error().errnum, ENOSPC);
    }
    const auto next = (*volume)->create("next"); // and it goes on
    ASSERT_TRUE(next) << one_line(next.error());
    EXPECT_TRUE((*next)->write("x"));
    EXPECT_TRUE((*next)->finish());
}

TEST(VolumeHostile, AServerEndsWithWhatIsNoCall) {
    for (const std::string& call : {std::string("garbage"), std::string(), wire::encode(VolumeReply{})}) {
        Peer peer([](int socket) {
            MemoryVolume served;
            EXPECT_FALSE(serve_volume(socket, served));
        });
        const Fd socket = peer.take();
        ASSERT_TRUE(send_frame(socket.get(), call));
        EXPECT_FALSE(receive_frame(socket.get(), 1000)) << "it has gone";
    }
}

TEST(VolumeHostile, CallsForFilesThatAreNotOpenAreRefused) {
    Peer peer([](int socket) {
        MemoryVolume served;
        EXPECT_TRUE(serve_volume(socket, served));
    });
    const Fd socket = peer.take();
    for (const Operation operation :
         {Operation::write, Operation::finish, Operation::read_at, static_cast<Operation>(200)}) {
        VolumeCall call;
        call.operation = operation;
        call.handle = 77;
        ASSERT_TRUE(send_frame(socket.get(), wire::encode(call)));
        const auto bytes = receive_frame(socket.get(), k_frame_max);
        ASSERT_TRUE(bytes);
        EXPECT_NE(wire::decode<VolumeReply>(*bytes)->outcome.code, 0U);
    }
}

} // namespace
} // namespace ckpt::store::test
