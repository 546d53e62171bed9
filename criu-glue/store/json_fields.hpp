// SPDX-License-Identifier: GPL-2.0-or-later
// Reading JSON objects without exceptions: every getter notes a missing member or a wrong type, and ok()
// tells at the end. For the .cpp files of the store only.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "store/names.hpp"

namespace ckpt::store {

using Json = nlohmann::json; // members sorted by name: one text per value

class Fields {
public:
    explicit Fields(const Json& object) : m_object(object), m_ok(object.is_object()) {}
    [[nodiscard]] bool ok() const { return m_ok; }
    void refuse() { m_ok = false; }

    std::uint64_t u64(const char* name) {
        const Json* member = find(name);
        if (member == nullptr || !member->is_number_unsigned()) return reject<std::uint64_t>();
        return member->get<std::uint64_t>();
    }
    std::uint32_t u32(const char* name) {
        const std::uint64_t value = u64(name);
        return value > std::numeric_limits<std::uint32_t>::max() ? reject<std::uint32_t>()
                                                                 : static_cast<std::uint32_t>(value);
    }
    std::int64_t i64(const char* name) {
        const Json* member = find(name);
        if (member == nullptr || !member->is_number_integer() ||
            (member->is_number_unsigned() &&
             member->get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max()))
            return reject<std::int64_t>();
        return member->get<std::int64_t>();
    }
    bool boolean(const char* name) {
        const Json* member = find(name);
        return member != nullptr && member->is_boolean() ? member->get<bool>() : reject<bool>();
    }
    std::string text(const char* name) {
        const Json* member = find(name);
        return member != nullptr && member->is_string() ? member->get<std::string>() : reject<std::string>();
    }
    // An array; an empty one when it is missing or something else.
    const Json& list(const char* name) {
        static const Json empty = Json::array();
        const Json* member = find(name);
        if (member != nullptr && member->is_array()) return *member;
        m_ok = false;
        return empty;
    }
    [[nodiscard]] bool has(const char* name) const { return m_object.is_object() && m_object.contains(name); }

private:
    const Json* find(const char* name) const {
        if (!m_object.is_object()) return nullptr;
        const auto at = m_object.find(name);
        return at == m_object.end() ? nullptr : &*at;
    }
    template <typename T>
    T reject() {
        m_ok = false;
        return T{};
    }

    const Json& m_object;
    bool m_ok;
};

// The members by which every sealed file says what it is and whose.
inline void put_identity(Json& object, std::uint64_t format, std::string_view kind, const Owner& owner,
                         std::uint32_t incarnation) {
    object["format"] = format;
    object["kind"] = kind;
    object["cluster"] = owner.cluster;
    object["uid"] = owner.uid;
    object["job"] = owner.job_id;
    object["uuid"] = owner.uuid;
    object["incarnation"] = incarnation;
}

struct FileIdentity {
    Owner owner;
    std::uint32_t incarnation = 0;
};
// Refuses another format or kind.
inline FileIdentity take_identity(Fields& fields, std::uint64_t format, std::string_view kind) {
    if (fields.u64("format") != format || fields.text("kind") != kind) fields.refuse();
    FileIdentity identity;
    identity.owner = {fields.text("cluster"), fields.u32("uid"), fields.u32("job"), fields.text("uuid")};
    identity.incarnation = fields.u32("incarnation");
    return identity;
}

// Never throws: bytes that are not UTF-8 become U+FFFD.
inline std::string dump_line(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace ckpt::store
