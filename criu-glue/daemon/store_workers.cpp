// SPDX-License-Identifier: GPL-2.0-or-later
// The two workers that every access to the store takes: ckpt-sealer, which holds the key and none of the
// user's rights, and ckpt-writer, which has those and sees only what is sealed.
#include <fcntl.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <utility>
#include <vector>

#include "log.hpp"
#include "os/stream.hpp"
#include "server.hpp"

namespace ckpt {

namespace {

constexpr std::chrono::seconds k_writer_grace{10}; // to end behind its sealer
constexpr const char* k_key_hint = "copy it from another node; if none has one yet, make it with 'sckpt key create'";

// Opened here, read by the sealer, which may not open it.
Result<Fd> open_key(const std::string& path) {
    Fd key(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (key) return key;
    auto error = fail_errno(Code::store_key, "cannot read the key file " + path);
    if (error.value().errnum == ENOENT) error.value().hint = k_key_hint;
    return error;
}

// It has closed its end without a word; what it was asked for may be done or not.
Error no_answer() {
    return {Code::store_unwritable,
            "ckpt-sealer has ended without an answer: it was killed, or memory ran out", "", EPIPE};
}

} // namespace

Status Server::check_key() const {
    return open_key(m_config.key_file).map([](const Fd&) {});
}

Server::UserStore Server::store_of(const Job& job, bool make, bool in_background) const {
    const auto sites = user_base(m_policy.storage.base, job.facts.user);
    return {job.place.base,
            job.user,
            make,
            in_background,
            sites && *sites == job.place.base,
            admins_part(m_policy, job.place.base, job.facts.user)};
}

Result<Server::UserStore> Server::store_of(const std::string& user, uid_t uid, const std::string& dir) const {
    CKPT_TRY(const std::string sites, user_base(m_policy.storage.base, user));
    const wire::UserIds ids{uid, wire::WriterRequest::k_unknown, {}};
    UserStore store{sites, ids, false, false, true, {}};
    if (!dir.empty()) {
        auto allowed = allowed_dir(m_policy, dir, user);
        if (!allowed) allowed.error().what = "--dir: " + allowed.error().what;
        CKPT_TRY(store.base, std::move(allowed));
        store.is_sites = store.base == sites;
    }
    store.above = admins_part(m_policy, store.base, user);
    return store;
}

Workers::Id Server::start_sealer(const UserStore& store, const std::string& request, std::span<const int> fds,
                                 std::chrono::milliseconds limit, Workers::Done done,
                                 std::function<bool(const Packet&)> interim) {
    auto stream = make_stream_pair();
    auto key = open_key(m_config.key_file);
    if (!stream || !key) {
        const Error error = key ? stream.error() : key.error();
        m_loop.after(std::chrono::milliseconds(0),
                     [done = std::move(done), error] { done(tl::unexpected(error)); });
        return 0;
    }
    const std::array writer_fds = {stream->second.get()};
    const Workers::Id writer = m_workers.start(
        "ckpt-writer",
        wire::encode(wire::WriterRequest{store.base, store.user, store.make, store.is_sites, store.above}),
        writer_fds, limit, [](const Result<Packet>&) {}); // what fails there, the sealer reports
    std::vector<int> all = {stream->first.get(), key->get()};
    all.insert(all.end(), fds.begin(), fds.end());
    const auto named = [this, writer, done = std::move(done)](Result<Packet> packet) {
        // It ends by itself, unless its user has stopped it or its file system hangs.
        m_loop.after(k_writer_grace, [this, writer] { m_workers.abandon(writer); });
        const bool is_silent = !packet && packet.error().code == Code::not_found;
        done(is_silent ? tl::unexpected(no_answer()) : std::move(packet));
    };
    return m_workers.start("ckpt-sealer", request, all, limit, named,
                           WorkerRuns{0, m_sealer, store.in_background, std::move(interim)});
}

} // namespace ckpt
