// SPDX-License-Identifier: GPL-2.0-or-later
#include "handshake_testbed.hpp"

namespace ckpt::test {
namespace {

using ::testing::HasSubstr;

class HandshakeTest : public ::testing::Test {
protected:
    void SetUp() override {
        auto pair = make_stream_pair();
        ASSERT_TRUE(pair);
        m_here = std::move(pair->first);
        m_there = std::move(pair->second);
    }
    // By hand, on the side of m_here.
    [[nodiscard]] TimedStream stream() const { return {m_here.get(), soon()}; }
    // What a client begins with.
    [[nodiscard]] std::string start() {
        auto pair = make_stream_pair().value();
        auto side = client(m_one, std::move(pair.first));
        std::string bytes = TimedStream(pair.second.get(), soon()).receive(k_start_size).value();
        pair.second.reset();
        EXPECT_FALSE(side.get());
        return bytes;
    }
    void offer(const LinkOffer& offer) {
        ASSERT_TRUE(stream().send(start()));
        ASSERT_TRUE(stream().send_frame(m_realm.make(wire::encode(offer))));
    }
    static LinkOffer good_offer() { return {k_offer_label, std::string(Secret::k_size, 'k'), k_hello}; }

    FakeRealm m_realm;
    FakeMunge m_one{m_realm};
    FakeMunge m_other{m_realm};
    Fd m_here;
    Fd m_there;
};

TEST_F(HandshakeTest, BothSidesAgree) {
    auto one = client(m_one, std::move(m_here));
    auto other = server(m_other, std::move(m_there));
    const auto agreed = one.get();
    const auto answered = other.get();
    ASSERT_TRUE(agreed) << one_line(agreed.error());
    ASSERT_TRUE(answered) << one_line(answered.error());
    expect_linked(*agreed, *answered);
}

TEST_F(HandshakeTest, NothingBehindItIsRead) {
    const Fd kept(::dup(m_there.get()));
    auto other = server(m_other, std::move(m_there));
    auto agreed = greet(m_one, stream(), k_hello);
    ASSERT_TRUE(agreed);
    ASSERT_TRUE(stream().send("first frame of the link"));
    ASSERT_TRUE(other.get());
    EXPECT_EQ(TimedStream(kept.get(), soon()).receive(23).value(), "first frame of the link");
}

// What the real munged cannot be made to say at will. Either side refuses it.
struct Bad {
    const char* name;
    FakeRealm::Change change;
    Code code;
    const char* what;
};
class BadCredentialTest : public HandshakeTest, public ::testing::WithParamInterface<Bad> {};

TEST_P(BadCredentialTest, IsRefusedByTheServer) {
    const Bad& bad = GetParam();
    m_realm.change = bad.change;
    auto one = client(m_one, std::move(m_here));
    auto other = server(m_other, std::move(m_there));
    expect_error(other, bad.code, bad.what);
    expect_error(one, Code::not_found, "closed the connection");
}

TEST_P(BadCredentialTest, IsRefusedByTheClient) {
    const Bad& bad = GetParam();
    int made = 0;
    m_realm.change = [&](Credential& credential) {
        if (++made == 2) bad.change(credential); // the answer
    };
    auto one = client(m_one, std::move(m_here));
    auto other = server(m_other, std::move(m_there));
    expect_error(one, bad.code, bad.what);
    expect_error(other, Code::not_found, "closed the connection");
}

INSTANTIATE_TEST_SUITE_P(
    Handshake, BadCredentialTest,
    ::testing::Values(
        Bad{"Expired", [](Credential& c) { c.error = EMUNGE_CRED_EXPIRED; }, Code::munge, "of this time"},
        Bad{"OfTheFuture", [](Credential& c) { c.error = EMUNGE_CRED_REWOUND; }, Code::munge, "of this time"},
        Bad{"SeenBefore", [](Credential& c) { c.error = EMUNGE_CRED_REPLAYED; }, Code::not_permitted,
            "used before"},
        Bad{"ForSomebodyElse", [](Credential& c) { c.error = EMUNGE_CRED_UNAUTHORIZED; }, Code::not_permitted,
            "somebody else"},
        Bad{"OfAnotherKey", [](Credential& c) { c.error = EMUNGE_CRED_INVALID; }, Code::munge, "key"},
        Bad{"WithoutMunged", [](Credential& c) { c.error = EMUNGE_SOCKET; }, Code::munge, "does not answer"},
        Bad{"OfAUser", [](Credential& c) { c.uid = 1000; }, Code::not_permitted, "uid 1000"},
        Bad{"NotEncrypted", [](Credential& c) { c.cipher = MUNGE_CIPHER_NONE; }, Code::not_permitted,
            "others could read"},
        Bad{"NotAuthenticated", [](Credential& c) { c.mac = MUNGE_MAC_NONE; }, Code::not_permitted,
            "others could read"},
        Bad{"ForEverybody", [](Credential& c) { c.for_uid = MUNGE_UID_ANY; }, Code::not_permitted,
            "others could read"},
        Bad{"OfSomethingElse", [](Credential& c) { c.payload = "slurm"; }, Code::wire_malformed,
            "something else"}),
    [](const auto& one) { return std::string(one.param.name); });

// Somebody on the way who has recorded what a client sent.
class ReplayTest : public HandshakeTest {
protected:
    void SetUp() override {
        HandshakeTest::SetUp();
        auto pair = make_stream_pair().value();
        const TimedStream listener(pair.second.get(), soon());
        auto one = client(m_one, std::move(pair.first));
        m_start = listener.receive(k_start_size).value();
        m_credential = listener.receive_frame(k_handshake_frame_max).value();
        pair.second.reset();
        ASSERT_FALSE(one.get());
        ASSERT_TRUE(stream().send(m_start));
        ASSERT_TRUE(stream().send_frame(m_credential));
    }
    std::string m_start;
    std::string m_credential;
};

TEST_F(ReplayTest, TheSameServerRefusesIt) {
    (void)m_other.decode(m_credential); // it has heard the client
    auto other = server(m_other, std::move(m_there));
    expect_error(other, Code::not_permitted, "used before");
}

TEST_F(ReplayTest, AnotherServerAnswersButGetsNoProof) {
    auto other = server(m_other, std::move(m_there));
    ASSERT_TRUE(stream().receive_frame(k_handshake_frame_max));
    ASSERT_TRUE(stream().send_frame(std::string(Secret::k_size, '\0')));
    expect_error(other, Code::not_permitted, "repeats");
}

TEST_F(ReplayTest, AProofOfNothingIsNone) {
    auto other = server(m_other, std::move(m_there));
    ASSERT_TRUE(stream().receive_frame(k_handshake_frame_max));
    ASSERT_TRUE(stream().send_frame(""));
    expect_error(other, Code::not_permitted, "repeats");
}

TEST_F(HandshakeTest, AnAnswerToAnotherOfferIsRefused) {
    auto one = client(m_one, std::move(m_there));
    ASSERT_TRUE(stream().receive(k_start_size));
    ASSERT_TRUE(stream().receive_frame(k_handshake_frame_max));
    const LinkAnswer answer{k_answer_label, std::string(Secret::k_size, 'k'), std::string(32, 'd'), "n2"};
    ASSERT_TRUE(stream().send_frame(m_realm.make(wire::encode(answer))));
    expect_error(one, Code::not_permitted, "another connection");
}

TEST_F(HandshakeTest, AnOfferIsNoAnswer) {
    auto one = client(m_one, std::move(m_there));
    ASSERT_TRUE(stream().receive(k_start_size));
    const std::string credential = stream().receive_frame(k_handshake_frame_max).value();
    ASSERT_TRUE(stream().send_frame(credential));
    expect_error(one, Code::wire_malformed, "something else");
}

TEST_F(HandshakeTest, AnotherLabelIsRefused) {
    LinkOffer bad = good_offer();
    bad.label = "ckpt-link 2";
    offer(bad);
    auto other = server(m_other, std::move(m_there));
    expect_error(other, Code::wire_malformed, "something else");
}

TEST_F(HandshakeTest, AShortSecretIsRefused) {
    LinkOffer bad = good_offer();
    bad.secret.pop_back();
    offer(bad);
    auto other = server(m_other, std::move(m_there));
    expect_error(other, Code::wire_malformed, "something else");
}

TEST_F(HandshakeTest, WhoIsNoCkptdIsRefusedBeforeMungedIsAsked) {
    ASSERT_TRUE(stream().send("GET / HTTP/1.1\r\n"));
    auto other = server(m_other, std::move(m_there));
    expect_error(other, Code::wire_malformed, "no ckptd");
}

TEST_F(HandshakeTest, AnotherVersionIsRefused) {
    std::string bytes = start();
    bytes.back() = '\7';
    ASSERT_TRUE(stream().send(bytes));
    auto other = server(m_other, std::move(m_there));
    expect_error(other, Code::wire_malformed, "another release");
}

TEST_F(HandshakeTest, ALongFrameIsRefusedBeforeItComes) {
    ASSERT_TRUE(stream().send(start()));
    ASSERT_TRUE(stream().send(std::string("\1\x20\0\0", 4))); // 8193 bytes
    auto other = server(m_other, std::move(m_there));
    expect_error(other, Code::wire_malformed, "8193");
}

TEST_F(HandshakeTest, WhoSaysNothingIsGivenUp) {
    auto other = server(m_other, std::move(m_there), std::chrono::steady_clock::now());
    expect_error(other, Code::deadline, "does not answer");
}

} // namespace
} // namespace ckpt::test
