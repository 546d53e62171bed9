// SPDX-License-Identifier: GPL-2.0-or-later
#include "paced_volume.hpp"

#include <chrono>
#include <thread>
#include <utility>

namespace ckpt {
namespace {

class PacedFile final : public store::NewFile {
public:
    PacedFile(std::unique_ptr<store::NewFile> file, PacedVolume& volume)
        : m_file(std::move(file)), m_volume(volume) {}
    Status write(std::string_view bytes) override {
        m_volume.pace(bytes.size());
        return m_file->write(bytes);
    }
    Status finish() override { return m_file->finish(); }

private:
    std::unique_ptr<store::NewFile> m_file;
    PacedVolume& m_volume;
};

class TickingFile final : public store::OldFile {
public:
    TickingFile(std::unique_ptr<store::OldFile> file, const std::function<void()>& tick)
        : m_file(std::move(file)), m_tick(tick) {}
    [[nodiscard]] std::uint64_t size() const override { return m_file->size(); }
    Result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override {
        m_tick();
        return m_file->read_at(offset, into);
    }

private:
    std::unique_ptr<store::OldFile> m_file;
    const std::function<void()>& m_tick;
};

} // namespace

PacedVolume::PacedVolume(store::Volume& volume, std::uint64_t bytes_per_s, std::function<void()> tick)
    : m_volume(volume), m_rate(bytes_per_s, std::chrono::steady_clock::now()), m_tick(std::move(tick)) {}

Result<std::unique_ptr<store::NewFile>> PacedVolume::create(const std::string& path) {
    CKPT_TRY(auto file, m_volume.create(path));
    return std::make_unique<PacedFile>(std::move(file), *this);
}

Result<std::unique_ptr<store::OldFile>> PacedVolume::open(const std::string& path) {
    CKPT_TRY(auto file, m_volume.open(path));
    return std::make_unique<TickingFile>(std::move(file), m_tick);
}

void PacedVolume::pace(std::size_t bytes) {
    m_tick();
    std::this_thread::sleep_for(m_rate.take(bytes, std::chrono::steady_clock::now()));
}

} // namespace ckpt
