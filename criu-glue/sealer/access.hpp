// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "os/fd.hpp"
#include "store/job_at.hpp"
#include "store/key.hpp"
#include "volume/remote_volume.hpp"

namespace ckpt {

// What every request comes with (wire/store_messages.hpp).
constexpr std::size_t k_stream = 0;
constexpr std::size_t k_key = 1;
constexpr std::size_t k_own = 2; // where a request's own descriptors begin

// The user's volume and the cluster's keys.
class Access {
public:
    // Code::not_found when the user's directory does not exist.
    static Result<Access> open(std::vector<Fd>& fds) {
        if (fds.size() < k_own) return fail(Code::wire_malformed, "a request without stream and key");
        CKPT_TRY(store::ClusterKeys keys, store::load_keys(fds[k_key].get(), "of the cluster"));
        CKPT_TRY(auto volume, store::RemoteVolume::connect(std::move(fds[k_stream])));
        return Access(std::move(keys), std::move(volume));
    }
    [[nodiscard]] store::Store store() const { return {*m_volume, m_keys.all()}; }

private:
    Access(store::ClusterKeys keys, std::unique_ptr<store::RemoteVolume> volume)
        : m_keys(std::move(keys)), m_volume(std::move(volume)) {}
    store::ClusterKeys m_keys;
    std::unique_ptr<store::RemoteVolume> m_volume;
};

} // namespace ckpt
