// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/seal_part.hpp"

#include <string>
#include <utility>

#include "store/attempt.hpp"
#include "store/choice.hpp"
#include "store/index.hpp"
#include "store/scan.hpp"

namespace ckpt::store {

Result<PartSealer> PartSealer::start(const JobAt& job, GenerationId id, const SealKey& key, int compression) {
    PartSealer sealer(job, id, key, compression);
    CKPT_CHECK(sealer.find_parent());
    return sealer;
}

Status PartSealer::find_parent() {
    CKPT_TRY(const JobState state, scan(m_job));
    for (const GenerationId id : choose(state, m_id.incarnation).candidates) {
        auto manifest = verified_manifest(m_job, id);
        if (!manifest || manifest->key_id != m_key.id) continue;
        m_parent = std::move(*manifest);
        break;
    }
    return {};
}

// The same task in the parent, where its step may have had another number.
const PartEntry* PartSealer::part_before(const PartEntry& part) const {
    if (!m_parent) return nullptr;
    return part.stand_in != 0 ? m_parent->part_of(part.stand_in, part.task_id)
                              : m_parent->part(part.step_id, part.task_id);
}

Result<SealedImages> PartSealer::seal_images_of(const PartSource& source) const {
    const std::string name = index_name(source.about.step_id, source.about.task_id);
    const ImagesPlace place{m_job.volume, m_job.dir, temp_dir(m_job, m_id) + "/" + name, m_key};
    const PartEntry* before = part_before(source.about);
    if (!m_parent || before == nullptr)
        return seal_images(source.dir, place, nullptr, m_id.incarnation, m_compression);
    const std::string name_before = index_name(before->step_id, before->task_id);
    const Parent parent{{m_job.volume, m_job.dir, m_job.generation(m_parent->id) + "/" + name_before, m_key},
                        before->images,
                        m_id.generation};
    return seal_images(source.dir, place, &parent, m_id.incarnation, m_compression);
}

Result<SealedPart> PartSealer::seal(const PartSource& source) {
    CKPT_TRY(SealedImages sealed, seal_images_of(source));
    if (sealed.new_pack) m_packs.push_back(*sealed.new_pack);
    SealedPart part{source.about, sealed.stored_bytes};
    part.entry.images = std::move(sealed.entry);
    return part;
}

void PartSealer::discard() {
    for (const PackName& pack : m_packs)
        (void)m_job.volume.remove(pack_path(m_job.dir, pack));
    m_packs.clear();
}

} // namespace ckpt::store
