// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/log_excerpt.hpp"

#include <array>

namespace ckpt {

namespace {

struct KnownCause {
    const char*
        pattern; // found in CRIU's line (the source file and function it comes from are in the comments)
    const char* what;
    const char* hint;
};

constexpr const char* k_use_app = "use --checkpoint-method=app:SIG if the program can checkpoint itself";

constexpr const char* k_same_cpu = "restrict the job to nodes of the same CPU type (--constraint)";
constexpr const char* k_next_time = "it will be tried again with the next checkpoint";

constexpr std::array k_causes = {
    // ---- dump ----
    // files-ext.c:dump_unsupp_fd, proc_parse.c:handle_vma
    KnownCause{"io_uring", "the job uses io_uring, which CRIU cannot save", k_use_app},
    KnownCause{"perf_event", "the job has performance counters open, which CRIU cannot save",
               "run it without the profiler"},
    KnownCause{"userfaultfd", "the job uses userfaultfd, which CRIU cannot save", k_use_app},
    KnownCause{"infiniband", "the job uses RDMA verbs, which CRIU cannot save",
               "run on one node with a shared-memory transport, or use --checkpoint-method=app:SIG"},
    KnownCause{"/dev/nvidia", "the job uses a GPU, which CRIU cannot save without its CUDA plugin",
               k_use_app},
    KnownCause{"Unsupported mapping found", "the job has mapped the memory of a device", k_use_app},
    // files-reg.c:dump_ghost_file, dump_one_reg_file
    KnownCause{"Can't dump ghost file", "the job holds a large deleted file open",
               "raise the ghost file limit in the policy, or keep the file's name until the job ends"},
    KnownCause{"Can't lookup mount", "the job holds a file from outside its own view of the file systems",
               ""},
    // pipes.c:dump_one_pipe_data; no survey has seen named ones, those in a socket's queue, and new ones
    KnownCause{"OOM storing pipe", "the job has more than 1,024 pipes open, of which CRIU saves no more",
               k_use_app},
    // likewise: a copy as large as the pipe is more than a user may have (kernel fs/pipe.c:pipe_set_size)
    KnownCause{"Unable to set a pipe size",
               "the user's pipes on this node are as much as fs.pipe-user-pages-soft allows",
               "close some before the checkpoint, or ask an admin to raise it with sysctl"},
    // sk-inet.c:can_dump_inet_sk, dump_one_inet_fd
    KnownCause{"Connected TCP socket", "the job has a TCP connection that CRIU cannot save",
               "close connections before the checkpoint, or use --checkpoint-method=app:SIG"},
    KnownCause{"In-flight connection",
               "a connection to the job's listening socket was waiting to be accepted", k_next_time},
    KnownCause{"MPTCP", "the job uses multipath TCP, which CRIU cannot save",
               "set GODEBUG=multipathtcp=0 for Go"},
    KnownCause{"Unsupported proto 262", "the job uses multipath TCP, which CRIU cannot save",
               "set GODEBUG=multipathtcp=0 for Go"},
    // sk-unix.c:dump_external_sockets
    KnownCause{"External socket is used", "the job has a socket connection to a process outside of it",
               "end that connection before the checkpoint"},
    KnownCause{"not a part of process tree", "the job holds a pidfd of a process outside of it", k_use_app},
    // infect.c:compel_wait_task, seize.c:collect_task and collect_threads
    KnownCause{"Unseizable non-zombie", "a debugger or tracer is attached to the job", "detach it"},
    KnownCause{"pending SIGTRAP", "a debugger or tracer is attached to the job", "detach it"},
    KnownCause{"Zombies with threads", "a process of the job was ending", k_next_time},
    KnownCause{"Individually stopped threads", "a single thread of the job is stopped", k_next_time},
    KnownCause{"32-bit mode", "the job runs a 32-bit program, which this CRIU cannot save", ""},
    KnownCause{"Can't dump nested", "the job has a namespace of its own, as containers do", k_use_app},
    // ---- restore ----
    // files-reg.c:validate_file, open_path
    KnownCause{"has bad size", "a file the job had open has another size than when the checkpoint was taken",
               "put the file back as it was, or let the job start from an older generation"},
    KnownCause{"has bad mode",
               "a file the job had open has other permissions than when the checkpoint was taken",
               "put its mode back"},
    KnownCause{"has bad build-ID", "a program or library of the job was updated since the checkpoint",
               "restore on a node that still has the old version"},
    KnownCause{"Can't open file", "a file the job had open is missing or not accessible here",
               "files on a node's own disk do not follow a job to another node"},
    // arch/x86/cpu.c:cpu_validate_features
    KnownCause{"do not match run time", "this node's CPU lacks features that the job was using", k_same_cpu},
    KnownCause{"FPU feature required", "this node's CPU lacks features that the job was using", k_same_cpu},
    KnownCause{"xsave", "this node's CPU saves its registers in another format", k_same_cpu},
    KnownCause{"xfeatures", "this node's CPU saves its registers in another format", k_same_cpu},
    // cr-restore.c:fork_with_pid
    KnownCause{"Can't fork for", "a process id that the job needs is taken",
               "this is a fault of slurm-checkpoint"},
    // sk-inet.c:inet_bind
    KnownCause{"Can't bind inet socket", "a port on which the job listened is not free on this node",
               "let it run where it is: scontrol release JOBID, with ReqNodeList if need be"},
};

bool is_error_line(std::string_view line) {
    return line.find("Error (") != std::string_view::npos;
}

// "(00.012) Error (criu/files-reg.c:12): File x" -> "File x"
std::string_view message_of(std::string_view line) {
    const std::size_t mark = line.find("Error (");
    if (mark == std::string_view::npos) return line;
    const std::size_t end = line.find("): ", mark);
    return end == std::string_view::npos ? line.substr(mark) : line.substr(end + 3);
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' '))
        text.remove_suffix(1);
    while (!text.empty() && text.front() == ' ')
        text.remove_prefix(1);
    return text;
}

} // namespace

Error explain_criu(Code code, std::string_view first_error_line) {
    const std::string line(trimmed(message_of(trimmed(first_error_line))));
    if (line.empty()) return Error{code, "CRIU gave no reason", "", 0};
    for (const KnownCause& cause : k_causes)
        if (line.find(cause.pattern) != std::string::npos)
            return Error{cause.hint == k_same_cpu ? Code::node_unfit : code,
                         std::string(cause.what) + " (CRIU: " + line + ")", cause.hint, 0};
    return Error{code, "CRIU: " + line, "", 0};
}

std::string first_error_of(std::string_view log) {
    while (!log.empty()) {
        const std::size_t end = log.find('\n');
        const std::string_view line = log.substr(0, end);
        if (is_error_line(line)) return std::string(trimmed(message_of(line)));
        if (end == std::string_view::npos) break;
        log.remove_prefix(end + 1);
    }
    return {};
}

} // namespace ckpt
