// SPDX-License-Identifier: GPL-2.0-or-later
#include "compat/fits.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "compat/mounts.hpp"

namespace ckpt::compat {

namespace {

constexpr std::size_t k_listed = 12;        // flags: processors differ in dozens
constexpr std::size_t k_kernel_numbers = 2; // "6.12" of 6.12.3-amd64

std::vector<std::uint32_t> numbers_of(std::string_view version, std::size_t count) {
    std::vector<std::uint32_t> numbers;
    while (numbers.size() < count) {
        std::uint32_t number = 0;
        const char* end = version.data() + version.size();
        const auto parsed = std::from_chars(version.data(), end, number);
        if (parsed.ec != std::errc()) break;
        numbers.push_back(number);
        if (parsed.ptr == end || *parsed.ptr != '.') break;
        version.remove_prefix(static_cast<std::size_t>(parsed.ptr - version.data()) + 1);
    }
    return numbers;
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (std::size_t i = 0; i < std::min(words.size(), k_listed); ++i)
        text += (i > 0 ? ", " : "") + words[i];
    if (words.size() > k_listed) text += " and " + std::to_string(words.size() - k_listed) + " more";
    return text;
}

void add_cpu(const Processor& here, const Processor& then, std::vector<std::string>& missing) {
    if (here.machine.empty() || then.machine.empty()) return;
    if (here.machine != then.machine) {
        missing.push_back("a CPU of type " + then.machine);
        return;
    }
    std::vector<std::string> flags;
    if (!here.flags.empty()) std::ranges::set_difference(then.flags, here.flags, std::back_inserter(flags));
    if (!flags.empty()) missing.push_back(joined(flags) + " of the CPU");
    if (here.xsave_size == 0 || then.xsave_size == 0) return;
    const bool same = here.xsave_size == then.xsave_size && here.xsave_size_max == then.xsave_size_max &&
                      (then.xfeatures & ~here.xfeatures) == 0;
    if (!same)
        missing.push_back("a CPU whose registers are saved in " + std::to_string(then.xsave_size) + " of " +
                          std::to_string(then.xsave_size_max) +
                          " bytes (here: " + std::to_string(here.xsave_size) + " of " +
                          std::to_string(here.xsave_size_max) + ")");
}

} // namespace

bool is_older(const std::string& version, const std::string& than, std::size_t numbers) {
    const auto here = numbers_of(version, numbers);
    const auto there = numbers_of(than, numbers);
    if (here.empty() || there.empty()) return false;
    return here < there;
}

std::vector<std::string> missing_on(const Node& node, const Needs& needs) {
    std::vector<std::string> missing;
    add_cpu(node.cpu, needs.cpu, missing);
    if (node.knows_mounts)
        for (const Mount& mount : needs.mounts)
            if (!is_there(mount, node.mounts))
                missing.push_back("a file system of type " + mount.type + " at " + mount.point);
    if (!node.any_kernel && is_older(node.kernel, needs.kernel, k_kernel_numbers)) {
        const auto numbers = numbers_of(needs.kernel, k_kernel_numbers);
        missing.push_back("kernel " + std::to_string(numbers[0]) +
                          (numbers.size() > 1 ? "." + std::to_string(numbers[1]) : "") +
                          " or newer (here: " + node.kernel + ")");
    }
    return missing;
}

std::string in_one_line(const std::vector<std::string>& missing) {
    std::string line;
    for (const std::string& one : missing)
        line += (line.empty() ? "" : "; ") + one;
    return line;
}

} // namespace ckpt::compat
