// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/image_fields.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>

#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_image_max = 256 << 20;
constexpr std::size_t k_magics = 8;
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

std::string varint(std::uint64_t value) {
    std::string out;
    for (; value > 0x7f; value >>= 7)
        out += static_cast<char>((value & 0x7f) | 0x80);
    out += static_cast<char>(value);
    return out;
}

std::string tag_of(std::uint32_t number, WireType type) {
    return varint(std::uint64_t{number} << 3 | static_cast<std::uint64_t>(type));
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

std::uint64_t value_of(const std::vector<ImageField>& fields, std::uint32_t number) {
    const auto found = std::ranges::find(fields, number, &ImageField::number);
    return found != fields.end() ? found->value : 0;
}

Result<std::string> read_image(int images, const std::string& name) {
    CKPT_TRY(const Fd file, open_beneath(images, name, O_RDONLY));
    return read_all(file.get(), k_image_max);
}

Result<std::vector<std::string_view>> entries_of(std::string_view image) {
    if (image.size() < k_magics || load32(image) != k_common_magic) return malformed();
    image.remove_prefix(k_magics);
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

std::string varint_field(std::uint32_t number, std::uint64_t value) {
    return tag_of(number, WireType::varint) + varint(value);
}

std::string bytes_field(std::uint32_t number, std::string_view bytes) {
    return tag_of(number, WireType::bytes) + varint(bytes.size()) + std::string(bytes);
}

Result<std::string> rewrite_entries(std::string_view image, const Rewriter& rewrite) {
    CKPT_TRY(const auto entries, entries_of(image));
    std::string out(image.substr(0, k_magics));
    for (const std::string_view entry : entries) {
        CKPT_TRY(const std::string whole, rewrite(entry));
        const auto size = static_cast<std::uint32_t>(whole.size());
        out.append(reinterpret_cast<const char*>(&size), sizeof size);
        out += whole;
    }
    return out;
}

Status rewrite_image(int images, const char* name, const Rewriter& rewrite) {
    CKPT_TRY(const Fd file, open_beneath(images, name, O_RDWR));
    CKPT_TRY(const std::string image, read_all(file.get(), k_image_max));
    CKPT_TRY(const std::string rewritten, rewrite(image));
    if (rewritten == image) return {};
    if (::lseek(file.get(), 0, SEEK_SET) != 0 || ::ftruncate(file.get(), 0) != 0)
        return fail_errno(Code::os, std::string("rewrite ") + name);
    return write_all(file.get(), rewritten);
}

} // namespace ckpt
