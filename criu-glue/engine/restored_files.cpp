// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/restored_files.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "engine/criu_process.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr std::chrono::milliseconds k_settle_patience{30000};

} // namespace

RestoredFiles::RestoredFiles(const wire::RestoreRequest& request, const RestoreFds& fds)
    : m_request(request), m_user(job_user(request.user)), m_tails(fds.tails.get()),
      m_place{m_user, fds.mount_ns.get()}, m_locals(m_place, fds.images.get(), m_tails, request.task_name),
      m_links(m_user, fds.mount_ns.get(), fds.images.get(), request.task_name),
      m_rollback(m_user, fds.mount_ns.get(), m_tails, request.task_name),
      m_outputs(m_user, fds.mount_ns.get(), fds.images.get()) {}

// A job that goes on from another one's checkpoint (sckpt restart) comes after that one's restores.
Status RestoredFiles::clear(const DumpRecord& record, const Left& left) {
    CKPT_CHECK(take_back_cuts(CutRecord(m_tails, m_request.task_name), m_tails, m_place, left()));
    std::set<std::string> names = {m_request.task_name};
    if (is_plain_name(record.task)) names.insert(record.task);
    for (const std::string& name : names) {
        CKPT_TRY(auto lines, clear_leftovers(record, name, m_request.ignore_changed, m_place, m_tails,
                                             m_request.tail_limit, left()));
        std::ranges::move(lines, std::back_inserter(m_notes));
    }
    return {};
}

Status RestoredFiles::plan(const DumpRecord& record, std::set<std::string> replaced,
                           const std::array<StdioIdentity, 3>& stdio, const Left& left) {
    auto passed = replaced; // the tree gets these from us
    for (const StdioIdentity& one : stdio)
        passed.insert(one.path);
    CKPT_CHECK(m_locals.plan(record, passed, {m_request.tree_was_stopped, m_request.ignore_changed}, left()));
    replaced.merge(m_locals.placed());
    CKPT_CHECK(m_links.plan(record, m_locals.placed(), left()));
    replaced.insert(m_links.replaced().begin(), m_links.replaced().end());
    if (m_request.files == wire::Files::none) return {};
    m_outputs.plan(record.outputs, stdio, left());
    replaced.merge(m_outputs.paths());
    return m_rollback.plan(recorded_files(record, replaced),
                           {m_request.tree_was_stopped, m_request.ignore_changed}, left());
}

Status RestoredFiles::apply(std::int64_t until_ns, const Left& left) {
    CKPT_CHECK(m_locals.apply(left(), until_ns));
    CKPT_CHECK(m_links.apply(left()));
    CKPT_CHECK(m_rollback.apply(left()));
    m_outputs.apply(left());
    return {};
}

void RestoredFiles::undo(Error& error, const Left& left) {
    const auto note = [&error](const char* what, const Status& undone) {
        if (!undone) error.what += std::string("; ") + what + ": " + undone.error().what;
    };
    note("output was not taken out again", m_outputs.undo(left()));
    note("cut output could not be put back", m_rollback.undo(left()));
    note("a link could not be removed", m_links.undo(left()));
    note("saved files could not be taken out again", m_locals.undo(left()));
    if (m_request.files == wire::Files::none && !error.hint.empty())
        error.hint = "with --checkpoint-files=none no file is put back: do it yourself, or submit without";
}

void RestoredFiles::settle() {
    m_locals.settle(m_request.tail_limit, k_settle_patience);
    m_rollback.settle(m_request.tail_limit);
}

void RestoredFiles::describe_in(wire::RestoreResult& result) {
    result.complaints = m_rollback.cut_complaints();
    std::ranges::copy(m_outputs.notes(), std::back_inserter(m_notes));
    std::ranges::copy(m_rollback.ignored(), std::back_inserter(m_notes));
    std::ranges::copy(m_locals.notes(m_request.tail_limit), std::back_inserter(m_notes));
    std::vector<std::string> lines;
    for (const Cut& cut : m_rollback.cuts()) {
        lines.push_back(describe(cut));
        if (auto line = note_on_dropped(cut, m_request.tail_limit); !line.empty())
            m_notes.push_back(std::move(line));
    }
    std::ranges::copy(m_locals.changes(), std::back_inserter(lines));
    result.notes = listed_notes(std::move(m_notes));
    result.rolled_back = listed_cuts(std::move(lines));
}

Status undo_restore(const wire::UndoRequest& request, const RestoreFds& fds) {
    CKPT_TRY(const DumpRecord record, read_dump_record(fds.images.get()));
    Tails tails(fds.tails.get());
    const UserPlace place{job_user(request.user), fds.mount_ns.get()};
    const std::chrono::milliseconds limit(request.timeout_ms);
    CKPT_CHECK(take_back_cuts(CutRecord(tails, request.task_name), tails, place, limit));
    const auto lines =
        clear_leftovers(record, request.task_name, false, place, tails, request.tail_limit, limit);
    if (!lines) return tl::unexpected(lines.error());
    return {};
}

} // namespace ckpt
