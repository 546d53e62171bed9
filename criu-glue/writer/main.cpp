// SPDX-License-Identifier: GPL-2.0-or-later
// ckpt-writer: serves one user's directory in the store to ckpt-sealer. It starts as root, only to make that
// directory below one of root's, becomes the user for good, and sees what is sealed already: whatever the
// user does to it harms nobody but the user.
#include <fcntl.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <utility>

#include "os/accounts.hpp"
#include "os/socket.hpp"
#include "seccomp/filter.hpp"
#include "volume/local_volume.hpp"
#include "volume/pulse.hpp"
#include "volume/serve.hpp"
#include "wire/app_messages.hpp"
#include "wire/store_messages.hpp"
#include "writer/app_dir.hpp"
#include "writer/user_dir.hpp"

namespace {

using namespace ckpt;

constexpr auto k_request_limit = std::chrono::seconds(10);

void harden() {
    ::umask(022); // everything is made with the mode it shall have
    ::clearenv(); // NOLINT(concurrency-mt-unsafe): one thread
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
#ifndef CKPT_SANITIZED                            // which reserves terabytes
    constexpr rlim_t k_memory = rlim_t{1} << 30U; // what a user's files say must not take the node's
    const rlimit memory{k_memory, k_memory};
    ::setrlimit(RLIMIT_AS, &memory);
#endif
    // For the one thread that says that it is at work (volume/pulse.hpp): how many processes the user has,
    // and may have, is another matter.
    const rlimit any{RLIM_INFINITY, RLIM_INFINITY};
    ::setrlimit(RLIMIT_NPROC, &any);
    (void)std::signal(SIGXFSZ, SIG_IGN);
    (void)std::signal(SIGPIPE, SIG_IGN);
}

Result<JobUser> job_user_from(const wire::UserIds& user) {
    if (user.gid != wire::WriterRequest::k_unknown) return JobUser{{user.uid, user.gid, user.groups}};
    const passwd* entry = ::getpwuid(user.uid); // NOLINT(concurrency-mt-unsafe): one thread asks
    if (entry == nullptr) return fail(Code::not_found, "no user has uid " + std::to_string(user.uid));
    CKPT_TRY(Identity ids, identity_of(user.uid, entry->pw_gid));
    return JobUser{std::move(ids)};
}

Status become(Root root, const JobUser& user) {
    CKPT_CHECK(drop_to(root, user));
    // The user may stop it or end it, as any process of theirs, but not speak to ckptd in its place.
    ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
#ifdef CKPT_SANITIZED // which looks at its own threads as a debugger does
    return {};
#else
    return allow_only_files();
#endif
}

// What no rights help against; the user's attempt would fail for another reason, and hide this one.
bool is_final(const Error& error) {
    return error.code == Code::not_found || error.errnum == EROFS || error.errnum == ENOSPC ||
           error.errnum == EDQUOT;
}

// Looking up a user and mounting a file system may take long: ckpt-sealer is told meanwhile that we are at
// work. For either half a thread of its own does so, since rights are dropped where there is only one.
class AtWork {
public:
    explicit AtWork(int stream) : m_pulse(stream, {}) { m_pulse.begin_call(); }

private:
    store::Pulse m_pulse;
};

struct AsRoot {
    JobUser user;
    Result<Fd> dir;
};
Result<AsRoot> look_as_root(Root root, const wire::WriterRequest& request, const UserDir& wanted,
                            int stream) {
    const AtWork at_work(stream);
    CKPT_TRY(JobUser user, job_user_from(request.user));
    Result<Fd> dir = fail(Code::not_permitted, "the user's own choice");
    if (request.is_sites) dir = open_as_root(root, wanted, user);
    return AsRoot{std::move(user), std::move(dir)};
}

// From here on with the user's rights only.
Result<Fd> open_directory(const wire::WriterRequest& request, int stream) {
    const UserDir wanted{request.base, request.above, request.make};
    CKPT_TRY(const Root root, Root::claim());
    CKPT_TRY(AsRoot found, look_as_root(root, request, wanted, stream));
    CKPT_CHECK(become(root, found.user));
    const AtWork at_work(stream);
    Result<Fd> dir = std::move(found.dir);
    if (!dir && !is_final(dir.error())) dir = open_as_user(wanted, found.user.uid);
    if (dir) CKPT_CHECK(check_user_dir(dir->get(), request.base, found.user.uid));
    return dir;
}

Status serve(const wire::WriterRequest& request, Fd stream) {
    auto dir = open_directory(request, stream.get());
    if (!dir) return store::serve_no_volume(stream.get(), dir.error());
    store::LocalVolume volume(std::move(*dir), request.base);
    return store::serve_volume(stream.get(), volume);
}

// Nobody reads along, and the directory of a job has its own answer.
Status keep_app_dir(const Packet& packet) {
    wire::AppDirResult result;
    CKPT_TRY(const auto request, wire::decode<wire::AppDirRequest>(packet.bytes));
    const Fd nobody(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    CKPT_TRY(const Fd dir, open_directory(request.user_dir, nobody.get()));
    CKPT_TRY(result.generation, serve_app_dir(dir.get(), request));
    return send_packet(wire::k_worker_fd, wire::encode(result));
}

Status run(bool& is_app_dir) {
    CKPT_TRY(Packet packet, receive_packet(wire::k_worker_fd, k_request_limit));
    CKPT_TRY(const std::uint16_t type, wire::type_of(packet.bytes));
    is_app_dir = type == wire::AppDirRequest::k_type;
    if (is_app_dir) return keep_app_dir(packet);
    CKPT_TRY(const auto request, wire::decode<wire::WriterRequest>(packet.bytes));
    if (packet.fds.size() != 1) return fail(Code::wire_malformed, "a request without its stream");
    return serve(request, std::move(packet.fds.front()));
}

} // namespace

int main() {
    harden();
    wire::Outcome outcome;
    bool is_app_dir = false;
    try {
        if (const Status done = run(is_app_dir); !done) outcome = wire::outcome_of(done.error());
    } catch (const std::exception& error) { // memory
        outcome = wire::outcome_of({Code::internal, error.what(), "", 0});
    }
    if (!is_app_dir)
        (void)send_packet(wire::k_worker_fd, wire::encode(wire::WriterResult{outcome}));
    else if (outcome.code != 0)
        (void)send_packet(wire::k_worker_fd, wire::encode(wire::AppDirResult{outcome}));
    return outcome.code == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
