// SPDX-License-Identifier: GPL-2.0-or-later
// The encoding of every message between our processes: magic, version, type, then fields in a fixed order.
// Integers are little endian; strings and lists carry a 32-bit count. A reader never reads past the end and
// never allocates more than the message is long; trailing bytes are refused, so both sides agree on the
// fields.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "result/result.hpp"

namespace ckpt::wire {

constexpr std::uint32_t k_magic = 0x54504b43; // "CKPT"
constexpr std::uint16_t k_version = 1;

class Writer {
public:
    explicit Writer(std::uint16_t type);
    void number(std::uint64_t value, unsigned bytes);
    void text(std::string_view value);
    std::string take() { return std::move(m_bytes); }

private:
    std::string m_bytes;
};

class Reader {
public:
    explicit Reader(std::string_view bytes) : m_rest(bytes) {}
    std::uint64_t number(unsigned bytes);
    std::string text();
    [[nodiscard]] bool ok() const { return m_ok; }
    [[nodiscard]] bool finished() const { return m_ok && m_rest.empty(); }
    [[nodiscard]] std::size_t left() const { return m_rest.size(); }
    void refuse() { m_ok = false; }

private:
    std::string_view m_rest;
    bool m_ok = true;
};

// A message is a struct with `static constexpr std::uint16_t k_type` and
// `template <class V> void fields(V& v) { v(a, b, c); }`, which both directions use.
namespace detail {

template <typename T>
struct IsVector : std::false_type {};
template <typename T>
struct IsVector<std::vector<T>> : std::true_type {};

template <typename T>
struct IsOptional : std::false_type {};
template <typename T>
struct IsOptional<std::optional<T>> : std::true_type {};

template <typename T>
struct IsVariant : std::false_type {};
template <typename... T>
struct IsVariant<std::variant<T...>> : std::true_type {};

// The fields of a type that is not a message of its own are named by itself, or by fields_of(v, value) beside
// it.
template <typename V, typename T>
void visit_fields(V& v, T& value) {
    if constexpr (requires { value.fields(v); })
        value.fields(v);
    else
        fields_of(v, value);
}

struct Encoder {
    Writer& out;
    template <typename... T>
    void operator()(T&... field) {
        (one(field), ...);
    }
    template <typename T>
    void one(T& field) {
        if constexpr (std::is_same_v<T, std::string>)
            out.text(field);
        else if constexpr (std::is_same_v<T, bool>)
            out.number(field ? 1 : 0, 1);
        else if constexpr (std::is_enum_v<T>)
            out.number(static_cast<std::uint64_t>(static_cast<std::underlying_type_t<T>>(field)), sizeof(T));
        else if constexpr (std::is_integral_v<T>)
            out.number(static_cast<std::uint64_t>(field), sizeof(T));
        else if constexpr (IsVector<T>::value) {
            out.number(field.size(), 4);
            for (auto& item : field)
                one(item);
        } else if constexpr (IsOptional<T>::value) {
            out.number(field ? 1 : 0, 1);
            if (field) one(*field);
        } else if constexpr (IsVariant<T>::value) {
            out.number(field.index(), 1);
            std::visit([this](auto& value) { one(value); }, field);
        } else
            visit_fields(*this, field);
    }
};

struct Decoder {
    Reader& in;
    template <typename... T>
    void operator()(T&... field) {
        (one(field), ...);
    }
    template <typename T>
    void one(T& field) {
        if constexpr (std::is_same_v<T, std::string>)
            field = in.text();
        else if constexpr (std::is_same_v<T, bool>)
            field = in.number(1) != 0;
        else if constexpr (std::is_enum_v<T> || std::is_integral_v<T>)
            field = static_cast<T>(in.number(sizeof(T)));
        else if constexpr (IsVector<T>::value) {
            const std::uint64_t count = in.number(4);
            field.clear();
            if (count > in.left()) in.refuse();
            for (std::uint64_t i = 0; in.ok() && i < count; ++i) {
                field.emplace_back();
                one(field.back());
            }
        } else if constexpr (IsOptional<T>::value) {
            field.reset();
            if (in.number(1) != 0) one(field.emplace());
        } else if constexpr (IsVariant<T>::value) {
            alternative(field, in.number(1), std::make_index_sequence<std::variant_size_v<T>>{});
        } else
            visit_fields(*this, field);
    }
    template <typename T, std::size_t... I>
    void alternative(T& field, std::uint64_t index, std::index_sequence<I...> /*all*/) {
        const bool known = ((index == I && (one(field.template emplace<I>()), true)) || ...);
        if (!known) in.refuse();
    }
};

} // namespace detail

template <typename M>
std::string encode(const M& message) {
    Writer out(M::k_type);
    detail::Encoder encoder{out};
    const_cast<M&>(message).fields(encoder); // fields() is shared by both directions; encoding only reads
    return out.take();
}

// The type of a message, after magic and version were checked.
Result<std::uint16_t> type_of(std::string_view bytes);

template <typename M>
Result<M> decode(std::string_view bytes) {
    CKPT_TRY(const std::uint16_t type, type_of(bytes));
    if (type != M::k_type)
        return fail(Code::wire_malformed, "unexpected message type " + std::to_string(type));
    Reader in(bytes.substr(8));
    detail::Decoder decoder{in};
    M message;
    message.fields(decoder);
    if (!in.finished()) return fail(Code::wire_malformed, "a message of the wrong length");
    return message;
}

} // namespace ckpt::wire
