// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>

#include "store/image_target.hpp"
#include "store/images.hpp"
#include "store/index_reader.hpp"
#include "store/pack_reader.hpp"

namespace ckpt::store {
namespace {

Error about(Error error, const std::string& name) {
    error.what = name + ": " + error.what;
    return error;
}

// It is not the store that is full or broken.
Error on_this_node(const Error& error) {
    return {Code::restore_impossible, "the node's own directory for images (storage.local): " + error.what,
            "make room there, or let the job start on another node", error.errnum};
}

template <typename T>
Result<T> locally(Result<T> done) {
    if (done) return done;
    return tl::unexpected(on_this_node(done.error()));
}

class Unsealer {
public:
    Unsealer(const ImagesPlace& place, IndexReader index, PageHasher hasher)
        : m_index(std::move(index)), m_packs(place, m_index.packs()), m_hasher(std::move(hasher)) {}
    Result<ImagesRead> all(const int* target);

private:
    Status file(const IndexFile& file, const int* target);
    Status run(const IndexFile& file, std::uint64_t page, ImageTarget* out);

    IndexReader m_index;
    PackReader m_packs;
    PageHasher m_hasher;
    IndexRun m_run;
};

Result<ImagesRead> Unsealer::all(const int* target) {
    ImagesRead read;
    IndexFile next;
    for (;;) {
        CKPT_TRY(const bool more, m_index.next_file(next));
        if (!more) break;
        if (auto done = file(next, target); !done) return tl::unexpected(about(done.error(), next.name));
        read.bytes += next.size;
    }
    read.healed = m_index.healed() + m_packs.healed();
    return read;
}

Status Unsealer::file(const IndexFile& file, const int* target) {
    std::optional<ImageTarget> out;
    if (target != nullptr) {
        CKPT_TRY(out, locally(ImageTarget::create(*target, file.name)));
    }
    for (std::uint64_t page = 0;; page += m_run.count) {
        CKPT_TRY(const bool more, m_index.next_run(m_run));
        if (!more) break;
        if (m_run.data) CKPT_CHECK(run(file, page, out ? &*out : nullptr));
    }
    return out ? locally(out->finish(file.size)) : Status{};
}

// `page`: the number in the file of the run's first.
Status Unsealer::run(const IndexFile& file, std::uint64_t page, ImageTarget* out) {
    for (std::size_t i = 0; i < m_run.count; ++i, ++page) {
        CKPT_TRY(const char* const bytes, m_packs.page(m_run.at[i]));
        CKPT_TRY(const PageHash hash, m_hasher.hash(bytes));
        // The block is authentic; this says that it is the page that was meant.
        if (hash != m_run.hashes[i]) return fail(Code::store_corrupt, "another page than was stored");
        if (out == nullptr) continue;
        const std::uint64_t at = page * k_page_size;
        const std::uint64_t length = std::min<std::uint64_t>(k_page_size, file.size - at);
        CKPT_CHECK(locally(out->write(at, {bytes, length})));
    }
    return {};
}

Result<ImagesRead> read_images(const ImagesPlace& place, const ImagesEntry& entry, const int* target) {
    CKPT_TRY(IndexReader index, IndexReader::open(place, entry));
    CKPT_TRY(PageHasher hasher, PageHasher::start(place.key));
    return Unsealer(place, std::move(index), std::move(hasher)).all(target);
}

} // namespace

Result<ImagesRead> unseal_images(const ImagesPlace& place, const ImagesEntry& entry, int target) {
    return read_images(place, entry, &target);
}

Result<ImagesRead> verify_images(const ImagesPlace& place, const ImagesEntry& entry) {
    return read_images(place, entry, nullptr);
}

} // namespace ckpt::store
