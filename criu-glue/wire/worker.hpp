// SPDX-License-Identifier: GPL-2.0-or-later
// Between ckptd and its one-shot workers, ckpt-engine (engine_messages.hpp) and ckpt-sealer
// (store_messages.hpp): what the messages of both are made of. A worker gets one
// request on descriptor k_worker_fd, answers with one result and exits; ckptd kills it at its deadline.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "result/result.hpp"
#include "wire/codec.hpp"

namespace ckpt::wire {

constexpr int k_worker_fd = 3;
// Tasks of one job on one node that are saved together, so that lists of them fit into a packet
// (os/socket.hpp:k_packet_max).
constexpr std::size_t k_tasks_max = 128;
// On all its nodes, with the script. What a packet, and a manifest (store/manifest.hpp), says of each fits.
constexpr std::size_t k_job_tasks_max = 2048;

// How a worker's failure travels; code 0 = success.
struct Outcome {
    std::uint32_t code = 0;
    std::string what;
    std::string hint;
    std::int32_t errnum = 0;
    template <class V>
    void fields(V& v) {
        v(code, what, hint, errnum);
    }
};
inline Outcome outcome_of(const Error& error) {
    return {static_cast<std::uint32_t>(error.code), error.what, error.hint, error.errnum};
}
inline Status status_of(const Outcome& o) {
    if (o.code == 0) return {};
    return tl::unexpected(Error{static_cast<Code>(o.code), o.what, o.hint, o.errnum});
}

struct UserIds {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::vector<std::uint32_t> groups;
    bool operator==(const UserIds&) const = default;
    template <class V>
    void fields(V& v) {
        v(uid, gid, groups);
    }
};

} // namespace ckpt::wire
