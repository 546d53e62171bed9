// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "os/fd.hpp"
#include "volume/volume.hpp"

namespace ckpt::store {

// A volume right on a directory, with the rights of this process.
class LocalVolume final : public Volume {
public:
    // `base`: the directory "". `name`: where that is, for messages.
    LocalVolume(Fd base, std::string name) : m_base(std::move(base)), m_name(std::move(name)) {}

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
    // The directory that `path` names, and the one above it with the last name.
    [[nodiscard]] Result<Fd> open_dir(const std::string& path) const;
    struct Entry {
        Fd parent;
        std::string name;
    };
    [[nodiscard]] Result<Entry> entry(const std::string& path) const;

    Fd m_base;
    std::string m_name;
};

} // namespace ckpt::store
