// SPDX-License-Identifier: GPL-2.0-or-later
#include "generations.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <iostream>
#include <set>
#include <sstream>

#include "fetch.hpp"
#include "life.hpp"
#include "os/files.hpp"
#include "policy/text.hpp"
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
    CKPT_TRY(const auto users, users_in_question(options.user, options.dir));
    Status first;
    for (const StoreUser& user : users) {
        const wire::ListRequest request{options.job_id, details,   options.verify,
                                        user.uid,       user.name, options.dir};
        auto objects = fetch(wire::encode(request));
        if (!objects && first) {
            first = tl::unexpected(objects.error());
            if (users.size() > 1) first.error().what = user.name + ": " + first.error().what;
        }
        if (!objects) continue;
        for (Json& object : *objects) {
            object["user"] = user.name;
            if (!options.cluster.empty() && string(object, "cluster") != options.cluster) continue;
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

// What does not verify has no size, and was taken nobody knows when.
std::string time_of(const Json& g) {
    const auto taken = static_cast<std::int64_t>(number(g, "taken_at"));
    return g.contains("taken_at") ? text::local_time(taken) : "-";
}
std::string or_dash(std::string text) {
    return text.empty() ? "-" : text;
}
std::string size_of(const Json& g, const char* key) {
    return g.contains(key) ? text::bytes(number(g, key)) : "-";
}
std::string pause_of(const Json& g) {
    return g.contains("frozen_us") ? text::duration_us(number(g, "frozen_us")) : "-";
}
// Of a directory that cannot be read.
std::string count_of(const Json& g, const char* key) {
    return g.contains(key) ? std::to_string(number(g, key)) : "-";
}

std::string joined(const Json& list) {
    std::string text;
    for (const Json& word : list)
        if (word.is_string()) text += (text.empty() ? "" : " ") + word.get<std::string>();
    return text;
}

// What its parts need of a node, those that are alike once.
void print_needs(const Json& g) {
    std::vector<Json> printed;
    for (const Json& part : g.value("parts", Json::array())) {
        const Json needs = part.value("needs", Json());
        if (!needs.is_object() || std::ranges::find(printed, needs) != printed.end()) continue;
        printed.push_back(needs);
        const Json cpu = needs.value("cpu", Json::object());
        std::cout << "  needs      CPU " << string(cpu, "machine") << " (" << string(cpu, "model")
                  << "), kernel " << string(needs, "kernel") << ", CRIU " << string(part, "criu_version")
                  << "\n"
                  << "             flags: " << joined(cpu.value("flags", Json::array())) << "\n";
        for (const Json& mount : needs.value("mounts", Json::array()))
            std::cout << "             " << string(mount, "type") << " at " << string(mount, "point") << "\n";
    }
}

void print_generation(const Json& g) {
    std::cout << "generation " << count_of(g, "generation") << " of incarnation "
              << count_of(g, "incarnation") << "\n";
    if (!flag(g, "verified")) {
        std::cout << "  seal       DOES NOT VERIFY, never restored: " << string(g, "problem") << "\n";
        return;
    }
    std::cout << "  taken      " << time_of(g) << " (" << string(g, "reason") << ") on " << nodes_of(g)
              << "\n"
              << "  size       " << size_of(g, "image_bytes") << " in memory, " << size_of(g, "stored_bytes")
              << " stored, " << number(g, "processes") << " processes\n"
              << "  paused     " << pause_of(g) << "\n"
              << "  seal       verified\n";
    print_needs(g);
}

struct ListColumn {
    const char* title;
    bool right;
    std::string (*cell)(const Json&);
};
const std::array k_columns{
    ListColumn{"JOBID", true, [](const Json& g) { return std::to_string(number(g, "job")); }},
    ListColumn{"INC", true, [](const Json& g) { return count_of(g, "incarnation"); }},
    ListColumn{"GEN", true, [](const Json& g) { return count_of(g, "generation"); }},
    ListColumn{"TAKEN", false, time_of},
    ListColumn{"REASON", false, [](const Json& g) { return or_dash(string(g, "reason")); }},
    ListColumn{"NODES", false, [](const Json& g) { return or_dash(nodes_of(g)); }},
    ListColumn{"SIZE", true, [](const Json& g) { return size_of(g, "image_bytes"); }},
    ListColumn{"STORED", true, [](const Json& g) { return size_of(g, "stored_bytes"); }},
    ListColumn{"PAUSED", true, pause_of},
    ListColumn{"SEAL", false, [](const Json& g) { return std::string(flag(g, "verified") ? "ok" : "BAD"); }},
    ListColumn{"USER", false, [](const Json& g) { return or_dash(string(g, "user")); }},
    ListColumn{"CLUSTER", false, [](const Json& g) { return or_dash(string(g, "cluster")); }},
};
constexpr std::size_t k_usual_columns = 10; // the first ones

Result<std::vector<ListColumn>> columns_of(const std::string& format) {
    if (format.empty())
        return std::vector<ListColumn>(k_columns.begin(), k_columns.begin() + k_usual_columns);
    std::vector<ListColumn> chosen;
    std::istringstream words(format);
    for (std::string word; std::getline(words, word, ',');) {
        const auto found = std::ranges::find_if(
            k_columns, [&](const ListColumn& column) { return equals_ignoring_case(column.title, word); });
        if (found == k_columns.end())
            return fail(Code::option_value, "--format: there is no column " + quote(word),
                        "JOBID, INC, GEN, TAKEN, REASON, NODES, SIZE, STORED, PAUSED, SEAL, USER, CLUSTER");
        chosen.push_back(*found);
    }
    return chosen;
}

struct Verdict {
    bool good = false;
    std::string text;
};
Verdict verdict_on(const Json& g) {
    if (!flag(g, "verified")) return {false, "BAD " + string(g, "problem")};
    const auto healed = number(g, "healed_blocks");
    if (healed == 0) return {true, "OK"};
    return {true,
            "OK, " + std::to_string(healed) + (healed == 1 ? " block" : " blocks") + " rebuilt from parity"};
}

Error none_of(const ListOptions& options) {
    return {Code::not_found, "no checkpoint of job " + std::to_string(options.job_id),
            options.dir.empty() ? k_where_there_are
                                : "see `sckpt list --dir=" + options.dir + "` for what there is",
            0};
}

// Root, too, writes pages into directories of others': no link of theirs is followed.
Status write_page(const std::string& path, const std::string& page) {
    if (path == "-") {
        std::cout << page;
        return {};
    }
    const mode_t mask = ::umask(0);
    ::umask(mask);
    Status written = replace_file(path, page, 0666 & ~mask);
    if (!written) written.error().hint = "name a file that you may write, or - for standard output";
    return written;
}

// Where no generation can be seen there may be some all the same.
Status check_read(const std::vector<Json>& found) {
    for (const Json& one : found)
        if (!one.contains("generation"))
            return fail(Code::store_corrupt,
                        "checkpoints of job " + std::to_string(number(one, "job")) +
                            " cannot be read: " + string(one, "problem"),
                        "look who has put it there; if nothing is behind it, remove it");
    return {};
}

} // namespace

Status list(const ListOptions& options) {
    CKPT_TRY(const std::vector<ListColumn> columns, columns_of(options.format));
    std::vector<Json> found;
    const Status done = collect(options, false, found);
    if (options.json) {
        print_lines(found);
        CKPT_CHECK(done);
        return check_read(found);
    }
    if (!done && found.empty()) return done;
    std::vector<Table::Column> titles;
    for (const ListColumn& column : columns)
        titles.push_back({column.title, column.right});
    Table table(titles);
    for (const Json& g : found) {
        std::vector<std::string> cells;
        for (const ListColumn& column : columns)
            cells.push_back(column.cell(g));
        table.add(std::move(cells));
    }
    std::cout << table.text(options.header);
    CKPT_CHECK(done);
    if (found.empty() && options.job_id != 0)
        std::cerr << "sckpt: warning: " << one_line(none_of(options)) << "\n";
    return check_read(found);
}

Status show(const ListOptions& options) {
    std::vector<Json> found;
    const Status done = collect(options, true, found);
    if (found.empty()) {
        CKPT_CHECK(done);
        return tl::unexpected(none_of(options));
    }
    if (options.json) {
        std::erase_if(found, [](const Json& one) { return one.contains("history"); }); // which is report's
        print_lines(found);
        return done;
    }
    for (const Life& life : lives_in(found))
        std::cout << life_text(life, false) << "\n";
    for (const Json& one : found)
        if (!one.contains("history")) print_generation(one);
    return done;
}

Status report(const ListOptions& options, const std::string& html) {
    std::vector<Json> found;
    const Status done = collect(options, true, found);
    const std::vector<Life> lives = lives_in(found);
    if (lives.empty()) {
        CKPT_CHECK(done);
        return tl::unexpected(none_of(options));
    }
    const Life& life = lives.back(); // of several jobs with that number the one that came last
    if (html.empty()) {
        if (options.json)
            print_lines(found);
        else
            std::cout << life_text(life, true);
        return done;
    }
    CKPT_CHECK(write_page(html, life_html(life, std::time(nullptr))));
    return done;
}

Status verify(const ListOptions& options) {
    ListOptions reading = options;
    reading.verify = true;
    std::vector<Json> found;
    const Status done = collect(reading, false, found);
    Table table({{"JOBID", true}, {"INC", true}, {"GEN", true}, {"STORED", true}, {"STATUS", false}});
    for (const Json& g : found)
        table.add({std::to_string(number(g, "job")), count_of(g, "incarnation"), count_of(g, "generation"),
                   size_of(g, "stored_bytes"), verdict_on(g).text});
    if (options.json)
        print_lines(found);
    else if (!found.empty() || (done && options.job_id == 0))
        std::cout << table.text(options.header);
    CKPT_CHECK(done);
    if (found.empty() && options.job_id != 0) return tl::unexpected(none_of(options));
    return verdict_on_all(found);
}

Status verdict_on_all(const std::vector<Json>& found) {
    std::size_t bad = 0;
    std::set<std::uint64_t> good_jobs;
    std::set<std::uint64_t> bad_jobs;
    for (const Json& g : found) {
        const bool is_good = flag(g, "verified");
        if (!is_good) ++bad;
        (is_good ? good_jobs : bad_jobs).insert(number(g, "job"));
    }
    if (bad == 0) return {};
    std::string lost;
    for (const std::uint64_t job : bad_jobs)
        if (!good_jobs.contains(job)) lost += (lost.empty() ? "" : ", ") + std::to_string(job);
    const std::string what =
        std::to_string(bad) + " of " + std::to_string(found.size()) + " generations are bad";
    if (lost.empty())
        return fail(Code::store_corrupt, what,
                    "a good one of the same job is used in their place; look for disk errors or tampering");
    return fail(Code::store_corrupt, what + "; there is no good one of job " + lost,
                "look for disk errors, tampering, or a key that is missing here");
}

} // namespace ckpt::cli
