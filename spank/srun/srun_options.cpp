// SPDX-License-Identifier: GPL-2.0-or-later
#include "srun_options.hpp"

#include <algorithm>
#include <array>

#include "wire/allocation.hpp"

namespace ckpt {

namespace {

// Of slurm_opt.c: those whose next word is not their value.
constexpr std::array k_without_value = {"bcast",
                                        "checkpoint",
                                        "compress",
                                        "contiguous",
                                        "debugger-test",
                                        "disable-status",
                                        "exact",
                                        "exclusive",
                                        "external-launcher",
                                        "help",
                                        "hold",
                                        "immediate",
                                        "interactive",
                                        "kill-on-bad-exit",
                                        "label",
                                        "multi-prog",
                                        "no-allocate",
                                        "nice",
                                        "no-kill",
                                        "oom-kill-step",
                                        "overcommit",
                                        "overlap",
                                        "oversubscribe",
                                        "preserve-env",
                                        "propagate",
                                        "pty",
                                        "quiet",
                                        "quit-on-interrupt",
                                        "reboot",
                                        "resv-ports",
                                        "send-libs",
                                        "spread-job",
                                        "stepmgr",
                                        "test-only",
                                        "unbuffered",
                                        "use-min-nodes",
                                        "usage",
                                        "verbose",
                                        "version",
                                        "whole",
                                        "x11"};
constexpr std::string_view k_short_with_value = "ABDMCScdmexGJLTFwNnopqrtWi";
constexpr std::string_view k_short_with_own_value = "IKk"; // in the same word, or none

// With these srun starts no step, or one that is not this allocation's, or not of its own accord.
constexpr std::array k_elsewhere = {"external-launcher", "help",      "het-group", "interactive", "jobid",
                                    "no-allocate",       "test-only", "usage",     "version"};
constexpr std::string_view k_short_elsewhere = "hVZ";
constexpr std::string_view k_checkpoint = "checkpoint"; // what our own options begin with

// getopt_long(3) takes every beginning that is unambiguous.
bool abbreviates(std::string_view name, std::string_view option) {
    return name.size() >= 2 && option.starts_with(name);
}

bool is_without_value(std::string_view name) {
    return std::ranges::any_of(k_without_value,
                               [&](const char* option) { return abbreviates(name, option); });
}

class Reading {
public:
    explicit Reading(std::span<const std::string> argv) : m_argv(argv) {}

    SrunOptions run() {
        for (; m_at < m_argv.size(); ++m_at) {
            const std::string_view word = m_argv[m_at];
            if (word == "--" || word.size() < 2 || word.front() != '-') break;
            if (word.starts_with("--"))
                long_option(word.substr(2));
            else
                short_options(word.substr(1));
        }
        m_options.command_at = std::min(m_at, m_argv.size());
        return m_options;
    }

private:
    void long_option(std::string_view text) {
        const std::size_t equals = text.find('=');
        const std::string_view name = text.substr(0, equals);
        const std::size_t at = m_at;
        m_options.elsewhere |=
            std::ranges::any_of(k_elsewhere, [&](const char* option) { return abbreviates(name, option); });
        if (is_without_value(name)) {
            if (name.starts_with(k_checkpoint)) m_options.checkpoint.push_back(m_argv[at]);
            m_options.pty |= abbreviates(name, "pty");
            m_options.unbuffered |= abbreviates(name, "unbuffered");
            return;
        }
        if (equals == std::string_view::npos) ++m_at;
        if (name.starts_with(k_checkpoint)) take_checkpoint(name, text, at);
        m_options.open_mode |= abbreviates(name, "open-mode");
        if (!abbreviates(name, "input")) return;
        if (equals != std::string_view::npos)
            take_input(text.substr(equals + 1), at);
        else if (m_at < m_argv.size())
            take_input(m_argv[m_at], at);
    }

    void short_options(std::string_view letters) {
        for (std::size_t i = 0; i < letters.size(); ++i) {
            const char letter = letters[i];
            m_options.unbuffered |= letter == 'u';
            m_options.elsewhere |= k_short_elsewhere.find(letter) != std::string_view::npos;
            if (k_short_with_own_value.find(letter) != std::string_view::npos) return;
            if (k_short_with_value.find(letter) == std::string_view::npos) continue;
            const std::size_t at = m_at;
            const bool in_next = i + 1 == letters.size();
            if (in_next) ++m_at;
            if (letter != 'i' || m_at >= m_argv.size()) return;
            take_input(in_next ? std::string_view(m_argv[m_at]) : letters.substr(i + 1), i == 0 ? at : 0);
            return;
        }
    }

    // `at`: of the word with the name; the value is in it, or in the next one.
    void take_checkpoint(std::string_view name, std::string_view text, std::size_t at) {
        for (std::size_t i = at; i <= std::min(m_at, m_argv.size() - 1); ++i)
            m_options.checkpoint.push_back(m_argv[i]);
        const std::string_view value = m_at == at ? text.substr(std::min(name.size() + 1, text.size()))
                                                  : std::string_view(m_options.checkpoint.back());
        if (abbreviates(name, "checkpoint-restore")) m_options.restores = wire::names_a_job(value);
    }

    void take_input(std::string_view value, std::size_t at) {
        m_options.input = value;
        m_options.input_at = at;
        m_options.input_words = at == 0 ? 0 : m_at - at + 1;
    }

    std::span<const std::string> m_argv;
    std::size_t m_at = 1;
    SrunOptions m_options;
};

bool is_number(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

} // namespace

SrunOptions read_srun_options(std::span<const std::string> argv) {
    return Reading(argv).run();
}

bool reads_standard_input(std::string_view input) {
    return input.empty() || input.starts_with("all") || input.starts_with("-") || is_number(input);
}

std::string_view input_file(std::string_view input) {
    const bool other = reads_standard_input(input) || input == "none";
    return other || input.find_first_of("%\\") != std::string_view::npos ? std::string_view() : input;
}

} // namespace ckpt
