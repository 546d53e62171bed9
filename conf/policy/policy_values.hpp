// SPDX-License-Identifier: GPL-2.0-or-later
// Internal to conf/policy: the grammar of values that only a policy file states; what options share with it
// is in values.hpp. Errors say what is wrong with the value, not where it stands.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "policy/policy.hpp"
#include "policy/values.hpp"
#include "result/result.hpp"

namespace ckpt {

// "none" or "0", for what has no limit or is left out.
bool is_none(std::string_view text);

Result<bool> parse_bool(std::string_view text);
// "2.5%" as 0.025.
Result<double> parse_overhead(std::string_view text); // 0.01% to 50%
Result<double> parse_min_free(std::string_view text); // 0% to 50%, or none
// "1.5": 1 to 10, at most three decimals.
Result<double> parse_safety(std::string_view text);
Result<RestoreFailure> parse_restore_failure(std::string_view text);
Result<ChangedFile> parse_changed_file(std::string_view text);
Result<bool> parse_kernel(std::string_view text);         // any = true
Result<std::string> parse_feature(std::string_view text); // of a node, without an operator of --constraint

// A directory in which %u and %% may stand.
Result<std::string> parse_base(std::string_view text);
Result<std::string> parse_directory_or_none(std::string_view text); // "" = none

Result<std::string> parse_prom_file(std::string_view text); // likewise; ends in ".prom"

// Below 4G: CRIU's RPC carries the limit in 32 bits (criu images/rpc.proto: ghost_limit).
Result<std::uint64_t> parse_ghost_limit(std::string_view text);
Result<std::uint64_t> parse_size_or_none(std::string_view text); // 0 = none
Result<std::uint64_t> parse_bandwidth(std::string_view text);    // bytes per second, from 1M; 0 = none

Result<Seconds> parse_time(std::string_view text);
Result<Seconds> parse_time_or_none(std::string_view text);      // 0 = none
Result<Seconds> parse_long_time(std::string_view text);         // up to 100 years
Result<Seconds> parse_long_time_or_none(std::string_view text); // 0 = none

Result<std::uint32_t> parse_keep(std::string_view text);
Result<std::uint32_t> parse_restarts(std::string_view text);
Result<std::uint16_t> parse_port(std::string_view text); // none = 0
Result<std::uint32_t> parse_no_progress(std::string_view text);
Result<std::uint32_t> parse_compression(std::string_view text);
Result<std::uint32_t> parse_dumps(std::string_view text);   // 0 = no limit
Result<std::uint32_t> parse_commits(std::string_view text); // 0 = no limit

} // namespace ckpt
