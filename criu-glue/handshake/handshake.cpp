// SPDX-License-Identifier: GPL-2.0-or-later
#include "handshake/handshake.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/random.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "crypto/hkdf.hpp"
#include "handshake/messages.hpp"

namespace ckpt {
namespace {

constexpr std::string_view k_magic = "CKPTLINK";
constexpr std::string_view k_version{"\1\0\0\0", 4};
constexpr std::size_t k_digest_size = 32;

const unsigned char* octets(std::string_view bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

Result<std::string> random_secret() {
    std::string bytes(Secret::k_size, '\0');
    for (;;) { // so few bytes come all at once
        const ssize_t got = ::getrandom(bytes.data(), bytes.size(), 0);
        if (got == static_cast<ssize_t>(bytes.size())) return bytes;
        if (got >= 0 || errno != EINTR) return fail_errno(Code::os, "get random bytes");
    }
}

Result<std::string> sha256(std::string_view bytes) {
    std::string digest(k_digest_size, '\0');
    if (EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()), nullptr,
                   EVP_sha256(), nullptr) != 1)
        return fail(Code::internal, "OpenSSL cannot compute SHA-256");
    return digest;
}

bool same(std::string_view one, std::string_view other) {
    return one.size() == other.size() && CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

// What both sides derive. Bound to the two credentials, not only to the secrets in them.
struct Derived {
    Secret to_server;
    Secret to_client;
    Secret proof;
};

Result<Derived> derive(const std::string& offer_digest, const std::string& answer_credential,
                       std::string& offer_secret, std::string& answer_secret) {
    CKPT_TRY(const std::string answer_digest, sha256(answer_credential));
    const std::string salt = offer_digest + answer_digest;
    std::string both = offer_secret + answer_secret;
    wipe(offer_secret);
    wipe(answer_secret);
    Derived derived;
    const auto one = [&](std::string_view info, Secret& out) {
        return hkdf_sha256({octets(both), both.size()}, salt, info, out.writable());
    };
    Status done = one("ckpt-link 1 to server", derived.to_server);
    if (done) done = one("ckpt-link 1 to client", derived.to_client);
    if (done) done = one("ckpt-link 1 proof", derived.proof);
    wipe(both);
    CKPT_CHECK(done);
    return derived;
}

std::string_view text_of(const Secret& secret) {
    return {reinterpret_cast<const char*>(secret.bytes().data()), Secret::k_size};
}

Status wrong(const char* what) {
    return fail(Code::wire_malformed, what, "install the same release of slurm-checkpoint on all nodes");
}

// Wiped: the payload holds a secret.
template <typename Message>
Result<Message> read_credential(Munge& munge, const std::string& text, const char* label) {
    if (text.find('\0') != std::string::npos) // libmunge would take only what is before it
        return fail(Code::wire_malformed, "the other side shows no MUNGE credential");
    CKPT_TRY(std::string payload, payload_of(munge.decode(text)));
    auto message = wire::decode<Message>(payload);
    wipe(payload);
    if (!message || message->label != label || message->secret.size() != Secret::k_size)
        return fail(Code::wire_malformed, "the other side's MUNGE credential is for something else",
                    "install the same release of slurm-checkpoint on all nodes");
    return message;
}

template <typename Message>
Result<std::string> make_credential(Munge& munge, const Message& message) {
    std::string payload = wire::encode(message);
    auto text = munge.encode(payload);
    wipe(payload);
    if (text && text->size() > k_handshake_frame_max)
        return fail(Code::internal, "a MUNGE credential too long");
    return text;
}

} // namespace

Result<LinkAgreed> greet(Munge& munge, const TimedStream& stream, const wire::LinkHello& own) {
    CKPT_TRY(std::string secret, random_secret());
    LinkOffer offer{k_offer_label, secret, own};
    auto made = make_credential(munge, offer);
    wipe(offer.secret);
    if (!made) return tl::unexpected(made.error());
    CKPT_CHECK(stream.send(std::string(k_magic).append(k_version)));
    CKPT_CHECK(stream.send_frame(*made));

    CKPT_TRY(const std::string text, stream.receive_frame(k_handshake_frame_max));
    CKPT_TRY(LinkAnswer answer, read_credential<LinkAnswer>(munge, text, k_answer_label));
    CKPT_TRY(const std::string digest, sha256(*made));
    if (!same(answer.offer_digest, digest))
        return fail(Code::not_permitted, "the other side's answer belongs to another connection");
    CKPT_TRY(Derived derived, derive(digest, text, secret, answer.secret));
    CKPT_CHECK(stream.send_frame(text_of(derived.proof)));
    return LinkAgreed{std::move(derived.to_server), std::move(derived.to_client), {0, 0, "", answer.node}};
}

Result<LinkAgreed> answer_greeting(Munge& munge, const TimedStream& stream, const std::string& own_node) {
    CKPT_TRY(const std::string start, stream.receive(k_magic.size() + k_version.size()));
    if (!start.starts_with(k_magic)) CKPT_CHECK(wrong("somebody who is no ckptd has connected"));
    if (!start.ends_with(k_version)) CKPT_CHECK(wrong("a ckptd of another release has connected"));
    CKPT_TRY(const std::string text, stream.receive_frame(k_handshake_frame_max));
    CKPT_TRY(LinkOffer offer, read_credential<LinkOffer>(munge, text, k_offer_label));

    CKPT_TRY(std::string secret, random_secret());
    CKPT_TRY(const std::string digest, sha256(text));
    LinkAnswer answer{k_answer_label, secret, digest, own_node};
    auto made = make_credential(munge, answer);
    wipe(answer.secret);
    if (!made) return tl::unexpected(made.error());
    CKPT_CHECK(stream.send_frame(*made));

    CKPT_TRY(Derived derived, derive(digest, *made, offer.secret, secret));
    CKPT_TRY(const std::string proof, stream.receive_frame(Secret::k_size));
    if (!same(proof, text_of(derived.proof)))
        return fail(Code::not_permitted, "the other side repeats what somebody else has said");
    return LinkAgreed{std::move(derived.to_client), std::move(derived.to_server), std::move(offer.hello)};
}

} // namespace ckpt
