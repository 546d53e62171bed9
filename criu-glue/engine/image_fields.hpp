// SPDX-License-Identifier: GPL-2.0-or-later
// Reads CRIU's images: entries of protobuf fields. The message definitions are not packaged with libcriu-dev,
// and few numbers of them are needed; those are fixed by CRIU's promise to read old images.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "result/result.hpp"

namespace ckpt {

struct ImageField {
    std::uint32_t number = 0;
    std::uint64_t value = 0; // of varints and fixed-size fields
    std::string_view bytes;  // of length-delimited ones: strings, messages, packed lists
    bool is_bytes = false;
    std::string_view raw; // the field with its tag
};

// The fields of one message; Code::store_corrupt when it is cut or malformed. `message` must outlive the
// result.
Result<std::vector<ImageField>> fields_of(std::string_view message);

// The messages in an image file: two 32-bit magics, then 32-bit sizes each followed by a message (image.c,
// protobuf.c).
Result<std::vector<std::string_view>> entries_of(std::string_view image);

} // namespace ckpt
