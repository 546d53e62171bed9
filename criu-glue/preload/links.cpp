// SPDX-License-Identifier: GPL-2.0-or-later
// Loaded into criu: the names that it makes in the user's directories are nobody else's.
//
// A file that is open under a name it has lost gets a hard link `link_remap.N` in a dump, with N counted
// from 1 in each (files-reg.c:create_link_remap), and `NAME.cr_link` in a restore when NAME is taken
// (files-reg.c:open_path): two jobs in one directory want the same, and whoever may write there can have
// taken them all. criu gives the buffer that its images, and its removal of the link, take the name from: so
// the name is changed in place. Should that ever be another buffer, the dump fails, as the link is not where
// the images say.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>
#include <cstdint>
#include <cstring>

namespace {

constexpr char k_dumped[] = "link_remap.";
constexpr char k_restored[] = ".cr_link";
constexpr std::size_t k_digits = 16;

// Where a random number goes: what is in front of it stays. Null: it is no such name.
char* end_of_fixed_part(char* path, int flags) {
    char* const slash = std::strrchr(path, '/');
    char* const name = slash != nullptr ? slash + 1 : path;
    const std::size_t length = std::strlen(name);
    constexpr std::size_t k_dumped_size = sizeof k_dumped - 1;
    constexpr std::size_t k_restored_size = sizeof k_restored - 1;
    if ((flags & AT_EMPTY_PATH) != 0)
        return std::strncmp(name, k_dumped, k_dumped_size) == 0 ? name + k_dumped_size : nullptr;
    const bool restored =
        length > k_restored_size && std::strcmp(name + length - k_restored_size, k_restored) == 0;
    return restored ? name + length : nullptr;
}

// Nobody can have guessed it. Leaves a name that has no room for it, in buffers of PATH_MAX.
void make_unique(char* path, char* at) {
    std::uint64_t number = 0;
    if (static_cast<std::size_t>(at - path) + k_digits >= PATH_MAX ||
        ::syscall(SYS_getrandom, &number, sizeof number, 0) != static_cast<long>(sizeof number))
        return;
    for (std::size_t i = 0; i < k_digits; ++i, number >>= 4)
        at[i] = "0123456789abcdef"[number & 0xf];
    at[k_digits] = '\0';
}

} // namespace

extern "C" __attribute__((visibility("default"))) int linkat(int from, const char* old_path, int to,
                                                             const char* path, int flags) noexcept {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): criu's own buffer, see above
    auto* const name = const_cast<char*>(path);
    if (char* const at = end_of_fixed_part(name, flags); at != nullptr) make_unique(name, at);
    return static_cast<int>(::syscall(SYS_linkat, from, old_path, to, path, flags));
}
