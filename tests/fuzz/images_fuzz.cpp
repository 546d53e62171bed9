// SPDX-License-Identifier: GPL-2.0-or-later
// CRIU's images, which the job's own criu writes.
#include "engine/addresses.hpp"
#include "engine/image_creds.hpp"
#include "engine/image_fields.hpp"
#include "engine/image_safety.hpp"
#include "fuzz.hpp"

using namespace ckpt;

FUZZ_TARGET(std::string_view input) {
    if (const auto entries = entries_of(input))
        for (const std::string_view entry : *entries)
            if (const auto fields = fields_of(entry)) {
                std::string again;
                for (const ImageField& field : *fields)
                    again += field.raw;
                fuzz::require(again == entry);
            }
    const auto same = rewrite_entries(
        input, [](std::string_view entry) { return Result<std::string>(std::string(entry)); });
    fuzz::require(!same || *same == input);
    const auto loopback = [](const Address& old) {
        return std::optional(Address{old.v6, {old.v6 ? 0U : 0x0100007fU, 0, 0, old.v6 ? 0x01000000U : 0U}});
    };
    if (const auto moved = move_addresses(input, loopback))
        fuzz::require(entries_of(*moved).has_value() || moved->empty());
    (void)check_core_image(input, {1000, 1000, {}});
    (void)ghost_owner(input);
}
