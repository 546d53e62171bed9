// SPDX-License-Identifier: GPL-2.0-or-later
// What a survey refuses, and what it makes of CRIU's words.
#include <gtest/gtest.h>

#include "engine/connections.hpp"
#include "engine/log_excerpt.hpp"
#include "engine/pmi.hpp"
#include "engine/survey.hpp"

namespace ckpt {

namespace {

const wire::UserIds k_user{2001, 2002, {3001}};

Member member(pid_t pid, const std::string& name) {
    Member one;
    one.pid = pid;
    one.state = 'S';
    one.name = name;
    one.exe = "/usr/bin/" + name;
    one.uids = {2001, 2001, 2001, 2001};
    one.gids = {2002, 2002, 2002, 2002};
    one.namespaces = {1, 2, 3, 4, 5, 6, 7, 8};
    return one;
}

Code verdict(const Member& second) {
    const Status status = judge_members({member(10, "ckpt-init"), second}, k_user);
    return status ? static_cast<Code>(0) : status.error().code;
}

TEST(Survey, AcceptsTheUsersProcesses) {
    EXPECT_EQ(verdict(member(11, "bash")), static_cast<Code>(0));
}

TEST(Survey, AcceptsTheUsersOtherGroups) {
    Member one = member(11, "bash");
    one.gids = {3001, 3001, 3001, 3001};
    EXPECT_EQ(verdict(one), static_cast<Code>(0));
}

TEST(Survey, RefusesForeignRights) {
    for (std::size_t i = 0; i < 4; ++i) {
        Member uid = member(11, "sudo");
        uid.uids.at(i) = 0;
        EXPECT_EQ(verdict(uid), Code::dump_refused);
        Member gid = member(11, "write");
        gid.gids.at(i) = 5;
        EXPECT_EQ(verdict(gid), Code::dump_refused);
    }
    Member capable = member(11, "ping");
    capable.capabilities = 1U << 13;
    EXPECT_EQ(verdict(capable), Code::dump_refused);
}

TEST(Survey, RefusesOtherNamespaces) {
    Member one = member(11, "bwrap");
    one.namespaces.at(2) = 99;
    EXPECT_EQ(verdict(one), Code::dump_refused);
}

TEST(Survey, IgnoresZombies) {
    Member one = member(11, "srun");
    one.state = 'Z';
    one.uids = {0, 0, 0, 0};
    one.namespaces.at(2) = 99;
    EXPECT_EQ(verdict(one), static_cast<Code>(0));
}

TEST(Survey, TellsTheRealSrunFromOurs) {
    EXPECT_EQ(verdict(member(11, "srun")), Code::dump_live_srun);
    Member renamed = member(11, "launcher");
    renamed.exe = "/opt/slurm/bin/srun";
    EXPECT_EQ(verdict(renamed), Code::dump_live_srun);
    Member ours = member(11, "srun");
    ours.exe = std::string(CKPT_LIBEXEC_DIR) + "/ckpt-shim";
    EXPECT_EQ(verdict(ours), static_cast<Code>(0));
}

TEST(Survey, RefusesProgramsNobodyCouldOpenAgain) {
    Member one = member(11, "licensed");
    one.exe_readable = false;
    EXPECT_EQ(verdict(one), Code::dump_refused);
}

TEST(Survey, NamesWhatCriuCannotSave) {
    Member one = member(11, "db");
    one.special = {"anon_inode:[eventpoll]", "/dev/null", "anon_inode:[io_uring]"};
    const Status status = judge_members({member(10, "ckpt-init"), one}, k_user);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::dump_refused);
    EXPECT_NE(status.error().what.find("db (pid 11) uses io_uring"), std::string::npos)
        << status.error().what;
    one.special.pop_back();
    EXPECT_EQ(verdict(one), static_cast<Code>(0));
}

// n processes, in a ring: each can read from its own pipe and from the one that all share.
std::vector<Member> ring_of(std::size_t n) {
    constexpr std::uint64_t k_shared = 7;
    std::vector<Member> members;
    for (std::size_t i = 0; i < n; ++i) {
        members.push_back(member(static_cast<pid_t>(10 + i), "ring"));
        members.back().pipes = {k_shared, 1000 + i};
    }
    return members;
}

TEST(Survey, RefusesMorePipesThanCriuSaves) {
    EXPECT_TRUE(judge_pipes(ring_of(k_pipes_max - 1)));
    const Status status = judge_pipes(ring_of(k_pipes_max));
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::dump_refused);
    EXPECT_NE(status.error().what.find("1025 pipes"), std::string::npos) << status.error().what;
    EXPECT_FALSE(status.error().hint.empty());
}

TEST(Survey, FindsStrangersInTheCgroup) {
    EXPECT_TRUE(strangers({1, 2, 3}, {2, 3}, {1}).empty());
    EXPECT_EQ(strangers({1, 2, 3, 9}, {2, 3}, {1}), std::vector<pid_t>{9});
}

// ---- connections ----

constexpr const char* k_heading =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

std::string row(const std::string& local, const std::string& remote, const std::string& state, int inode) {
    return "   0: " + local + " " + remote + " " + state +
           " 00000000:00000000 00:00000000 00000000  2001        0 " + std::to_string(inode) +
           " 1 0000000000000000 20 4 30 10 -1\n";
}

TEST(Connections, InternalOnesAreFine) {
    const std::string text = k_heading + row("0100007F:1F90", "00000000:0000", "0A", 5) +
                             row("0100007F:1F90", "0100007F:C000", "01", 6) +
                             row("0100007F:C000", "0100007F:1F90", "01", 7);
    const auto all = connections_in(text);
    EXPECT_EQ(all.size(), 2U); // not the listener
    EXPECT_FALSE(outside_connection(all, {5, 6, 7}));
    EXPECT_FALSE(outside_connection(all, {9})); // other people's
    const auto outside = outside_connection(all, {7});
    ASSERT_TRUE(outside);
    EXPECT_EQ(readable_address(outside->remote), "127.0.0.1:8080");
}

TEST(Connections, AMappedAddressIsTheSameAddress) {
    auto all = connections_in(k_heading + row("0100007F:C000", "0100007F:1F90", "01", 7));
    const std::string mapped = "0000000000000000FFFF00000100007F";
    for (const auto& one : connections_in(k_heading + row(mapped + ":1F90", mapped + ":C000", "01", 6)))
        all.push_back(one);
    EXPECT_FALSE(outside_connection(all, {6, 7}));
}

TEST(Connections, AddressesAreReadable) {
    EXPECT_EQ(readable_address("0201A8C0:0050"), "192.168.1.2:80");
    EXPECT_EQ(readable_address("00000000000000000000000001000000:0016"), "[::1]:22");
    EXPECT_EQ(readable_address("nonsense"), "nonsense");
}

// ---- CRIU's log ----

TEST(Connections, ThatToThePmixServerIsKnown) {
    using std::string_literals::operator""s;
    const std::string environment =
        "A=1\0PMIX_SERVER_URI41=slurm.pmix.7.0;tcp4://127.0.0.1:50411\0B=tcp4://127.0.0.1:9\0"s;
    EXPECT_TRUE(is_pmix_server(environment, "127.0.0.1:50411"));
    EXPECT_FALSE(is_pmix_server(environment, "127.0.0.1:9"));
    EXPECT_FALSE(is_pmix_server(environment, "127.0.0.1:5041"));
    EXPECT_FALSE(is_pmix_server("", "127.0.0.1:9"));
}

TEST(LogExcerpt, FindsTheFirstError) {
    EXPECT_EQ(
        first_error_of("(00.01) Info\n(00.02) Error (criu/files-reg.c:12): File a has bad size 1 (expect 2)\n"
                       "(00.03) Error (criu/cr-restore.c:1): Restoring FAILED.\n"),
        "File a has bad size 1 (expect 2)");
    EXPECT_EQ(first_error_of("Warn (x): y\n"), "");
    EXPECT_EQ(first_error_of(""), "");
}

TEST(LogExcerpt, ExplainsKnownCauses) {
    const Error size = explain_criu(Code::restore_failed,
                                    "Error (criu/files-reg.c:2183): File tmp/x has bad size 3 (expect 2)\n");
    EXPECT_EQ(size.code, Code::restore_failed);
    EXPECT_NE(size.what.find("another size"), std::string::npos);
    EXPECT_NE(size.what.find("tmp/x"), std::string::npos);
    EXPECT_FALSE(size.hint.empty());
    const Error pipe = explain_criu(
        Code::dump_failed,
        "Error (criu/pipes.c:432): Unable to set a pipe size: Operation not permitted\n");
    EXPECT_EQ(pipe.code, Code::dump_failed);
    EXPECT_NE(pipe.what.find("fs.pipe-user-pages-soft"), std::string::npos);
    EXPECT_FALSE(pipe.hint.empty());
    const Error unknown = explain_criu(Code::dump_failed, "Error (criu/x.c:1): Something new");
    EXPECT_EQ(unknown.what, "CRIU: Something new");
    EXPECT_EQ(explain_criu(Code::dump_failed, "").what, "CRIU gave no reason");
}

} // namespace

} // namespace ckpt
