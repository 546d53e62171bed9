// SPDX-License-Identifier: GPL-2.0-or-later
// A manifest, and the records of the store, of open files and of a restore.
#include <vector>

#include "engine/record.hpp"
#include "engine/undo_record.hpp"
#include "pack_place.hpp"
#include "seeds.hpp"
#include "store/manifest.hpp"
#include "store/records.hpp"
#include "store_place.hpp"

namespace ckpt::fuzz {

namespace {

// What stands between quotation marks.
void quoted_words(const std::string& json, std::set<std::string>& words) {
    for (std::size_t from = json.find('"'); from != std::string::npos; from = json.find('"', from + 1)) {
        const std::size_t end = json.find('"', from + 1);
        if (end == std::string::npos) return;
        words.insert(json.substr(from + 1, end - from - 1));
        from = end;
    }
}

store::Manifest a_manifest() {
    store::Manifest manifest;
    manifest.owner = StorePlace().job().owner;
    manifest.id = {0, 1};
    manifest.key_id = "0011223344556677";
    manifest.created_at = manifest.taken_at = manifest.since = 1700000000;
    manifest.cpus = 8;
    manifest.reason = "interval";
    manifest.tree_was_stopped = true;
    manifest.stored_bytes = 123456;
    manifest.step_dir = "steps-1";
    manifest.exited = {{5, 1, 256}};
    store::PartEntry script;
    script.step_id = 0xfffffffb;
    script.node = "n1";
    script.frozen_us = 1200;
    script.image_bytes = 4096;
    script.processes = 3;
    script.criu_version = "4.2.1";
    script.images = {k_index_id, {4000, 300}, 1, 3, 123456789, {k_pack}};
    script.needs = {
        {"x86_64", "a model", {"avx", "avx2"}, 2696, 2696, 0xe7}, "6.12.3-amd64", {{"/home", "nfs4"}}};
    store::PartEntry task = script;
    task.step_id = 0;
    task.stand_in = 5;
    task.needs = {};
    manifest.parts = {script, task};
    return manifest;
}

DumpRecord dump_record() {
    DumpRecord record;
    record.stdio = {StdioIdentity{}, StdioIdentity{StdioIdentity::Kind::pipe, 12, ""},
                    StdioIdentity{StdioIdentity::Kind::file, 13, "/home/\xff\n%41/out"}};
    record.status_pipe = UINT64_MAX;
    record.script = ScriptPosition{"/spool/job00001/slurm_script", 77, 5};
    record.outputs = {{"/home/a\nb", 70, 6, "output-1"}};
    record.links = {{"/home/link_remap.3", 9, 70, 0640, "/home/x y", "linked-0", true}};
    record.clocks = {-5, 1'000'000'000'000};
    record.files = {{"/home/a b", 1, 2, 3, 4, 0102001, 0}, {"/home/\xc3\xa9", 5, 6, 7, 8, 2, 9}};
    record.boot_id = "4711";
    record.local_files = {
        {LocalFile::Kind::file, "/tmp", "a\n/\xff", 0644, 1, 2, 3, -4, false, "local-0", 5, 6},
        {LocalFile::Kind::fifo, "/dev/shm", "f", 0600, 1, 5, 0, 0, true, "", 0, 0}};
    record.copied_files.emplace_back();
    record.copied_files.back().kind = LocalFile::Kind::absent;
    record.copied_files.back().path = "db-journal";
    record.task = "7-0123abcd-1-0";
    record.criu_version = "4.2.1";
    return record;
}

std::vector<UndoRecord> undo_records() {
    UndoRecord record{"/home/alice", "sub", ".ckpt-7.42", 1'700'000'000'000'000'000, 0755, {}, 77, false};
    for (const Placement placement :
         {Placement::leave, Placement::create, Placement::replace, Placement::rewrite, Placement::remove})
        record.entries.push_back(
            {"a\n\xff", placement, ".ckpt-7.42.0", {1, 2, 0644, -3, {{0, 10}, {20, 30}}}, 4, 5, 6, true});
    return {record, {}};
}

void store_records(const Seeds& seeds, std::set<std::string>& words) {
    StorePlace place;
    const store::JobAt job = place.job();
    store::Adopted adopted{store::GenerationId{0, 7}, store::OtherJob{99, std::string(32, 'f')}};
    require(store::write_adopted(job, 0, adopted).has_value() &&
            store::write_completed(job, 0, {256, 1700000000, true, 7}).has_value() &&
            store::write_failed(job, 0, {store::Failed::How::fault, 139, 1700000000, 0, 11}).has_value() &&
            store::write_stopped(job, 0, {7, 1700000000}).has_value() &&
            store::write_claimed(job, 0, {99, 1700000000}).has_value());
    for (const auto& [path, content] : place.volume.files) {
        const std::string name = path.substr(path.rfind('/') + 1);
        seeds.add("sealed-" + name, *content);
        seeds.add(name, content->substr(0, content->find('\n') + 1));
        quoted_words(content->substr(0, content->find('\n')), words);
    }
}

} // namespace

void manifest_seeds(const Seeds& seeds) {
    std::set<std::string> words;
    for (const auto& [name, text] : {std::pair{"manifest", to_json(a_manifest())},
                                     {"record", to_json(dump_record())},
                                     {"empty-record", to_json(DumpRecord{})},
                                     {"undo", to_json(undo_records())}}) {
        seeds.add(name, text);
        quoted_words(text, words);
    }
    store_records(seeds, words);
    seeds.words(words);
}

} // namespace ckpt::fuzz
