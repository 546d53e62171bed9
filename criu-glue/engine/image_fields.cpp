// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/image_fields.hpp"

#include <cstring>

namespace ckpt {

namespace {

constexpr std::uint32_t k_common_magic = 0x54564319; // magic.h:IMG_COMMON_MAGIC

enum class WireType : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

tl::unexpected<Error> malformed() {
    return fail(Code::store_corrupt, "a CRIU image is malformed");
}

std::uint32_t load32(std::string_view bytes) {
    std::uint32_t value = 0;
    std::memcpy(&value, bytes.data(),
                sizeof value); // CRIU writes host order; images never leave their architecture
    return value;
}

bool take_varint(std::string_view& rest, std::uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (rest.empty()) return false;
        const auto byte = static_cast<unsigned char>(rest.front());
        rest.remove_prefix(1);
        value |= std::uint64_t{byte & 0x7fU} << shift;
        if ((byte & 0x80) == 0) return true;
    }
    return false;
}

bool take_bytes(std::string_view& rest, std::uint64_t size, std::string_view& bytes) {
    if (size > rest.size()) return false;
    bytes = rest.substr(0, size);
    rest.remove_prefix(size);
    return true;
}

bool take_value(std::string_view& rest, WireType type, ImageField& field) {
    std::uint64_t size = 0;
    switch (type) {
    case WireType::varint:
        return take_varint(rest, field.value);
    case WireType::bytes:
        field.is_bytes = true;
        return take_varint(rest, size) && take_bytes(rest, size, field.bytes);
    case WireType::fixed64:
        size = 8;
        break;
    case WireType::fixed32:
        size = 4;
        break;
    default:
        return false;
    }
    std::string_view raw;
    if (!take_bytes(rest, size, raw)) return false;
    std::memcpy(&field.value, raw.data(), raw.size());
    return true;
}

} // namespace

Result<std::vector<ImageField>> fields_of(std::string_view message) {
    std::vector<ImageField> fields;
    while (!message.empty()) {
        std::uint64_t tag = 0;
        ImageField field;
        const std::string_view before = message;
        if (!take_varint(message, tag)) return malformed();
        field.number = static_cast<std::uint32_t>(tag >> 3);
        if (!take_value(message, static_cast<WireType>(tag & 7), field)) return malformed();
        field.raw = before.substr(0, before.size() - message.size());
        fields.push_back(field);
    }
    return fields;
}

Result<std::vector<std::string_view>> entries_of(std::string_view image) {
    if (image.size() < 8 || load32(image) != k_common_magic) return malformed();
    image.remove_prefix(8);
    std::vector<std::string_view> entries;
    while (!image.empty()) {
        if (image.size() < 4) return malformed();
        const std::uint32_t size = load32(image);
        image.remove_prefix(4);
        std::string_view entry;
        if (!take_bytes(image, size, entry)) return malformed();
        entries.push_back(entry);
    }
    return entries;
}

} // namespace ckpt
