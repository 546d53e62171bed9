// SPDX-License-Identifier: GPL-2.0-or-later
// The daemon: connections in, events to the state machine, effects out. One object, one thread; its member
// functions are grouped by file: server.cpp (connections), *_messages.cpp (who says what), effects*.cpp (what
// we do).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "admission.hpp"
#include "asked_results.hpp"
#include "connection_limit.hpp"
#include "job.hpp"
#include "line_limit.hpp"
#include "listings.hpp"
#include "local_copies.hpp"
#include "local_tier.hpp"
#include "loop.hpp"
#include "metrics.hpp"
#include "metrics_socket.hpp"
#include "node_port.hpp"
#include "os/creds.hpp"
#include "os/socket.hpp"
#include "policy/fit.hpp"
#include "policy/margin.hpp"
#include "policy/policy.hpp"
#include "policy/schedule.hpp"
#include "result/result.hpp"
#include "step_dirs.hpp"
#include "store_users.hpp"
#include "wire/app_messages.hpp"
#include "wire/asked.hpp"
#include "wire/link_messages.hpp"
#include "wire/step_messages.hpp"
#include "worker.hpp"

namespace ckpt {

struct UserJobs;  // slurmctld.hpp
struct BatchHost; // likewise
struct Greeting;  // link/greeting.hpp
struct LinkKeys;  // likewise

struct ServerConfig {
    std::string policy_file = "/etc/slurm/checkpoint.yaml";
    std::string key_file = "/etc/slurm/checkpoint.key";
    std::string sealer = "slurm-checkpoint"; // the account that ckpt-sealer runs as
    std::string socket = wire::k_socket_path;
    std::string job_files = "/run/ckptd/jobs";
    std::string step_dirs = wire::k_step_dirs;
    std::string asked = wire::k_asked_dir;
};

class Server {
public:
    // All that it does is done with these rights.
    Server(Root rights, Loop& loop, ServerConfig config);

    // Listens; jobs are served from then on even when policy or local tier are broken (they run unmanaged).
    Status start(Fd listener);
    // Reads the policy anew; a bad one is reported and the one in force stays.
    void reload_policy();
    // Stops the loop once no last generation of a job is under way.
    void stop_when_saved();

private:
    struct Connection {
        Fd socket;
        Peer peer;
        Loop::Id watch = 0;
        std::uint32_t job_id = 0; // of a shim that has said hello
        TaskKey task;
        bool is_shim = false;
        Loop::Id silence = 0; // the limit of it; 0 = it has said something that is a message
        std::optional<wire::AskFor> when_closed; // from a process of that job itself
        std::optional<std::string> cgroup;       // its process's (os/cgroup.hpp), once that was asked for
        std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();
    };

    // connections (server.cpp)
    void watch_listener();
    void rest_if_short_of_descriptors(int errnum);
    void accept_connection();
    void read_connection(ConnectionId id);
    void drop_connection(ConnectionId id);
    void dispatch(ConnectionId id, Packet packet);
    template <typename M>
    void send(ConnectionId id, const M& message, std::span<const int> fds = {});
    [[nodiscard]] bool may_connect(const Peer& peer);
    // A user's that says nothing is not kept. Bytes that are no message end it at once.
    void end_silence(ConnectionId id);
    // Whether one more line that this user has caused may be written.
    bool may_log(uid_t uid);
    // Likewise, of one that was begun for this reason: what nobody has asked for has no limit.
    bool may_log(const Job& job, Reason reason);
    void log_nonsense(const Peer& peer, const std::string& what);
    Job* find_job(std::uint32_t job_id);
    // Only if it is still that incarnation: a worker's answer may come after the next one has opened.
    Job* find_job(std::uint32_t job_id, std::uint64_t serial);
    // Only if the task is still at that attempt to start it.
    Job* find_job(const Attempt& attempt);
    static Attempt next_attempt(Job& job, const TaskKey& task);
    static Attempt this_attempt(const Job& job, const TaskKey& task);
    void open_policy_and_tier(const std::set<std::string>& kept);
    Status try_to_open(const std::set<std::string>& kept);
    void open_step_dirs();
    void open_asked();
    void expire_tails_daily();

    // messages (plugin_messages.cpp, shim_messages.cpp, cli_messages.cpp); `id` stays valid throughout
    void on_message(ConnectionId id, const wire::JobOpen& m);
    void on_message(ConnectionId id, const wire::TaskRegister& m);
    void on_message(ConnectionId id, const wire::StepTaskRegister& m);
    void on_message(ConnectionId id, const wire::AllocationTaskRegister& m);
    void on_message(ConnectionId id, const wire::TaskExit& m);
    void on_message(ConnectionId id, const wire::JobEpilog& m);
    void on_message(ConnectionId id, const wire::ShimHello& m);
    void on_message(ConnectionId id, const wire::TaskHello& m);
    void on_message(ConnectionId id, const wire::Settled& m);
    void on_message(ConnectionId id, const wire::StepOver& m);
    void on_message(ConnectionId id, const wire::StepsKnown& m);
    void on_message(ConnectionId id, const wire::StepDoubt& m);
    // Its process is that of a registered task whose shim has not said hello.
    [[nodiscard]] bool is_awaited_shim(const Peer& peer);
    // The job whose batch script's shim it is; nullptr else.
    Job* job_of_script(ConnectionId id);
    void on_message(ConnectionId id, const wire::AppAsked& m);
    void on_message(ConnectionId id, const wire::AppAnswered& m);
    void on_message(ConnectionId id, const wire::TreeStarted& m);
    void on_message(ConnectionId id, const wire::ShimTerm& m);
    void on_message(ConnectionId id, const wire::TreeExited& m);
    void on_message(ConnectionId id, const wire::ListRequest& m);
    void on_message(ConnectionId id, const wire::PruneCommand& m);
    void on_message(ConnectionId id, const wire::CreateRequest& m);
    void on_message(ConnectionId id, const wire::AskFor& m);
    void on_message(ConnectionId id, const wire::ExplainRequest& m);
    // what is asked of a job (cli_asks.cpp)
    static bool is_create_under_way(const Job& job);
    static Error create_under_way();
    Job* job_around(ConnectionId id);
    static std::optional<Error> why_not(const Job& job, wire::Ask ask);
    // What whoever asks is told, and how.
    using Told = std::function<void(const wire::Answer&)>;
    void ask_of(Job& job, const wire::AskFor& m, const Told& tell, const std::function<void(Job&)>& begin);
    void begin_for(ConnectionId id, Job& job, const wire::AskFor& m);
    void want_awaited(Job& job, wire::Ask ask, bool by_signal = false);
    static bool is_same_signal(Job& job, const std::string& by);
    // Calls `then` with nothing when slurmctld would do it, else with why not.
    void may_leave(Job& job, wire::Ask ask, const std::function<void(std::optional<Error>)>& then);
    static bool is_from_inside(const Job& job, Connection& connection);
    [[nodiscard]] bool has_connection_from_inside(const Job& job);
    void asked_from_inside(const wire::AskFor& m);
    void begin_what_was_asked_inside(Job& job);
    void answer_inside(Job& job, const effect::AnswerOnDemand& e);
    void tell_restored(const Job& job);
    void forget_asked(const Job& job);
    // nullptr: not here, or not the caller's, who has been told. 0: the one that the caller is a process of.
    Job* job_of_caller(ConnectionId id, std::uint32_t job_id);
    void reply(ConnectionId id, const Status& status);
    void answer_registration(ConnectionId id, const wire::StepTaskRegister& m);
    Status register_task(const Peer& peer, const wire::StepTaskRegister& m);
    static bool may_join(const Job& job, const wire::StepTaskRegister& m);
    static Status run_without_us(Job& job, const Peer& peer, const wire::StepTaskRegister& m,
                                 const std::string& line, bool starts);
    [[nodiscard]] const Job::WithoutUs* runs_without_us(const Peer& peer) const;
    // a job of salloc (allocation.cpp)
    Status place_in_allocation(const Peer& peer, const wire::AllocationTaskRegister& m, bool& is_placed);
    [[nodiscard]] bool is_free_for_script(const Job& job) const;
    void open_for_script(Job& job, const wire::AllocationTaskRegister& m);
    // False: nothing is to be waited for. Else `then` comes later.
    bool wait_for_leaving(Job& job, const TaskKey& task, const std::function<void(Job&)>& then);
    Job make_job(const wire::JobOpen& m);
    void ask_for_qos(const Job& job);
    void use_policy(Job& job) const;
    static void plan_anew(Job& job);
    void shim_gone(std::uint32_t job_id, const TaskKey& task);
    static void watch_memory(Task& task);
    MemoryFacts memory_facts(std::uint32_t job_id, const TaskKey& task);

    // a restart of ckptd (take_over.cpp)
    void keep_on_file(Job& job) const;
    std::vector<JobFile> read_job_files();
    void take_over_jobs(const std::vector<JobFile>& files);
    void take_over_pending(Job& job, const JobFile& file);
    Job job_from(const JobFile& file);
    static void take_over_task(Job& job, const TaskOnFile& file);
    static Status know_root(Task& task, pid_t pid); // shim_messages.cpp
    static void shim_returned(Job& job, const TaskKey& key, const wire::TaskHello& m);
    static Status shim_asks_again(Job& job, const TaskKey& key);

    // effects (effects*.cpp)
    void handle(std::uint32_t job_id, const Event& event);
    void perform(Job& job, const effect::StartTask& e);
    void perform(Job& job, const effect::WelcomeBack& e);
    void perform(Job& job, const effect::HoldBackTerm& e);
    void perform(Job& job, const effect::RelayTerm& e);
    void perform(Job& job, const effect::LetShimLeave& e);
    void perform(Job& job, const effect::Say& e);
    void perform(Job& job, const effect::Adopt& e);
    void perform(Job& job, const effect::AskHistory& e);
    void perform(Job& job, const effect::Restore& e);
    void perform(Job& job, const effect::AskCause& e);
    void perform(Job& job, const effect::ArmLimit& e);
    void perform(Job& job, const effect::AskLimit& e);
    void perform(Job& job, const effect::RequeueJob& e);
    void perform(Job& job, const effect::CancelJob& e);
    void perform(Job& job, const effect::ArmInterval& e);
    [[nodiscard]] ScheduleFacts schedule_facts(Job& job) const;
    void perform(Job& job, const effect::Dump& e);
    void perform(Job& job, const effect::OpenAppDir& e);
    void perform(Job& job, const effect::AskApp& e);
    void perform(Job& job, const effect::DumpGoOn& e);
    void perform(Job& job, const effect::Settle& e);
    void perform(Job& job, const effect::Proceed& e);
    void perform(Job& job, const effect::TellJobEnds& e);
    void perform(Job& job, const effect::FetchPart& e);
    void perform(Job& job, const effect::ForgetTask& e);
    void perform(Job& job, const effect::AwaitStarts& e);
    void perform(Job& job, const effect::ClearStep& e);
    void perform(Job& job, const effect::AskDoubt& e);
    void perform(Job& job, const effect::ForgetStep& e);
    void perform(Job& job, const effect::Commit& e);
    void perform(Job& job, const effect::DiscardImages& e);
    void perform(Job& job, const effect::Stand& e);
    void perform(Job& job, const effect::ContinueTree& e);
    void perform(Job& job, const effect::KillTree& e);
    void perform(Job& job, const effect::RecordCompletion& e);
    void perform(Job& job, const effect::RecordFailure& e);
    void perform(Job& job, const effect::RecordStop& e);
    void perform(Job& job, const effect::HoldJob& e);
    void perform(Job& job, const effect::RequeueElsewhere& e);
    void perform(Job& job, const effect::Constrain& e);
    void perform(Job& job, const effect::Comment& e);
    void perform(Job& job, const effect::AnswerOnDemand& e);
    void perform(Job& job, const effect::ReleaseEpilog& e);
    [[nodiscard]] static bool is_suspended(const Job& job);
    [[nodiscard]] CheckpointCost checkpoint_cost(Job& job) const;
    [[nodiscard]] Seconds margin_of(Job& job) const;
    void look_at_limit_in(Job& job, Seconds delay);
    [[nodiscard]] bool is_limit_near(Job& job) const;
    void order(Job& job, const TaskKey& task, wire::Order order, const std::string& line = {});
    void record_end(Job& job, int wait_status, bool will_be_requeued);
    void ask_to_record(Job& job, const wire::CompleteRequest& request);
    void start_next_commit(Job& job);
    void remove_copies(const std::vector<LocalCopy>& copies);
    void keep_copies(const Job& job, std::uint32_t generation);
    Status use_copy(const Job& job, const TaskKey& task);
    void make_room_for(std::uint64_t bytes);
    void expire_copies();
    void empty_trash();
    void empty_step_dirs();
    // A user's directory in the store.
    struct UserStore {
        std::string base;
        wire::UserIds user;
        bool make = false; // when it is missing
        bool in_background = false;
        bool is_sites = true;    // policy names it, not the user
        std::string above = "/"; // what of it an admin has named
    };
    // The end of an incarnation, until it is on record (record_again.hpp).
    struct EndToRecord {
        std::uint32_t job_id = 0;
        std::uint64_t serial = 0;
        UserStore store;
        wire::CompleteRequest request;
        unsigned tries = 0;
        std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
        bool has_been_let = false; // the job may end
    };
    void try_to_record(const std::shared_ptr<EndToRecord>& end);
    void not_recorded(const std::shared_ptr<EndToRecord>& end, const Error& error);
    void let_end(EndToRecord& end);
    // As policy names it, or the directory `dir` of a --checkpoint-dir, if policy allows that.
    [[nodiscard]] Result<UserStore> store_of(const std::string& user, uid_t uid,
                                             const std::string& dir) const;
    [[nodiscard]] UserStore store_of(const Job& job, bool make, bool in_background = false) const;
    [[nodiscard]] std::uint64_t share_of_bandwidth() const;
    [[nodiscard]] static bool is_held_up(const Job& job);
    [[nodiscard]] static bool is_waited_for(const Job& job); // by its user, too
    // retention (retention.cpp)
    [[nodiscard]] wire::Retention retention() const;
    bool may_list(ConnectionId id);
    void start_prune(const UserStore& store, bool dry_run, Fd out, std::function<void()> done);
    void log_pruned(const UserStore& store, const Result<wire::PruneResult>& result);
    void prune_daily();
    void prune_next();
    void prune_each(uid_t uid, std::vector<StoreUsers::Store> stores, const std::function<void()>& done);
    void remember_user(const Job& job);
    // Whether the key can be opened for a sealer: one that is not started can tell nobody.
    [[nodiscard]] Status check_key() const;
    // ckpt-sealer with this request, and ckpt-writer, through which it reaches the store.
    Workers::Id start_sealer(const UserStore& store, const std::string& request, std::span<const int> fds,
                             std::chrono::milliseconds limit, Workers::Done done,
                             std::function<bool(const Packet&)> interim = {});
    // effects_admission.cpp
    void want_dump(const DumpQueue::Turn& turn);
    void admit_dumps();
    void admit_dumps_soon();
    void begin_dump(const DumpQueue::Turn& turn);
    static bool has_place(const Job& job);
    [[nodiscard]] Seconds place_patience(Job& job) const;
    static Error suspended_error(std::uint32_t job_id);
    [[nodiscard]] Seconds dump_limit(const Job& job, const effect::Dump& e) const;
    [[nodiscard]] Seconds dump_limit(const Job& job, const effect::AskApp& e) const;
    [[nodiscard]] DumpNeed dump_need(const Job& job) const;
    Status start_dump(Job& job, const effect::Dump& e);
    // a program that saves itself (effects_app.cpp)
    [[nodiscard]] static Result<std::string> app_dir_of(const Job& job);
    void ask_app_dir(const Job& job, wire::AppDirRequest request,
                     std::function<void(Result<wire::AppDirResult>)> done);
    void tell_app_place(const Job& job, const Task& task);
    void note_app_generation(Job& job, std::uint32_t generation);
    void finish_app(Job& job);
    void app_gave_no_answer(std::uint32_t job_id, std::uint64_t serial, const effect::AskApp& e);
    Status start_restore(Job& job, const effect::Restore& e);
    Status start_commit(Job& job, const effect::Commit& e);
    compat::Node node_for(const Task& task) const;
    Status start_adopt(Job& job, const effect::Adopt& e, const Result<UserJobs>& unfinished);
    void adopt_or_fail(Job& job, const effect::Adopt& e, const Result<UserJobs>& unfinished);
    Status move_step_dir(Job& job, const std::string& name);
    void link_step_dir(const Job& job, const Task& script);
    void adopted(const Attempt& attempt, const Result<Packet>& result);
    bool is_tree_made(const Attempt& attempt, Packet& packet);
    void restored(const Attempt& attempt, Result<Packet> result);
    void restore_died(const Attempt& attempt, const Error& error);
    void when_ended(Fd pidfd, std::function<void()> then);
    void restore_ended(Job& job, const TaskKey& task, Result<Packet> packet);
    // links to the ckptd of other nodes (node_links.cpp)
    void open_node_port();
    void accept_node(TcpCaller caller);
    void node_refused(const std::string& why);
    void node_greets(Fd socket, Result<Greeting> greeting);
    LinkId add_link(const Job& job, const std::string& node, Link link);
    void read_link(LinkId id);
    void send_to_node(LinkId id, const std::string& bytes);
    void write_link(LinkId id);
    void drop_link(LinkId id);
    // root's commands from other nodes (command_links.cpp)
    void add_command_link(Fd socket, Greeting greeting);
    void hear_command(LinkId id, const std::string& bytes);
    void look_for_command(LinkId id, Job& job);
    void answer_command(LinkId id, const wire::Answer& answer);
    void command_link_gone(LinkId id);
    // a job whose script runs here, with tasks on other nodes (coordinator.cpp)
    static bool is_elsewhere(const Job& job, const TaskKey& task);
    template <typename M>
    bool tell_node(const Job& job, const std::string& node, const M& message);
    bool decide_elsewhere(Job& job, const Effect& effect);
    void tell_origin(const Job& job, const std::string& node);
    void decide_on_all_nodes(const Job& job, const NodeEffect& effect);
    void limit_dump_elsewhere(const Job& job, const std::string& node, const TaskKey& task,
                              std::uint32_t generation, Seconds limit);
    void ordered_elsewhere(const Job& job, const std::string& node, const Effect& effect, bool told);
    void give_up_sealing(Job& job, const std::string& node);
    static bool has_output_under_way(const Job& job, const std::string& node, const TaskState& task);
    bool hear_node(Job& job, const std::string& node, const std::string& bytes);
    bool admit_elsewhere(Job& job, const std::string& node, const event::TaskRegistered& e);
    bool happened_elsewhere(Job& job, const std::string& node, const NodeEvent& what);
    void asked_elsewhere(Job& job, const std::string& node, const event::OnDemand& asked);
    void tell_asker(Job& job, const effect::AnswerOnDemand& e);
    void node_lost(Job& job, const std::string& node);
    void forget_lost_tasks(Job& job, std::uint64_t stand_in);
    static std::set<std::string> nodes_to_rest(const Job& job);
    bool ask_nodes_to_rest(Job& job);
    void node_rests(Job& job, const std::string& node, const node::Rest& rest);
    void ask_nodes_to_seal(Job& job, std::uint32_t generation);
    void node_sealed(Job& job, const std::string& node, const node::Sealed& sealed);
    // a job whose script runs elsewhere (participant.cpp)
    void take_part(Job& job);
    void look_for_coordinator(Job& job);
    void try_failed(Job& job, const Error& error);
    void introduce(Job& job, const TaskKey& key, Task& task);
    static bool may_be_restored(const Job& job);
    void let_go(Job& job, const TaskKey& key, Task& task);
    void hold_ended(Job& job, const event::HoldEnded& e);
    bool dump_was_left(Job& job, const event::DumpEnded& ended);
    [[nodiscard]] bool has_parts_under_way(const Job& job) const;
    void after_parts(Job& job);
    void connect_to(Job& job, const BatchHost& host);
    void coordinator_found(Job& job, Fd socket, LinkKeys keys);
    void coordinator_not_found(Job& job, const Error& error);
    void start_alone(Job& job, const Error& error);
    void coordinator_lost(Job& job);
    void tell_coordinator(Job& job, const Event& event);
    bool hear_coordinator(Job& job, const std::string& bytes);
    void carry_out(Job& job, const NodeEffect& effect);
    void come_to_rest(Job& job, const node::AskRest& asked);
    void tell_rest(Job& job, bool at_rest, std::optional<Error> error);
    Status start_seal(Job& job, std::uint32_t number);
    void seal_parts(Job& job, std::uint32_t number);
    void sealed(Job& job, std::uint32_t number, const Status& status);
    void participant_may_end(Job& job);
    // effects_cut.cpp, effects_settle.cpp, effects_steps.cpp
    void sign_off_dead_tasks(const Job& job);
    // event::RunsWithoutUs for each; true if there are any. The job may be gone afterwards.
    bool report_those_without_us(const Job& job);
    static std::optional<Error> shared_with_another(Job& job, const TaskKey& task, std::uint32_t generation,
                                                    const Packet& packet);
    bool dump_waits(std::uint32_t job_id, std::uint64_t serial, const TaskKey& task, std::uint32_t generation,
                    const Packet& packet);
    void ask_to_settle(Job& job);
    void look_at_rest(Job& job);
    void shim_left_round(Job& job, const TaskKey& key);
    bool are_any_without_us(const Job& job);
    void settle_ended(Job& job, std::optional<Error> error);
    Status start_fetch(Job& job, const TaskKey& key);
    void fetched(const Attempt& attempt, const Status& status);
    // effects_undo.cpp
    static std::string task_name(const Job& job, const TaskKey& key);
    // Of a restore whose worker was killed. The images stay until it has come to an end.
    void undo_restore(Job& job, const TaskKey& key, const std::function<void(const Status&)>& then);
    void undone(std::uint32_t job_id, const std::string& name, const Result<Packet>& packet,
                const std::function<void(const Status&)>& then);
    void dumped(std::uint32_t job_id, std::uint64_t serial, const TaskKey& task, std::uint32_t generation,
                Reason reason, const Result<Packet>& result);
    void await_status(std::uint32_t job_id, std::uint64_t serial, const TaskKey& task);
    // metrics (metrics_of_server.cpp)
    void count(const Job& job, const Event& event);
    void count_commit(const Job& job, const event::CommitEnded& e);
    [[nodiscard]] Gauges gauges() const;
    void open_metrics();
    void write_metrics();

    void forget_if_over(std::uint32_t job_id);
    void forget_job(std::uint32_t job_id);

    Loop& m_loop;
    Workers m_workers;
    std::map<std::string, unsigned> m_undoing; // workers, by the local directory of their images
    ServerConfig m_config;
    Fd m_listener;
    Loop::Id m_listening = 0;
    bool m_stopping = false;
    bool m_starts_awaited = false; // of jobs that are being launched when we are asked to stop
    LineLimit m_lines;
    Listings m_listings;
    StoreUsers m_store_users;
    std::vector<uid_t> m_to_prune; // in this round
    std::set<uid_t> m_pruning;     // whose stores are being looked at, of this round or an earlier one
    std::map<ConnectionId, Connection> m_connections;
    ConnectionLimit m_connection_limit;
    ConnectionId m_next_connection = 1;
    std::string m_node_name; // Slurm's of this one
    NodePort m_node_port{m_loop, [this](TcpCaller caller) { accept_node(std::move(caller)); },
                         [this](const std::string& why) { node_refused(why); }};
    std::map<LinkId, NodeLink> m_links;
    LinkId m_next_link = 1;
    std::map<std::uint32_t, Job> m_jobs;
    std::uint64_t m_next_serial = 1;
    Policy m_policy;
    DumpQueue m_dumps;
    bool m_admission_is_due = false;
    bool m_removal_runs = false; // of the local tier's trash
    Rates m_rates;               // of this node: what a job has that was never dumped here
    std::optional<LocalTier> m_local;
    LocalCopies m_copies;
    Identity m_sealer; // as whom ckpt-sealer runs
    std::optional<JobFiles> m_job_files;
    std::optional<StepDirs> m_step_dirs;
    std::optional<AskedResults> m_asked;
    unsigned m_step_dir_failures = 0; // to remove them, one after the other
    Metrics m_metrics;
    std::unique_ptr<MetricsSocket> m_metrics_socket;
    Loop::Id m_metrics_timer = 0;
    bool m_metrics_failed = false; // to be written to their file
    std::int64_t m_started_at = 0; // Unix seconds, like the next one
    std::int64_t m_policy_at = 0;  // when the policy in force was read
    bool m_policy_is_good = false; // its files, when they were last read
    std::optional<Error> m_broken; // why no job can be managed at present
};

} // namespace ckpt

#include "server_send.hpp"
