// SPDX-License-Identifier: GPL-2.0-or-later
// A sealed file holds its text twice (docs/format.md, "Sealed files"): a record decides what may be restored,
// and a bad spot on the medium must not.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "result/result.hpp"
#include "store/seal.hpp"
#include "volume/volume.hpp"

namespace ckpt::store {

// Makes `body` the sealed file `name` in the directory `dir`, whole or not at all: temporary name, fsync,
// rename, fsync. Returns the size of the file.
Result<std::size_t> write_sealed(Volume& volume, const std::string& dir, std::string_view name,
                                 std::string body, const SealKey& key);

// The verified body of the sealed file `name`; a body of more than `max` bytes is not read. Code::not_found
// when there is none, Code::store_corrupt when it does not verify.
Result<std::string> read_sealed(Volume& volume, const std::string& dir, std::string_view name,
                                std::size_t max, const JobKeys& keys);

// One of the texts in a sealed file's bytes that verifies, as unseal() gives it; else the first one's error.
Result<std::string_view> unseal_either(std::string_view bytes, const JobKeys& keys);

} // namespace ckpt::store
