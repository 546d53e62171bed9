// SPDX-License-Identifier: GPL-2.0-or-later
#include "compat/processor.hpp"

#include <algorithm>
#include <array>
#include <utility>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace ckpt::compat {

namespace {

// arch/x86/include/asm/cpufeatures.h of the kernel; what CRIU compares
// (arch/x86/cpu.c:x86_ins_capability_mask) is among them, as far as it is an instruction.
constexpr std::array<std::string_view, 104> k_seen = {
    "3dnow",
    "3dnowext",
    "3dnowprefetch",
    "abm",
    "adx",
    "aes",
    "amx_avx512",
    "amx_bf16",
    "amx_complex",
    "amx_fp16",
    "amx_fp8",
    "amx_int8",
    "amx_movrs",
    "amx_tf32",
    "amx_tile",
    "amx_transpose",
    "apx",
    "avx",
    "avx10",
    "avx2",
    "avx512_4fmaps",
    "avx512_4vnniw",
    "avx512_bf16",
    "avx512_bitalg",
    "avx512_fp16",
    "avx512_vbmi2",
    "avx512_vnni",
    "avx512_vp2intersect",
    "avx512_vpopcntdq",
    "avx512bw",
    "avx512cd",
    "avx512dq",
    "avx512er",
    "avx512f",
    "avx512ifma",
    "avx512pf",
    "avx512vbmi",
    "avx512vl",
    "avx_ifma",
    "avx_ne_convert",
    "avx_vnni",
    "avx_vnni_int16",
    "avx_vnni_int8",
    "bmi1",
    "bmi2",
    "cldemote",
    "clflush",
    "clflushopt",
    "clwb",
    "clzero",
    "cmov",
    "cmpccxadd",
    "cx16",
    "cx8",
    "f16c",
    "fma",
    "fma4",
    "fpu",
    "fsgsbase",
    "fxsr",
    "gfni",
    "lahf_lm",
    "lwp",
    "misalignsse",
    "mmx",
    "mmxext",
    "movbe",
    "movdir64b",
    "movdiri",
    "movrs",
    "mwaitx",
    "pclmulqdq",
    "pku",
    "pni",
    "popcnt",
    "prefetchi",
    "rao_int",
    "rdpid",
    "rdrand",
    "rdseed",
    "rdtscp",
    "rtm",
    "serialize",
    "sha512",
    "sha_ni",
    "sm3",
    "sm4",
    "sse",
    "sse2",
    "sse4_1",
    "sse4_2",
    "sse4a",
    "ssse3",
    "syscall",
    "tbm",
    "tsc",
    "tsxldtrk",
    "vaes",
    "vpclmulqdq",
    "waitpkg",
    "xgetbv1",
    "xop",
    "xsave",
    "xsavec",
};
constexpr std::array<std::string_view, 1> k_seen_besides = {"xsaveopt"};
static_assert(std::ranges::is_sorted(k_seen));

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
        text.remove_suffix(1);
    return text;
}

std::vector<std::string> seen_flags(std::string_view line) {
    std::vector<std::string> flags;
    while (!line.empty()) {
        const std::size_t end = std::min(line.find(' '), line.size());
        const std::string_view word = line.substr(0, end);
        if (is_seen_by_programs(word)) flags.emplace_back(word);
        line.remove_prefix(std::min(end + 1, line.size()));
    }
    std::ranges::sort(flags);
    const auto doubled = std::ranges::unique(flags);
    flags.erase(doubled.begin(), doubled.end());
    return flags;
}

constexpr std::size_t k_model_max = 100;

} // namespace

bool is_seen_by_programs(std::string_view flag) {
    return std::ranges::binary_search(k_seen, flag) ||
           std::ranges::find(k_seen_besides, flag) != k_seen_besides.end();
}

Processor processor_of(std::string_view cpuinfo, std::string machine) {
    Processor cpu;
    cpu.machine = std::move(machine);
    while (true) {
        const std::size_t end = cpuinfo.find('\n');
        if (end == std::string_view::npos) return cpu; // the last line may be cut
        const std::string_view line = cpuinfo.substr(0, end);
        cpuinfo.remove_prefix(end + 1);
        if (line.empty() && (!cpu.flags.empty() || !cpu.model.empty())) return cpu;
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) continue;
        const std::string_view name = trimmed(line.substr(0, colon));
        const std::string_view value = trimmed(line.substr(colon + 1));
        if (name == "model name") cpu.model = value.substr(0, k_model_max);
        if (name == "flags") cpu.flags = seen_flags(value);
    }
}

void add_register_sizes(Processor& cpu) {
#if defined(__x86_64__)
    // XFEATURE_MASK_USER of compel/arch/x86/src/lib/include/uapi/asm/fpu.h, without the bound registers,
    // which kernels since 5.6 leave alone: x87, SSE, AVX, AVX-512, protection keys.
    constexpr std::uint64_t k_compared = 0x2e7;
    unsigned eax = 0;
    unsigned ebx = 0;
    unsigned ecx = 0;
    unsigned edx = 0;
    if (__get_cpuid_count(0xd, 0, &eax, &ebx, &ecx, &edx) == 0) return;
    cpu.xsave_size = ebx;
    cpu.xsave_size_max = ecx;
    cpu.xfeatures = (eax | (static_cast<std::uint64_t>(edx) << 32U)) & k_compared;
#else
    (void)cpu;
#endif
}

} // namespace ckpt::compat
