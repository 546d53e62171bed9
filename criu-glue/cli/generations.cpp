// SPDX-License-Identifier: GPL-2.0-or-later
#include "generations.hpp"

#include <algorithm>
#include <iostream>

#include "fetch.hpp"
#include "table.hpp"
#include "text/text.hpp"
#include "users.hpp"
#include "wire/messages.hpp"

namespace ckpt::cli {

namespace {

std::string nodes_of(const Json& object) {
    std::string out;
    const auto found = object.find("nodes");
    if (found == object.end() || !found->is_array()) return out;
    for (const Json& node : *found)
        if (node.is_string()) out += (out.empty() ? "" : ",") + node.get<std::string>();
    return out;
}

// Of every user in question, by the number of the job. A user whose generations cannot be seen does not hide
// the others'.
Status collect(const ListOptions& options, bool details, std::vector<Json>& found) {
    CKPT_TRY(const auto users, users_in_question(options.user));
    Status first;
    for (const StoreUser& user : users) {
        const wire::ListRequest request{options.job_id, details, options.verify, user.uid, user.name};
        auto objects = fetch(wire::encode(request));
        if (!objects && first) {
            first = tl::unexpected(objects.error());
            if (users.size() > 1) first.error().what = user.name + ": " + first.error().what;
        }
        if (!objects) continue;
        for (Json& object : *objects) {
            object["user"] = user.name;
            found.push_back(std::move(object));
        }
    }
    std::ranges::stable_sort(found, {}, [](const Json& one) { return number(one, "job"); });
    return first;
}

void print_lines(const std::vector<Json>& found) {
    for (const Json& one : found)
        std::cout << line_of(one);
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

struct Verdict {
    bool good = false;
    std::string text;
};
Verdict verdict_on(const Json& g) {
    if (!flag(g, "verified")) return {false, "BAD " + string(g, "problem")};
    const auto healed = number(g, "healed_blocks");
    if (healed == 0) return {true, "OK"};
    return {true, "HEALED " + std::to_string(healed) + (healed == 1 ? " block" : " blocks")};
}

} // namespace

Status list(const ListOptions& options) {
    std::vector<Json> found;
    const Status done = collect(options, false, found);
    if (options.json) {
        print_lines(found);
        return done;
    }
    if (!done && found.empty()) return done;
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
    for (const Json& g : found)
        table.add({std::to_string(number(g, "job")), std::to_string(number(g, "incarnation")),
                   std::to_string(number(g, "generation")),
                   text::local_time(static_cast<std::int64_t>(number(g, "taken_at"))), string(g, "reason"),
                   nodes_of(g), text::bytes(number(g, "image_bytes")), text::bytes(number(g, "stored_bytes")),
                   text::duration_us(number(g, "frozen_us")), flag(g, "verified") ? "ok" : "BAD"});
    std::cout << table.text(options.header);
    return done;
}

Status show(const ListOptions& options) {
    std::vector<Json> found;
    const Status done = collect(options, true, found);
    if (found.empty()) {
        CKPT_CHECK(done);
        return fail(Code::not_found, "no checkpoint of job " + std::to_string(options.job_id),
                    "see `sckpt list` for what there is");
    }
    if (options.json) {
        print_lines(found);
        return done;
    }
    std::cout << "job " << options.job_id << "\n";
    for (const Json& one : found)
        print_generation(one);
    return done;
}

Status verify(const ListOptions& options) {
    ListOptions reading = options;
    reading.verify = true;
    std::vector<Json> found;
    const Status done = collect(reading, false, found);
    Table table({{"JOBID", true}, {"INC", true}, {"GEN", true}, {"STORED", true}, {"STATUS", false}});
    std::size_t bad = 0;
    for (const Json& g : found) {
        const Verdict verdict = verdict_on(g);
        if (!verdict.good) ++bad;
        table.add({std::to_string(number(g, "job")), std::to_string(number(g, "incarnation")),
                   std::to_string(number(g, "generation")), text::bytes(number(g, "stored_bytes")),
                   verdict.text});
    }
    if (options.json)
        print_lines(found);
    else if (done || !found.empty())
        std::cout << table.text(options.header);
    CKPT_CHECK(done);
    if (bad == 0) return {};
    return fail(Code::store_corrupt,
                std::to_string(bad) + " of " + std::to_string(found.size()) + " generations are bad",
                "the one before is used in their place; look for disk errors or tampering");
}

} // namespace ckpt::cli
