// SPDX-License-Identifier: GPL-2.0-or-later
// A dump that waits for others: says that its tree stands still, waits, goes on or gives up as it is told.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <thread>

#include "os/files.hpp"
#include "testbed.hpp"

namespace ckpt::testing {

namespace {

constexpr const char* k_counter = "for ((i = 1; ; i++)); do echo $i; sleep 0.01; done";
constexpr std::chrono::milliseconds k_look{300}; // thirty times what it takes the counter to count

class Gate : public CriuTest {
protected:
    void SetUp() override {
        CriuTest::SetUp();
        if (IsSkipped()) return;
        m_task = make_task();
        m_task->start(k_counter);
        ASSERT_EQ(m_task->report().status, wire::InitStatus::started);
        ASSERT_TRUE(runs());
    }
    void TearDown() override {
        m_task.reset();
        CriuTest::TearDown();
    }

    static Fd memory(const std::string& content) {
        Fd fd(::memfd_create("state", MFD_CLOEXEC));
        EXPECT_TRUE(write_all(fd.get(), content));
        return fd;
    }
    static std::string content_of(int fd) {
        EXPECT_EQ(::lseek(fd, 0, SEEK_SET), 0);
        return read_all(fd, 1 << 20).value_or("cannot be read");
    }
    bool runs() {
        const std::size_t before = m_task->output().size();
        return eventually([&] { return m_task->output().size() > before + 10; });
    }
    // Nothing shows that something does not happen; it has had time to.
    bool stands_still() {
        const std::string before = m_task->output();
        std::this_thread::sleep_for(k_look);
        return m_task->output() == before;
    }
    // The same at both gates: notes which, and whether the tree stood still there.
    GateAnswer look(const char* gate, GateAnswer answer) {
        m_gates.emplace_back(gate);
        if (!stands_still()) m_gates.emplace_back("moves");
        return answer;
    }
    DumpCall call_with(GateAnswer at_stopped, GateAnswer at_taken) {
        DumpCall call;
        call.state = m_state.get();
        call.at_stopped = [this, at_stopped] { return look("stopped", at_stopped); };
        call.at_taken = [this, at_taken] { return look("taken", at_taken); };
        return call;
    }
    // The tree runs on, and the next dump of it is as good as any.
    void expect_unharmed() {
        EXPECT_TRUE(runs());
        const Fd images = images_dir("next");
        ASSERT_OK(call_dump(*m_task, images.get()));
        EXPECT_TRUE(runs());
    }

    std::unique_ptr<Task> m_task;
    Fd m_state = memory("what the shim keeps");
    std::vector<std::string> m_gates;
};

using Gates = std::vector<std::string>;

const GateAnswer k_go_on = wire::Outcome{};
const GateAnswer k_give_up = wire::outcome_of({Code::dump_failed, "another tree cannot be dumped", "", 0});
const GateAnswer k_hang_up = std::nullopt;

TEST_F(Gate, ATreeStandsStillUntilItMayBeLookedAt) {
    const Fd images = images_dir("gen-1");
    ASSERT_OK(call_dump(*m_task, images.get(), call_with(k_go_on, k_hang_up)));
    EXPECT_EQ(m_gates, Gates{"stopped"});
    EXPECT_TRUE(runs());
}

TEST_F(Gate, TogetherWithOthersItStandsStillUntilAllAreTaken) {
    DumpCall call = call_with(k_go_on, k_go_on);
    call.together = true;
    const Fd images = images_dir("gen-1");
    const auto dumped = call_dump(*m_task, images.get(), call);
    ASSERT_OK(dumped);
    EXPECT_EQ(m_gates, (Gates{"stopped", "taken"}));
    EXPECT_GE(dumped->frozen_us, 2 * std::chrono::microseconds(k_look).count()) << "the waiting counts";
    EXPECT_TRUE(runs());
}

// The batch script's own tree may be the one without a shim's state.
TEST_F(Gate, WithoutAStateOnlyTheEndIsAwaited) {
    DumpCall call = call_with(k_hang_up, k_go_on);
    call.state = -1;
    call.together = true;
    const Fd images = images_dir("gen-1");
    ASSERT_OK(call_dump(*m_task, images.get(), call));
    EXPECT_EQ(m_gates, Gates{"taken"});
    EXPECT_TRUE(runs());
}

TEST_F(Gate, ATreeThatIsToStayStoppedDoes) {
    DumpCall call = call_with(k_go_on, k_go_on);
    call.together = true;
    call.leave_stopped = true;
    const Fd images = images_dir("gen-1");
    ASSERT_OK(call_dump(*m_task, images.get(), call));
    EXPECT_EQ(m_gates, (Gates{"stopped", "taken"}));
    EXPECT_TRUE(stands_still());
}

// Where a dump can come to nothing: before anything was looked at, or with its images complete. In both the
// tree runs on, even if it was to stay stopped.
struct Ending {
    const char* name;
    GateAnswer at_stopped;
    GateAnswer at_taken;
    bool leave_stopped;
};

class GateEnds : public Gate, public ::testing::WithParamInterface<Ending> {};

TEST_P(GateEnds, AndTheTreeRunsOn) {
    DumpCall call = call_with(GetParam().at_stopped, GetParam().at_taken);
    call.together = true;
    call.leave_stopped = GetParam().leave_stopped;
    const Fd images = images_dir("gen-1");
    const auto dumped = call_dump(*m_task, images.get(), call);
    ASSERT_FALSE(dumped);
    const bool early = GetParam().at_stopped.has_value() && GetParam().at_stopped->code == 0;
    EXPECT_EQ(m_gates, early ? (Gates{"stopped", "taken"}) : Gates{"stopped"});
    const bool hung_up = !GetParam().at_stopped || !GetParam().at_taken;
    if (!hung_up) {
        EXPECT_EQ(dumped.error().code, Code::dump_failed);
        EXPECT_NE(dumped.error().what.find("another tree cannot be dumped"), std::string::npos)
            << one_line(dumped.error());
    }
    expect_unharmed();
}

INSTANTIATE_TEST_SUITE_P(At, GateEnds,
                         ::testing::Values(Ending{"StoppedGivenUp", k_give_up, k_go_on, false},
                                           Ending{"TakenGivenUp", k_go_on, k_give_up, false},
                                           Ending{"StoppedHungUp", k_hang_up, k_go_on, false},
                                           Ending{"TakenHungUp", k_go_on, k_hang_up, false},
                                           Ending{"StoppedGivenUpToStayStopped", k_give_up, k_go_on, true},
                                           Ending{"TakenGivenUpToStayStopped", k_go_on, k_give_up, true},
                                           Ending{"StoppedHungUpToStayStopped", k_hang_up, k_go_on, true},
                                           Ending{"TakenHungUpToStayStopped", k_go_on, k_hang_up, true}),
                         [](const auto& ending) { return std::string(ending.param.name); });

// Nobody who waits forever keeps a job from running.
TEST_F(Gate, OneThatIsNotAnsweredGivesUpInItsTime) {
    DumpCall call = call_with(k_go_on, k_go_on);
    call.timeout_ms = 2000;
    call.at_stopped = [this] {
        m_gates.emplace_back("stopped");
        EXPECT_TRUE(runs()) << "while the answer is still to come";
        return k_go_on;
    };
    const Fd images = images_dir("gen-1");
    const auto dumped = call_dump(*m_task, images.get(), call);
    ASSERT_FALSE(dumped);
    EXPECT_EQ(dumped.error().code, Code::dump_timeout) << one_line(dumped.error());
    EXPECT_EQ(m_gates, Gates{"stopped"});
    expect_unharmed();
}

TEST_F(Gate, WhatIsNoMemoryOfTheShimsIsRefused) {
    auto pipe = make_pipe();
    DumpCall call = call_with(k_go_on, k_go_on);
    call.state = pipe->read.get(); // nobody writes to it: a read would wait
    const Fd images = images_dir("gen-1");
    const auto dumped = call_dump(*m_task, images.get(), call);
    ASSERT_FALSE(dumped);
    EXPECT_EQ(dumped.error().code, Code::dump_refused) << one_line(dumped.error());
    expect_unharmed();
}

// What it holds when the tree stands still, not what it held before.
TEST_F(Gate, TheShimsStateComesBackForTheNextShim) {
    DumpCall call = call_with(k_go_on, k_go_on);
    call.at_stopped = [this] {
        EXPECT_EQ(::ftruncate(m_state.get(), 0), 0);
        EXPECT_EQ(::lseek(m_state.get(), 0, SEEK_SET), 0);
        EXPECT_TRUE(write_all(m_state.get(), "the last line"));
        return k_go_on;
    };
    call.leave_stopped = true;
    const Fd images = images_dir("gen-1");
    ASSERT_OK(call_dump(*m_task, images.get(), call));
    m_task->kill_tree();
    m_task->renew(m_task->output_name());
    Fd next;
    RestoreCall restore;
    restore.state = &next;
    restore.tree_was_stopped = true;
    ASSERT_OK(call_restore(*m_task, images.get(), m_tails.get(), restore));
    ASSERT_TRUE(next);
    EXPECT_EQ(content_of(next.get()), "the last line");
    EXPECT_EQ(content_of(m_state.get()), "the last line") << "the old one is nobody's any more";
    EXPECT_TRUE(runs());
}

TEST_F(Gate, AShimWithoutAStateGetsTheTreeAllTheSame) {
    const Fd images = images_dir("gen-1");
    ASSERT_OK(call_dump(*m_task, images.get(), call_with(k_go_on, k_go_on)));
    m_task->kill_tree();
    m_task->renew(m_task->output_name());
    ASSERT_OK(call_restore(*m_task, images.get(), m_tails.get()));
    EXPECT_TRUE(runs());
}

} // namespace

} // namespace ckpt::testing
