// SPDX-License-Identifier: GPL-2.0-or-later
#include "link/greeting.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

namespace ckpt {
namespace {

Status take_key(std::string& bytes, Secret& key) {
    if (bytes.size() != Secret::k_size)
        return fail(Code::wire_malformed, "ckpt-handshake gives a key of another size");
    std::ranges::copy(bytes, key.writable().begin());
    wipe(bytes);
    return {};
}

std::string_view text_of(const Secret& secret) {
    return {reinterpret_cast<const char*>(secret.bytes().data()), Secret::k_size};
}

} // namespace

Result<Greeting> take_greeting(Result<Packet>& answer) {
    if (!answer) return tl::unexpected(answer.error());
    auto result = wire::decode<wire::LinkResult>(answer->bytes);
    wipe(answer->bytes);
    if (!result) return tl::unexpected(result.error());
    CKPT_CHECK(wire::status_of(result->outcome));
    Greeting greeting;
    CKPT_CHECK(take_key(result->send_key, greeting.keys.send));
    CKPT_CHECK(take_key(result->receive_key, greeting.keys.receive));
    greeting.hello = std::move(result->hello);
    return greeting;
}

Result<Link> open_link(Fd socket, LinkKeys keys) {
    return Link::open(std::move(socket), text_of(keys.send), text_of(keys.receive));
}

} // namespace ckpt
