// SPDX-License-Identifier: GPL-2.0-or-later
// Whether a node will do for images that were taken on another one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compat/fits.hpp"
#include "compat/mounts.hpp"
#include "compat/processor.hpp"

namespace ckpt::compat {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* k_cpuinfo = "processor\t: 0\n"
                                  "vendor_id\t: GenuineIntel\n"
                                  "model name\t: Some CPU @ 2.00GHz\n"
                                  "flags\t\t: fpu vme sse2 avx512f pti ibrs md_clear avx2 erms monitor\n"
                                  "bugs\t\t: spectre_v1 avx\n"
                                  "\n"
                                  "processor\t: 1\n"
                                  "flags\t\t: fpu sse2 avx2 avx512f gfni\n"
                                  "\n";

Node skylake() {
    Node node;
    node.cpu = {"x86_64", "Skylake", {"avx", "avx2", "avx512bw", "avx512f", "sse2"}, 2696, 2696, 0xe7};
    node.kernel = "6.12.3-amd64";
    node.knows_mounts = true;
    return node;
}

Needs needs_of(const Node& node) {
    return {node.cpu, node.kernel, {}};
}

TEST(Processor, OnlyWhatProgramsSeeCounts) {
    const Processor cpu = processor_of(k_cpuinfo, "x86_64");
    EXPECT_THAT(cpu.flags, ElementsAre("avx2", "avx512f", "fpu", "sse2"))
        << "neither the kernel's business nor mitigations, and of the first processor";
    EXPECT_EQ(cpu.model, "Some CPU @ 2.00GHz");
    for (const char* kernels : {"pti", "ibrs", "md_clear", "ssbd", "smep", "vme", "nx", "nopl", "hypervisor",
                                "arch_perfmon", "constant_tsc", "la57", "user_shstk", "cpuid", ""})
        EXPECT_FALSE(is_seen_by_programs(kernels)) << kernels;
    for (const char* seen : {"avx", "xsaveopt", "xsavec", "amx_tile", "sha_ni", "3dnow", "lahf_lm"})
        EXPECT_TRUE(is_seen_by_programs(seen)) << seen;
}

TEST(Processor, ACutOrStrangeCpuinfoTellsNothing) {
    EXPECT_THAT(processor_of("flags\t\t: fpu avx512f avx5", "x86_64").flags, IsEmpty())
        << "a line without its end";
    EXPECT_THAT(processor_of("", "x86_64").flags, IsEmpty());
    EXPECT_THAT(processor_of("Features\t: fp asimd sve\n", "aarch64").flags, IsEmpty());
}

TEST(Mounts, AreReadAsTheKernelWritesThem) {
    const auto mounts = parse_mountinfo(
        "22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
        "30 22 0:40 / /scratch\\040x rw,relatime shared:5 master:2 - lustre mgs@tcp:/fs rw,flock\n"
        "31 22 0:41 / /bad\\377name rw - xfs /dev/sdb rw\n"
        "nonsense\n"
        "32 22 0:42 / /cut rw - nf");
    EXPECT_THAT(mounts, ElementsAre(Mount{"/", "ext4"}, Mount{"/scratch x", "lustre"}));
}

TEST(Mounts, ThoseOfTheJobsFilesAndOfNothingElse) {
    const std::vector<Mount> all = {{"/", "ext4"},     {"/proc", "proc"},      {"/dev/shm", "tmpfs"},
                                    {"/home", "nfs4"}, {"/home/bob", "xfs"},   {"/usr", "squashfs"},
                                    {"/local", "xfs"}, {"/scratch", "lustre"}, {"/var/lib", "nfs"},
                                    {"/tmp", "xfs"}};
    const auto under = [&](std::vector<std::string> paths) {
        return mounts_under(paths, all, {"/tmp", "/local/tmp"});
    };
    EXPECT_THAT(under({"/home/alice/a", "/home/alice/b", "/scratch"}),
                ElementsAre(Mount{"/home", "nfs4"}, Mount{"/scratch", "lustre"}));
    EXPECT_THAT(under({"/home/bobby/x"}), ElementsAre(Mount{"/home", "nfs4"})) << "not /home/bob";
    EXPECT_THAT(under({"/home/bob/x"}), ElementsAre(Mount{"/home/bob", "xfs"}));
    EXPECT_THAT(under({"/etc/passwd", "/proc/1/maps", "/dev/shm/a", "pipe:[1]", "/tmp/a", "/local/tmp/a"}),
                IsEmpty());
    EXPECT_THAT(under({"/usr/bin/bash"}), IsEmpty()) << "a node may have it on a disk of its own or not";
    EXPECT_THAT(under({"/var/lib/x"}), ElementsAre(Mount{"/var/lib", "nfs"})) << "but not on a server or not";
    EXPECT_THAT(under({"/local/x"}), ElementsAre(Mount{"/local", "xfs"}));
}

TEST(Mounts, OfTwoAtOnePlaceTheUpperCounts) {
    EXPECT_THAT(mounts_under({"/data/x"}, {{"/", "ext4"}, {"/data", "xfs"}, {"/data", "nfs"}}, {}),
                ElementsAre(Mount{"/data", "nfs"}));
}

TEST(Mounts, TheSameFileSystemMayBeMountedInOtherPieces) {
    const Mount home{"/home", "nfs"};
    EXPECT_TRUE(is_there(home, {{"/home", "nfs"}}));
    EXPECT_TRUE(is_there(home, {{"/home", "nfs4"}})) << "another version of the protocol";
    EXPECT_TRUE(is_there(home, {{"/home/alice", "nfs"}}));
    EXPECT_TRUE(is_there({"/home/alice", "nfs"}, {home}));
    EXPECT_TRUE(is_there(home, {{"/home", "autofs"}})) << "it comes when it is looked at";
    EXPECT_TRUE(is_there({"/data", "xfs"}, {{"/data", "ext4"}})) << "a disk is a disk";
    EXPECT_FALSE(is_there(home, {}));
    EXPECT_FALSE(is_there(home, {{"/homes", "nfs"}}));
    EXPECT_FALSE(is_there(home, {{"/home", "lustre"}}));
    EXPECT_FALSE(is_there({"/scratch", "lustre"}, {{"/", "nfs"}}));
}

TEST(Fits, TheSameNodeDoes) {
    EXPECT_THAT(missing_on(skylake(), needs_of(skylake())), IsEmpty());
}

TEST(Fits, ARicherProcessorDoesAPoorerDoesNot) {
    Node rich = skylake();
    rich.cpu.flags.insert(rich.cpu.flags.begin(), "adx");
    EXPECT_THAT(missing_on(rich, needs_of(skylake())), IsEmpty());
    Node poor = skylake();
    poor.cpu.flags = {"avx", "avx2", "sse2"};
    EXPECT_THAT(missing_on(poor, needs_of(skylake())), ElementsAre("avx512bw, avx512f of the CPU"));
    Node other = skylake();
    other.cpu.machine = "aarch64";
    EXPECT_THAT(missing_on(other, needs_of(skylake())), ElementsAre("a CPU of type x86_64"));
}

TEST(Fits, RegistersHaveToBeSavedAlike) {
    Node other = skylake();
    other.cpu.xsave_size_max = 11008;
    EXPECT_THAT(missing_on(other, needs_of(skylake())),
                ElementsAre("a CPU whose registers are saved in 2696 of 2696 bytes (here: 2696 of 11008)"));
}

TEST(Fits, ManyFlagsAreCounted) {
    Node node = skylake();
    Needs needs = needs_of(node);
    needs.cpu.flags.clear();
    for (char c = 'a'; c <= 'o'; ++c)
        needs.cpu.flags.emplace_back(1, c);
    EXPECT_THAT(missing_on(node, needs),
                ElementsAre("a, b, c, d, e, f, g, h, i, j, k, l and 3 more of the CPU"));
}

TEST(Fits, AnOlderKernelDoesOnlyWherePolicySaysSo) {
    Node old = skylake();
    old.kernel = "6.1.0-18-amd64";
    EXPECT_THAT(missing_on(old, needs_of(skylake())),
                ElementsAre("kernel 6.12 or newer (here: 6.1.0-18-amd64)"));
    old.any_kernel = true;
    EXPECT_THAT(missing_on(old, needs_of(skylake())), IsEmpty());
    for (const char* good : {"6.12.0", "6.12.99", "6.13", "7.0-rc1", "strange"}) {
        Node node = skylake();
        node.kernel = good;
        EXPECT_THAT(missing_on(node, needs_of(skylake())), IsEmpty()) << good;
    }
}

TEST(Fits, AMountThatIsMissingIsNamed) {
    Needs needs = needs_of(skylake());
    needs.mounts = {{"/scratch", "lustre"}};
    Node node = skylake();
    EXPECT_EQ(in_one_line(missing_on(node, needs)), "a file system of type lustre at /scratch");
    node.mounts = {{"/scratch", "lustre"}};
    EXPECT_THAT(missing_on(node, needs), IsEmpty());
    node.mounts.clear();
    node.knows_mounts = false;
    EXPECT_THAT(missing_on(node, needs), IsEmpty()) << "what is not known is not missed";
}

TEST(Fits, WhatIsNotKnownIsNotMissed) {
    EXPECT_THAT(missing_on(skylake(), Needs{}), IsEmpty()) << "of an earlier release";
    EXPECT_THAT(missing_on(Node{}, needs_of(skylake())), IsEmpty());
}

TEST(Versions, AreComparedByNumbers) {
    EXPECT_TRUE(is_older("4.2", "4.2.1", 3));
    EXPECT_TRUE(is_older("4.2.1", "4.10", 3));
    EXPECT_FALSE(is_older("4.2.1", "4.2.1", 3));
    EXPECT_FALSE(is_older("4.3", "4.2.1", 3));
    EXPECT_FALSE(is_older("", "4.2.1", 3));
    EXPECT_FALSE(is_older("4.2.1", "", 3));
    EXPECT_FALSE(is_older("6.12.1", "6.12.9", 2)) << "a patch release is no other kernel";
}

} // namespace
} // namespace ckpt::compat
