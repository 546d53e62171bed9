// SPDX-License-Identifier: GPL-2.0-or-later
#include "explain.hpp"

#include <algorithm>
#include <cmath>
#include <format>
#include <iostream>

#include <nlohmann/json.hpp>

#include "ask.hpp"
#include "ask_job.hpp"
#include "job_id.hpp"
#include "table.hpp"
#include "text/text.hpp"

namespace ckpt::cli {

namespace {

using Json = nlohmann::json;
using wire::Unit;

constexpr std::chrono::seconds k_answer_limit{10};

// 0 for what is no number: ckptd's word is only shown.
Json number(const wire::Explained& one) {
    const Json value = Json::parse(one.value, nullptr, false);
    return value.is_number() ? value : Json(0);
}

std::string seconds(double value) {
    const bool whole = value == std::floor(value);
    std::string text = whole ? std::format("{:.0f} s", value)
                             : text::duration_us(static_cast<std::uint64_t>(std::max(value, 0.0) * 1e6));
    if (value >= 120) text += " (" + text::age(static_cast<std::int64_t>(value)) + ")";
    return text;
}

std::string value_text(const wire::Explained& one) {
    switch (one.unit) {
    case Unit::text:
    case Unit::number:
        break;
    case Unit::seconds:
        return seconds(number(one).get<double>());
    case Unit::bytes:
        return text::bytes(number(one).get<std::uint64_t>());
    case Unit::bytes_per_s:
        return text::bytes(number(one).get<std::uint64_t>()) + "/s";
    case Unit::unix_time:
        return text::local_time(number(one).get<std::int64_t>());
    }
    return one.value;
}

const char* unit_name(Unit unit) {
    switch (unit) {
    case Unit::seconds:
        return "s";
    case Unit::bytes:
        return "bytes";
    case Unit::bytes_per_s:
        return "bytes/s";
    case Unit::unix_time:
        return "unix time";
    case Unit::text:
    case Unit::number:
        break;
    }
    return nullptr;
}

std::string title(std::string section) {
    std::ranges::transform(section, section.begin(), [](char c) {
        return c == '_' ? ' ' : c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
    return section;
}

} // namespace

std::string explanation_text(const wire::Explanation& explanation) {
    std::string out = std::format("job {} on {}, incarnation {}\n", explanation.job_id, explanation.node,
                                  explanation.incarnation);
    if (!explanation.unmanaged.empty()) out += "runs without checkpoints: " + explanation.unmanaged + "\n";
    const auto& values = explanation.values;
    for (auto first = values.begin(); first != values.end();) {
        const auto end = std::find_if(
            first, values.end(), [&](const wire::Explained& one) { return one.section != first->section; });
        Table table({{title(first->section), false}, {"VALUE", false}, {"FROM", false}});
        for (; first != end; ++first)
            table.add({first->name, value_text(*first), first->from});
        out += "\n" + table.text(true);
    }
    return out;
}

std::string explanation_json(const wire::Explanation& explanation) {
    Json json{
        {"job", explanation.job_id}, {"incarnation", explanation.incarnation}, {"node", explanation.node}};
    if (!explanation.unmanaged.empty()) json["without_checkpoints"] = explanation.unmanaged;
    for (const wire::Explained& one : explanation.values) {
        Json& entry = json[one.section][one.name];
        entry["value"] = one.unit == Unit::text ? Json(one.value) : number(one);
        if (const char* unit = unit_name(one.unit)) entry["unit"] = unit;
        if (!one.from.empty()) entry["from"] = one.from;
    }
    return json.dump() + "\n";
}

Status explain(std::uint32_t job_id, bool json) {
    const bool is_around_us = job_id == 0;
    auto packet = ask_for(wire::encode(wire::ExplainRequest{job_id}), k_answer_limit);
    if (!packet && is_around_us) { // not in a tree of the job's: in a step beside it, say
        CKPT_TRY(job_id, job_or_own(job_id, "explain"));
        packet = ask_for(wire::encode(wire::ExplainRequest{job_id}), k_answer_limit);
    }
    if (!packet) {
        std::vector<std::string> command{"explain", std::to_string(job_id)};
        if (json) command.emplace_back("--json");
        return tl::unexpected(on_its_node(job_id, command, packet.error()));
    }
    CKPT_TRY(const auto explanation, wire::decode<wire::Explanation>(packet->bytes));
    std::cout << (json ? explanation_json(explanation) : explanation_text(explanation));
    return {};
}

} // namespace ckpt::cli
