// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <string>

#include "os/rate.hpp"
#include "volume/volume.hpp"

namespace ckpt {

// A volume to which files are written no faster than policy allows. `tick` is called before each write and
// read.
class PacedVolume final : public store::Volume {
public:
    PacedVolume(store::Volume& volume, std::uint64_t bytes_per_s, std::function<void()> tick);

    [[nodiscard]] const std::string& name() const override { return m_volume.name(); }
    Result<std::vector<std::string>> list(const std::string& dir) override { return m_volume.list(dir); }
    Status make_dir(const std::string& path) override { return m_volume.make_dir(path); }
    Result<std::unique_ptr<store::NewFile>> create(const std::string& path) override;
    Result<std::unique_ptr<store::OldFile>> open(const std::string& path) override;
    Result<std::string> read(const std::string& path, std::size_t max) override {
        return m_volume.read(path, max);
    }
    Status rename(const std::string& from, const std::string& to) override {
        return m_volume.rename(from, to);
    }
    Status sync(const std::string& dir) override { return m_volume.sync(dir); }
    Status remove(const std::string& path) override { return m_volume.remove(path); }
    Result<store::Space> space() override { return m_volume.space(); }
    Result<store::Usage> usage(const std::string& path) override { return m_volume.usage(path); }

    // Waits until so many bytes may be written.
    void pace(std::size_t bytes);

private:
    store::Volume& m_volume;
    ByteRate m_rate;
    std::function<void()> m_tick;
};

} // namespace ckpt
