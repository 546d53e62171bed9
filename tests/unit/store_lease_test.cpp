// SPDX-License-Identifier: GPL-2.0-or-later
// Leases of several holders in one process, on a file server and a clock of the test's own: no more than N
// write at once, whoever dies or is slow, and whatever they do between two steps of each other.
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <random>

#include "store/lease.hpp"
#include "store_testbed.hpp"

namespace ckpt::store::test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using Duration = LeaseClock::Duration;

constexpr Duration k_stale = 60s;

struct Server {
    std::map<std::string, std::string> files;
    Duration now{0};
    std::function<void()> between = [] {};                                 // before every step on files
    std::function<int(const std::string&)> fails = [](auto) { return 0; }; // errno of a step, by its name
};

// One node's view of the server. A node that has died changes nothing any more.
struct Node {
    bool dead = false;
    Duration written_at{0};
};

class FakeFiles : public LeaseFiles {
public:
    FakeFiles(Server& server, Node& node) : m_server(server), m_node(node) {}
    Result<std::vector<std::string>> list() override {
        CKPT_CHECK(step("list"));
        std::vector<std::string> names;
        for (const auto& [name, text] : m_server.files)
            names.push_back(name);
        return names;
    }
    Result<bool> create(const std::string& name, const std::string& text) override {
        CKPT_CHECK(step(text.empty() ? "free" : "create"));
        if (!m_server.files.emplace(name, text).second) return false;
        m_node.written_at = m_server.now;
        CKPT_CHECK(step("created")); // done, and the answer lost
        return true;
    }
    Result<bool> write(const std::string& name, const std::string& text) override {
        CKPT_CHECK(step("write"));
        const auto found = m_server.files.find(name);
        if (found == m_server.files.end()) return false;
        found->second = text;
        m_node.written_at = m_server.now;
        return true;
    }
    Result<std::optional<std::string>> read(const std::string& name) override {
        CKPT_CHECK(step("read"));
        const auto found = m_server.files.find(name);
        return found == m_server.files.end() ? std::nullopt : std::optional(found->second);
    }
    Status remove(const std::string& name) override {
        CKPT_CHECK(step("remove"));
        m_server.files.erase(name);
        return {};
    }

private:
    Status step(const std::string& name) {
        m_server.between();
        const int errnum = m_node.dead ? ESTALE : m_server.fails(name);
        if (errnum == 0) return {};
        return tl::unexpected(Error{Code::os, name, {}, errnum});
    }
    Server& m_server;
    Node& m_node;
};

using Lease = std::unique_ptr<CommitLease>;

class LeaseTest : public ::testing::Test {
protected:
    Result<Lease> acquire(
        Node& node, std::uint32_t slots, Duration patience = 0s,
        std::function<void()> while_waiting = [] {}) {
        LeaseClock clock{[this] { return m_server.now; },
                         [this, while_waiting = std::move(while_waiting)](Duration time) {
                             m_server.now += time;
                             while_waiting();
                         }};
        return CommitLease::acquire(std::make_unique<FakeFiles>(m_server, node),
                                    {.slots = slots, .holder = "n1"}, patience, std::move(clock));
    }
    // The lease of a node that is gone from one moment to the next.
    void die(Lease& lease, Node& node) {
        node.dead = true;
        lease.reset();
    }
    Server m_server;
    std::array<Node, 8> m_nodes{};
};

TEST_F(LeaseTest, NoMoreThanNAndTheNextWhenOneGivesBack) {
    auto first = acquire(m_nodes[0], 2);
    auto second = acquire(m_nodes[1], 2);
    ASSERT_TRUE(first && second);
    EXPECT_NE((*first)->slot(), (*second)->slot());
    const auto third = acquire(m_nodes[2], 2);
    ASSERT_FALSE(third);
    EXPECT_EQ(third.error().code, Code::deadline);
    first->reset();
    EXPECT_TRUE(acquire(m_nodes[2], 2)) << "and gone again at once";
    EXPECT_TRUE(acquire(m_nodes[3], 2));
}

TEST_F(LeaseTest, WhoWaitsGetsWhatIsGivenBackMeanwhile) {
    auto first = acquire(m_nodes[0], 1);
    ASSERT_TRUE(first);
    const auto waits = acquire(m_nodes[1], 1, 40s, [&] {
        if (m_server.now > 20s) first->reset();
    });
    EXPECT_TRUE(waits);
    EXPECT_LE(m_server.now, 40s);
}

TEST_F(LeaseTest, ADeadHoldersPlaceIsTakenWhenItIsStaleAndNotBefore) {
    auto dead = acquire(m_nodes[0], 1);
    ASSERT_TRUE(dead);
    die(*dead, m_nodes[0]);
    m_server.now = 1'000'000s; // how long it has been dead is nothing that a clock here could tell
    const Duration began = m_server.now;
    const auto heir = acquire(m_nodes[1], 1, 10 * k_stale);
    ASSERT_TRUE(heir) << one_line(heir.error());
    EXPECT_GE(m_server.now - began, k_stale);
    EXPECT_LE(m_server.now - began, k_stale + 20s);
}

TEST_F(LeaseTest, TwoHeirsOfOneDead) {
    auto dead = acquire(m_nodes[0], 1);
    ASSERT_TRUE(dead);
    die(*dead, m_nodes[0]);
    Result<Lease> other = tl::unexpected(Error{});
    bool nested = false;
    const auto heir = acquire(m_nodes[1], 1, 3 * k_stale, [&] {
        if (!std::exchange(nested, true)) other = acquire(m_nodes[2], 1, 3 * k_stale);
        if (other) {
            EXPECT_TRUE((*other)->renew());
        }
    });
    EXPECT_TRUE(other);
    EXPECT_FALSE(heir);
}

TEST_F(LeaseTest, WhoRenewsIsNeverTakenOver) {
    auto slow = acquire(m_nodes[0], 1);
    ASSERT_TRUE(slow);
    const auto other = acquire(m_nodes[1], 1, 20 * k_stale, [&] { EXPECT_TRUE((*slow)->renew()); });
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, Code::deadline);
    EXPECT_FALSE((*slow)->was_taken_over());
}

TEST_F(LeaseTest, WhoWasTakenOverSaysSoOnceAndHarmsNobody) {
    auto slow = acquire(m_nodes[0], 1);
    auto heir = acquire(m_nodes[1], 1, 3 * k_stale);
    ASSERT_TRUE(slow && heir);
    const Status told = (*slow)->renew();
    ASSERT_FALSE(told);
    EXPECT_EQ(told.error().code, Code::busy);
    EXPECT_THAT(told.error().what, HasSubstr("taken over"));
    EXPECT_TRUE((*slow)->was_taken_over());
    m_server.now += k_stale;
    EXPECT_TRUE((*slow)->renew()) << "not again";
    EXPECT_TRUE((*heir)->renew());
    slow->reset();
    EXPECT_FALSE(acquire(m_nodes[2], 1)) << "what the slow one gave back is not its own";
    heir->reset();
    EXPECT_TRUE(acquire(m_nodes[2], 1));
}

// The renewal comes between the heir's last look and its new file: not both may think that they hold it.
TEST_F(LeaseTest, ARenewalDuringTheTakeOver) {
    bool kept = false;
    bool lost = false;
    for (int at = 1;; ++at) {
        m_server.files.clear();
        m_nodes = {};
        auto slow = acquire(m_nodes[0], 1);
        ASSERT_TRUE(slow);
        Result<Lease> heir = tl::unexpected(Error{});
        const Duration began = m_server.now;
        int steps = 0;
        std::optional<bool> renewed;
        m_server.between = [&] {
            if (m_server.now - began < k_stale || renewed || ++steps != at) return;
            renewed = false; // its own steps are no steps of the heir
            renewed = (*slow)->renew().has_value();
        };
        heir = acquire(m_nodes[1], 1, k_stale + 20s);
        m_server.between = [] {};
        if (!renewed) break; // the take-over has no more steps
        EXPECT_FALSE(*renewed && heir) << "step " << at;
        kept = kept || *renewed;
        lost = lost || heir;
    }
    EXPECT_TRUE(kept && lost) << "the renewal came too late or too early for both to happen";
}

// Asleep between its look and its new file, while the slot went through several hands.
TEST_F(LeaseTest, WhoWakesUpLateBacksOut) {
    ASSERT_TRUE(acquire(m_nodes[0], 1)) << "taken and given back: number 1";
    Lease held;
    bool asleep = false;
    m_server.fails = [&](const std::string& step) {
        if (step != "create" || std::exchange(asleep, true)) return 0;
        for (int i = 0; i < 5; ++i)
            EXPECT_TRUE(acquire(m_nodes[1], 1));
        auto lease = acquire(m_nodes[1], 1);
        EXPECT_TRUE(lease);
        if (lease) held = std::move(*lease);
        EXPECT_FALSE(m_server.files.contains("slot-0.2")) << "what it is about to create is gone already";
        return 0;
    };
    EXPECT_FALSE(acquire(m_nodes[2], 1));
    ASSERT_TRUE(held);
    m_server.now += k_stale / 2;
    EXPECT_TRUE(held->renew());
    EXPECT_FALSE(acquire(m_nodes[2], 1));
}

TEST_F(LeaseTest, WhateverFailsIsSaidAndKeepsOthersOutForAWhileOnly) {
    for (const std::string broken : {"list", "create", "created", "read", "remove"}) {
        m_server.files.clear();
        m_nodes = {};
        auto dead = acquire(m_nodes[0], 1);
        ASSERT_TRUE(dead);
        die(*dead, m_nodes[0]);
        m_server.fails = [&](const std::string& step) { return step == broken ? EIO : 0; };
        const auto failed = acquire(m_nodes[1], 1, 2 * k_stale);
        if (!failed) {
            EXPECT_EQ(failed.error().code, Code::os) << broken;
            EXPECT_EQ(failed.error().errnum, EIO) << broken;
        } else {
            EXPECT_EQ(broken, "remove") << "nothing that a lease needs";
        }
        m_server.fails = [](auto) { return 0; };
        EXPECT_TRUE(acquire(m_nodes[2], 1, 3 * k_stale) || failed) << broken;
    }
}

TEST_F(LeaseTest, ARenewalThatFailsIsTriedAgainAndIsNoTakeOver) {
    auto lease = acquire(m_nodes[0], 1);
    ASSERT_TRUE(lease);
    for (const std::string broken : {"write", "list"}) {
        m_server.fails = [&](const std::string& step) { return step == broken ? EIO : 0; };
        m_server.now += k_stale / 4;
        const Status failed = (*lease)->renew();
        ASSERT_FALSE(failed);
        EXPECT_EQ(failed.error().errnum, EIO);
        EXPECT_TRUE((*lease)->renew()) << "the server is not asked again at once";
    }
    m_server.fails = [](auto) { return 0; };
    m_server.now += k_stale / 4;
    EXPECT_TRUE((*lease)->renew());
    EXPECT_FALSE((*lease)->was_taken_over());
}

TEST_F(LeaseTest, TheDirectoryStaysSmallAndNumbersRise) {
    m_server.files["README"] = m_server.files["slot-0.x"] = m_server.files["slot-0.007"] = "";
    for (int i = 0; i < 50; ++i)
        ASSERT_TRUE(acquire(m_nodes[0], 1));
    EXPECT_TRUE(m_server.files.contains("slot-0.50"));
    EXPECT_LE(m_server.files.size(), 3U + 4U);
    EXPECT_TRUE(m_server.files.contains("slot-0.007")) << "not ours";
}

TEST_F(LeaseTest, NodesWithDifferentLimits) {
    auto first = acquire(m_nodes[0], 3);
    auto second = acquire(m_nodes[1], 3);
    auto third = acquire(m_nodes[2], 3);
    ASSERT_TRUE(first && second && third);
    EXPECT_FALSE(acquire(m_nodes[3], 1));
    for (auto* lease : {&first, &second, &third})
        if ((**lease)->slot() == 0) (*lease)->reset();
    EXPECT_TRUE(acquire(m_nodes[3], 1));
}

// Any number of nodes that begin, write, sleep, die, give back and meet errors between any two steps of each
// other: never are there more than N that have renewed within `stale`.
class LeaseStorm : public LeaseTest, public ::testing::WithParamInterface<unsigned> {
protected:
    struct Actor {
        Node node;
        Lease lease;
        bool busy = false;
        Duration alive_at{0}; // the last moment that is sure to be seen by others
    };
    unsigned roll(unsigned sides) { return std::uniform_int_distribution(0U, sides - 1)(m_random); }

    void act(Actor& actor) {
        if (std::exchange(actor.busy, true)) return;
        if (!actor.lease)
            start(actor);
        else if (const unsigned what = roll(10); what == 0)
            actor.lease.reset();
        else if (what == 1)
            die(actor.lease, actor.node);
        else if (what < 8)
            renew(actor);
        actor.busy = false;
        check();
    }
    // A renewal whose second half has failed is none: it may have come too late.
    void renew(Actor& actor) {
        const Duration before = actor.node.written_at;
        if (actor.lease->renew() && !actor.lease->was_taken_over() && actor.node.written_at != before)
            actor.alive_at = actor.node.written_at;
    }
    void start(Actor& actor) {
        actor.node.dead = false;
        auto lease = acquire(actor.node, k_slots, Duration(roll(200'000)), [this] { disturb(8); });
        if (!lease) return;
        ++m_acquired;
        actor.lease = std::move(*lease);
        actor.alive_at = actor.node.written_at;
    }
    void disturb(unsigned most) {
        for (unsigned i = roll(most); i > 0; --i) {
            m_server.now += Duration(roll(3) == 0 ? roll(20'000) : 0);
            act(m_actors[roll(k_nodes)]);
        }
    }
    void check() {
        const auto alive = [&](const Actor& actor) {
            return actor.lease && !actor.lease->was_taken_over() && m_server.now - actor.alive_at < k_stale;
        };
        ASSERT_LE(std::ranges::count_if(m_actors, alive), k_slots);
    }
    static constexpr unsigned k_slots = 3;
    static constexpr unsigned k_nodes = 7;
    std::mt19937 m_random{GetParam()};
    std::array<Actor, k_nodes> m_actors{};
    unsigned m_acquired = 0;
};

TEST_P(LeaseStorm, NeverMoreThanNThatAreAlive) {
    m_server.between = [this] {
        if (roll(6) == 0) disturb(3);
    };
    m_server.fails = [this](const std::string&) { return roll(40) == 0 ? EIO : 0; };
    for (int i = 0; i < 400 && !HasFatalFailure(); ++i) {
        m_server.now += Duration(roll(15'000));
        act(m_actors[roll(k_nodes)]);
    }
    EXPECT_GT(m_acquired, 20U);
    m_server.between = [] {};
    for (Actor& actor : m_actors)
        actor.lease.reset();
}

INSTANTIATE_TEST_SUITE_P(Seeds, LeaseStorm, ::testing::Range(0U, 60U));

TEST(LeaseDirectory, IsWhereProcessesAgree) {
    const TempDir temp;
    const auto files = [&] {
        auto dir = open_lease_dir(temp.path());
        EXPECT_TRUE(dir) << one_line(dir.error());
        return std::make_unique<DirLeaseFiles>(std::move(*dir));
    };
    auto first = CommitLease::acquire(files(), {.slots = 1, .holder = "node\n1"}, 0ms);
    ASSERT_TRUE(first) << one_line(first.error());
    EXPECT_THAT(read_file(temp.path() / "slot-0.1"), HasSubstr("node?1\n"));
    EXPECT_EQ(fs::status(temp.path() / "slot-0.1").permissions(),
              fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_FALSE(CommitLease::acquire(files(), {.slots = 1, .holder = "n2"}, 0ms));
    first->reset();
    const auto second = CommitLease::acquire(files(), {.slots = 1, .holder = "n2"}, 0ms);
    ASSERT_TRUE(second) << one_line(second.error());
    EXPECT_TRUE(fs::exists(temp.path() / "slot-0.2"));
    fs::remove_all(temp.path());
    DirLeaseFiles gone(open_path("/proc/self"));
    EXPECT_FALSE(gone.create("slot-0.1", "x"));
}

TEST(LeaseDirectory, AHolderWhoseFileIsGoneSaysSo) {
    const TempDir temp;
    DirLeaseFiles files(open_path(temp.path()));
    EXPECT_EQ(files.create("slot-0.1", "one"), true);
    EXPECT_EQ(files.create("slot-0.1", "two"), false);
    EXPECT_EQ(files.write("slot-0.1", "TWO"), true);
    EXPECT_EQ(*files.read("slot-0.1"), "TWO");
    EXPECT_TRUE(files.remove("slot-0.1"));
    EXPECT_TRUE(files.remove("slot-0.1"));
    EXPECT_EQ(files.write("slot-0.1", "TWO"), false);
    EXPECT_EQ(*files.read("slot-0.1"), std::nullopt);
    write_file(temp.path() / "long", std::string(1000, 'x'));
    EXPECT_EQ((*files.read("long"))->size(), LeaseFiles::k_text_max);
    fs::create_symlink("/etc/passwd", temp.path() / "link");
    EXPECT_FALSE(files.read("link"));
}

TEST(LeaseDirectory, WhereOthersMayWriteIsRefused) {
    const TempDir temp;
    ASSERT_TRUE(open_lease_dir(temp.path()));
    ASSERT_EQ(::chmod(temp.path().c_str(), 0770), 0);
    const auto dir = open_lease_dir(temp.path());
    ASSERT_FALSE(dir);
    EXPECT_EQ(dir.error().code, Code::not_permitted);
    EXPECT_EQ(open_lease_dir(temp.path() / "none").error().errnum, ENOENT);
}

} // namespace
} // namespace ckpt::store::test
