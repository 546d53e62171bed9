// SPDX-License-Identifier: GPL-2.0-or-later
// In sbatch, salloc, scrontab and srun, as the user who submits. What is decided here is advice: options can
// also reach the job without us, and ckptd decides again from what Slurm vouches for.
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "decision.hpp"
#include "environment.hpp"
#include "forecast.hpp"
#include "hooks.hpp"
#include "option_callback.hpp"
#include "options/slurm_settings.hpp"
#include "os/random.hpp"
#include "policy/margin.hpp"
#include "policy/policy_yaml.hpp"
#include "sbatch_options.hpp"
#include "slurm_configuration.hpp"
#include "wire/allocation.hpp"
#include "wire/app_messages.hpp"
#include "wire/step_messages.hpp"

namespace ckpt {

namespace {

constexpr const char* k_stand_in_dir = CKPT_LIBEXEC_DIR "/bin";
constexpr const char* k_stand_in = CKPT_LIBEXEC_DIR "/bin/srun";
constexpr const char* k_default_path = "/usr/local/bin:/usr/bin:/bin";

bool program_is(std::string_view name) {
    return std::string_view(program_invocation_short_name).starts_with(name);
}

const char* variable(const char* name) {
    return std::getenv(name);
}

JobFacts facts_of_submitter() {
    JobFacts facts;
    facts.uid = ::getuid();
    facts.gid = ::getgid();
    if (const passwd* entry = ::getpwuid(facts.uid)) facts.user = entry->pw_name;
    return facts;
}

void warn(const Error& error) {
    slurm_info("checkpoint: %s", one_line(error).c_str());
}
void warn(Code code, const char* what, const char* hint) {
    warn(Error{code, what, hint, 0});
}

// A limit that sbatch does not state is the partition's, and an amount of memory that it does not state may
// be all of the node's: not known here.
void advise_on_limit(const SbatchOptions& sbatch, const Plan& plan, const Policy& policy) {
    const Seconds limit = parse_duration(sbatch.value("time")).value_or(Seconds{0}); // an error: "UNLIMITED"
    if (plan.method.value.kind == Method::Kind::app) {
        if (const auto error = short_limit(limit, policy.app, policy.time_limit)) warn(*error);
        return;
    }
    std::string memory = sbatch.value("mem");
    if (!memory.empty() && memory.back() >= '0' && memory.back() <= '9') memory += 'M'; // mbytes_to_str
    if (const auto error = short_limit(limit, parse_size(memory).value_or(0), policy.time_limit))
        warn(*error);
}

// One file server more than sbatch has to do with: it does not wait for it.
void advise_on_room(const SbatchOptions& sbatch, const Plan& plan, const PolicyRetention& policy) {
    if (plan.method.value.kind == Method::Kind::app) return; // how much that is, the program knows
    constexpr std::chrono::seconds k_patience{1};
    const std::uint64_t memory = memory_asked_for({sbatch.value("mem"), sbatch.value("mem-per-cpu"),
                                                   sbatch.value("cpus-per-task"), sbatch.value("ntasks")});
    if (memory == 0 || plan.base.value.empty()) return;
    const auto room = room_at(plan.base.value, k_patience);
    if (const auto error = short_store(plan.keep.value, memory, plan.base.value, room, policy)) warn(*error);
}

// What the user has named; what Slurm chooses for a user who names nothing is not known here.
ScopeFacts scope_facts(const std::optional<SbatchOptions>& sbatch) {
    const auto value = [&](const char* name) { return sbatch ? sbatch->value(name) : std::string(); };
    return {facts_of_submitter().user, value("account"), value("qos"), value("partition"),
            value("constraint")};
}

void advise(const Request& request, const Settings& settings, const std::optional<SbatchOptions>& sbatch) {
    const auto all = load_policy(settings.policy);
    if (!all) return warn(all.error());
    const Result<Policy> policy = policy_for(*all, scope_facts(sbatch));
    const auto advice = submit_advice(request, facts_of_submitter(), *policy);
    if (!advice) return refuse(one_line(advice.error()));
    for (const Error& note : advice->notes)
        warn(note);
    if (sbatch && advice->on.value.has(Trigger::timelimit)) advise_on_limit(*sbatch, *advice, *policy);
    if (sbatch && advice->enabled.value) advise_on_room(*sbatch, *advice, policy->retention);
}

// SignalChildrenProcesses is in cgroup.conf, which a login node need not have: that is seen on the job's
// node.
void advise_on_settings() {
    const slurm_conf_t* conf = slurm_configuration();
    if (conf == nullptr || conf->proctrack_type == nullptr) return;
    if (const auto error = unsupported_setting(conf->proctrack_type, false))
        slurm_info("checkpoint: %s; the job runs without checkpoints", one_line(*error).c_str());
}

// Slurm empties the output files whenever the job starts, after a requeue too (slurmstepd's
// io.c:io_get_file_flags); what the job had written must stay. The first start empties them once, as the user
// expects: must_truncate().
void keep_output(spank_t spank, const SbatchOptions& sbatch) {
    if (sbatch.is_set("open-mode") || SbatchOptions::appends_by_default()) return;
    if (sbatch.set("open-mode", "append")) spank_job_control_setenv(spank, k_open_mode, k_made_append, 1);
}

// What the job says for itself is stronger than JobRequeue=0 of slurm.conf (slurmctld's job_mgr.c:
// _copy_job_desc_to_job_record).
void make_requeueable(const std::optional<SbatchOptions>& sbatch) {
    const auto requeue = sbatch ? sbatch->requeue() : SbatchOptions::Requeue::unset;
    if (requeue == SbatchOptions::Requeue::no)
        return warn(Code::job_not_requeueable,
                    "with --no-requeue the job is saved but never goes on by itself",
                    "leave --no-requeue away");
    if (requeue == SbatchOptions::Requeue::yes || (sbatch && sbatch->set("requeue", nullptr))) return;
    const slurm_conf_t* conf = slurm_configuration();
    if (conf != nullptr && conf->job_requeue == 0)
        warn(Code::job_not_requeueable,
             "with JobRequeue=0 in slurm.conf the job is saved but never goes on by itself", "add --requeue");
}

void give_identity(spank_t spank) {
    static const Result<std::string> k_job = make_uuid();
    if (k_job)
        spank_job_control_setenv(spank, k_uuid, k_job->c_str(), 1);
    else
        slurm_info("checkpoint: %s", one_line(k_job.error()).c_str());
}

// Of the submitted job: those of a heterogeneous one come one after the other, before any of it is submitted
// (sbatch.c:main).
unsigned& components_seen() {
    static unsigned k_seen = 0;
    return k_seen;
}

// There is no script that could start again from its beginning, and nothing can requeue an allocation.
Error app_in_allocation(const Method& method) {
    return {Code::option_conflict,
            "--checkpoint-method=" + to_string(method) + " has no effect in an allocation of salloc",
            "submit a batch script with sbatch", 0};
}

bool names_app(const Request& request) {
    return request.method && request.method->kind == Method::Kind::app;
}

// A shell on the login node cannot be checkpointed. What it starts with srun can: there the first srun in the
// PATH is ours (docs/steps.md, "salloc"). Only for who has asked for it: a step more for each srun is no
// default.
void prepare_allocation(spank_t spank, const Settings& settings) {
    const GivenRequest given = request_of(given_options());
    if (!given.asked_for) return;
    if (++components_seen() > 1) return refuse(one_line(heterogeneous_job()));
    if (given.request.restore && given.request.restore->kind == Restore::Kind::job)
        return refuse(one_line({Code::option_conflict, "an allocation has nothing to go on with",
                                "give --checkpoint-restore to srun in it", 0}));
    if (names_app(given.request)) return refuse(one_line(app_in_allocation(*given.request.method)));
    if (::access(k_stand_in, X_OK) != 0)
        return warn(Code::not_found,
                    "srun is not checkpointed here: " CKPT_LIBEXEC_DIR "/bin/srun is missing",
                    "install slurm-checkpoint on this host");
    advise(given.request, settings, std::nullopt);
    advise_on_settings();
    give_identity(spank);
    spank_job_control_setenv(spank, k_allocation, "1", 1);
    const char* path = variable("PATH");
    const std::string with_ours =
        std::string(k_stand_in_dir) + ":" + (path != nullptr ? path : k_default_path);
    ::setenv("PATH", with_ours.c_str(), 1);
}

// sbatch and salloc in a job of ours pass their environment on to another one.
void forget_submitting_job() {
    for (const std::string& name : inherited_variables())
        ::unsetenv(name.c_str());
    // The user's own --checkpoint-dir has the same form in the environment as an app job's directory.
    if (variable(wire::k_app_marker_variable) != nullptr) ::unsetenv(wire::k_app_dir_variable);
    for (const char* name : {wire::k_steps_variable, wire::k_app_marker_variable,
                             wire::k_app_generation_variable, wire::k_app_restarted_variable})
        ::unsetenv(name);
    const char* path = variable("PATH");
    const std::string ours = std::string(k_stand_in_dir) + ":";
    if (path != nullptr && std::string_view(path).starts_with(ours))
        ::setenv("PATH", std::string(path).substr(ours.size()).c_str(), 1);
}

// Without PrologFlags=Alloc the prolog of a node that the batch script does not run on comes with the first
// step there, and has srun's job control environment (slurmd req.c:_rpc_launch_tasks) instead of the job's.
void pass_identity_on(spank_t spank) {
    if (const char* uuid = variable(uuid_in_job().c_str())) spank_job_control_setenv(spank, k_uuid, uuid, 1);
}

} // namespace

void submit_init(spank_t spank, const Settings& settings) {
    if (!settings.unknown.empty())
        slurm_info("checkpoint: plugstack.conf: unknown argument %s, expected policy=/FILE or default=on|off",
                   settings.unknown.c_str());
    components_seen() = 0;
    const bool is_srun = program_is("srun");
    if (!is_srun) forget_submitting_job();
    if (is_srun || program_is("sbatch")) {
        const auto forms = forms_as_transport(is_srun ? "SLURM_" : "SBATCH_", variable);
        if (!forms) return refuse(one_line(forms.error()));
        for (const auto& [name, value] : *forms)
            ::setenv(name.c_str(), value.c_str(), 1);
    }
    register_options(spank);
}

// Before sbatch makes its request (sbatch.c:main): all options are known, from wherever they came.
void submit_options_known(spank_t spank, const Settings& settings) {
    if (const Status fits = check_consistent(request_of(given_options()).request); !fits)
        return refuse(one_line(fits.error()));
    if (program_is("sbatch") && ++components_seen() > 1 && request_of(given_options()).asked_for)
        return refuse(one_line(heterogeneous_job()));
    if (!is_ours(given_options(), settings, [] { return scope_facts(SbatchOptions::find()); })) return;
    if (program_is("srun") && variable("SLURM_JOB_ID") != nullptr) pass_identity_on(spank);
    if (program_is("salloc")) return prepare_allocation(spank, settings);
    if (program_is("srun") && variable(wire::k_script_variable) != nullptr) {
        const Request request = request_of(given_options()).request;
        if (names_app(request)) return refuse(one_line(app_in_allocation(*request.method)));
        return advise(request, settings, std::nullopt);
    }
    if (program_is("srun")) {
        // A step's options are its job's, and the policy's default is not what this user asked for.
        const bool is_news = given_options().list() != options_in_job_environment(variable).list();
        if (is_news && request_of(given_options()).asked_for && variable(uuid_in_job().c_str()) == nullptr)
            warn(
                Code::option_conflict,
                "a step is checkpointed with its script or its allocation; this one runs without checkpoints",
                "use sbatch --checkpoint, or srun in salloc --checkpoint");
        return;
    }
    const auto sbatch = SbatchOptions::find();
    advise(request_of(given_options()).request, settings, sbatch);
    advise_on_settings();
    give_identity(spank);
    make_requeueable(sbatch);
    if (!sbatch) return;
    if (sbatch->is_set("container"))
        warn(Code::option_conflict, "a job with --container runs without checkpoints",
             "its container is outside what can be saved");
    keep_output(spank, *sbatch);
}

} // namespace ckpt
