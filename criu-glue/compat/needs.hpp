// SPDX-License-Identifier: GPL-2.0-or-later
// What the images of a generation need of the node that restores them, and what a node has.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ckpt::compat {

struct Processor {
    std::string machine;            // as uname(2) names it: "x86_64"; "" = unknown
    std::string model;              // as /proc/cpuinfo names it, for people
    std::vector<std::string> flags; // that programs can see (processor.hpp), sorted
    // How the kernel saves a thread's registers (CPUID leaf 0xd). CRIU insists on the same sizes
    // (arch/x86/cpu.c:cpu_validate_features). 0 = unknown, or no x86.
    std::uint32_t xsave_size = 0;
    std::uint32_t xsave_size_max = 0;
    std::uint64_t xfeatures = 0;
    bool operator==(const Processor&) const = default;
    template <class V>
    void fields(V& v) {
        v(machine, model, flags, xsave_size, xsave_size_max, xfeatures);
    }
};

struct Mount {
    std::string point; // printable ASCII
    std::string type;  // "lustre", "nfs4"
    auto operator<=>(const Mount&) const = default;
    template <class V>
    void fields(V& v) {
        v(point, type);
    }
};

// Nothing in it is required that is unknown: generations of earlier releases know nothing.
struct Needs {
    Processor cpu;
    std::string kernel;        // release: "6.12.3-amd64"
    std::vector<Mount> mounts; // that the job's files lie on (mounts.hpp:mounts_under), sorted
    bool operator==(const Needs&) const = default;
    [[nodiscard]] bool is_known() const { return *this != Needs{}; }
    template <class V>
    void fields(V& v) {
        v(cpu, kernel, mounts);
    }
};

struct Node {
    Processor cpu;
    std::string kernel;
    std::vector<Mount> mounts; // that matter (mounts.hpp:mounts_that_matter)
    bool knows_mounts = false; // else none of them is missed
    bool any_kernel = false;   // its policy's word: an older kernel will do
    template <class V>
    void fields(V& v) {
        v(cpu, kernel, mounts, knows_mounts, any_kernel);
    }
};

} // namespace ckpt::compat
