// SPDX-License-Identifier: GPL-2.0-or-later
// What is in samples/format-2, which make_store_samples.cpp has written and store_samples_test.cpp reads.
// Never changed: a new format gets a directory and a job of its own.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "store/names.hpp"

namespace ckpt::store::sample {

inline const Owner k_owner{"alpha", 1000, 4711, "0a1b2c3d4e5f60718293a4b5c6d7e8f9"};
inline const Owner k_other{"alpha", 1000, 99, "ffeeddccbbaa99887766554433221100"}; // goes on from it
inline constexpr std::uint32_t k_step = 0xfffffffb;                                // SLURM_BATCH_SCRIPT
inline constexpr GenerationId k_first{0, 1};
inline constexpr GenerationId k_second{0, 2};          // shares a pack with the first
inline constexpr GenerationId k_third{1, 3};           // sealed with another key
inline constexpr std::int64_t k_taken_at = 1700000000; // plus the number of the generation

// A page of memory that does not compress; a linear congruence, the same on every machine.
inline std::string page(std::uint32_t number) {
    std::string bytes;
    std::uint64_t state = number;
    while (bytes.size() < 4096) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        bytes += static_cast<char>(state >> 56U);
    }
    return bytes;
}

inline std::map<std::string, std::string> images(GenerationId id) {
    std::string pages;
    for (std::uint32_t number = 0; number < 6; ++number)
        pages += page(number < id.generation - 1 ? 100 * id.generation + number : number);
    pages += std::string(3 * 4096, '\0') + "the end of generation " + std::to_string(id.generation);
    return {{"inventory.img", "inventory of generation " + std::to_string(id.generation)},
            {"pages-1.img", pages},
            {"empty.img", ""}};
}

} // namespace ckpt::store::sample
