// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "result/result.hpp"
#include "store/seal.hpp"

namespace ckpt::store {

// Makes `body` the sealed file `name` in `dir`, whole or not at all: temporary name, fsync, rename, fsync.
// Returns the size of the file.
Result<std::size_t> write_sealed(int dir, std::string_view name, std::string body, const SealKey& key);

// A file of at most `max` bytes. Code::not_found when there is none.
Result<std::string> read_small_file(int dir, std::string_view name, std::size_t max);

// The verified body of the sealed file `name`. Code::not_found when there is none, Code::store_corrupt when
// it does not verify.
Result<std::string> read_sealed(int dir, std::string_view name, std::size_t max, const SealKey& key);

} // namespace ckpt::store
