// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include <csignal>
#include <cstdint>

#include "tracer/thread.hpp"

namespace ckpt::tracing {

namespace {

constexpr int stopped_by(int signal, int event = 0) {
    return event << 16 | signal << 8 | 0x7f;
}
constexpr int k_event_stop = 128; // PTRACE_EVENT_STOP
constexpr int k_syscall_stop = stopped_by(SIGTRAP | 0x80);
constexpr int k_exited = 0;

Thread daemon() {
    Thread thread;
    thread.leads_process = true;
    thread.before_signal_mask(0x11, ~0ULL);
    thread.registers_taken("own", "fpu", false);
    return thread;
}

TEST(TracedThread, AnInjectedSystemCallIsAwayUntilCriuSetsTheRegistersAgain) {
    Thread thread;
    thread.leads_process = true;
    thread.registers_taken("own", "fpu", true);
    EXPECT_TRUE(thread.must_be_brought_home());
    EXPECT_EQ(thread.registers, "own");
    thread.registers_given_back();
    EXPECT_FALSE(thread.must_be_brought_home());
    thread.registers_taken("own, later", "fpu", true);
    EXPECT_EQ(thread.registers, "own, later");
}

TEST(TracedThread, OnlyAFirstThreadRunsTheDaemon) {
    Thread other;
    other.registers_taken("own", "fpu", false);
    EXPECT_TRUE(other.must_be_brought_home());
    EXPECT_FALSE(other.runs_daemon());
    EXPECT_FALSE(daemon().must_be_brought_home());
    EXPECT_TRUE(daemon().runs_daemon());
}

TEST(TracedThread, TheMaskIsTheOneBeforeTheFirstChange) {
    Thread thread;
    thread.before_signal_mask(0x11, 0xff);
    thread.before_signal_mask(0xff, 0xf0);
    EXPECT_EQ(thread.signal_mask, 0x11U);
    thread.before_signal_mask(0xf0, 0x11);
    EXPECT_FALSE(thread.signal_mask);
}

TEST(TracedThread, ASigstopInTheParasiteIsPutOff) {
    Thread thread = daemon();
    thread.stopped(stopped_by(SIGSTOP), false);
    EXPECT_TRUE(thread.may_go_on_unseen());
    EXPECT_TRUE(thread.owes_stop);
    thread.continued();
    EXPECT_TRUE(thread.owes_stop);
    EXPECT_FALSE(thread.has_failed());
    Thread at_home;
    at_home.stopped(stopped_by(SIGSTOP), false);
    EXPECT_FALSE(at_home.may_go_on_unseen());
    EXPECT_FALSE(at_home.owes_stop);
}

TEST(TracedThread, ADaemonIsSteppedUntilItsConnectionIsKept) {
    Thread thread = daemon();
    EXPECT_TRUE(thread.is_watched());
    thread.continued(true);
    thread.stopped(k_syscall_stop, false);
    EXPECT_TRUE(thread.may_go_on_unseen());
    thread.connection = Fd(::dup(0));
    EXPECT_FALSE(thread.is_watched());
    EXPECT_TRUE(thread.may_go_on_unseen()); // the last such stop
    thread.continued();
    thread.stopped(k_syscall_stop, false);
    EXPECT_FALSE(thread.may_go_on_unseen()); // criu's own
}

TEST(TracedThread, AStopThatCriuHasAskedForIsItsOwn) {
    Thread thread = daemon();
    thread.continued(true);
    thread.interrupted = true;
    thread.stopped(k_syscall_stop, false);
    EXPECT_FALSE(thread.may_go_on_unseen());
}

TEST(TracedThread, ASigcontIsNoneOfCriusBusinessWhileItsCodeRuns) {
    constexpr int notice = stopped_by(SIGTRAP, k_event_stop);
    Thread thread = daemon();
    thread.connection = Fd(::dup(0));
    thread.continued(false, true);
    thread.stopped(notice, false);
    EXPECT_TRUE(thread.may_go_on_unseen());
    EXPECT_TRUE(thread.to_syscall); // as it went before
    thread.stopped(stopped_by(SIGSTOP, k_event_stop), false);
    EXPECT_FALSE(thread.may_go_on_unseen());
    thread.continued();
    thread.interrupted = true;
    thread.stopped(notice, false);
    EXPECT_FALSE(thread.may_go_on_unseen());

    Thread other;
    other.stopped(notice, false);
    EXPECT_FALSE(other.may_go_on_unseen()); // the stop in which criu seizes it
    other.registers_taken("own", "fpu", true);
    other.stopped(notice, false);
    EXPECT_TRUE(other.may_go_on_unseen());
}

TEST(TracedThread, ADaemonThatReturnsWaitsAndIsHomeAfterTheSigreturn) {
    Thread thread = daemon();
    thread.continued(true);
    thread.stopped(k_syscall_stop, true);
    EXPECT_FALSE(thread.may_go_on_unseen());
    EXPECT_TRUE(thread.runs_daemon());
    thread.continued();
    thread.stopped(k_syscall_stop, false);
    EXPECT_EQ(thread.place, Place::own_code);
    EXPECT_FALSE(thread.signal_mask);
}

TEST(TracedThread, AParasiteThatCrashesOrIsStoppedHasFailed) {
    Thread thread = daemon();
    thread.connection = Fd(::dup(0));
    for (const int bad : {stopped_by(SIGSEGV), stopped_by(SIGSTOP), SIGKILL}) {
        thread.stopped(bad, false);
        EXPECT_TRUE(thread.has_failed()) << bad;
    }
    for (const int good : {stopped_by(SIGTRAP), k_syscall_stop, stopped_by(SIGTRAP, k_event_stop)}) {
        thread.stopped(good, false);
        EXPECT_FALSE(thread.has_failed()) << good;
    }
}

TEST(TracedWords, KeepWhatWasThereFirst) {
    Words words;
    words.before_write(0x1000, 1, 2);
    words.before_write(0x1000, 2, 3);
    EXPECT_EQ(words.originals().at(0x1000), 1U);
    EXPECT_TRUE(words.contains(0x1000));
    EXPECT_TRUE(words.contains(0x1007));
    EXPECT_FALSE(words.contains(0x1008));
    EXPECT_FALSE(words.contains(0xfff));
    words.before_write(0x1000, 3, 1);
    EXPECT_TRUE(words.originals().empty());
}

TEST(TracedSignal, OnlyWhatWasOnItsWayIsDelivered) {
    EXPECT_EQ(signal_to_deliver(stopped_by(SIGUSR1), true), SIGUSR1);
    EXPECT_EQ(signal_to_deliver(stopped_by(SIGSEGV), false), SIGSEGV);
    EXPECT_EQ(signal_to_deliver(stopped_by(SIGTRAP), true), SIGTRAP);
    EXPECT_EQ(signal_to_deliver(stopped_by(SIGTRAP), false), 0); // criu's int3
    EXPECT_EQ(signal_to_deliver(stopped_by(SIGTRAP, k_event_stop), false), 0);
    EXPECT_EQ(signal_to_deliver(stopped_by(SIGSTOP, k_event_stop), false), 0); // a group stop
    EXPECT_EQ(signal_to_deliver(k_syscall_stop, false), 0);
    EXPECT_EQ(signal_to_deliver(k_exited, false), 0);
}

TEST(TracedSignal, CriuIsToldOfStopsThatItKnows) {
    constexpr auto stop_by = [](int signal) { return signal | (k_event_stop << 8); };
    EXPECT_EQ(stop_signal_for_criu(SIGTTIN, stop_by(SIGTTIN)), SIGSTOP);
    EXPECT_EQ(stop_signal_for_criu(SIGTTOU, stop_by(SIGTTOU)), SIGSTOP);
    EXPECT_EQ(stop_signal_for_criu(SIGTSTP, stop_by(SIGTSTP)), SIGTSTP);
    EXPECT_EQ(stop_signal_for_criu(SIGTRAP, stop_by(SIGTRAP)), SIGTRAP);
    EXPECT_EQ(stop_signal_for_criu(SIGTTIN, SI_USER), SIGTTIN); // on its way to a handler
}

} // namespace

} // namespace ckpt::tracing
