// SPDX-License-Identifier: GPL-2.0-or-later
// What lies in the store and among the images as JSON: a manifest, which is parsed before its seal is
// checked, and the records beside it. What is understood is written and understood again.
#include "engine/record.hpp"
#include "engine/undo_record.hpp"
#include "fuzz.hpp"
#include "store/manifest.hpp"

using namespace ckpt;

namespace {

template <typename Parse>
void round_trip(std::string_view text, Parse parse) {
    const auto read = parse(text);
    if (!read) return fuzz::require_one_line(one_line(read.error()));
    const std::string written = to_json(*read);
    const auto again = parse(written);
    fuzz::require(again.has_value() && to_json(*again) == written);
}

} // namespace

FUZZ_TARGET(std::string_view input) {
    round_trip(input, store::parse_manifest);
    round_trip(input, record_from_json);
    round_trip(input, undo_records_from_json);
}
