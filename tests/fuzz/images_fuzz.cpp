// SPDX-License-Identifier: GPL-2.0-or-later
// CRIU's images, which the job's own criu writes. An input is one file, or several, one behind the other:
// pstree.img, core-7.img, mm-7.img, core-10.img of a second thread, and ghost-file-1.img.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "engine/addresses.hpp"
#include "engine/image_creds.hpp"
#include "engine/image_fields.hpp"
#include "engine/image_safety.hpp"
#include "engine/pid_gap.hpp"
#include "engine/timers.hpp"
#include "fuzz.hpp"
#include "os/fd.hpp"
#include "store/pagemap.hpp"

using namespace ckpt;

namespace {

constexpr std::string_view k_magic = "\x19\x43\x56\x54"; // IMG_COMMON_MAGIC
const wire::UserIds k_user{1000, 1000, {1001}};

std::vector<std::string_view> files_in(std::string_view input) {
    std::vector<std::string_view> files;
    while (!input.empty()) {
        const std::size_t next = std::min(input.find(k_magic, 1), input.size());
        files.push_back(input.substr(0, next));
        input.remove_prefix(next);
    }
    return files;
}

void fields(std::string_view entry) {
    const auto fields = fields_of(entry);
    if (!fields) return;
    std::string again;
    for (const ImageField& field : *fields)
        again += field.raw;
    fuzz::require(again == entry);
}

void rewritten(std::string_view image) {
    const auto same = rewrite_entries(
        image, [](std::string_view entry) { return Result<std::string>(std::string(entry)); });
    fuzz::require(!same || *same == image);
    const auto loopback = [](const Address& old) {
        return std::optional(Address{old.v6, {old.v6 ? 0U : 0x0100007fU, 0, 0, old.v6 ? 0x01000000U : 0U}});
    };
    if (const auto moved = move_addresses(image, loopback)) {
        fuzz::require(entries_of(*moved).has_value());
        const auto again = move_addresses(*moved, loopback);
        fuzz::require(again && *again == *moved);
    }
    if (const auto repaired = repair_timers(image)) {
        const auto again = repair_timers(*repaired);
        fuzz::require(again && *again == *repaired);
    }
}

void pagemap(std::string_view image) {
    static const Fd file(::memfd_create("pagemap", MFD_CLOEXEC));
    fuzz::require(::ftruncate(file.get(), 0) == 0 &&
                  ::pwrite(file.get(), image.data(), image.size(), 0) == static_cast<ssize_t>(image.size()) &&
                  ::lseek(file.get(), 0, SEEK_SET) == 0);
    auto reader = store::PagemapReader::open(Fd(::dup(file.get())));
    if (!reader) return;
    while (const auto run = reader->next())
        fuzz::require(run->count > 0 && run->first + run->count <= std::uint64_t{1} << 52U);
}

// A directory of images, always the same one.
class Directory {
public:
    Directory() {
        fuzz::require(::mkdtemp(m_path.data()) != nullptr);
        m_fd = Fd(::open(m_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    Directory(Directory&&) = delete;
    Directory& operator=(Directory&&) = delete;
    ~Directory() {
        for (const char* name : k_names)
            ::unlinkat(m_fd.get(), name, 0);
        ::rmdir(m_path.c_str());
    }
    void put(const std::vector<std::string_view>& images) {
        for (std::size_t i = 0; i < std::size(k_names); ++i) {
            ::unlinkat(m_fd.get(), k_names[i], 0);
            if (i >= images.size()) continue;
            const Fd file(::openat(m_fd.get(), k_names[i], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
            fuzz::require(::write(file.get(), images[i].data(), images[i].size()) ==
                          static_cast<ssize_t>(images[i].size()));
        }
    }
    [[nodiscard]] int fd() const { return m_fd.get(); }

private:
    static constexpr const char* k_names[] = {"pstree.img", "core-7.img", "mm-7.img", "core-10.img",
                                              "ghost-file-1.img"};
    std::string m_path = "/dev/shm/images_fuzz-XXXXXX";
    Fd m_fd;
};

void several(const std::vector<std::string_view>& images) {
    static Directory directory;
    directory.put(images);
    if (const auto safe = check_rseq(directory.fd()); !safe) fuzz::require_one_line(one_line(safe.error()));
    if (const auto own = check_ghosts(directory.fd(), k_user); !own)
        fuzz::require_one_line(one_line(own.error()));
    if (const auto allowed = check_image_creds(directory.fd(), k_user); !allowed)
        fuzz::require_one_line(one_line(allowed.error()));
    constexpr pid_t k_pid_max = 32768;
    const auto pids = pids_in_images(directory.fd());
    const auto last = pids ? pick_last_pid(*pids, k_pid_max) : Result<pid_t>(0);
    fuzz::require(!last || (*last >= 0 && *last < k_pid_max));
}

} // namespace

FUZZ_TARGET(std::string_view input) {
    const auto images = files_in(input);
    for (const std::string_view image : images) {
        if (const auto entries = entries_of(image))
            for (const std::string_view entry : *entries)
                fields(entry);
        rewritten(image);
        (void)check_core_image(image, k_user);
        (void)ghost_owner(image);
        pagemap(image);
    }
    if (images.size() > 1) several(images);
}
