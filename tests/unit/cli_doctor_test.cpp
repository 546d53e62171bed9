// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cerrno>
#include <functional>

#include "cli/doctor.hpp"
#include "cli/probe.hpp"

namespace ckpt::cli {
namespace {

using testing::HasSubstr;
using Health = Finding::Health;

SlurmFacts good_slurm() {
    SlurmFacts slurm;
    slurm.has_scontrol = true;
    slurm.config = {{"ProctrackType", "proctrack/cgroup"},
                    {"KillWait", "30 sec"},
                    {"JobRequeue", "1"},
                    {"AuthType", "auth/munge"},
                    {"PrologEpilogTimeout", "65534"}};
    slurm.plugstack = "/etc/slurm/plugstack.conf";
    slurm.plugin = PluginLine{"optional", "checkpoint.so", {}, "/etc/slurm/plugstack.conf"};
    slurm.is_plugin_there = true;
    slurm.sbatch_knows = true;
    return slurm;
}

StoreFacts good_store() {
    StoreFacts store;
    store.path = "/shared/checkpoints";
    store.is_directory = true;
    store.mode = 0711;
    return store;
}

HostFacts good_host() {
    HostFacts host;
    host.is_root = host.is_compute = host.has_account = host.has_munge = host.has_local = true;
    host.store = good_store();
    host.kernel = "6.18.1-amd64";
    host.criu_version = "4.2.1";
    host.criu_check = "";
    host.local_free = 100ULL << 30;
    return host;
}

Finding finding(const std::vector<Finding>& all, const std::string& check) {
    for (const Finding& one : all)
        if (one.check == check) return one;
    return {Health::good, check, "not said", ""};
}

TEST(Doctor, SaysNothingOfWhatIsGood) {
    for (const auto& all : {judge_slurm(good_slurm(), {}), judge_host(good_host(), {})})
        for (const Finding& one : all)
            EXPECT_EQ(one.health, Health::good) << one.check << ": " << one.what;
}

TEST(Doctor, SettingsOfSlurm) {
    const auto with = [](const std::string& name, const std::string& value) {
        SlurmFacts slurm = good_slurm();
        slurm.config[name] = value;
        return finding(judge_slurm(slurm, {}), name);
    };
    EXPECT_EQ(with("ProctrackType", "proctrack/linuxproc").health, Health::bad);
    EXPECT_EQ(with("SignalChildrenProcesses", "yes").health, Health::bad);
    EXPECT_EQ(with("KillWait", "10 sec").health, Health::warning);
    EXPECT_EQ(with("MpiDefault", "pmi2").health, Health::warning);
    EXPECT_EQ(with("JobRequeue", "0").health, Health::warning);
    EXPECT_EQ(with("AuthType", "auth/slurm").health, Health::warning);
    EXPECT_EQ(with("PrologEpilogTimeout", "60").health, Health::warning);
    EXPECT_EQ(with("PrologEpilogTimeout", "3600").health, Health::good);
    SlurmFacts silent;
    EXPECT_EQ(judge_slurm(silent, {}).front().health, Health::unknown);
}

TEST(Doctor, ThePlugin) {
    SlurmFacts slurm = good_slurm();
    slurm.sbatch_knows = false;
    EXPECT_EQ(finding(judge_slurm(slurm, {}), "plugin").health, Health::bad);
    slurm.sbatch_knows.reset();
    EXPECT_EQ(finding(judge_slurm(slurm, {}), "plugin").health, Health::good);
    slurm.plugin->how = "required";
    EXPECT_EQ(finding(judge_slurm(slurm, {}), "plugin").health, Health::warning);
    slurm.is_plugin_there = false;
    EXPECT_EQ(finding(judge_slurm(slurm, {}), "plugin").health, Health::bad);
    slurm.plugin.reset();
    EXPECT_THAT(finding(judge_slurm(slurm, {}), "plugin").remedy, HasSubstr("optional checkpoint.so"));
}

TEST(Doctor, ArgumentsOfThePlugin) {
    SlurmFacts slurm = good_slurm();
    slurm.plugin->arguments = {"policy=/etc/x.yaml", "default=on"};
    EXPECT_EQ(finding(judge_slurm(slurm, {}), "plugin").health, Health::good);
    slurm.plugin->arguments = {"foo=bar"};
    EXPECT_EQ(finding(judge_slurm(slurm, {}), "plugin").health, Health::bad);
}

TEST(Doctor, TheStore) {
    const auto with = [](const std::function<void(StoreFacts&)>& change) {
        StoreFacts store = good_store();
        change(store);
        return judge_store(store);
    };
    EXPECT_EQ(with([](StoreFacts&) {}).health, Health::good);
    EXPECT_EQ(with([](StoreFacts& s) { s.errnum = ENOENT; }).health, Health::bad);
    EXPECT_EQ(with([](StoreFacts& s) { s.errnum = EACCES; }).health, Health::bad);
    EXPECT_EQ(with([](StoreFacts& s) { s.is_directory = false; }).health, Health::bad);
    EXPECT_EQ(with([](StoreFacts& s) { s.is_read_only = true; }).health, Health::bad);
    EXPECT_EQ(with([](StoreFacts& s) { s.uid = 1000; }).health, Health::bad);
    EXPECT_EQ(with([](StoreFacts& s) { s.mode = 0777; }).health, Health::bad);
    EXPECT_EQ(with([](StoreFacts& s) { s.mode = 0775; }).health, Health::bad);
    EXPECT_EQ(with([](StoreFacts& s) { s.mode = 01777; }).health, Health::good);
    EXPECT_EQ(with([](StoreFacts& s) { s.mode = 0700; }).health, Health::bad);
    EXPECT_EQ(with([](StoreFacts& s) { s.is_mount_point = true; }).health, Health::warning);
    EXPECT_EQ(with([](StoreFacts& s) { s.local_type = "ext4"; }).health, Health::unknown);
    EXPECT_EQ(with([](StoreFacts& s) {
                  s.users_make_own = s.is_mount_point = true;
                  s.uid = 7;
              }).health,
              Health::good)
        << "a file system with a directory of each user's";
}

TEST(Doctor, Criu) {
    const auto with = [](const std::string& version, const std::string& kernel) {
        HostFacts host = good_host();
        host.criu_version = version;
        host.kernel = kernel;
        return finding(judge_host(host, {}), "criu").health;
    };
    EXPECT_EQ(with("4.1.1", "6.15.2"), Health::warning);
    EXPECT_EQ(with("4.1.1", "6.16.0"), Health::warning);
    EXPECT_EQ(with("4.10", "6.16.0"), Health::good) << "numbers, not text";
    EXPECT_EQ(with("3.19", "6.8.0"), Health::bad);
    EXPECT_EQ(with("", "6.8.0"), Health::bad);
    HostFacts old = good_host();
    old.kernel = "6.1.0-37-amd64";
    EXPECT_EQ(finding(judge_host(old, {}), "kernel").health, Health::bad);
    HostFacts host = good_host();
    host.criu_check = "no";
    EXPECT_EQ(finding(judge_host(host, {}), "criu").health, Health::bad);
}

TEST(Doctor, TheHost) {
    HostFacts host = good_host();
    host.key = Error{Code::not_permitted, "only root", "", 0};
    host.is_root = false;
    EXPECT_EQ(finding(judge_host(host, {}), "key").health, Health::unknown);
    host.key->code = Code::store_key;
    EXPECT_EQ(finding(judge_host(host, {}), "key").health, Health::bad);
    host.local_free = 1000;
    host.has_account = host.has_munge = false;
    host.store.errnum = ENOENT;
    host.missing_program = "/x/ckpt-shim";
    host.daemon = Error{Code::daemon_unreachable, "no", "", 0};
    const auto all = judge_host(host, {});
    for (const char* check : {"storage.base", "account", "programs", "ckptd"})
        EXPECT_EQ(finding(all, check).health, Health::bad) << check;
    for (const char* check : {"storage.local", "munge"})
        EXPECT_EQ(finding(all, check).health, Health::warning) << check;
    for (const Finding& one : all)
        EXPECT_EQ(one.health == Health::bad && one.remedy.empty() && one.check != "key", false) << one.check;
    host.is_compute = false;
    EXPECT_EQ(judge_host(host, {}).size(), 1U);
}

TEST(Doctor, ReadsWhatSlurmHas) {
    const auto line = plugin_line_in(
        "# optional checkpoint.so\nrequired x.so\n  optional\t/l/checkpoint.so default=on # y\n");
    ASSERT_TRUE(line);
    EXPECT_EQ(line->how, "optional");
    EXPECT_EQ(line->path, "/l/checkpoint.so");
    EXPECT_THAT(line->arguments, testing::ElementsAre("default=on"));
    EXPECT_FALSE(plugin_line_in("optional mycheckpoint.so\ninclude checkpoint.so\n"));
    EXPECT_THAT(includes_in("include /etc/p.d/*\n#include x\n"), testing::ElementsAre("/etc/p.d/*"));
    EXPECT_TRUE(signals_children_in("#x\n signalchildrenProcesses = \"Yes\" # y\n"));
    EXPECT_FALSE(signals_children_in("#SignalChildrenProcesses=yes\nSignalChildrenProcesses=no\n"));
    const auto config = config_in("KillWait                = 30 sec\nnonsense\n = x\nEmpty =\n");
    EXPECT_EQ(config.at("KillWait"), "30 sec");
    EXPECT_EQ(config.at("Empty"), "");
    EXPECT_EQ(config.size(), 2U);
}

TEST(Doctor, ForPeopleAndPrograms) {
    const std::vector<Finding> all{{Health::bad, "key", "\x1b[2J", "do it"}};
    EXPECT_THAT(findings_text(all), HasSubstr("BAD"));
    EXPECT_THAT(findings_text(all), testing::Not(HasSubstr("\x1b")));
    EXPECT_EQ(nlohmann::json::parse(findings_json(all))["remedy"], "do it");
}

TEST(Probe, TheVerdict) {
    ProbeFacts facts;
    EXPECT_EQ(verdict_on(facts), Verdict::cannot);
    facts.refusal = "no checkpoint: x";
    EXPECT_THAT(verdict_text(facts), HasSubstr("no checkpoint: x"));
    facts.saved = true;
    EXPECT_THAT(verdict_text(facts), HasSubstr("cannot be restored"));
    facts.restored = true;
    EXPECT_EQ(verdict_on(facts), Verdict::can);
    facts.ended_after = true;
    facts.after_status = 7 << 8;
    EXPECT_EQ(verdict_on(facts), Verdict::can) << "it has come to its end";
    EXPECT_THAT(verdict_text(facts), HasSubstr("with status 7"));
    facts.after_status = 11;
    EXPECT_EQ(verdict_on(facts), Verdict::cannot);
    facts.ended_early = true;
    EXPECT_EQ(verdict_on(facts), Verdict::not_known);
}

TEST(Probe, FindsOurLines) {
    const std::string messages =
        "x\ncheckpoint: one\nsrun: checkpoint: restored generation 1\ncheckpoint: two\n";
    EXPECT_EQ(line_with(messages, {}), "two");
    EXPECT_EQ(line_with(messages, {"restored"}), "restored generation 1");
    EXPECT_EQ(line_with(messages, {"nothing"}), "");
}

} // namespace
} // namespace ckpt::cli
