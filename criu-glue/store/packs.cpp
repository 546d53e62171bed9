// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/packs.hpp"

#include <charconv>
#include <set>

#include "store/choice.hpp"
#include "store/hex.hpp"
#include "store/manifest.hpp"
#include "store/scan.hpp"

namespace ckpt::store {
namespace {

constexpr std::string_view k_prefix = "inc-";
constexpr std::size_t k_id_digits = 32;

// A generation that is on its way out may be put back (prune.cpp).
bool may_be_generation(std::string_view name) {
    if (name.starts_with(k_trash_prefix)) name.remove_prefix(k_trash_prefix.size());
    return generation_of(name).has_value();
}

// A manifest that is there but says nothing restores nothing: it needs no packs.
Result<std::set<PackName>> packs_in_use(const JobAt& job) {
    CKPT_TRY(const auto incarnations, job.volume.list(job.dir));
    std::set<PackName> used;
    for (const std::string& incarnation : incarnations) {
        if (!incarnation_of(incarnation)) continue;
        const std::string dir = job.dir + "/" + incarnation;
        CKPT_TRY(const auto names, job.volume.list(dir));
        for (const std::string& name : names) {
            if (!may_be_generation(name)) continue;
            const auto claims = claimed_manifests(job.volume, dir + "/" + name);
            if (!claims && claims.error().code == Code::os) return tl::unexpected(claims.error());
            if (!claims) continue;
            for (const Manifest& manifest : *claims)
                for (const PartEntry& part : manifest.parts)
                    used.insert(part.images.packs.begin(), part.images.packs.end());
        }
    }
    return used;
}

} // namespace

std::optional<PackName> pack_of(std::string_view name) {
    if (!name.starts_with(k_prefix)) return std::nullopt;
    name.remove_prefix(k_prefix.size());
    PackName pack;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pack.incarnation);
    const auto used = static_cast<std::size_t>(end - name.data());
    if (error != std::errc() || name.size() != used + 1 + k_id_digits || name[used] != '-')
        return std::nullopt;
    pack.id = name.substr(used + 1);
    for (const char c : pack.id)
        if (hex_value(c) < 0) return std::nullopt;
    return pack;
}

Status sweep_packs(const JobAt& job, std::uint32_t incarnation) {
    const auto names = job.volume.list(job.packs());
    if (!names && names.error().code == Code::not_found) return {};
    if (!names) return tl::unexpected(names.error());
    CKPT_TRY(const std::set<PackName> used, packs_in_use(job));
    for (const std::string& name : *names) {
        const auto pack = pack_of(name);
        if (!pack || pack->incarnation > incarnation || used.contains(*pack)) continue;
        // What a successor has committed meanwhile may need it, and was not looked at.
        CKPT_TRY(const JobState now, scan(job));
        if (successor_of(now, incarnation)) return {};
        CKPT_CHECK(job.volume.remove(job.packs() + "/" + name));
    }
    return {};
}

} // namespace ckpt::store
