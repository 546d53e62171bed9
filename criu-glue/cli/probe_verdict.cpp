// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/wait.h>

#include <algorithm>
#include <format>
#include <sstream>

#include "probe.hpp"

namespace ckpt::cli {

namespace {

std::string how_ended(int status) {
    return WIFEXITED(status) ? std::format("with status {}", WEXITSTATUS(status))
                             : std::format("of signal {}", WTERMSIG(status));
}

std::string or_unknown(const std::string& reason) {
    return reason.empty() ? "its messages above may say why" : reason;
}

} // namespace

Verdict verdict_on(const ProbeFacts& facts) {
    if (facts.ended_early) return Verdict::not_known;
    if (!facts.saved || !facts.restored) return Verdict::cannot;
    const bool died = facts.ended_after && WIFSIGNALED(facts.after_status);
    return died ? Verdict::cannot : Verdict::can;
}

std::string verdict_text(const ProbeFacts& facts) {
    if (facts.ended_early)
        return "not known: it had ended by itself, " + how_ended(facts.early_status) +
               ", before it was saved; give it more to do, or a smaller --seconds";
    if (!facts.saved) return "it cannot be saved: " + or_unknown(facts.refusal);
    if (!facts.restored) return "it was saved, and cannot be restored: " + or_unknown(facts.trouble);
    if (verdict_on(facts) == Verdict::cannot)
        return "it was saved and restored, and has then ended " + how_ended(facts.after_status);
    if (facts.ended_after)
        return "it can be checkpointed: it was saved and restored, and has come to its end " +
               how_ended(facts.after_status);
    return "it can be checkpointed: it was saved and restored, and ran on";
}

std::string line_with(const std::string& messages, const std::vector<std::string>& words) {
    constexpr std::string_view k_ours = "checkpoint: ";
    std::istringstream lines(messages);
    std::string last;
    for (std::string line; std::getline(lines, line);) {
        const std::size_t ours = line.find(k_ours);
        if (ours == std::string::npos) continue;
        const std::string text = line.substr(ours + k_ours.size());
        const auto begins = [&](const std::string& word) { return text.starts_with(word); };
        if (words.empty() || std::ranges::any_of(words, begins)) last = text;
    }
    return last;
}

} // namespace ckpt::cli
