// SPDX-License-Identifier: GPL-2.0-or-later
#include "handshake/munge.hpp"

#include <openssl/crypto.h>

#include <cstdlib>
#include <limits>
#include <memory>
#include <utility>

namespace ckpt {
namespace {

constexpr munge_cipher_t k_cipher = MUNGE_CIPHER_AES256;
constexpr munge_mac_t k_mac = MUNGE_MAC_SHA256;
constexpr uid_t k_root = 0;

struct FreeContext {
    void operator()(munge_ctx_t context) const { munge_ctx_destroy(context); }
};
using Context = std::unique_ptr<munge_ctx, FreeContext>;

struct FreeText {
    // NOLINTNEXTLINE(cppcoreguidelines-no-malloc,cppcoreguidelines-owning-memory): libmunge's
    void operator()(void* text) const { std::free(text); }
};

std::string text_of(munge_ctx_t context, munge_err_t error) {
    const char* more = munge_ctx_strerror(context);
    return more != nullptr ? more : munge_strerror(error);
}

Context context_at(const std::string& socket) {
    Context context(munge_ctx_create());
    if (context && !socket.empty() &&
        munge_ctx_set(context.get(), MUNGE_OPT_SOCKET, socket.c_str()) != EMUNGE_SUCCESS)
        context.reset();
    return context;
}

tl::unexpected<Error> no_munged(const std::string& said) {
    return fail(Code::munge, "munged does not answer: " + said, "is munged running?");
}

bool is_unreachable(munge_err_t error) {
    return error == EMUNGE_SOCKET || error == EMUNGE_TIMEOUT;
}

} // namespace

Result<std::string> Munged::encode(std::string_view payload) {
    const Context context = context_at(m_socket);
    if (!context || payload.size() > std::numeric_limits<int>::max())
        return fail(Code::internal, "libmunge gives no context");
    munge_ctx_t const c = context.get();
    for (const munge_err_t set :
         {munge_ctx_set(c, MUNGE_OPT_UID_RESTRICTION, k_root),
          munge_ctx_set(c, MUNGE_OPT_CIPHER_TYPE, k_cipher), munge_ctx_set(c, MUNGE_OPT_MAC_TYPE, k_mac),
          munge_ctx_set(c, MUNGE_OPT_ZIP_TYPE, MUNGE_ZIP_NONE)})
        if (set != EMUNGE_SUCCESS) return fail(Code::munge, "libmunge: " + text_of(c, set));
    char* text = nullptr;
    const munge_err_t error = munge_encode(&text, c, payload.data(), static_cast<int>(payload.size()));
    const std::unique_ptr<char, FreeText> owned(text);
    if (is_unreachable(error)) return no_munged(text_of(c, error));
    if (error != EMUNGE_SUCCESS || text == nullptr)
        return fail(Code::munge, "munged makes no credential: " + text_of(c, error),
                    "munged has to offer AES-256 and SHA-256");
    return std::string(text);
}

Credential Munged::decode(const std::string& text) {
    Credential credential;
    const Context context = context_at(m_socket);
    if (!context) {
        credential.error = EMUNGE_NO_MEMORY;
        credential.said = munge_strerror(credential.error);
        return credential;
    }
    munge_ctx_t const c = context.get();
    void* payload = nullptr;
    int size = 0;
    gid_t gid = 0;
    credential.error = munge_decode(text.c_str(), c, &payload, &size, &credential.uid, &gid);
    if (payload != nullptr) {
        const std::unique_ptr<void, FreeText> owned(payload);
        credential.payload.assign(static_cast<const char*>(payload), static_cast<std::size_t>(size));
        OPENSSL_cleanse(payload, static_cast<std::size_t>(size));
    }
    if (credential.error != EMUNGE_SUCCESS) {
        credential.said = text_of(c, credential.error);
        return credential;
    }
    for (const munge_err_t got : {munge_ctx_get(c, MUNGE_OPT_UID_RESTRICTION, &credential.for_uid),
                                  munge_ctx_get(c, MUNGE_OPT_CIPHER_TYPE, &credential.cipher),
                                  munge_ctx_get(c, MUNGE_OPT_MAC_TYPE, &credential.mac)})
        if (got != EMUNGE_SUCCESS) {
            credential.error = got;
            credential.said = text_of(c, got);
        }
    return credential;
}

Result<std::string> payload_of(Credential credential) {
    switch (credential.error) {
    case EMUNGE_SUCCESS:
        break;
    case EMUNGE_SOCKET:
    case EMUNGE_TIMEOUT:
        return no_munged(credential.said);
    case EMUNGE_CRED_REPLAYED:
        return fail(Code::not_permitted, "the other side shows a MUNGE credential that was used before");
    case EMUNGE_CRED_UNAUTHORIZED:
        return fail(Code::not_permitted, "the other side shows a MUNGE credential for somebody else");
    case EMUNGE_CRED_EXPIRED:
    case EMUNGE_CRED_REWOUND:
        return fail(Code::munge, "the other side's MUNGE credential is not of this time: " + credential.said,
                    "are the clocks of both nodes right?");
    case EMUNGE_CRED_INVALID:
        return fail(Code::munge, "the other side's MUNGE credential was not made with this node's key",
                    "do both nodes have the same munge.key?");
    default:
        return fail(Code::munge, "munged does not accept the other side's credential: " + credential.said);
    }
    if (credential.uid != k_root)
        return fail(Code::not_permitted,
                    "the other side is uid " + std::to_string(credential.uid) + ", not root");
    // What was not encrypted for root alone is no secret.
    if (credential.for_uid != k_root || credential.cipher != k_cipher || credential.mac != k_mac)
        return fail(Code::not_permitted, "the other side shows a MUNGE credential that others could read");
    return std::move(credential.payload);
}

} // namespace ckpt
