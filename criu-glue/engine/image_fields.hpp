// SPDX-License-Identifier: GPL-2.0-or-later
// Reads CRIU's images, and changes them: entries of protobuf fields. The message definitions are not packaged
// with libcriu-dev, and few numbers of them are needed; those are fixed by CRIU's promise to read old images.
#pragma once

#include <cstdint>
#include <functional>
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

// Of the first field with that number; 0 without one, as protobuf has it.
std::uint64_t value_of(const std::vector<ImageField>& fields, std::uint32_t number);

// A file of an image directory; Code::not_found without it, Code::os beyond 256 MiB.
Result<std::string> read_image(int images, const std::string& name);

// The messages in an image file: two 32-bit magics, then 32-bit sizes each followed by a message (image.c,
// protobuf.c).
Result<std::vector<std::string_view>> entries_of(std::string_view image);

// Fields as they stand in a message.
std::string varint_field(std::uint32_t number, std::uint64_t value);
std::string bytes_field(std::uint32_t number, std::string_view bytes);

using Rewriter = std::function<Result<std::string>(std::string_view)>;

// `image` with what `rewrite` makes of each of its entries.
Result<std::string> rewrite_entries(std::string_view image, const Rewriter& rewrite);

// The file `name` of an image directory becomes what `rewrite` makes of all of it; written only if that
// differs.
Status rewrite_image(int images, const char* name, const Rewriter& rewrite);

} // namespace ckpt
