// SPDX-License-Identifier: GPL-2.0-or-later
// What is read from srun's command line, and what becomes of its environment.
#include <gmock/gmock.h>

#include "shim/step_environment.hpp"
#include "srun/launcher_daemon.hpp"
#include "srun/srun_options.hpp"

namespace ckpt {

namespace {

using testing::ElementsAre;
using testing::IsEmpty;

SrunOptions read(std::vector<std::string> words) {
    words.insert(words.begin(), "srun");
    return read_srun_options(words);
}

} // namespace

TEST(SrunOptions, BufferingInAllItsForms) {
    EXPECT_TRUE(read({"-u", "cat"}).unbuffered);
    EXPECT_TRUE(read({"--unbuffered", "cat"}).unbuffered);
    EXPECT_TRUE(read({"--unb", "cat"}).unbuffered);
    EXPECT_TRUE(read({"-lu", "cat"}).unbuffered);
    EXPECT_TRUE(read({"-n", "4", "--output", "file", "-vvu", "cat"}).unbuffered);
    EXPECT_TRUE(read({"--exclusive", "-K1", "-u", "cat"}).unbuffered);
}

TEST(SrunOptions, WhatIsTheCommandsIsNotSruns) {
    EXPECT_FALSE(read({"cat", "-u"}).unbuffered);
    EXPECT_FALSE(read({"-n", "-u", "cat"}).unbuffered); // the value of -n
    EXPECT_FALSE(read({"-n4", "sh", "--pty"}).pty);
    EXPECT_FALSE(read({"--", "-u"}).unbuffered);
    EXPECT_FALSE(read({"-ofileu", "cat"}).unbuffered);
}

TEST(SrunOptions, Terminal) {
    EXPECT_TRUE(read({"--pty", "bash"}).pty);
    EXPECT_TRUE(read({"-n1", "--pty=0", "bash"}).pty);
    EXPECT_FALSE(read({"--propagate", "bash"}).pty);
}

TEST(SrunOptions, Input) {
    const SrunOptions one_word = read({"-n1", "--input=data", "cat"});
    EXPECT_EQ(one_word.input, "data");
    EXPECT_EQ(one_word.input_at, 2u);
    EXPECT_EQ(one_word.input_words, 1u);
    const SrunOptions two_words = read({"-i", "data", "cat"});
    EXPECT_EQ(two_words.input, "data");
    EXPECT_EQ(two_words.input_at, 1u);
    EXPECT_EQ(two_words.input_words, 2u);
    const SrunOptions in_cluster = read({"-lidata", "cat"});
    EXPECT_EQ(in_cluster.input, "data");
    EXPECT_EQ(in_cluster.input_at, 0u);
    EXPECT_EQ(read({"cat", "--input=data"}).input, "");
}

TEST(SrunOptions, WhereTheCommandBegins) {
    EXPECT_EQ(read({"-n1", "--open-mode", "truncate", "cat", "-u"}).command_at, 4u);
    EXPECT_TRUE(read({"--open-mode=truncate", "cat"}).open_mode);
    EXPECT_FALSE(read({"cat", "--open-mode=truncate"}).open_mode);
    EXPECT_EQ(read({"-l", "--", "cat"}).command_at, 2u);
    EXPECT_EQ(read({"--ntasks"}).command_at, 2u); // and no value
}

TEST(SrunOptions, WordsOfOurOwnAreGathered) {
    const auto ours = [](const std::vector<std::string>& words) { return read(words).checkpoint; };
    EXPECT_THAT(ours({"--checkpoint", "app"}), ElementsAre("--checkpoint"));
    EXPECT_THAT(ours({"--checkpoint=5m", "app"}), ElementsAre("--checkpoint=5m"));
    EXPECT_THAT(ours({"--checkpoint-interval", "10m", "app"}), ElementsAre("--checkpoint-interval", "10m"));
    EXPECT_THAT(ours({"-n2", "--checkpoint", "-l", "--checkpoint-keep=3", "--checkpoint-on", "none", "app"}),
                ElementsAre("--checkpoint", "--checkpoint-keep=3", "--checkpoint-on", "none"));
    EXPECT_THAT(ours({"--checkpoint-interval"}), ElementsAre("--checkpoint-interval")); // and no value
    EXPECT_THAT(ours({"app", "--checkpoint", "--checkpoint-restore=7"}), IsEmpty());
    EXPECT_THAT(ours({"--job-name", "--checkpoint", "app"}), IsEmpty()); // the value of --job-name
}

TEST(SrunOptions, TheValueOfOneOfOursIsNotTheCommand) {
    EXPECT_EQ(read({"--checkpoint", "app"}).command_at, 2U);
    EXPECT_EQ(read({"--checkpoint=5m", "app"}).command_at, 2U);
    EXPECT_EQ(read({"--checkpoint-interval", "10m", "app"}).command_at, 3U);
    EXPECT_EQ(read({"--checkpoint-interval=10m", "app"}).command_at, 2U);
    EXPECT_EQ(read({"--checkpoint-restore", "7"}).command_at, 3U);
    EXPECT_EQ(read({"--checkpoint-restore=7@2"}).command_at, 2U);
}

TEST(SrunOptions, AJobToGoOnFrom) {
    EXPECT_TRUE(read({"--checkpoint-restore=7@2"}).restores);
    EXPECT_TRUE(read({"--checkpoint-restore", "7"}).restores);
    EXPECT_TRUE(read({"--checkpoint-rest=7", "app"}).restores);
    EXPECT_TRUE(read({"--checkpoint-restore=auto", "--checkpoint-restore=7"}).restores) << "the last";
    EXPECT_FALSE(read({"--checkpoint-restore=7", "--checkpoint-restore", "never"}).restores) << "the last";
    for (const char* none : {"--checkpoint-restore=auto", "--checkpoint-restore=never",
                             "--checkpoint-restore=", "--checkpoint-restore", "--checkpoint-keep=7",
                             "--checkpoint=7", "--checkpoint"})
        EXPECT_FALSE(read({none}).restores) << none;
    EXPECT_FALSE(read({"app", "--checkpoint-restore=7"}).restores);
}

TEST(SrunOptions, WithTheseItIsNoStepOfThisAllocation) {
    for (const char* word :
         {"--jobid=7", "-h", "-V", "--version", "--help", "--usage", "--test-only", "--interactive",
          "--external-launcher", "--het-group=0", "-Z", "--no-allocate", "-lV", "--test", "--vers"})
        EXPECT_TRUE(read({"-n1", word, "app"}).elsewhere) << word;
    EXPECT_TRUE(read({"--jobid", "7", "app"}).elsewhere);
    EXPECT_TRUE(read({"--het-group", "0", "app"}).elsewhere);
}

TEST(SrunOptions, OthersAreNot) {
    for (const char* word : {"--job-name=x", "-n4", "--overlap", "-l", "--hint=nomultithread", "--input=none",
                             "--exclusive", "--hold", "-JhVZ", "--checkpoint"})
        EXPECT_FALSE(read({word, "app"}).elsewhere) << word;
    EXPECT_FALSE(read({"--job-name", "--help", "app"}).elsewhere);
    EXPECT_FALSE(read({"-n", "4", "-J", "-h", "app"}).elsewhere);
    EXPECT_FALSE(read({"app", "--help", "-h", "--jobid=7"}).elsewhere);
}

TEST(SrunOptions, WhatInputNames) {
    EXPECT_TRUE(reads_standard_input(""));
    EXPECT_TRUE(reads_standard_input("all"));
    EXPECT_TRUE(reads_standard_input("0"));
    EXPECT_FALSE(reads_standard_input("none"));
    EXPECT_FALSE(reads_standard_input("data"));
    EXPECT_EQ(input_file("data"), "data");
    EXPECT_EQ(input_file("data-%t"), "");
    EXPECT_EQ(input_file("none"), "");
    EXPECT_EQ(input_file("0"), "");
}

TEST(LauncherDaemon, OfHydraAndOpenMpi) {
    const std::vector<std::string> hydra{"srun",
                                         "-N",
                                         "1",
                                         "-n",
                                         "1",
                                         "--input",
                                         "none",
                                         "--external-launcher",
                                         "/usr/bin/hydra_pmi_proxy",
                                         "--control-port",
                                         "n1:1"};
    EXPECT_EQ(launcher_daemon_at(hydra), 8U);
    const std::vector<std::string> open_mpi{"srun",
                                            "--ntasks-per-node=1",
                                            "--kill-on-bad-exit",
                                            "--mpi=none",
                                            "--cpu-bind=none",
                                            "--external-launcher",
                                            "--nodes=1",
                                            "--nodelist=n1",
                                            "--ntasks=1",
                                            "prted",
                                            "--prtemca"};
    EXPECT_EQ(launcher_daemon_at(open_mpi), 9U);
    const std::vector<std::string> open_mpi_6{"srun",
                                              "--external-launcher",
                                              "--ntasks-per-node=1",
                                              "--no-kill",
                                              "--kill-on-bad-exit=0",
                                              "--mpi=none",
                                              "--cpu-bind=none",
                                              "--jobid=7002",
                                              "--ntasks=1",
                                              "prted"};
    EXPECT_EQ(launcher_daemon_at(open_mpi_6), 9U);
    // with MpiParams=disable_slurm_hydra_bootstrap nobody says what it is
    EXPECT_EQ(launcher_daemon_at(std::vector<std::string>{"srun", "-n1", "prted"}), 0U);
    EXPECT_EQ(launcher_daemon_at(std::vector<std::string>{"srun", "-n", "1", "--", "prted"}), 4U);
}

TEST(LauncherDaemon, WhoeverWantsSomethingOfSrunGetsSrun) {
    const auto at = [](std::vector<std::string> words) {
        words.insert(words.begin(), "srun");
        return launcher_daemon_at(words);
    };
    EXPECT_EQ(at({"-n", "1", "hostname"}), 0U);
    EXPECT_EQ(at({"--external-launcher", "hostname"}), 0U); // as many tasks as the job has
    EXPECT_EQ(at({"--external-launcher", "-n", "2", "hostname"}), 0U);
    EXPECT_EQ(at({"--external-launcher", "-n", "1", "-N", "2", "prted"}), 0U);
    EXPECT_EQ(at({"--external-launcher", "-n", "1", "--output=file", "hostname"}), 0U);
    EXPECT_EQ(at({"--external-launcher", "-n", "1"}), 0U);
    EXPECT_EQ(at({"-n"}), 0U);
    EXPECT_EQ(at({}), 0U);
}

TEST(StepEnvironment, ThisIncarnationsValuesButTheScriptsOwnWord) {
    const Variables first{"SLURM_JOB_NODELIST=n1", "SLURM_NTASKS=2", "SLURMD_NODENAME=n1", "SLURM_GONE=1",
                          "SLURM_UNSET=1"};
    const Variables now{"SLURM_JOB_NODELIST=n2", "SLURM_NTASKS=2", "SLURMD_NODENAME=n2",
                        "SLURM_RESTART_COUNT=1", "SLURM_UNSET=2"};
    const Variables script{"PATH=/bin",          "SLURM_JOB_NODELIST=n1", "SLURM_NTASKS=7",
                           "SLURMD_NODENAME=n1", "SLURM_GONE=1",          "SLURM_MINE=1"};
    EXPECT_THAT(for_this_incarnation(script, first, now),
                testing::UnorderedElementsAre("PATH=/bin", "SLURM_JOB_NODELIST=n2", "SLURM_NTASKS=7",
                                              "SLURMD_NODENAME=n2", "SLURM_MINE=1", "SLURM_RESTART_COUNT=1"));
}

} // namespace ckpt
