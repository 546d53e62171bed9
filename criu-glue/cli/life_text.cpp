// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/wait.h>

#include <algorithm>
#include <format>

#include "life.hpp"
#include "table.hpp"
#include "text/text.hpp"

namespace ckpt::cli {

namespace {

constexpr std::size_t k_width = 60;

std::size_t place(const LifeSpan& span, std::int64_t at) {
    return static_cast<std::size_t>(span.share(at) * (k_width - 1));
}

// "[---1------2--]": a restored one begins with '>'; a generation stands as the last digit of its number.
std::string bar_of(const LifeIncarnation& one, const LifeSpan& span) {
    std::string bar(k_width, ' ');
    const std::size_t from = place(span, one.from);
    const std::size_t to = std::max(place(span, one.to), from);
    std::fill(bar.begin() + static_cast<std::ptrdiff_t>(from),
              bar.begin() + static_cast<std::ptrdiff_t>(to) + 1, '-');
    bar[from] = one.is_restored ? '>' : '[';
    for (const LifeGeneration& generation : one.generations)
        bar[std::max(place(span, generation.taken_at), from)] =
            static_cast<char>('0' + generation.number % 10);
    if (!one.end.empty()) bar[to] = ']';
    return bar.substr(0, bar.find_last_not_of(' ') + 1);
}

std::string end_of(const LifeIncarnation& one) {
    if (one.end.empty()) return "";
    const auto status = static_cast<int>(one.wait_status);
    if (one.end == "stopped") return "ended for good behind its last generation";
    if (WIFEXITED(status)) return std::format("{}, exit status {}", one.end, WEXITSTATUS(status));
    return std::format("{}, signal {}", one.end, WTERMSIG(status));
}

std::string start_of(const LifeIncarnation& one) {
    if (one.is_unusable) return "nothing could be restored there";
    if (!one.is_restored) return one.number == 0 ? "" : "from its beginning";
    const std::string job = one.from_job != 0 ? std::format(" of job {}", one.from_job) : "";
    return std::format("restored from generation {}{}", one.from_generation, job);
}

std::string joined(const std::string& a, const std::string& b) {
    return a.empty() || b.empty() ? a + b : a + "; " + b;
}

} // namespace

std::string life_text(const Life& life, bool table) {
    const LifeSpan span = span_of(life);
    std::string text = std::format("job {} of {} in {}, {} to {}\n\n", life.job_id, life.user, life.cluster,
                                   text::local_time(span.from), text::local_time(span.to));
    Table incarnations({{"INC", true}, {"NODE", false}, {"LIFE", false}, {"", false}});
    for (const LifeIncarnation& one : life.incarnations) {
        incarnations.add(
            {std::to_string(one.number), one.where(), bar_of(one, span), joined(start_of(one), end_of(one))});
    }
    text += incarnations.text(true);
    if (life.restores() > 0)
        text += std::format("\n{} restore{}; {} of run time need not be spent again, {} of CPU time\n",
                            life.restores(), life.restores() == 1 ? "" : "s", text::age(life.saved_s()),
                            text::age(static_cast<std::int64_t>(life.saved_cpu_s())));
    if (!table) return text;
    Table generations({{"INC", true},
                       {"GEN", true},
                       {"TAKEN", false},
                       {"REASON", false},
                       {"NODES", false},
                       {"SIZE", true},
                       {"STORED", true},
                       {"PAUSED", true},
                       {"NOW", false}});
    for (const LifeIncarnation& one : life.incarnations)
        for (const LifeGeneration& g : one.generations)
            generations.add({std::to_string(one.number), std::to_string(g.number),
                             text::local_time(g.taken_at), g.reason, g.nodes, text::bytes(g.image_bytes),
                             text::bytes(g.stored_bytes), text::duration_us(g.frozen_us),
                             g.is_there ? "there" : "removed"});
    return text + "\n" + generations.text(true);
}

} // namespace ckpt::cli
