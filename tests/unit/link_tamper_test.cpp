// SPDX-License-Identifier: GPL-2.0-or-later
// Somebody on the way between two nodes: whatever they do, a message arrives as it was sent, or the link
// fails.
#include <limits>

#include "link_testbed.hpp"

namespace ckpt::test {
namespace {

using ::testing::ElementsAre;

constexpr std::uint64_t k_last = std::numeric_limits<std::uint64_t>::max();

std::string frame_of_size(std::uint32_t size) {
    std::string head;
    for (unsigned i = 0; i < 4; ++i)
        head += static_cast<char>(size >> (8 * i) & 0xffU);
    return head;
}

TEST(LinkTamper, AnyBitThatIsChangedIsNoticed) {
    const std::string frame = frames_of({"message"}).front();
    for (std::size_t bit = 0; bit < 8 * frame.size(); ++bit) {
        auto pair = make_stream_pair().value();
        Link link = opened(std::move(pair.first), k_one_key, k_other_key);
        std::string changed = frame;
        changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
        send_raw(pair.second.get(), changed);
        (void)::shutdown(pair.second.get(), SHUT_WR);
        auto got = link.receive(); // a length that has grown waits for more until the end
        ASSERT_FALSE(got) << "bit " << bit;
        EXPECT_FALSE(link.receive());
        EXPECT_FALSE(link.send("more"));
        // and the other side is not left waiting
        char c = 0;
        EXPECT_EQ(::recv(pair.second.get(), &c, 1, 0), 0);
    }
}

TEST_F(HalfLinkTest, AFrameOfAnotherKeyDoesNotPass) {
    send_raw(m_peer.get(), frames_of({"forged"}, std::string(k_link_key_size, '\x33')).front());
    expect_failed(Code::not_permitted);
}

TEST_F(HalfLinkTest, AFrameThatIsTurnedBackDoesNotPass) {
    ASSERT_TRUE(m_link.send("echo"));
    std::string frame(k_frame_head + 4 + k_frame_tag, '\0');
    ASSERT_EQ(::recv(m_peer.get(), frame.data(), frame.size(), 0), static_cast<ssize_t>(frame.size()));
    send_raw(m_peer.get(), frame);
    expect_failed(Code::not_permitted);
}

TEST_F(HalfLinkTest, ARepeatedFrameDoesNotPass) {
    const std::string frame = frames_of({"once"}).front();
    send_raw(m_peer.get(), frame);
    EXPECT_THAT(m_link.receive().value(), ElementsAre("once"));
    send_raw(m_peer.get(), frame);
    expect_failed(Code::not_permitted);
}

TEST_F(HalfLinkTest, SwappedFramesDoNotPass) {
    const auto frames = frames_of({"one", "two"});
    send_raw(m_peer.get(), frames[1] + frames[0]);
    expect_failed(Code::not_permitted);
}

TEST_F(HalfLinkTest, AFrameThatIsLeftOutIsNoticed) {
    const auto frames = frames_of({"one", "two", "three"});
    send_raw(m_peer.get(), frames[0] + frames[2]);
    expect_failed(Code::not_permitted);
}

TEST_F(HalfLinkTest, AFrameTooLongIsRefusedBeforeItComes) {
    send_raw(m_peer.get(), frame_of_size(Link::k_message_max + k_frame_tag + 1));
    expect_failed(Code::wire_malformed);
}

TEST_F(HalfLinkTest, AFrameWithoutRoomForATagIsRefused) {
    send_raw(m_peer.get(), frame_of_size(k_frame_tag - 1));
    expect_failed(Code::wire_malformed);
}

TEST(Frames, TheLastNumberIsNeverUsed) {
    auto sealer = FrameSealer::start(k_one_key, k_last - 1).value();
    auto opener = FrameOpener::start(k_one_key, k_last - 1).value();
    std::string frame;
    ASSERT_TRUE(sealer.seal("last", frame));
    EXPECT_EQ(opener.open(frame).value(), "last");
    std::string beyond;
    EXPECT_FALSE(sealer.seal("one more", beyond));
    EXPECT_EQ(beyond, "");
    EXPECT_FALSE(opener.open(frame));
}

TEST(Frames, TheSameMessageLooksDifferentEachTime) {
    const auto frames = frames_of({"same", "same"});
    EXPECT_NE(frames[0], frames[1]);
}

} // namespace
} // namespace ckpt::test
