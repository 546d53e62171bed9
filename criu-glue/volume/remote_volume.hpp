// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "os/fd.hpp"
#include "volume/volume.hpp"

namespace ckpt::store {

class VolumeChannel;

struct VolumePatience {
    std::chrono::milliseconds silence{60'000}; // without a single byte
    std::chrono::milliseconds call_max{15 * 60'000};
};

// A volume that another process has (serve.hpp), at the other end of a stream socket. That process may be in
// the hands of the user: its answers are data like any other, of bounded size. One write of each file is
// under way while the caller goes on, so its failure is known at the next call.
//
// A process that has gone is Code::os with EPIPE. One that says nothing for `silence`, or has carried out one
// call for `call_max`, is Code::deadline with ETIMEDOUT: it was stopped, or its file system hangs. A file
// system that is slow is waited for: the process says that it is at work (pulse.hpp). After either, every
// call fails at once. Files must not outlive their volume.
class RemoteVolume final : public Volume {
public:
    static Result<std::unique_ptr<RemoteVolume>> connect(Fd socket, VolumePatience patience = {});
    ~RemoteVolume() override;
    RemoteVolume(const RemoteVolume&) = delete;
    RemoteVolume& operator=(const RemoteVolume&) = delete;
    RemoteVolume(RemoteVolume&&) = delete;
    RemoteVolume& operator=(RemoteVolume&&) = delete;

    [[nodiscard]] const std::string& name() const override { return m_name; }
    Result<std::vector<std::string>> list(const std::string& dir) override;
    Status make_dir(const std::string& path) override;
    Result<std::unique_ptr<NewFile>> create(const std::string& path) override;
    Result<std::unique_ptr<OldFile>> open(const std::string& path) override;
    Result<std::string> read(const std::string& path, std::size_t max) override;
    Status rename(const std::string& from, const std::string& to) override;
    Status sync(const std::string& dir) override;
    Status remove(const std::string& path) override;
    Result<Space> space() override;
    Result<Usage> usage(const std::string& path) override;

private:
    explicit RemoteVolume(std::unique_ptr<VolumeChannel> channel);
    std::unique_ptr<VolumeChannel> m_channel;
    std::string m_name;
};

} // namespace ckpt::store
