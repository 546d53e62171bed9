// SPDX-License-Identifier: GPL-2.0-or-later
#include "store/image_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <format>
#include <map>

#include "os/safe_path.hpp"
#include "store/index.hpp"
#include "store/names.hpp"

namespace ckpt::store {
namespace {

std::optional<PagemapReader> open_pagemap(int dir, const std::string& name) {
    std::uint64_t size = 0;
    auto file = open_image_file(dir, name, size);
    return file ? PagemapReader::open(std::move(*file)) : std::nullopt;
}

// Whether it speaks of exactly the pages that are in the file.
bool covers(int dir, const std::string& pagemap, const std::string& pages) {
    std::uint64_t size = 0;
    auto reader = open_pagemap(dir, pagemap);
    if (!reader || !open_image_file(dir, pages, size) || size % 4096 != 0) return false;
    std::uint64_t left = size / 4096;
    while (const auto run = reader->next()) {
        if (run->count > left) return false;
        left -= run->count;
    }
    return reader->sane() && left == 0;
}

// The pages image that each pagemap names: the first one that does has it.
std::map<std::string, std::string> pagemaps(int dir, const std::vector<std::string>& names) {
    std::map<std::string, std::string> by_pages;
    for (const std::string& name : names) {
        if (!name.starts_with("pagemap-") || !name.ends_with(".img")) continue;
        if (const auto reader = open_pagemap(dir, name))
            by_pages.try_emplace(std::format("pages-{}.img", reader->pages_id()), name);
    }
    return by_pages;
}

} // namespace

Result<Fd> open_image_file(int dir, const std::string& name, std::uint64_t& size) {
    CKPT_TRY(Fd in, open_beneath(dir, name, O_RDONLY | O_NONBLOCK | O_NOCTTY));
    struct stat st{};
    if (::fstat(in.get(), &st) != 0) return fail_errno(Code::os, "look at " + name);
    if (!S_ISREG(st.st_mode)) return fail(Code::internal, name + ": not a regular file");
    size = static_cast<std::uint64_t>(st.st_size);
    return in;
}

Result<std::vector<ImageFile>> list_image_files(int dir) {
    CKPT_TRY(const auto names, list_dir(dir));
    if (names.size() > k_index_files_max)
        return fail(Code::internal, std::format("more than {} image files", k_index_files_max));
    const auto by_pages = pagemaps(dir, names);
    std::vector<ImageFile> files;
    files.reserve(names.size());
    for (const std::string& name : names) {
        if (!is_store_name(name)) return fail(Code::internal, name + ": not the name of an image");
        const auto pagemap = by_pages.find(name);
        if (pagemap != by_pages.end() && covers(dir, pagemap->second, name))
            files.push_back({name, pagemap->second + std::string(k_space_suffix), pagemap->second});
        else
            files.push_back({name, name, {}});
    }
    std::ranges::sort(files, {}, &ImageFile::space);
    return files;
}

PagemapRun AddressMap::take(std::uint64_t max) {
    if (!m_pagemap || m_run.count == 0) {
        const auto next = m_pagemap ? m_pagemap->next() : std::nullopt;
        // It has changed since we looked, or there is none: go on where we are.
        m_run = next.value_or(PagemapRun{m_run.first, max});
    }
    const PagemapRun taken{m_run.first, std::min(max, m_run.count)};
    m_run.first += taken.count;
    m_run.count -= taken.count;
    return taken;
}

AddressMap address_map(int dir, const ImageFile& file) {
    return file.pagemap.empty() ? AddressMap() : AddressMap(open_pagemap(dir, file.pagemap));
}

} // namespace ckpt::store
