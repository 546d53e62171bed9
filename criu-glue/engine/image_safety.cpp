// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/image_safety.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "engine/image_fields.hpp"
#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_head_max = 4096;
constexpr std::size_t k_magics = 8;

// images/ghost-file.proto, pstree.proto, core.proto, rseq.proto, mm.proto, vma.proto
constexpr std::uint32_t k_ghost_uid = 1;
constexpr std::uint32_t k_pstree_pid = 1;
constexpr std::uint32_t k_pstree_threads = 5;
constexpr std::uint32_t k_core_thread = 5;
constexpr std::uint32_t k_thread_rseq = 15;
constexpr std::uint32_t k_rseq_pointer = 1;
constexpr std::uint32_t k_mm_vmas = 14;
constexpr std::uint32_t k_vma_start = 1;
constexpr std::uint32_t k_vma_end = 2;
constexpr std::uint32_t k_vma_flags = 6;

struct Range {
    std::uint64_t start = 0;
    std::uint64_t end = 0;
};

Result<std::vector<Range>> shared_mappings(int images, std::uint64_t pid) {
    std::vector<Range> shared;
    auto image = read_image(images, "mm-" + std::to_string(pid) + ".img");
    if (!image && image.error().code == Code::not_found) return shared; // a zombie has no memory
    if (!image) return tl::unexpected(image.error());
    CKPT_TRY(const auto entries, entries_of(*image));
    for (const std::string_view entry : entries) {
        CKPT_TRY(const auto mm, fields_of(entry));
        for (const ImageField& field : mm) {
            if (field.number != k_mm_vmas || !field.is_bytes) continue;
            CKPT_TRY(const auto vma, fields_of(field.bytes));
            if ((value_of(vma, k_vma_flags) & MAP_SHARED) != 0)
                shared.push_back({value_of(vma, k_vma_start), value_of(vma, k_vma_end)});
        }
    }
    return shared;
}

// 0 = none registered.
Result<std::uint64_t> rseq_of(int images, std::uint64_t thread) {
    CKPT_TRY(const std::string image, read_image(images, "core-" + std::to_string(thread) + ".img"));
    CKPT_TRY(const auto entries, entries_of(image));
    for (const std::string_view entry : entries) {
        CKPT_TRY(const auto core, fields_of(entry));
        for (const ImageField& part : core) {
            if (part.number != k_core_thread || !part.is_bytes) continue;
            CKPT_TRY(const auto fields, fields_of(part.bytes));
            for (const ImageField& field : fields) {
                if (field.number != k_thread_rseq || !field.is_bytes) continue;
                CKPT_TRY(const auto rseq, fields_of(field.bytes));
                return value_of(rseq, k_rseq_pointer);
            }
        }
    }
    return std::uint64_t{0};
}

// One process with its threads.
Status check_process(int images, const std::vector<ImageField>& process) {
    CKPT_TRY(const auto shared, shared_mappings(images, value_of(process, k_pstree_pid)));
    if (shared.empty()) return {};
    std::vector<std::uint64_t> threads;
    for (const ImageField& field : process) {
        if (field.number != k_pstree_threads) continue;
        if (field.is_bytes) return fail(Code::store_corrupt, "a CRIU image is malformed"); // it packs nothing
        threads.push_back(field.value);
    }
    for (const std::uint64_t thread : threads) {
        CKPT_TRY(const std::uint64_t area, rseq_of(images, thread));
        const auto holds = [area](const Range& range) { return area >= range.start && area < range.end; };
        if (area != 0 && std::ranges::any_of(shared, holds))
            return fail(Code::restore_refused, "a thread keeps its restartable sequences in shared memory",
                        "no C library does that; such a program cannot be checkpointed");
    }
    return {};
}

} // namespace

Result<std::uint32_t> ghost_owner(std::string_view head) {
    std::uint32_t size = 0;
    if (head.size() < k_magics + sizeof size) return fail(Code::store_corrupt, "a CRIU image is cut");
    std::memcpy(&size, head.data() + k_magics, sizeof size);
    if (size > head.size() - k_magics - sizeof size) return fail(Code::store_corrupt, "a CRIU image is cut");
    CKPT_TRY(const auto fields, fields_of(head.substr(k_magics + sizeof size, size)));
    const auto owner = std::ranges::find(fields, k_ghost_uid, &ImageField::number);
    if (owner == fields.end()) return fail(Code::store_corrupt, "a deleted file without an owner");
    return static_cast<std::uint32_t>(owner->value);
}

Status check_ghosts(int images, const wire::UserIds& user) {
    CKPT_TRY(const auto names, list_dir(images));
    for (const std::string& name : names) {
        if (!name.starts_with("ghost-file-")) continue;
        CKPT_TRY(const Fd file, open_beneath(images, name, O_RDONLY));
        std::array<char, k_head_max> head{};
        const ssize_t n = ::pread(file.get(), head.data(), head.size(), 0);
        if (n < 0) return fail_errno(Code::os, "read " + name);
        CKPT_TRY(const std::uint32_t owner, ghost_owner({head.data(), static_cast<std::size_t>(n)}));
        if (owner != user.uid)
            return fail(Code::restore_refused, "the job has a deleted file open that belongs to another user",
                        "no copy of it is made");
    }
    return {};
}

Status check_rseq(int images) {
    CKPT_TRY(const std::string image, read_image(images, "pstree.img"));
    CKPT_TRY(const auto entries, entries_of(image));
    for (const std::string_view entry : entries) {
        CKPT_TRY(const auto process, fields_of(entry));
        CKPT_CHECK(check_process(images, process));
    }
    return {};
}

} // namespace ckpt
