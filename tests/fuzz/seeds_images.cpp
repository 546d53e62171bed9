// SPDX-License-Identifier: GPL-2.0-or-later
// CRIU's images of a process with two threads, of sockets, timers and a deleted file.
#include <vector>

#include "engine/image_fields.hpp"
#include "seeds.hpp"

namespace ckpt::fuzz {

namespace {

std::string image(std::uint32_t magic, const std::vector<std::string>& entries) {
    const auto number = [](std::uint32_t value) {
        return std::string(reinterpret_cast<const char*>(&value), sizeof value);
    };
    std::string text = number(0x54564319) + number(magic);
    for (const std::string& entry : entries)
        text += number(static_cast<std::uint32_t>(entry.size())) + entry;
    return text;
}

std::string numbers(std::uint32_t field, const std::vector<std::uint64_t>& values) {
    std::string text;
    for (const std::uint64_t value : values)
        text += varint_field(field, value);
    return text;
}

std::string core(std::uint64_t uid, std::uint64_t rseq) {
    std::string creds;
    for (std::uint32_t id = 1; id <= 8; ++id)
        creds += varint_field(id, uid);
    creds += varint_field(9, 0) + varint_field(10, 0) + varint_field(11, 0) + varint_field(14, 1001) +
             varint_field(19, 0);
    const std::string thread = varint_field(1, 0) + bytes_field(10, creds) +
                               bytes_field(15, varint_field(1, rseq) + varint_field(2, 32));
    return image(0x55053847, {varint_field(1, 1) + bytes_field(5, thread)});
}

std::string inet(std::uint64_t family, const std::vector<std::uint64_t>& from,
                 const std::vector<std::uint64_t>& to) {
    return varint_field(1, 2) + varint_field(2, 3) +
           bytes_field(4, varint_field(3, family) + varint_field(6, 1) + varint_field(7, 80) +
                              varint_field(8, 81) + numbers(11, from) + numbers(12, to));
}

} // namespace

void images_seeds(const Seeds& seeds) {
    seeds.limits();
    const std::string tree = image(0x50273030, {varint_field(1, 7) + varint_field(2, 0) + varint_field(3, 7) +
                                                varint_field(4, 7) + numbers(5, {7, 10})});
    const auto mapping = [](std::uint64_t from, std::uint64_t flags) {
        return bytes_field(14,
                           varint_field(1, from) + varint_field(2, from + 0x1000) + varint_field(6, flags));
    };
    const std::string memory = image(0x57492820, {mapping(0x1000, 2) + mapping(0x2000, 1)});
    const std::string ghost =
        image(0x52583605, {varint_field(1, 1000) + varint_field(2, 1000) + varint_field(3, 0100600)}) +
        "content";
    seeds.add("tree", tree + core(1000, 0x1100) + memory + core(1000, 0x3000) + ghost);
    seeds.add("shared-rseq", tree + core(1000, 0x1100) + memory + core(1000, 0x2100));
    seeds.add("core", core(1000, 0x1100));
    seeds.add("roots-core", core(0, 0));
    const std::uint64_t mapped = 0xffff0000;
    seeds.add("sockets", image(0x56303138, {inet(2, {0x0b0200c0}, {0}), inet(2, {0x0b0200c0}, {0x0b0200c0}),
                                            inet(10, {0, 0, mapped, 0x0b0200c0}, {0, 0, mapped, 0x0b0200c0}),
                                            inet(10, {0xb80d0120, 0, 0, 0x01000000}, {0, 0, 0, 0}),
                                            varint_field(1, 1) + bytes_field(2, "a file")}));
    const auto timer = [](std::uint64_t ticks, std::uint64_t left) {
        return varint_field(1, 17) + varint_field(2, 3) +
               bytes_field(12, varint_field(1, 3) + varint_field(5, ticks) + varint_field(7, 0) +
                                   varint_field(8, left) + varint_field(9, 0) + varint_field(10, 1000));
    };
    seeds.add("timers", image(0x56303138, {timer(2, 0), timer(0, 500)}));
    seeds.add("ghost", ghost);
    const auto run = [](std::uint64_t page, std::uint64_t count) {
        return varint_field(1, page * 4096) + varint_field(2, count) + varint_field(4, 4) +
               varint_field(5, count);
    };
    seeds.add("pagemap",
              image(0x56084025, {varint_field(1, 1), run(0x400, 3), run(0x7fff0, 1),
                                 varint_field(1, 0x9000) + varint_field(2, 4) + varint_field(3, 1)}));
}

} // namespace ckpt::fuzz
