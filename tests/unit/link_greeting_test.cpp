// SPDX-License-Identifier: GPL-2.0-or-later
// The answer of ckpt-handshake, and the link that comes of it.
#include <poll.h>

#include <string>

#include <gmock/gmock.h>

#include "link/greeting.hpp"
#include "os/stream.hpp"

namespace ckpt {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const wire::LinkHello k_hello{4711, 2, "00112233445566778899aabbccddeeff", "n1"};

Result<Packet> answer(const wire::LinkResult& result) {
    return Packet{wire::encode(result), {}};
}
wire::LinkResult agreed(char send, char receive) {
    wire::LinkResult result;
    result.send_key.assign(Secret::k_size, send);
    result.receive_key.assign(Secret::k_size, receive);
    result.hello = k_hello;
    return result;
}

TEST(Greeting, TwoOfThemMakeALink) {
    auto one = answer(agreed('s', 'c'));
    auto other = answer(agreed('c', 's'));
    auto here = take_greeting(one);
    auto there = take_greeting(other);
    ASSERT_TRUE(here) << one_line(here.error());
    ASSERT_TRUE(there) << one_line(there.error());
    EXPECT_TRUE(here->hello == k_hello);
    auto pair = make_stream_pair().value();
    Link client = open_link(std::move(pair.first), std::move(here->keys)).value();
    Link server = open_link(std::move(pair.second), std::move(there->keys)).value();
    ASSERT_TRUE(client.send("hello"));
    EXPECT_THAT(server.receive().value(), ElementsAre("hello"));
}

TEST(Greeting, NothingOfTheKeysStays) {
    auto packet = answer(agreed('s', 'c'));
    const char* const bytes = packet->bytes.data();
    const std::size_t size = packet->bytes.size();
    ASSERT_THAT(packet->bytes, HasSubstr(std::string(Secret::k_size, 's')));
    auto greeting = take_greeting(packet);
    ASSERT_TRUE(greeting);
    // What the string has held is still its memory.
    EXPECT_EQ(std::string(bytes, size), std::string(size, '\0'));
    auto pair = make_stream_pair().value();
    LinkKeys& keys = greeting->keys;
    EXPECT_EQ(keys.send.bytes().front(), 's');
    EXPECT_TRUE(open_link(std::move(pair.first), std::move(keys)));
    EXPECT_EQ(keys.send.bytes().front(), 0); // NOLINT(bugprone-use-after-move): that is the point
    EXPECT_EQ(keys.receive.bytes().front(), 0);
}

TEST(Greeting, WithoutAnAnswerThereIsNone) {
    Result<Packet> none = fail(Code::deadline, "too late");
    EXPECT_EQ(take_greeting(none).error().code, Code::deadline);
    wire::LinkResult refused;
    refused.outcome = wire::outcome_of({Code::not_permitted, "another user", "", 0});
    auto packet = answer(refused);
    EXPECT_EQ(take_greeting(packet).error().code, Code::not_permitted);
}

TEST(Greeting, KeysOfAnotherSizeAreNone) {
    wire::LinkResult bad = agreed('s', 'c');
    bad.receive_key.pop_back();
    auto packet = answer(bad);
    EXPECT_EQ(take_greeting(packet).error().code, Code::wire_malformed);
    EXPECT_EQ(packet->bytes, "");
}

} // namespace
} // namespace ckpt
