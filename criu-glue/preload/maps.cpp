// SPDX-License-Identifier: GPL-2.0-or-later
// Loaded into criu: where it puts a system call into a process is memory of that process alone.
//
// It takes the first mapping of /proc/PID/maps that may be executed (compel/src/lib/infect.c:
// find_executable_area). That may be shared memory, which ptrace(2) writes to only where the process may
// itself, and then in all processes that have it (kernel mm/gup.c:check_vma_flags): what a criu that was
// killed has left, where the program has neither a fixed address nor an interpreter and so lies above it, or
// a program's own. And a line that is longer than criu's buffer, since the path is, criu takes for two. So it
// gets to see addresses and rights only, and only of what is private.
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

using Open = FILE* (*)(const char*, const char*);

// "/proc/PID/maps"
bool is_maps_of_a_process(const char* path) {
    constexpr char k_proc[] = "/proc/";
    if (std::strncmp(path, k_proc, sizeof k_proc - 1) != 0) return false;
    const char* const pid = path + sizeof k_proc - 1;
    const std::size_t digits = std::strspn(pid, "0123456789");
    return digits > 0 && std::strcmp(pid + digits, "/maps") == 0;
}

// `maps` itself where that cannot be had.
FILE* private_ones_of(FILE* maps) {
    const int fd = ::memfd_create("maps", MFD_CLOEXEC);
    FILE* const kept = fd >= 0 ? ::fdopen(fd, "w+") : nullptr;
    if (kept == nullptr) {
        if (fd >= 0) (void)::close(fd);
        return maps;
    }
    char* line = nullptr;
    std::size_t size = 0;
    while (::getline(&line, &size, maps) > 0) {
        char* rights = std::strchr(line, ' '); // "START-END rwxp OFFSET …"
        if (rights == nullptr || std::strlen(rights) < 5 || rights[4] != 'p') continue;
        rights[5] = '\0';
        (void)std::fprintf(kept, "%s\n", line);
    }
    std::free(line); // NOLINT(cppcoreguidelines-no-malloc): of getline(3)
    (void)std::fclose(maps);
    std::rewind(kept);
    return kept;
}

FILE* open_with(const char* name, const char* path, const char* mode) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): as dlsym(3) has it
    const auto real = reinterpret_cast<Open>(::dlsym(RTLD_NEXT, name));
    FILE* const file = real != nullptr ? real(path, mode) : nullptr;
    return file != nullptr && is_maps_of_a_process(path) ? private_ones_of(file) : file;
}

} // namespace

extern "C" __attribute__((visibility("default"))) FILE* fopen64(const char* path, const char* mode) {
    return open_with("fopen64", path, mode);
}

#if !defined(_FILE_OFFSET_BITS) || _FILE_OFFSET_BITS != 64
extern "C" __attribute__((visibility("default"))) FILE* fopen(const char* path, const char* mode) {
    return open_with("fopen", path, mode);
}
#endif
