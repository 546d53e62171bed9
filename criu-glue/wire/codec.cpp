// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/codec.hpp"

namespace ckpt::wire {

Writer::Writer(std::uint16_t type) {
    number(k_magic, 4);
    number(k_version, 2);
    number(type, 2);
}

void Writer::number(std::uint64_t value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; ++i)
        m_bytes += static_cast<char>(value >> (8 * i));
}

void Writer::text(std::string_view value) {
    number(value.size(), 4);
    m_bytes += value;
}

std::uint64_t Reader::number(unsigned bytes) {
    if (!m_ok || m_rest.size() < bytes) {
        m_ok = false;
        return 0;
    }
    std::uint64_t value = 0;
    for (unsigned i = 0; i < bytes; ++i)
        value |= static_cast<std::uint64_t>(static_cast<unsigned char>(m_rest[i])) << (8 * i);
    m_rest.remove_prefix(bytes);
    return value;
}

std::string Reader::text() {
    const std::uint64_t size = number(4);
    if (!m_ok || m_rest.size() < size) {
        m_ok = false;
        return {};
    }
    std::string value(m_rest.substr(0, size));
    m_rest.remove_prefix(size);
    return value;
}

Result<std::uint16_t> type_of(std::string_view bytes) {
    Reader in(bytes);
    const auto magic = in.number(4);
    const auto version = in.number(2);
    const auto type = in.number(2);
    if (!in.ok() || magic != k_magic) return fail(Code::wire_malformed, "not a message of this protocol");
    if (version != k_version)
        return fail(Code::wire_malformed,
                    "protocol version " + std::to_string(version) + ", expected " + std::to_string(k_version),
                    "install the same release of slurm-checkpoint everywhere on the node");
    return static_cast<std::uint16_t>(type);
}

} // namespace ckpt::wire
