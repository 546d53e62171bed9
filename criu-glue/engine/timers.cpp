// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/timers.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <vector>

#include "engine/image_fields.hpp"
#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr const char* k_files_image = "files.img";
constexpr std::size_t k_image_max = 256 << 20;
constexpr std::size_t k_magics = 8;

// images/fdinfo.proto and images/timerfd.proto
constexpr std::uint32_t k_file_timerfd = 12;
enum TimerField : std::uint32_t {
    ticks = 5,
    value_sec = 7,
    value_nsec = 8,
    interval_sec = 9,
    interval_nsec = 10
};

std::string varint(std::uint64_t value) {
    std::string out;
    for (; value > 0x7f; value >>= 7)
        out += static_cast<char>((value & 0x7f) | 0x80);
    out += static_cast<char>(value);
    return out;
}

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
        message += varint(value_nsec << 3) + varint(1);
        out += varint(k_file_timerfd << 3 | 2) + varint(message.size()) + message;
    }
    return out;
}

} // namespace

Result<std::string> repair_timers(std::string_view image) {
    CKPT_TRY(const auto entries, entries_of(image));
    std::string out(image.substr(0, k_magics));
    for (const std::string_view entry : entries) {
        CKPT_TRY(const std::string whole, repaired_entry(entry));
        const auto size = static_cast<std::uint32_t>(whole.size());
        out.append(reinterpret_cast<const char*>(&size), sizeof size);
        out += whole;
    }
    return out;
}

Status repair_timers_in(int images) {
    CKPT_TRY(const Fd file, open_beneath(images, k_files_image, O_RDWR));
    CKPT_TRY(const std::string image, read_all(file.get(), k_image_max));
    CKPT_TRY(const std::string repaired, repair_timers(image));
    if (repaired == image) return {};
    if (::lseek(file.get(), 0, SEEK_SET) != 0 || ::ftruncate(file.get(), 0) != 0)
        return fail_errno(Code::dump_failed, "rewrite files.img");
    return write_all(file.get(), repaired);
}

} // namespace ckpt
