// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/sealed_file.hpp"

#include <format>
#include <random>

#include "store/names.hpp"

namespace ckpt::store {
namespace {

constexpr std::size_t k_seal_max = 256; // of the line with the seal, generously

Status write_synced(Volume& volume, const std::string& path, std::string_view bytes) {
    CKPT_TRY(const auto file, volume.create(path));
    CKPT_CHECK(file->write(bytes));
    return file->finish();
}

} // namespace

Result<std::size_t> write_sealed(Volume& volume, const std::string& dir, std::string_view name,
                                 std::string body, const SealKey& key) {
    CKPT_TRY(const std::string text, seal(std::move(body), key));
    const std::string bytes = text + text;
    // Tasks of one job start on several nodes and record the same adoption: each writes a temporary of its
    // own.
    std::random_device random;
    const std::string temp =
        std::format("{}/{}{}-{:08x}{:08x}", dir, k_temp_prefix, name, random(), random());
    Status done = write_synced(volume, temp, bytes);
    if (done) done = volume.rename(temp, std::format("{}/{}", dir, name));
    if (!done) {
        (void)volume.remove(temp);
        return tl::unexpected(done.error());
    }
    CKPT_CHECK(volume.sync(dir));
    return bytes.size();
}

Result<std::string_view> unseal_either(std::string_view bytes, const JobKeys& keys) {
    // Both are equally long; of a file that was cut short the first may still be whole.
    const std::size_t half = bytes.size() / 2;
    auto first = unseal(bytes.substr(0, half), keys);
    if (first) return first;
    if (auto second = unseal(bytes.substr(half), keys)) return second;
    const std::size_t line = bytes.find('\n');
    const std::size_t end = line == std::string_view::npos ? line : bytes.find('\n', line + 1);
    if (end != std::string_view::npos)
        if (auto whole = unseal(bytes.substr(0, end + 1), keys)) return whole;
    return first;
}

Result<std::string> read_sealed(Volume& volume, const std::string& dir, std::string_view name,
                                std::size_t max, const JobKeys& keys) {
    CKPT_TRY(const std::string bytes, volume.read(std::format("{}/{}", dir, name), 2 * (max + k_seal_max)));
    const auto body = unseal_either(bytes, keys);
    if (!body) {
        Error error = body.error();
        error.what = std::format("{}: {}", name, error.what);
        return tl::unexpected(error);
    }
    return std::string(*body);
}

} // namespace ckpt::store
