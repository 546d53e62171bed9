// SPDX-License-Identifier: GPL-2.0-or-later
#include "server.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <type_traits>
#include <utility>

#include "fault/fault.hpp"
#include "log.hpp"
#include "os/accounts.hpp"
#include "os/process.hpp"
#include "os/procfs.hpp"
#include "policy/policy_yaml.hpp"

namespace ckpt {

namespace {

// All programs of ours say what they want as soon as they are connected.
constexpr std::chrono::seconds k_silence_max{10};
constexpr std::chrono::milliseconds k_rest{100}; // for a listener without descriptors
constexpr std::chrono::hours k_day{24};

std::size_t descriptors_max() {
    rlimit limit{};
    return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}

} // namespace

Server::Server(Root /*rights*/, Loop& loop, ServerConfig config)
    : m_loop(loop), m_workers(loop), m_config(std::move(config)), m_connection_limit(descriptors_max()) {}

Status Server::start(Fd listener) {
    m_started_at = std::time(nullptr);
    m_listener = std::move(listener);
    refuse_descriptors(m_listener.get());
    const std::vector<JobFile> files = read_job_files();
    std::set<std::string> kept;
    for (const JobFile& file : files)
        if (!file.pending.empty()) kept.insert(local_name_of(file.open));
    open_policy_and_tier(kept);
    take_over_jobs(files);
    open_step_dirs();
    open_asked();
    expire_tails_daily();
    prune_daily();
    open_metrics();
    watch_listener();
    return {};
}

void Server::open_policy_and_tier(const std::set<std::string>& kept) {
    m_broken.reset();
    const Status opened = try_to_open(kept);
    if (!opened) {
        log::error("checkpoints are off for new jobs", opened.error());
        m_broken = opened.error();
        return;
    }
    log::info("policy " + m_config.policy_file + " is in force, store " + m_policy.storage.base);
    open_node_port();
}

Status Server::try_to_open(const std::set<std::string>& kept) {
    m_policy_is_good = false;
    CKPT_TRY(m_policy, load_policy(m_config.policy_file));
    m_policy_is_good = true;
    m_policy_at = std::time(nullptr);
    CKPT_TRY(m_sealer, account(m_config.sealer));
    CKPT_TRY(LocalTier local, LocalTier::prepare(m_policy.storage.local, kept, m_sealer));
    m_local.emplace(std::move(local));
    empty_trash();
    return {};
}

void Server::open_step_dirs() {
    std::set<std::string> kept;
    for (const auto& [id, job] : m_jobs)
        kept.insert(job.step_dir);
    auto dirs = StepDirs::open(m_config.step_dirs, kept);
    if (dirs)
        m_step_dirs.emplace(std::move(*dirs));
    else
        log::error("scripts run srun themselves, which cannot be checkpointed", dirs.error());
    empty_step_dirs();
}

// Without it a program that asks for a checkpoint of itself is not told what has become of it.
void Server::open_asked() {
    auto asked = AskedResults::open(m_config.asked);
    if (asked)
        m_asked.emplace(std::move(*asked));
    else
        log::error("programs that ask for a checkpoint are not told of it", asked.error());
}

void Server::expire_tails_daily() {
    if (m_local) m_local->expire_tails();
    expire_copies();
    m_loop.after(k_day, [this] { expire_tails_daily(); });
}

void Server::reload_policy() {
    if (!m_local) return open_policy_and_tier({});
    auto policy = load_policy(m_config.policy_file);
    m_policy_is_good = policy.has_value();
    if (!policy) return log::error("the policy in force stays", policy.error());
    m_policy_at = std::time(nullptr);
    policy->storage.local = m_policy.storage.local; // running jobs have their images there
    m_policy = std::move(*policy);
    m_broken.reset();
    for (auto& [job_id, job] : m_jobs)
        use_policy(job);
    log::info("policy " + m_config.policy_file + " was read again");
    open_node_port();
    write_metrics();
    admit_dumps_soon();
}

bool Server::may_connect(const Peer& peer) {
    return m_connection_limit.may_come(peer.uid, false) ||
           (m_connection_limit.may_come(peer.uid, true) && is_awaited_shim(peer));
}

void Server::watch_listener() {
    m_listening = m_loop.watch(m_listener.get(), [this] { accept_connection(); });
}

// The connection stays in the backlog, where it would wake us again at once.
void Server::rest_if_short_of_descriptors(int errnum) {
    if (errnum != EMFILE && errnum != ENFILE) return;
    m_loop.cancel(m_listening);
    m_loop.after(k_rest, [this] { watch_listener(); });
}

void Server::accept_connection() {
    auto socket = accept_from(m_listener.get());
    if (!socket) return rest_if_short_of_descriptors(socket.error().errnum);
    auto peer = peer_of(socket->get());
    if (!peer || !may_connect(*peer)) return;
    m_connection_limit.came(peer->uid);
    const ConnectionId id = m_next_connection++;
    const Loop::Id watch = m_loop.watch(socket->get(), [this, id] { read_connection(id); });
    Connection& connection = m_connections[id];
    connection.socket = std::move(*socket);
    connection.peer = std::move(*peer);
    connection.watch = watch;
    if (connection.peer.uid != 0)
        connection.silence = m_loop.after(k_silence_max, [this, id] { end_silence(id); });
}

// What has come meanwhile counts, should we be the ones who were slow.
void Server::end_silence(ConnectionId id) {
    read_connection(id);
    const auto found = m_connections.find(id);
    if (found != m_connections.end() && found->second.silence != 0) drop_connection(id);
}

void Server::read_connection(ConnectionId id) {
    const auto found = m_connections.find(id);
    if (found == m_connections.end()) return;
    auto packet = receive_packet(found->second.socket.get(), std::chrono::milliseconds(0));
    if (packet) return dispatch(id, std::move(*packet));
    if (packet.error().code != Code::deadline) drop_connection(id);
}

void Server::drop_connection(ConnectionId id) {
    const auto found = m_connections.find(id);
    if (found == m_connections.end()) return;
    const Connection gone = std::move(found->second);
    m_connections.erase(found);
    m_loop.cancel(gone.watch);
    m_loop.cancel(gone.silence);
    m_connection_limit.gone(gone.peer.uid);
    if (gone.is_shim) shim_gone(gone.job_id, gone.task);
    if (gone.when_closed) asked_from_inside(*gone.when_closed);
    for (auto& [job_id, job] : m_jobs) {
        if (job.on_demand == id) job.on_demand.reset();
        if (job.epilog == id) job.epilog.reset();
        begin_what_was_asked_inside(job);
    }
}

Job* Server::find_job(std::uint32_t job_id) {
    const auto found = m_jobs.find(job_id);
    return found == m_jobs.end() ? nullptr : &found->second;
}

Job* Server::find_job(std::uint32_t job_id, std::uint64_t serial) {
    Job* job = find_job(job_id);
    return job != nullptr && job->serial == serial ? job : nullptr;
}

bool Server::may_log(uid_t uid) {
    const LineLimit::Verdict verdict = m_lines.ask(uid, std::time(nullptr));
    if (verdict.left_out > 0)
        log::warning(std::to_string(verdict.left_out) + " more lines of what uid " + std::to_string(uid) +
                     " did were left out");
    return verdict.may;
}

bool Server::may_log(const Job& job, Reason reason) {
    return !is_asked_for(reason) || may_log(job.facts.uid);
}

void Server::log_nonsense(const Peer& peer, const std::string& what) {
    if (may_log(peer.uid))
        log::warning("a connection of uid " + std::to_string(peer.uid) + ", pid " + std::to_string(peer.pid) +
                     ", is closed: " + what);
}

void Server::dispatch(ConnectionId id, Packet packet) {
    CKPT_FAULT_IN_TIME("ckptd.message");
    const auto type = wire::type_of(packet.bytes);
    if (!type) {
        log_nonsense(m_connections.at(id).peer, one_line(type.error()));
        return drop_connection(id);
    }
    const auto deliver = [&]<typename M>(std::type_identity<M>) {
        const auto message = wire::decode<M>(packet.bytes);
        if (!message) return drop_connection(id);
        m_loop.cancel(std::exchange(m_connections.at(id).silence, 0));
        on_message(id, *message);
    };
    switch (*type) {
    case wire::JobOpen::k_type:
        return deliver(std::type_identity<wire::JobOpen>{});
    case wire::TaskRegister::k_type:
        return deliver(std::type_identity<wire::TaskRegister>{});
    case wire::StepTaskRegister::k_type:
        return deliver(std::type_identity<wire::StepTaskRegister>{});
    case wire::AllocationTaskRegister::k_type:
        return deliver(std::type_identity<wire::AllocationTaskRegister>{});
    case wire::TaskHello::k_type:
        return deliver(std::type_identity<wire::TaskHello>{});
    case wire::Settled::k_type:
        return deliver(std::type_identity<wire::Settled>{});
    case wire::StepDoubt::k_type:
        return deliver(std::type_identity<wire::StepDoubt>{});
    case wire::StepsKnown::k_type:
        return deliver(std::type_identity<wire::StepsKnown>{});
    case wire::StepOver::k_type:
        return deliver(std::type_identity<wire::StepOver>{});
    case wire::TaskExit::k_type:
        return deliver(std::type_identity<wire::TaskExit>{});
    case wire::JobEpilog::k_type:
        return deliver(std::type_identity<wire::JobEpilog>{});
    case wire::ShimHello::k_type:
        return deliver(std::type_identity<wire::ShimHello>{});
    case wire::AppAsked::k_type:
        return deliver(std::type_identity<wire::AppAsked>{});
    case wire::AppAnswered::k_type:
        return deliver(std::type_identity<wire::AppAnswered>{});
    case wire::TreeStarted::k_type:
        return deliver(std::type_identity<wire::TreeStarted>{});
    case wire::ShimTerm::k_type:
        return deliver(std::type_identity<wire::ShimTerm>{});
    case wire::TreeExited::k_type:
        return deliver(std::type_identity<wire::TreeExited>{});
    case wire::ListRequest::k_type:
        return deliver(std::type_identity<wire::ListRequest>{});
    case wire::PruneCommand::k_type:
        return deliver(std::type_identity<wire::PruneCommand>{});
    case wire::CreateRequest::k_type:
        return deliver(std::type_identity<wire::CreateRequest>{});
    case wire::AskFor::k_type:
        return deliver(std::type_identity<wire::AskFor>{});
    case wire::ExplainRequest::k_type:
        return deliver(std::type_identity<wire::ExplainRequest>{});
    default:
        return drop_connection(id);
    }
}

} // namespace ckpt
