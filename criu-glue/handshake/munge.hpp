// SPDX-License-Identifier: GPL-2.0-or-later
// MUNGE: a credential is text that munged of one node makes, and munged of any node of the cluster reads; it
// says who had it made. Those here are made by root for root, encrypted with AES-256.
#pragma once

#include <munge.h>
#include <sys/types.h>

#include <string>
#include <string_view>

#include "result/result.hpp"

namespace ckpt {

// What munged has said of a credential; all but `error` and `said` mean something for some errors only.
struct Credential {
    munge_err_t error = EMUNGE_SUCCESS;
    std::string said; // the error, for people
    uid_t uid = 0;    // who had it made
    uid_t for_uid = MUNGE_UID_ANY;
    int cipher = MUNGE_CIPHER_NONE;
    int mac = MUNGE_MAC_NONE;
    std::string payload;
};

class Munge {
public:
    Munge() = default;
    Munge(const Munge&) = delete;
    Munge& operator=(const Munge&) = delete;
    virtual ~Munge() = default;
    // A credential of the caller's, for root only.
    virtual Result<std::string> encode(std::string_view payload) = 0;
    virtual Credential decode(const std::string& text) = 0;
};

// The real one. Both calls block for as long as munged does.
class Munged final : public Munge {
public:
    explicit Munged(std::string socket = {}) : m_socket(std::move(socket)) {} // "": where libmunge looks
    Result<std::string> encode(std::string_view payload) override;
    Credential decode(const std::string& text) override;

private:
    std::string m_socket;
};

// The payload, if root of a node of this cluster has made it just now for root alone, under the cipher that
// encode() asks for, and it is seen for the first time. Code::not_permitted for somebody else's and for one
// seen before, Code::munge when munged cannot tell.
Result<std::string> payload_of(Credential credential);

} // namespace ckpt
