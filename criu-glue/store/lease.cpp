// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/lease.hpp"

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <format>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

namespace ckpt::store {
namespace {

constexpr std::string_view k_prefix = "slot-";
constexpr std::string_view k_free = ".free";
constexpr std::size_t k_holder_max = 64;

struct Name {
    std::uint32_t slot = 0;
    std::uint64_t number = 0;
    bool is_free = false;
};

std::string name_of(std::uint32_t slot, std::uint64_t number) {
    return std::format("{}{}.{}", k_prefix, slot, number);
}

template <typename T>
bool take_number(std::string_view& text, T& value) {
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{}) return false;
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
    return true;
}

// Nothing: not one of ours, and none of our business.
std::optional<Name> parse(const std::string& file) {
    std::string_view text = file;
    if (!text.starts_with(k_prefix)) return std::nullopt;
    text.remove_prefix(k_prefix.size());
    Name name;
    if (!take_number(text, name.slot) || !text.starts_with('.')) return std::nullopt;
    text.remove_prefix(1);
    if (!take_number(text, name.number) || name.number == 0) return std::nullopt;
    name.is_free = text == k_free;
    const std::string again = name_of(name.slot, name.number) + (name.is_free ? std::string(k_free) : "");
    return again == file ? std::optional(name) : std::nullopt; // one spelling
}

std::uint64_t random_number() {
    std::uint64_t value = 0;
    if (::getrandom(&value, sizeof value, 0) != static_cast<ssize_t>(sizeof value))
        value = static_cast<std::uint64_t>(::getpid());
    return value;
}

// One line, whatever a node is called.
std::string plain(std::string text) {
    if (text.size() > k_holder_max) text.resize(k_holder_max);
    std::ranges::replace_if(text, [](char c) { return c < ' ' || c > '~'; }, '?');
    return text;
}

} // namespace

LeaseClock LeaseClock::monotonic() {
    return {[] {
                return std::chrono::duration_cast<Duration>(
                    std::chrono::steady_clock::now().time_since_epoch());
            },
            [](Duration time) { std::this_thread::sleep_for(time); }};
}

CommitLease::CommitLease(std::unique_ptr<LeaseFiles> files, LeaseTerms terms, LeaseClock clock)
    : m_files(std::move(files)), m_terms(std::move(terms)), m_clock(std::move(clock)),
      m_random(random_number()) {
    m_terms.holder = plain(std::move(m_terms.holder));
    m_terms.slots = std::max(m_terms.slots, 1U);
}

Result<std::unique_ptr<CommitLease>> CommitLease::acquire(std::unique_ptr<LeaseFiles> files, LeaseTerms terms,
                                                          Duration patience, LeaseClock clock) {
    std::unique_ptr<CommitLease> lease(new CommitLease(std::move(files), std::move(terms), std::move(clock)));
    const Duration deadline = lease->m_clock.now() + patience;
    Duration pause = lease->m_terms.look_every;
    for (;;) {
        CKPT_TRY(const bool taken, lease->try_once());
        if (taken) return lease;
        const Duration left = deadline - lease->m_clock.now();
        if (left.count() <= 0)
            return fail(Code::deadline, std::format("all {} places for writing to the store are taken",
                                                    lease->m_terms.slots));
        lease->m_clock.wait(std::min(pause, left));
        pause = std::min(pause * 2, lease->m_terms.look_every_at_most);
    }
}

Result<std::vector<CommitLease::Slot>> CommitLease::look() {
    CKPT_TRY(const auto files, m_files->list());
    std::vector<Slot> slots(m_terms.slots);
    for (const std::string& file : files) {
        const auto name = parse(file);
        if (!name || name->slot >= slots.size()) continue;
        Slot& slot = slots[name->slot];
        if (name->number > slot.highest) slot = {name->number, false};
        if (name->number == slot.highest && name->is_free) slot.given_back = true;
    }
    return slots;
}

// Reads a lease now and then, and remembers it. The second of two looks begins `stale` after the first has
// ended, so nothing was written in between.
Result<bool> CommitLease::is_stale(std::uint32_t slot, std::uint64_t number) {
    Seen& seen = m_seen[slot];
    const Duration begins = m_clock.now();
    const bool known = seen.number == number;
    if (known && begins - seen.looked_at < m_terms.stale / 4 && begins - seen.since < m_terms.stale)
        return false; // reading costs the file server more than listing, and there may be many who wait
    CKPT_TRY(const auto text, m_files->read(name_of(slot, number)));
    if (!text) {
        m_seen.erase(slot);
        return false;
    }
    if (known && *text == seen.text) {
        seen.looked_at = m_clock.now();
        return begins - seen.since >= m_terms.stale;
    }
    const Duration ended = m_clock.now();
    seen = {number, *text, ended, ended};
    return false;
}

// Begins at a slot of its own, so that those who wait do not all try the same one.
Result<bool> CommitLease::try_once() {
    CKPT_TRY(const auto slots, look());
    for (std::size_t i = 0; i < slots.size(); ++i) {
        const auto slot = static_cast<std::uint32_t>((m_random + i) % slots.size());
        const Slot& state = slots[slot];
        bool can_take = state.highest == 0 || state.given_back;
        if (!can_take) {
            CKPT_TRY(can_take, is_stale(slot, state.highest));
        }
        if (!can_take) continue;
        CKPT_TRY(const bool taken, take(slot, state));
        if (taken) return true;
    }
    return false;
}

Result<bool> CommitLease::take(std::uint32_t slot, const Slot& before) {
    m_slot = slot;
    m_number = before.highest + 1;
    m_beats = 0;
    const Duration began = m_clock.now();
    CKPT_TRY(const bool created, m_files->create(name_of(slot, m_number), text()));
    if (!created) return false;
    auto taken = is_taken(before);
    if (taken && *taken) {
        m_held = true;
        m_renewed_at = began;
        tidy();
    } else {
        (void)m_files->remove(name_of(slot, m_number));
    }
    return taken;
}

// Looks at what the others may have done before our file was there.
Result<bool> CommitLease::is_taken(const Slot& before) {
    CKPT_TRY(const auto slots, look());
    if (slots[m_slot].highest != m_number || slots[m_slot].given_back) return false;
    if (before.highest == 0 || before.given_back) return true;
    CKPT_TRY(const auto stale, m_files->read(name_of(m_slot, before.highest)));
    return stale && *stale == m_seen[m_slot].text;
}

// What is in the way of nobody; the next holder does what fails now.
void CommitLease::tidy() {
    const auto files = m_files->list();
    if (!files) return;
    for (const std::string& file : *files) {
        const auto name = parse(file);
        if (name && name->slot == m_slot && name->number + 1 < m_number) (void)m_files->remove(file);
    }
}

Status CommitLease::renew() {
    const Duration now = m_clock.now();
    if (m_lost || now - m_renewed_at < m_terms.stale / 4) return {};
    m_renewed_at = now;
    ++m_beats;
    CKPT_TRY(bool ours, m_files->write(name_of(m_slot, m_number), text()));
    if (ours) {
        CKPT_TRY(const auto slots, look());
        ours = slots[m_slot].highest == m_number;
    }
    if (ours) return {};
    m_lost = true;
    return fail(
        Code::busy,
        std::format("the place for writing to the store was taken over after {} s without a sign of life; "
                    "more than {} may write now",
                    m_terms.stale.count() / 1000, m_terms.slots));
}

CommitLease::~CommitLease() {
    // The highest number stays, so that it is never used twice. If this fails, others wait until it is stale.
    if (m_held && !m_lost) (void)m_files->create(name_of(m_slot, m_number) + std::string(k_free), {});
}

// Always of the same length, so that nothing of an earlier one stays behind.
std::string CommitLease::text() const {
    return std::format("{:020} {:016x} {}\n", m_beats, m_random, m_terms.holder);
}

} // namespace ckpt::store
