// SPDX-License-Identifier: GPL-2.0-or-later
// What becomes of the images; no sockets here.
#include "engine/addresses.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <map>
#include <span>
#include <vector>

#include "engine/image_fields.hpp"

namespace ckpt {

namespace {

constexpr const char* k_files_image = "files.img";

// images/fdinfo.proto, images/sk-inet.proto
constexpr std::uint32_t k_file_inet = 4;
enum SocketField : std::uint8_t { family = 3, src_port = 7, src_addr = 11, dst_addr = 12 };

std::uint32_t mapped_prefix() {
    return ::htonl(0xffff); // ::ffff:a.b.c.d
}

bool is_mapped(const Address& address) {
    const auto& words = address.words;
    return address.v6 && words[0] == 0 && words[1] == 0 && words[2] == mapped_prefix();
}

Address plain_form(const Address& address) {
    return is_mapped(address) ? Address{false, {address.words[3], 0, 0, 0}} : address;
}

Address as_in(const Address& form, const Address& plain) {
    return is_mapped(form) ? Address{true, {0, 0, mapped_prefix(), plain.words[0]}} : plain;
}

struct Socket {
    bool bound = false;
    Address from;
    Address to;
};

Socket socket_of(const std::vector<ImageField>& fields) {
    Socket socket;
    std::size_t from = 0;
    std::size_t to = 0;
    for (const ImageField& field : fields) {
        const auto word = static_cast<std::uint32_t>(field.value);
        if (field.is_bytes) continue;
        if (field.number == family) socket.from.v6 = socket.to.v6 = field.value == AF_INET6;
        if (field.number == src_port) socket.bound = field.value != 0;
        if (field.number == src_addr && from < socket.from.words.size()) socket.from.words.at(from++) = word;
        if (field.number == dst_addr && to < socket.to.words.size()) socket.to.words.at(to++) = word;
    }
    return socket;
}

bool names_nothing(const Address& address) {
    return std::ranges::all_of(address.words, [](std::uint32_t word) { return word == 0; });
}

class Moving {
public:
    explicit Moving(const NewAddress& new_address) : m_new_address(new_address) {}

    // The first look: which addresses move.
    Status look_at(std::string_view entry) {
        return each_socket(entry,
                           [this](const ImageField&, const Socket& socket, const std::vector<ImageField>&) {
                               const Address from = plain_form(socket.from);
                               if (!socket.bound || names_nothing(from) || m_moves.contains(from)) return;
                               m_moves.emplace(from, m_new_address(from));
                           });
    }

    Result<std::string> rewritten(std::string_view entry) {
        std::string out;
        std::string_view before = entry;
        CKPT_CHECK(each_socket(
            entry, [&](const ImageField& file, const Socket& socket, const std::vector<ImageField>& fields) {
                const auto at = static_cast<std::size_t>(file.raw.data() - before.data());
                out += before.substr(0, at);
                out += bytes_field(k_file_inet, moved(socket, fields));
                before.remove_prefix(at + file.raw.size());
            }));
        return out += before;
    }

private:
    template <typename See>
    Status each_socket(std::string_view entry, See see) {
        CKPT_TRY(const auto file, fields_of(entry));
        for (const ImageField& part : file) {
            if (part.number != k_file_inet || !part.is_bytes) continue;
            CKPT_TRY(const auto fields, fields_of(part.bytes));
            see(part, socket_of(fields), fields);
        }
        return {};
    }

    [[nodiscard]] Address moved(const Address& address) const {
        const auto found = m_moves.find(plain_form(address));
        const auto here = found != m_moves.end() ? found->second : std::nullopt;
        return here ? as_in(address, *here) : address;
    }

    [[nodiscard]] std::string moved(const Socket& socket, const std::vector<ImageField>& fields) const {
        const Address from = socket.bound ? moved(socket.from) : socket.from;
        const Address to = moved(socket.to);
        std::span<const std::uint32_t> from_words = from.words;
        std::span<const std::uint32_t> to_words = to.words;
        std::string message;
        for (const ImageField& field : fields) {
            auto& words = field.number == src_addr ? from_words : to_words;
            const bool is_word = (field.number == src_addr || field.number == dst_addr) && !field.is_bytes;
            if (!is_word || words.empty()) {
                message += field.raw;
                continue;
            }
            message += varint_field(field.number, words.front());
            words = words.subspan(1);
        }
        return message;
    }

    const NewAddress& m_new_address;
    std::map<Address, std::optional<Address>> m_moves;
};

} // namespace

Result<std::string> move_addresses(std::string_view image, const NewAddress& new_address) {
    Moving moving(new_address);
    CKPT_TRY(const auto entries, entries_of(image));
    for (const std::string_view entry : entries)
        CKPT_CHECK(moving.look_at(entry));
    return rewrite_entries(image, [&](std::string_view entry) { return moving.rewritten(entry); });
}

Status move_addresses_here(int images) {
    const Status moved = rewrite_image(
        images, k_files_image, [](std::string_view image) { return move_addresses(image, address_here); });
    if (!moved && moved.error().code == Code::store_corrupt) return {}; // CRIU says more about it
    return moved;
}

} // namespace ckpt
