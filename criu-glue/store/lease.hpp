// SPDX-License-Identifier: GPL-2.0-or-later
// At most N at once in the whole cluster: leases that are files in a directory which all nodes share. What is
// limited is load: nothing is wrong in the store when there are too many for a while. flock(2) and fcntl(2)
// locks are not used: many mounts of NFS and Lustre have none.
//
// There are N slots. A slot's history is a row of files with rising numbers:
//   slot-I.K       lease K of slot I; its text has a counter that the holder raises: its heartbeat
//   slot-I.K.free  beside it: the holder has given it back
// The lease with the highest number is the slot's, unless it was given back. To take a slot is to create
// K + 1, which the file server lets one node do and no other. A lease is taken when K was given back, or when
// K's text was the same in two looks that are `stale` apart by the observer's own monotonic clock; no clock
// of another node matters.
//
// Races:
// - Two take the same slot: both create K + 1, one gets EEXIST.
// - One looks, sleeps long and then creates K + 1: meanwhile K + 1 may have been taken, given back and
//   removed. So who has created a file lists the directory again, and backs out when there is a higher
//   number. The highest number that was ever held never goes away: the holder of K removes what is lower
//   than K - 1 and nothing else, whoever backs out removes what it never held. So a number that was passed is
//   seen to be passed.
// - The holder of K was only slow, and renews while K + 1 is being created. The holder writes and then lists;
//   the other one creates and then reads K once more, and backs out when it has changed. Whichever comes
//   first, one of them notices, perhaps both.
// - A holder whose lease was taken over learns it when it renews, says so, and goes on; what it writes or
//   gives back then touches only its own files.
// - A listing that is not atomic may miss a file that appears or goes while it is made; the second one,
//   after the file was created, would have to miss it too, and the slot to have been taken twice meanwhile.
// - Whoever empties the directory at work lets every slot be taken once more.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "result/result.hpp"
#include "store/lease_files.hpp"

namespace ckpt::store {

// Monotonic time and waiting, so that tests need neither.
struct LeaseClock {
    using Duration = std::chrono::milliseconds;
    std::function<Duration()> now; // since whenever
    std::function<void(Duration)> wait;
    static LeaseClock monotonic();
};

struct LeaseTerms {
    std::uint32_t slots = 1;                // N; nodes may differ for a while: the largest counts
    std::string holder;                     // for people: "node job generation", cut to 64 characters
    LeaseClock::Duration stale{60'000};     // a holder that has not renewed for so long is dead
    LeaseClock::Duration look_every{1'000}; // at first; while it waits this doubles …
    LeaseClock::Duration look_every_at_most{15'000}; // … up to this
};

class CommitLease {
public:
    using Duration = LeaseClock::Duration;

    // Waits up to `patience` for a slot. Code::deadline: all were taken; Code::os and errnum: the directory
    // cannot be used. Neither leaves anything behind that keeps others out, unless the file server fails at
    // that too, and then only for `stale`.
    static Result<std::unique_ptr<CommitLease>> acquire(std::unique_ptr<LeaseFiles> files, LeaseTerms terms,
                                                        Duration patience,
                                                        LeaseClock clock = LeaseClock::monotonic());

    CommitLease(const CommitLease&) = delete;
    CommitLease& operator=(const CommitLease&) = delete;
    CommitLease(CommitLease&&) = delete;
    CommitLease& operator=(CommitLease&&) = delete;
    ~CommitLease(); // gives it back

    // To be called often, however cheap the caller thinks it is: does nothing before a quarter of `stale` has
    // passed since the last renewal. Code::busy, once, when the lease was taken over; Code::os when the
    // directory did not work, which is tried again after as long. The caller goes on in any case.
    Status renew();
    [[nodiscard]] bool was_taken_over() const { return m_lost; }
    [[nodiscard]] std::uint32_t slot() const { return m_slot; }

private:
    // What was seen of a slot's lease, and since when it has not changed.
    struct Seen {
        std::uint64_t number = 0;
        std::string text;
        Duration since{0};
        Duration looked_at{0};
    };
    struct Slot {
        std::uint64_t highest = 0; // 0 = never taken
        bool given_back = false;
    };

    CommitLease(std::unique_ptr<LeaseFiles> files, LeaseTerms terms, LeaseClock clock);
    Result<std::vector<Slot>> look();
    Result<bool> is_stale(std::uint32_t slot, std::uint64_t number);
    Result<bool> try_once();
    Result<bool> take(std::uint32_t slot, const Slot& before);
    Result<bool> is_taken(const Slot& before);
    void tidy();
    [[nodiscard]] std::string text() const;

    std::unique_ptr<LeaseFiles> m_files;
    LeaseTerms m_terms;
    LeaseClock m_clock;
    std::uint64_t m_random;
    std::map<std::uint32_t, Seen> m_seen;

    bool m_held = false;
    bool m_lost = false;
    std::uint32_t m_slot = 0;
    std::uint64_t m_number = 0;
    std::uint64_t m_beats = 0;
    Duration m_renewed_at{0};
};

} // namespace ckpt::store
