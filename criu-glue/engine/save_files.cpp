// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/save_files.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <set>
#include <string>

#include "engine/copied_files.hpp"
#include "engine/criu_process.hpp"
#include "engine/linked_files.hpp"
#include "engine/local_files.hpp"
#include "engine/local_roots.hpp"
#include "engine/open_files.hpp"
#include "engine/saved_output.hpp"
#include "engine/task_environment.hpp"

namespace ckpt {

namespace {

using Clock = std::chrono::steady_clock;

class Files {
public:
    Files(const wire::DumpRequest& request, const DumpFds& fds, std::chrono::milliseconds patience)
        : m_request(request), m_fds(fds), m_user(job_user(request.user)),
          m_deadline(Clock::now() + patience) {}

    Result<DumpRecord> save() {
        CKPT_TRY(m_record, record_tree(m_request.root_pid));
        const std::array stdio = {m_fds.stdio[0].get(), m_fds.stdio[1].get(), m_fds.stdio[2].get()};
        m_record.stdio = identify_stdio(stdio);
        add_offsets_of_shim(m_record, stdio);
        CKPT_TRY(m_record.boot_id, boot_id());
        m_record.task = m_request.task_name;
        m_environment = environment_of(m_request.shim_pid).value_or(""); // then nothing is known of it
        CKPT_CHECK(save_links());
        CKPT_CHECK(save_local());
        if (m_request.files == wire::Files::copy) CKPT_CHECK(save_copies());
        if (m_request.files != wire::Files::none) CKPT_CHECK(save_output());
        return std::move(m_record);
    }

private:
    Status save_links() {
        CKPT_TRY(const auto links, links_in_images(m_fds.images.get()));
        const LinkRules rules{m_request.ghost_limit, m_request.leave_stopped};
        CKPT_TRY(m_record.links,
                 ckpt::save_links(links, m_user, m_fds.mount_ns.get(), m_fds.images.get(), rules, left()));
        rename_linked(m_record.files, m_record.links);
        return {};
    }

    // The next incarnation has its own.
    [[nodiscard]] std::set<std::string> passed() const {
        std::set<std::string> paths;
        for (const StdioIdentity& one : m_record.stdio)
            paths.insert(one.path);
        return paths;
    }

    Status save_local() {
        auto roots = local_roots(m_request.node_local, m_environment, m_user, m_fds.mount_ns.get(), left());
        const LocalRules rules{std::move(roots), m_request.node_local_limit, m_user.uid, passed(),
                               m_deadline};
        CKPT_TRY(m_record.local_files, save_local_files(m_request.root_pid, rules, m_fds.images.get()));
        return {};
    }

    Status save_copies() {
        std::set<std::string> handled = passed();
        for (const LocalFile& file : m_record.local_files)
            handled.insert(file.full_path());
        CKPT_TRY(const auto mapped, files_mapped_for_writing(m_request.root_pid));
        CKPT_TRY(m_record.copied_files,
                 ckpt::save_copies(files_to_copy(m_record.files, mapped, handled), m_user,
                                   m_fds.mount_ns.get(), m_fds.images.get(), m_request.copy_limit, left()));
        return {};
    }

    Status save_output() {
        if (!output_is_emptied(m_environment)) return {};
        CKPT_TRY(m_record.outputs, ckpt::save_output(m_record.stdio, m_user, m_fds.mount_ns.get(),
                                                     m_fds.images.get(), m_request.tail_limit, left()));
        return {};
    }

    // The job stands still: all of it together has what is left of the dump's time.
    [[nodiscard]] std::chrono::milliseconds left() const {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(m_deadline - Clock::now());
        return std::max(left, std::chrono::milliseconds(0));
    }

    const wire::DumpRequest& m_request;
    const DumpFds& m_fds;
    JobUser m_user;
    Clock::time_point m_deadline;
    std::string m_environment; // the task's
    DumpRecord m_record;
};

} // namespace

Result<DumpRecord> save_files(const wire::DumpRequest& request, const DumpFds& fds,
                              std::chrono::milliseconds patience) {
    auto record = Files(request, fds, patience).save();
    if (!record && record.error().code == Code::store_full) record.error().code = Code::dump_unfit;
    return record;
}

} // namespace ckpt
