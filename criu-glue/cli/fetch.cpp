// SPDX-License-Identifier: GPL-2.0-or-later
#include "fetch.hpp"

#include <sstream>

#include "ask.hpp"
#include "os/files.hpp"

namespace ckpt::cli {

namespace {

constexpr std::chrono::seconds k_answer_limit{10};
constexpr std::size_t k_listing_max = 256U << 20;

// The store could not be read, or not to its end.
Status failure_in(const Json& object) {
    if (!object.contains("error")) return {};
    const auto code = number(object, "code");
    return fail(code != 0 ? static_cast<Code>(code) : Code::internal, string(object, "error"),
                string(object, "hint"));
}

} // namespace

std::uint64_t number(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_number_integer() ? found->get<std::uint64_t>() : 0;
}
std::string string(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}
bool flag(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_boolean() && found->get<bool>();
}

std::string line_of(const Json& object) {
    return object.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<std::vector<Json>> fetch(const std::string& request) {
    CKPT_TRY(const Asked asked, ask(request, k_answer_limit));
    if (asked.fds.empty()) return fail(Code::wire_malformed, "ckptd sent no listing");
    CKPT_TRY(const std::string lines, read_all(asked.fds.front().get(), k_listing_max));
    std::vector<Json> objects;
    std::istringstream in(lines);
    for (std::string line; std::getline(in, line);) {
        Json object = Json::parse(line, nullptr, false);
        if (object.is_object()) objects.push_back(std::move(object));
    }
    if (!objects.empty()) CKPT_CHECK(failure_in(objects.back()));
    return objects;
}

} // namespace ckpt::cli
