// SPDX-License-Identifier: GPL-2.0-or-later
// ckptd has gone: when it is looked for, and when that is worth a line in the job's output. Times are
// milliseconds of one clock.
#pragma once

#include <cstdint>
#include <optional>

namespace ckpt {

class Absence {
public:
    // It has gone, or has gone again before it knew us.
    void begin(std::int64_t now, std::int64_t complain_ms);
    // It is back. True when its absence was complained about.
    bool end();
    // It is back and does not know us: it is not looked for any more.
    void give_up() { m_next_look.reset(); }
    void looked(std::int64_t now);

    [[nodiscard]] bool lasts() const { return m_since.has_value(); }
    [[nodiscard]] bool is_sought() const { return m_next_look.has_value(); }
    [[nodiscard]] bool is_time_to_look(std::int64_t now) const;
    // Once: it has been away for long enough to say so.
    bool complain_now(std::int64_t now);
    // Until the next of both; nothing when there is none.
    [[nodiscard]] std::optional<std::int64_t> wait_ms(std::int64_t now) const;

private:
    std::optional<std::int64_t> m_since;
    std::optional<std::int64_t> m_next_look;
    std::optional<std::int64_t> m_complain_at;
    bool m_complained = false;
};

} // namespace ckpt
