// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/timers.hpp"

#include <cstdint>
#include <vector>

#include "engine/image_fields.hpp"

namespace ckpt {

namespace {

constexpr const char* k_files_image = "files.img";

// images/fdinfo.proto and images/timerfd.proto
constexpr std::uint32_t k_file_timerfd = 12;
enum TimerField : std::uint32_t {
    ticks = 5,
    value_sec = 7,
    value_nsec = 8,
    interval_sec = 9,
    interval_nsec = 10
};

// A timer that someone has switched off has no ticks waiting: timerfd_settime(2) clears them.
bool expired_unread(const std::vector<ImageField>& timer) {
    std::uint64_t waiting = 0;
    std::uint64_t left = 0;
    std::uint64_t interval = 0;
    for (const ImageField& field : timer) {
        if (field.number == ticks) waiting = field.value;
        if (field.number == value_sec || field.number == value_nsec) left |= field.value;
        if (field.number == interval_sec || field.number == interval_nsec) interval |= field.value;
    }
    return waiting > 0 && left == 0 && interval != 0;
}

Result<std::string> repaired_entry(std::string_view entry) {
    CKPT_TRY(const auto fields, fields_of(entry));
    std::string out;
    for (const ImageField& field : fields) {
        if (field.number != k_file_timerfd || !field.is_bytes) {
            out += field.raw;
            continue;
        }
        CKPT_TRY(const auto timer, fields_of(field.bytes));
        if (!expired_unread(timer)) {
            out += field.raw;
            continue;
        }
        std::string message;
        for (const ImageField& part : timer)
            if (part.number != value_nsec) message += part.raw;
        message += varint_field(value_nsec, 1);
        out += bytes_field(k_file_timerfd, message);
    }
    return out;
}

} // namespace

Result<std::string> repair_timers(std::string_view image) {
    return rewrite_entries(image, repaired_entry);
}

Status repair_timers_in(int images) {
    return rewrite_image(images, k_files_image, repair_timers);
}

} // namespace ckpt
