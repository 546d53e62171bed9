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

} // namespace

PacedVolume::PacedVolume(store::Volume& volume, std::uint64_t bytes_per_s, std::function<void()> tick)
    : m_volume(volume), m_rate(bytes_per_s, std::chrono::steady_clock::now()), m_tick(std::move(tick)) {}

Result<std::unique_ptr<store::NewFile>> PacedVolume::create(const std::string& path) {
    CKPT_TRY(auto file, m_volume.create(path));
    return std::make_unique<PacedFile>(std::move(file), *this);
}

void PacedVolume::pace(std::size_t bytes) {
    m_tick();
    std::this_thread::sleep_for(m_rate.take(bytes, std::chrono::steady_clock::now()));
}

} // namespace ckpt
