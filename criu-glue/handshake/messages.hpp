// SPDX-License-Identifier: GPL-2.0-or-later
// Payloads of the two credentials of a handshake.
#pragma once

#include <cstdint>
#include <string>

#include "wire/link_messages.hpp"

namespace ckpt {

// No credential that something else has made with MUNGE says this, whatever it is.
constexpr const char* k_offer_label = "ckpt-link 1";
constexpr const char* k_answer_label = "ckpt-link 1 answer";

struct LinkOffer {
    static constexpr std::uint16_t k_type = 79;
    std::string label;
    std::string secret; // 32 random bytes
    wire::LinkHello hello;
    template <class V>
    void fields(V& v) {
        v(label, secret, hello);
    }
};

struct LinkAnswer {
    static constexpr std::uint16_t k_type = 80;
    std::string label;
    std::string secret;
    std::string offer_digest; // SHA-256 of the credential with the offer
    std::string node;
    template <class V>
    void fields(V& v) {
        v(label, secret, offer_digest, node);
    }
};

} // namespace ckpt
