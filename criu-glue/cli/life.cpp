// SPDX-License-Identifier: GPL-2.0-or-later
#include "life.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace ckpt::cli {

namespace {

std::int64_t time_in(const Json& object, const char* key) {
    return static_cast<std::int64_t>(number(object, key));
}

std::string nodes_in(const Json& object) {
    std::string text;
    for (const Json& node : object.value("nodes", Json::array()))
        if (node.is_string()) text += (text.empty() ? "" : ",") + node.get<std::string>();
    return text;
}

LifeGeneration generation_of(const Json& object, const char* taken_at) {
    LifeGeneration one;
    one.number = number(object, "generation");
    one.taken_at = time_in(object, taken_at);
    one.saved_at = time_in(object, "saved_at");
    one.reason = string(object, "reason");
    one.nodes = nodes_in(object);
    one.image_bytes = number(object, "image_bytes");
    one.stored_bytes = number(object, "stored_bytes");
    one.frozen_us = number(object, "frozen_us");
    return one;
}

// A job by what names it in the store.
struct Making {
    Life life;
    std::map<std::uint64_t, LifeIncarnation> incarnations;

    LifeIncarnation& at(const Json& event) {
        const std::uint64_t wanted = number(event, "incarnation");
        LifeIncarnation& one = incarnations[wanted];
        one.number = wanted;
        return one;
    }

    void reaches(LifeIncarnation& one, std::int64_t at) {
        if (at == 0) return;
        if (one.from == 0) one.from = at;
        one.to = std::max(one.to, at);
    }

    void add_event(const Json& event) {
        if (!event.is_object()) return;
        const std::string what = string(event, "event");
        LifeIncarnation& one = at(event);
        if (what == "generation") {
            if (const std::int64_t since = time_in(event, "since"); since != 0) one.from = since;
            one.generations.push_back(generation_of(event, "at"));
        } else if (what == "start") {
            one.from = time_in(event, "at");
            one.node = string(event, "node");
            one.is_restored = event.contains("from_generation");
            one.is_unusable = flag(event, "unusable");
            one.from_job = number(event, "from_job");
            one.from_incarnation = number(event, "from_incarnation");
            one.from_generation = number(event, "from_generation");
            one.saved_s = time_in(event, "saved_s");
            one.cpus = number(event, "cpus");
        } else if (what == "end") {
            one.end = string(event, "how");
            one.wait_status = time_in(event, "wait_status");
        }
        reaches(one, time_in(event, "at"));
    }

    // Of the store as it is now.
    void add_stored(const Json& line) {
        LifeIncarnation& one = at(line);
        const std::uint64_t wanted = number(line, "generation");
        auto found = std::ranges::find(one.generations, wanted, &LifeGeneration::number);
        if (found == one.generations.end())
            found = one.generations.insert(found, generation_of(line, "taken_at"));
        found->is_there = true;
        found->is_good = flag(line, "verified");
        reaches(one, found->taken_at);
    }

    Life made() {
        for (auto& [wanted, one] : incarnations) {
            std::ranges::sort(one.generations, {}, &LifeGeneration::number);
            life.incarnations.push_back(std::move(one));
        }
        return std::move(life);
    }
};

} // namespace

std::string LifeIncarnation::where() const {
    if (!node.empty()) return node;
    return generations.empty() || generations.front().nodes.empty() ? "-" : generations.front().nodes;
}

std::uint64_t Life::restores() const {
    return static_cast<std::uint64_t>(std::ranges::count_if(incarnations, &LifeIncarnation::is_restored));
}

std::int64_t Life::saved_s() const {
    std::int64_t sum = 0;
    for (const LifeIncarnation& one : incarnations)
        sum += one.saved_s;
    return sum;
}

std::uint64_t Life::saved_cpu_s() const {
    std::uint64_t sum = 0;
    for (const LifeIncarnation& one : incarnations)
        sum += static_cast<std::uint64_t>(std::max<std::int64_t>(one.saved_s, 0)) * one.cpus;
    return sum;
}

double LifeSpan::share(std::int64_t at) const {
    if (to <= from) return 0;
    return static_cast<double>(std::clamp(at, from, to) - from) / static_cast<double>(to - from);
}

LifeSpan span_of(const Life& life) {
    LifeSpan span;
    for (const LifeIncarnation& one : life.incarnations) {
        if (one.from != 0) span.from = span.from == 0 ? one.from : std::min(span.from, one.from);
        span.to = std::max(span.to, one.to);
    }
    return span;
}

std::vector<Life> lives_in(const std::vector<Json>& lines) {
    std::vector<std::pair<std::string, Making>> jobs;
    const auto job_of = [&](const Json& line) -> Making& {
        const std::string key = string(line, "cluster") + "/" + string(line, "uuid");
        const auto found = std::ranges::find(jobs, key, &std::pair<std::string, Making>::first);
        if (found != jobs.end()) return found->second;
        Making& made = jobs.emplace_back(key, Making{}).second;
        made.life.job_id = number(line, "job");
        made.life.cluster = string(line, "cluster");
        made.life.user = string(line, "user");
        return made;
    };
    for (const Json& line : lines) // first, since it knows the most
        if (const auto events = line.find("history"); events != line.end() && events->is_array())
            for (const Json& event : *events)
                job_of(line).add_event(event);
    for (const Json& line : lines)
        if (line.contains("generation") && flag(line, "verified")) job_of(line).add_stored(line);
    std::vector<Life> lives;
    for (auto& [key, made] : jobs)
        lives.push_back(made.made());
    return lives;
}

} // namespace ckpt::cli
