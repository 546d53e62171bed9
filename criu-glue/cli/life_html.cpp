// SPDX-License-Identifier: GPL-2.0-or-later
// The page of `sckpt report`. Everything that comes from the store may hold anything: it is escaped, and the
// page has no script.
#include <algorithm>
#include <format>

#include "life.hpp"
#include "result/printable.hpp"
#include "text/text.hpp"

namespace ckpt::cli {

namespace {

constexpr double k_width = 1000; // of the drawing, in its own units
constexpr double k_row = 34;
constexpr double k_bar = 18;
constexpr double k_left = 70; // of the names of incarnations

constexpr const char* k_style = R"(
:root{--back:#fcfcfa;--text:#1c1c1a;--quiet:#6b6b66;--line:#d9d8d2;--run:#7aa6c2;--saved:#1f5f85;--gone:#b3aea0;--end:#3a7d44;--bad:#b3402f}
@media(prefers-color-scheme:dark){:root{--back:#181a1b;--text:#e6e4df;--quiet:#9a988f;--line:#3a3c3d;--run:#3f6f8c;--saved:#8cc6ea;--gone:#6a675d;--end:#7ec289;--bad:#e58a78}}
*{box-sizing:border-box}body{margin:0;padding:2rem 1rem;background:var(--back);color:var(--text);font:16px/1.5 system-ui,sans-serif}
main{max-width:62rem;margin:auto}h1{font-size:1.4rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .5rem}p,dd,dt{margin:0}
.quiet,dt,caption{color:var(--quiet)}dl{display:flex;flex-wrap:wrap;gap:.5rem 2.5rem;margin:1rem 0}dd{font-size:1.15rem}
svg{width:100%;height:auto;display:block}svg text{fill:var(--quiet);font-size:12px;font-family:inherit}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.3rem .7rem .3rem 0;border-bottom:1px solid var(--line);white-space:nowrap}th{font-weight:600}
.n{text-align:right}tr.gone td{color:var(--quiet)}ul{list-style:none;padding:0;margin:.5rem 0;display:flex;flex-wrap:wrap;gap:.3rem 1.5rem}
.key{display:inline-block;width:.8rem;height:.8rem;border-radius:2px;vertical-align:-1px;margin-right:.4rem}
)";

std::string escaped(const std::string& text) {
    std::string out;
    for (const char c : printable(text))
        switch (c) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '"':
            out += "&quot;";
            break;
        default:
            out += c;
        }
    return out;
}

double x_of(const LifeSpan& span, std::int64_t at) {
    return k_left + (k_width - k_left - 10) * span.share(at);
}

double row_of(const Life& life, std::uint64_t incarnation) {
    const auto found = std::ranges::find(life.incarnations, incarnation, &LifeIncarnation::number);
    return 10 + k_row * static_cast<double>(found - life.incarnations.begin());
}

const LifeGeneration* find(const Life& life, std::uint64_t incarnation, std::uint64_t generation) {
    for (const LifeIncarnation& one : life.incarnations)
        if (one.number == incarnation)
            for (const LifeGeneration& g : one.generations)
                if (g.number == generation) return &g;
    return nullptr;
}

std::string generation_mark(const LifeGeneration& g, double x, double y) {
    return std::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"4\" height=\"{}\" rx=\"1\" "
                       "fill=\"var({})\"><title>generation "
                       "{} ({}), {}: {} stored, paused {}</title></rect>\n",
                       x - 2, y - 3, k_bar + 6, g.is_there ? "--saved" : "--gone", g.number,
                       escaped(g.reason), text::local_time(g.taken_at), text::bytes(g.stored_bytes),
                       text::duration_us(g.frozen_us));
}

// From the generation to the incarnation that went on from it: what came behind it was rolled back.
std::string rollback(const Life& life, const LifeIncarnation& one, const LifeSpan& span) {
    const LifeGeneration* from =
        one.from_job == 0 ? find(life, one.from_incarnation, one.from_generation) : nullptr;
    if (!one.is_restored || from == nullptr) return {};
    const double x = x_of(span, from->taken_at);
    const double to = x_of(span, one.from);
    const double y = row_of(life, one.from_incarnation) + k_bar;
    const double end = row_of(life, one.number) + k_bar / 2;
    return std::format("<path d=\"M{0:.1f} {1:.1f}V{2:.1f}H{3:.1f}\" fill=\"none\" stroke=\"var(--quiet)\" "
                       "stroke-dasharray=\"3 3\"><title>restored from generation {4}</title></path>\n",
                       x, y, end, std::max(to, x), from->number);
}

std::string drawing(const Life& life) {
    const LifeSpan span = span_of(life);
    const double height = 10 + k_row * static_cast<double>(life.incarnations.size()) + 20;
    std::string svg = std::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"the job's life\">\n",
                                  k_width, height);
    for (const LifeIncarnation& one : life.incarnations) {
        const double y = row_of(life, one.number);
        const double from = x_of(span, one.from);
        svg += rollback(life, one, span);
        svg += std::format("<text x=\"0\" y=\"{:.1f}\">inc {} {}</text>\n", y + k_bar - 5, one.number,
                           escaped(one.where().substr(0, 8)));
        svg += std::format(
            "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{}\" rx=\"2\" fill=\"var(--run)\"/>\n",
            from, y, std::max(x_of(span, one.to) - from, 2.0), k_bar);
        for (const LifeGeneration& g : one.generations)
            svg += generation_mark(g, x_of(span, g.taken_at), y);
        if (!one.end.empty())
            svg += std::format(
                "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"5\" fill=\"var({})\"><title>{}</title></circle>\n",
                x_of(span, one.to), y + k_bar / 2,
                one.end == "completed" || one.end == "stopped" ? "--end" : "--bad", escaped(one.end));
    }
    svg += std::format(
        "<text x=\"{}\" y=\"{}\">{}</text><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text></svg>\n",
        k_left, height - 4, text::local_time(span.from), k_width - 10, height - 4, text::local_time(span.to));
    return svg;
}

std::string fact(const char* name, const std::string& value) {
    return std::format("<div><dt>{}</dt><dd>{}</dd></div>\n", name, escaped(value));
}

std::string facts(const Life& life) {
    std::uint64_t count = 0;
    std::uint64_t stored = 0;
    std::uint64_t longest = 0;
    for (const LifeIncarnation& one : life.incarnations)
        for (const LifeGeneration& g : one.generations) {
            ++count;
            stored += g.stored_bytes;
            longest = std::max(longest, g.frozen_us);
        }
    return "<dl>\n" + fact("incarnations", std::to_string(life.incarnations.size())) +
           fact("generations", std::to_string(count)) + fact("restores", std::to_string(life.restores())) +
           fact("stored in all", text::bytes(stored)) + fact("longest pause", text::duration_us(longest)) +
           fact("run time not spent again", text::age(life.saved_s())) +
           fact("CPU time not spent again", text::age(static_cast<std::int64_t>(life.saved_cpu_s()))) +
           "</dl>\n";
}

std::string row(const LifeIncarnation& one, const LifeGeneration& g) {
    return std::format("<tr{}><td class=\"n\">{}</td><td "
                       "class=\"n\">{}</td><td>{}</td><td>{}</td><td>{}</td><td class=\"n\">{}</td>"
                       "<td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>\n",
                       g.is_there ? "" : " class=\"gone\"", one.number, g.number,
                       text::local_time(g.taken_at), escaped(g.reason), escaped(g.nodes),
                       text::bytes(g.image_bytes), text::bytes(g.stored_bytes),
                       text::duration_us(g.frozen_us), g.is_there ? "there" : "removed");
}

std::string generations_table(const Life& life) {
    std::string out = "<h2>Generations</h2>\n<div class=\"scroll\"><table>\n<tr><th "
                      "class=\"n\">incarnation</th><th class=\"n\">"
                      "generation</th><th>taken</th><th>reason</th><th>nodes</th><th class=\"n\">in "
                      "memory</th><th class=\"n\">stored"
                      "</th><th class=\"n\">paused</th><th>now</th></tr>\n";
    for (const LifeIncarnation& one : life.incarnations)
        for (const LifeGeneration& g : one.generations)
            out += row(one, g);
    return out + "</table></div>\n";
}

std::string restores_table(const Life& life) {
    if (life.restores() == 0) return {};
    std::string out = "<h2>Restores</h2>\n<div class=\"scroll\"><table>\n<tr><th "
                      "class=\"n\">incarnation</th><th>at</th><th>on</th>"
                      "<th>from</th><th class=\"n\">run time not spent again</th></tr>\n";
    for (const LifeIncarnation& one : life.incarnations) {
        if (!one.is_restored) continue;
        const std::string job = one.from_job != 0 ? std::format(" of job {}", one.from_job) : "";
        out += std::format(
            "<tr><td class=\"n\">{}</td><td>{}</td><td>{}</td><td>generation {} of incarnation {}{}</td><td "
            "class=\"n\">{}</td></tr>\n",
            one.number, text::local_time(one.from), escaped(one.node), one.from_generation,
            one.from_incarnation, job, text::age(one.saved_s));
    }
    return out + "</table></div>\n";
}

std::string key(const char* colour, const char* text) {
    return std::format("<li><span class=\"key\" style=\"background:var({})\"></span>{}</li>", colour, text);
}

} // namespace

std::string life_html(const Life& life, std::int64_t now) {
    const std::string title = std::format("Job {} of {}", life.job_id, escaped(life.user));
    return std::format("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta "
                       "name=\"viewport\" "
                       "content=\"width=device-width\">\n<meta name=\"color-scheme\" content=\"light "
                       "dark\">\n<title>{}: "
                       "checkpoints</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n<h1>{}</h1>\n<p "
                       "class=\"quiet\">cluster {}, "
                       "as of {}</p>\n",
                       title, k_style, title, escaped(life.cluster), text::local_time(now)) +
           facts(life) + "<h2>Life</h2>\n" + drawing(life) + "<ul>" + key("--run", "it ran") +
           key("--saved", "generation") + key("--gone", "generation, removed since") + key("--end", "end") +
           key("--bad", "end by a failure") + "</ul>\n" + restores_table(life) + generations_table(life) +
           "</main>\n</body>\n</html>\n";
}

} // namespace ckpt::cli
