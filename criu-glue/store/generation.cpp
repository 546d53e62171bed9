// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/generation.hpp"

#include "store/dirs.hpp"
#include "store/sealed_file.hpp"

namespace ckpt::store {

Result<Fd> open_generation(int job, GenerationId id) {
    CKPT_TRY(const Fd incarnation, open_dir(job, incarnation_dir_name(id.incarnation)));
    return open_dir(incarnation.get(), generation_dir_name(id.generation));
}

Result<Manifest> verified_manifest(int generation, const Owner& owner, GenerationId id, const SealKey& key) {
    auto body = read_sealed(generation, k_manifest_name, k_manifest_max, key);
    if (!body && body.error().code == Code::not_found)
        return fail(Code::store_corrupt, "the manifest is missing");
    if (!body) return tl::unexpected(body.error());
    CKPT_TRY(Manifest manifest, parse_manifest(*body));
    // The key binds the job; a generation of the same job copied to another place is caught here.
    if (manifest.owner != owner || manifest.id != id)
        return fail(Code::store_corrupt, "the manifest is that of " + to_text(manifest.id));
    return manifest;
}

} // namespace ckpt::store
