// SPDX-License-Identifier: GPL-2.0-or-later
// Messages between our processes: what is decoded is encoded and decoded to the same.
#include "fuzz.hpp"
#include "wire_types.hpp"

using namespace ckpt;
using namespace ckpt::wire;

namespace {

template <typename M>
void one(std::string_view bytes, std::uint16_t type) {
    if (type != M::k_type) return; // two types may have the same number
    const auto message = decode<M>(bytes);
    if (!message) return fuzz::require_one_line(one_line(message.error()));
    const std::string again = encode(*message);
    const auto twice = decode<M>(again); // flags may have been any number but 0
    fuzz::require(twice.has_value() && encode(*twice) == again && again.size() == bytes.size());
}

template <typename... M>
void all(std::string_view bytes, std::uint16_t type, fuzz::Messages<M...> /*types*/) {
    (one<M>(bytes, type), ...);
}

} // namespace

FUZZ_TARGET(std::string_view input) {
    const auto type = type_of(input);
    if (!type) return fuzz::require_one_line(one_line(type.error()));
    all(input, *type, fuzz::AllMessages{});
}
