// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/rollback.hpp"

#include <fcntl.h>

#include <algorithm>
#include <map>

#include "engine/way.hpp"
#include "text/text.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_listed_lines = 10;
constexpr const char* k_start_over = "restore it, or restart the job without its checkpoint";

// As files-reg.c:should_check_size decides it.
bool criu_checks_size(std::uint32_t flags) {
    return (flags & O_ACCMODE) != O_WRONLY || (flags & O_APPEND) == 0;
}

std::vector<std::string> first_of(std::vector<std::string> lines, const std::string& how) {
    if (lines.size() <= k_listed_lines) return lines;
    const std::size_t more = lines.size() - k_listed_lines;
    lines.resize(k_listed_lines);
    lines.push_back(how + " " + std::to_string(more) + " more files");
    return lines;
}

tl::unexpected<Error> refuse(const std::string& path, const std::string& why, const std::string& hint) {
    return fail(Code::rollback_refused, path + " " + why, hint);
}

// Bytes behind the recorded end that are provably this job's may go; others never.
Result<bool> may_cut(const RecordedFile& file, bool tree_was_stopped) {
    if (!file.only_append) return true;
    const bool ours = file.furthest == file.size;
    if (!file.size_checked) return ours && !tree_was_stopped;
    // Opened for reading too: CRIU insists on the old size, so it is cut or refused.
    if (ours) return true;
    return refuse(file.path, "has grown since the checkpoint, and others write to it as well",
                  "put it back to " + std::to_string(file.size) +
                      " bytes, or restart the job without its checkpoint");
}

// Another file under that name. Without it CRIU could not open any.
Result<std::optional<Cut>> decide_replaced(const RecordedFile& file, const FileNow& now, RollbackPlan& plan,
                                           bool ignore) {
    const std::string what = "was replaced by another file since the checkpoint";
    if (!ignore) return refuse(file.path, what, k_start_over);
    if (file.size_checked && now.size != file.size)
        return refuse(file.path, what + ", and CRIU needs one of " + std::to_string(file.size) + " bytes",
                      k_start_over);
    plan.ignored.push_back(file.path + " " + what + " and is used as it is");
    return std::nullopt;
}

Result<std::optional<Cut>> decide_one(const RecordedFile& file, const FileNow& now,
                                      const RollbackRules& rules, RollbackPlan& plan) {
    if (!now.exists)
        return refuse(file.path,
                      rules.ignore_changed ? "is missing or no longer writable, and CRIU needs it"
                                           : "is missing or no longer writable",
                      k_start_over);
    if (now.inode != file.inode || !may_be_born_alike(now.born_ns, file.born_ns))
        return decide_replaced(file, now, plan, rules.ignore_changed);
    // CRIU takes such a file as it is, and appending goes on at its end: a log that was rotated, or output
    // that Slurm has emptied at the user's wish (--open-mode=truncate).
    if (now.size < file.size && !file.size_checked) return std::nullopt;
    if (now.size < file.size)
        return refuse(file.path,
                      "has shrunk from " + std::to_string(file.size) + " to " + std::to_string(now.size) +
                          " bytes since the checkpoint" +
                          (rules.ignore_changed ? ", and CRIU needs its old size" : ""),
                      k_start_over);
    if (now.size == file.size) return std::nullopt;
    CKPT_TRY(const bool cut, may_cut(file, rules.tree_was_stopped));
    if (!cut) return std::nullopt;
    return Cut{file.path, file.inode, now.size, file.size};
}

} // namespace

std::vector<RecordedFile> recorded_files(const DumpRecord& record, const std::set<std::string>& replaced) {
    std::map<std::string, RecordedFile> by_path;
    for (const OpenFile& file : record.files) {
        if (replaced.contains(file.path)) continue;
        RecordedFile& merged = by_path[file.path];
        merged.path = file.path;
        merged.inode = file.inode;
        merged.size = file.size;
        merged.born_ns = file.born_ns;
        merged.furthest = std::max(merged.furthest, file.position);
        merged.only_append &= (file.flags & O_APPEND) != 0;
        merged.size_checked |= criu_checks_size(file.flags);
    }
    std::vector<RecordedFile> out;
    out.reserve(by_path.size());
    for (auto& [path, file] : by_path)
        out.push_back(std::move(file));
    return out;
}

Result<RollbackPlan> decide_rollback(const std::vector<RecordedFile>& files, const std::vector<FileNow>& now,
                                     const RollbackRules& rules) {
    if (files.size() != now.size())
        return fail(Code::internal, "a rollback of other files than were looked at");
    RollbackPlan plan;
    for (std::size_t i = 0; i < files.size(); ++i) {
        CKPT_TRY(auto cut, decide_one(files[i], now[i], rules, plan));
        if (cut) plan.cuts.push_back(std::move(*cut));
    }
    return plan;
}

std::vector<std::string> complaints_in(std::string_view tail) {
    constexpr std::string_view k_ours = "checkpoint: ";
    constexpr std::size_t k_most = 4;
    constexpr std::size_t k_line_max = 600;
    std::vector<std::string> found;
    for (std::size_t end = 0; (end = tail.find('\n')) != std::string_view::npos;
         tail.remove_prefix(end + 1)) {
        const std::string_view line = tail.substr(0, end);
        if (line.starts_with(k_ours) && line.find(" [CKPT-") != std::string_view::npos)
            found.emplace_back(line.substr(k_ours.size(), k_line_max));
    }
    if (found.size() > k_most) found.erase(found.begin(), found.end() - k_most);
    return found;
}

std::string describe(const Cut& cut) {
    return cut.path + ": cut from " + std::to_string(cut.from) + " to " + std::to_string(cut.to) + " bytes";
}

std::string note_on_dropped(const Cut& cut, std::uint64_t most) {
    const std::uint64_t length = cut.from - cut.to;
    if (length <= most) return {};
    return "of what was cut from " + cut.path + ", the first " + text::bytes(length - most) +
           " are lost, as more than engine.tail_limit is not kept";
}

std::vector<std::string> listed_cuts(std::vector<std::string> lines) {
    return first_of(std::move(lines), "as well:");
}

std::vector<std::string> listed_notes(std::vector<std::string> lines) {
    return first_of(std::move(lines), "the same holds for");
}

} // namespace ckpt
