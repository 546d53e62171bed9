// SPDX-License-Identifier: GPL-2.0-or-later
// What lies in the store and among the images as text: a manifest, which is parsed before its seal is
// checked, and the records beside it. What is understood is written and understood again.
#include "engine/record.hpp"
#include "engine/undo_record.hpp"
#include "fuzz.hpp"
#include "store/manifest.hpp"
#include "store/records.hpp"
#include "store/sealed_file.hpp"
#include "store_place.hpp"

using namespace ckpt;
using namespace ckpt::store;

namespace {

template <typename Parse>
void round_trip(std::string_view text, Parse parse) {
    const auto read = parse(text);
    if (!read) return fuzz::require_one_line(one_line(read.error()));
    const std::string written = to_json(*read);
    const auto again = parse(written);
    fuzz::require(again.has_value() && to_json(*again) == written);
}

template <typename T>
void require_why(const Record<T>& record) {
    fuzz::require(record.state != RecordState::absent &&
                  record.why.empty() == (record.state == RecordState::valid));
}

// As a holder of the key could have written it.
void sealed_records(std::string_view input) {
    fuzz::StorePlace place;
    const JobAt job = place.job();
    for (const char* name : {"adopted", "completed", "failed", "stopped", "claimed-99"})
        place.put_sealed(name, std::string(input));
    require_why(read_adopted(job, 0));
    require_why(read_completed(job, 0));
    require_why(read_failed(job, 0));
    require_why(read_stopped(job, 0));
    require_why(read_claimed(job, 0, 99));
    (void)claimant_of(input.substr(0, 32));
    place.put_sealed("gen-000001/manifest", std::string(input));
    place.volume.dirs.insert("alpha/1-00000000/inc-0/gen-000001");
    if (const auto manifest = verified_manifest(job, {0, 1}); !manifest)
        fuzz::require_one_line(one_line(manifest.error()));
    // And as anybody could: the file as it is.
    place.volume.files["alpha/1-00000000/inc-0/gen-000001/manifest"] = std::make_shared<std::string>(input);
    if (const auto claims = claimed_manifests(place.volume, "alpha/1-00000000/inc-0/gen-000001"); !claims)
        fuzz::require_one_line(one_line(claims.error()));
    if (const auto body = unseal_either(input, job.keys); !body)
        fuzz::require_one_line(one_line(body.error()));
}

} // namespace

FUZZ_TARGET(std::string_view input) {
    round_trip(input, parse_manifest);
    round_trip(input, record_from_json);
    round_trip(input, undo_records_from_json);
    sealed_records(input);
}
