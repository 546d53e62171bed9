// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>

#include "result/result.hpp"

namespace ckpt::store {

// Failures to read the store that will be the same tomorrow: what was to be read is bad, and one can do
// without it. Anything else (ESTALE, EACCES, EMFILE, a file server that does not answer, a ckpt-writer that
// has gone) says nothing about it, and doing without it would throw good work away for good.
inline bool is_damage(const Error& error) {
    constexpr std::array k_damage{0, EIO, ENOENT, ENOTDIR, EISDIR, ELOOP, ENXIO, EUCLEAN, EBADMSG};
    return error.code != Code::deadline && std::ranges::find(k_damage, error.errnum) != k_damage.end();
}

} // namespace ckpt::store
