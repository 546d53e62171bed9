// SPDX-License-Identifier: GPL-2.0-or-later
#include "generations.hpp"

#include <pwd.h>
#include <unistd.h>

#include <iostream>
#include <sstream>

#include <nlohmann/json.hpp>

#include "ask.hpp"
#include "os/files.hpp"
#include "table.hpp"
#include "text/text.hpp"

namespace ckpt::cli {

namespace {

using Json = nlohmann::json;

constexpr std::chrono::seconds k_answer_limit{10};
constexpr std::size_t k_listing_max = 256U << 20;

// Reading a field that is missing or of another type yields the default: a listing is for people.
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

std::string nodes_of(const Json& object) {
    std::string out;
    const auto found = object.find("nodes");
    if (found == object.end() || !found->is_array()) return out;
    for (const Json& node : *found)
        if (node.is_string()) out += (out.empty() ? "" : ",") + node.get<std::string>();
    return out;
}

// Whose generations: a name that stands for %u in the store's path, and the uid they must have, 0 = any.
Result<std::pair<std::string, uid_t>> whose(const std::string& wanted) {
    const passwd* entry = // NOLINT(concurrency-mt-unsafe): one thread
        wanted.empty() ? ::getpwuid(::getuid()) : ::getpwnam(wanted.c_str());
    if (entry == nullptr)
        return fail(Code::not_found, wanted.empty() ? "you have no user name" : "no user " + wanted);
    return std::pair{std::string(entry->pw_name), wanted.empty() ? 0 : entry->pw_uid};
}

// The store could not be read, or not to its end.
Status failure_in(const std::string& lines) {
    const std::size_t end = lines.find_last_not_of('\n');
    if (end == std::string::npos) return {};
    const std::size_t before = lines.rfind('\n', end);
    const std::size_t start = before == std::string::npos ? 0 : before + 1;
    const Json last = Json::parse(lines.substr(start, end + 1 - start), nullptr, false);
    if (!last.is_object() || !last.contains("error")) return {};
    const auto code = number(last, "code");
    return fail(code != 0 ? static_cast<Code>(code) : Code::internal, string(last, "error"),
                string(last, "hint"));
}

Result<std::string> fetch(const ListOptions& options, bool details) {
    CKPT_TRY(const auto user, whose(options.user));
    const wire::ListRequest request{options.job_id, details, options.verify, user.second, user.first};
    CKPT_TRY(const Asked asked, ask(wire::encode(request), k_answer_limit));
    if (asked.fds.empty()) return fail(Code::wire_malformed, "ckptd sent no listing");
    CKPT_TRY(std::string lines, read_all(asked.fds.front().get(), k_listing_max));
    CKPT_CHECK(failure_in(lines));
    return lines;
}

template <typename F>
void for_each_object(const std::string& lines, F&& f) {
    std::istringstream in(lines);
    for (std::string line; std::getline(in, line);) {
        const Json object = Json::parse(line, nullptr, false);
        if (object.is_object()) f(object);
    }
}

void print_generation(const Json& g) {
    std::cout << "generation " << number(g, "generation") << " of incarnation " << number(g, "incarnation")
              << "\n"
              << "  taken      " << text::local_time(static_cast<std::int64_t>(number(g, "taken_at"))) << " ("
              << string(g, "reason") << ") on " << nodes_of(g) << "\n"
              << "  size       " << text::bytes(number(g, "image_bytes")) << " in memory, "
              << text::bytes(number(g, "stored_bytes")) << " stored, " << number(g, "processes")
              << " processes\n"
              << "  paused     " << text::duration_us(number(g, "frozen_us")) << "\n"
              << "  seal       " << (flag(g, "verified") ? "verified" : "DOES NOT VERIFY, never restored")
              << "\n";
}

} // namespace

Status list(const ListOptions& options) {
    CKPT_TRY(const std::string lines, fetch(options, false));
    if (options.json) {
        std::cout << lines;
        return {};
    }
    Table table({{"JOBID", true},
                 {"INC", true},
                 {"GEN", true},
                 {"TAKEN", false},
                 {"REASON", false},
                 {"NODES", false},
                 {"SIZE", true},
                 {"STORED", true},
                 {"PAUSED", true},
                 {"SEAL", false}});
    for_each_object(lines, [&](const Json& g) {
        table.add({std::to_string(number(g, "job")), std::to_string(number(g, "incarnation")),
                   std::to_string(number(g, "generation")),
                   text::local_time(static_cast<std::int64_t>(number(g, "taken_at"))), string(g, "reason"),
                   nodes_of(g), text::bytes(number(g, "image_bytes")), text::bytes(number(g, "stored_bytes")),
                   text::duration_us(number(g, "frozen_us")), flag(g, "verified") ? "ok" : "BAD"});
    });
    std::cout << table.text(options.header);
    return {};
}

Status show(const ListOptions& options) {
    CKPT_TRY(const std::string lines, fetch(options, true));
    if (lines.empty())
        return fail(Code::not_found, "no checkpoint of job " + std::to_string(options.job_id),
                    "see `sckpt list` for what there is");
    if (options.json) {
        std::cout << lines;
        return {};
    }
    std::cout << "job " << options.job_id << "\n";
    for_each_object(lines, print_generation);
    return {};
}

} // namespace ckpt::cli
