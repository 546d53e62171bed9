// SPDX-License-Identifier: GPL-2.0-or-later
// Result<T>: the only way errors cross our interfaces. No function of ours throws across a header.
#pragma once

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <tl/expected.hpp>

#include "result/codes.hpp"
#include "result/printable.hpp"

namespace ckpt {

// What went wrong, for a person: `what` says what happened and why, `hint` what to do about it ("" =
// nothing). `errnum` is the errno behind it, 0 when there is none.
struct Error {
    Code code = Code::internal;
    std::string what;
    std::string hint;
    int errnum = 0;
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

// An error with a code and a sentence.
inline tl::unexpected<Error> fail(Code code, std::string what, std::string hint = {}) {
    return tl::unexpected<Error>(Error{code, std::move(what), std::move(hint), 0});
}

// A failed system call: `what` names the action and its object; the reason is appended from errno.
inline tl::unexpected<Error> fail_errno(Code code, const std::string& what, int errnum = errno) {
    return tl::unexpected<Error>(
        Error{code, what + ": " + std::generic_category().message(errnum), {}, errnum});
}

// One line for people: "what; hint [CKPT-nnn]", printable.
inline std::string one_line(const Error& error) {
    std::string line = error.what;
    if (!error.hint.empty()) line += "; " + error.hint;
    return printable(line + " [" + to_string(error.code) + "]");
}

} // namespace ckpt

// CKPT_TRY(var, expr): var = value of expr, or return its error to the caller.
#define CKPT_CONCAT_(a, b) a##b
#define CKPT_CONCAT(a, b) CKPT_CONCAT_(a, b)
#define CKPT_TRY(var, expr) CKPT_TRY_(CKPT_CONCAT(ckpt_try_, __LINE__), var, expr)
#define CKPT_TRY_(tmp, var, expr)                                                                            \
    auto tmp = (expr);                                                                                       \
    if (!tmp) return tl::unexpected(std::move(tmp).error());                                                 \
    var = std::move(*tmp)
// CKPT_CHECK(expr): return the error of a Status to the caller.
#define CKPT_CHECK(expr)                                                                                     \
    do {                                                                                                     \
        if (auto ckpt_status = (expr); !ckpt_status) return tl::unexpected(std::move(ckpt_status).error());  \
    } while (false)
