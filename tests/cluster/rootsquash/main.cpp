// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright the slurm-checkpoint authors
//
// rootsquash [--silly-rename] DIRECTORY MOUNTPOINT: what an NFS export with root_squash looks like on a
// client. A FUSE server that does everything in DIRECTORY with the rights of whoever asks, root being nobody
// whatever capabilities it has. As on NFS there are no extended attributes, and nothing but names and sizes
// is known of what others do to an open file. Runs until it gets SIGTERM, which unmounts. Needs /proc and
// /dev/fuse.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "inodes.hpp"

namespace {

// One descriptor for each file that the kernel knows.
void raise_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

int serve(rootsquash::Inodes& inodes, const char* mount_point) {
    std::array arguments = {std::string("rootsquash"), std::string("-o"),
                            std::string("allow_other,fsname=squash,subtype=rootsquash")};
    std::array words = {arguments[0].data(), arguments[1].data(), arguments[2].data()};
    fuse_args args = FUSE_ARGS_INIT(static_cast<int>(words.size()), words.data());
    fuse_lowlevel_ops operations{};
    rootsquash::add_name_operations(operations);
    rootsquash::add_content_operations(operations);
    fuse_session* session = ::fuse_session_new(&args, &operations, sizeof operations, &inodes);
    if (session == nullptr) return EXIT_FAILURE;
    int status = EXIT_FAILURE;
    if (::fuse_set_signal_handlers(session) == 0 && ::fuse_session_mount(session, mount_point) == 0) {
        status = ::fuse_session_loop(session) < 0
                     ? EXIT_FAILURE
                     : EXIT_SUCCESS; // one thread: file-system ids are a thread's
        ::fuse_session_unmount(session);
    }
    ::fuse_session_destroy(session);
    return status;
}

} // namespace

int main(int argc, char** argv) {
    const bool silly_rename = argc == 4 && std::strcmp(argv[1], "--silly-rename") == 0;
    if (argc != 3 && !silly_rename) {
        (void)std::fputs("usage: rootsquash [--silly-rename] DIRECTORY MOUNTPOINT\n", stderr);
        return 2;
    }
    rootsquash::Fd root(::open(argv[argc - 2], O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root) {
        std::perror(argv[argc - 2]);
        return EXIT_FAILURE;
    }
    raise_limit();
    ::umask(0); // the kernel has applied the caller's
    rootsquash::Inodes inodes(std::move(root), silly_rename);
    return serve(inodes, argv[argc - 1]);
}
