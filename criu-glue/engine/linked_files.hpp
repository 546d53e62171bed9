// SPDX-License-Identifier: GPL-2.0-or-later
// Files that are open under a name they no longer have, while they have others (or NFS's .nfsXXXX). CRIU
// makes a hard link to each (its name: preload/links.cpp), which a restore needs and takes away. It takes it
// away after the dump too, unless the tree was stopped for good; and nobody would if such a job were never
// restored. So we take it away in any case, and make it anew for the restore.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "engine/record.hpp"
#include "os/creds.hpp"
#include "result/result.hpp"

namespace ckpt {

struct LinkRules {
    std::uint64_t content_limit = 0; // bytes of one file that is saved
    bool tree_stops = false;         // for good: the link may stay where nothing else leads to the file
};

// What CRIU's images say of such links: their full paths. Code::store_corrupt.
Result<std::vector<std::string>> links_in_images(int images);

// Finds out how to make each link again: by another name of the file in the same directory, else from its
// content, which becomes `linked-N` in the image directory. Only a file with names in other directories
// keeps its link, and only when the tree stops. Code::dump_refused when a file is too large and there is no
// other way.
Result<std::vector<LinkedFile>> save_links(const std::vector<std::string>& links, const JobUser& user,
                                           int mount_ns, int images, const LinkRules& rules,
                                           std::chrono::milliseconds patience);

// Those of `files` that are open under such a lost name are recorded under the one they have, or not at all:
// then their content comes from the images.
void rename_linked(std::vector<OpenFile>& files, const std::vector<LinkedFile>& links);

// Makes the links for a restore.
class LinkedFiles {
public:
    // `job`: what the names begin with that are made beside the user's files (undo_record.hpp).
    LinkedFiles(JobUser user, int mount_ns, int images, std::string job)
        : m_user(std::move(user)), m_mount_ns(mount_ns), m_images(images), m_job(std::move(job)) {}

    // Looks and decides; changes nothing. `placed`: full paths of files that the images have brought.
    Status plan(const DumpRecord& record, const std::set<std::string>& placed,
                std::chrono::milliseconds limit);
    // Names under which a file was recorded that is gone: the tree gets its content.
    [[nodiscard]] const std::set<std::string>& replaced() const { return m_replaced; }
    // A link that a restore which died has left, with the very content, will do. When it fails, undo()
    // follows.
    Status apply(std::chrono::milliseconds limit);
    // What apply() has made and CRIU has not taken away.
    Status undo(std::chrono::milliseconds limit);

private:
    enum class Way : std::uint8_t { keep, from_sibling, from_content };
    struct Step {
        LinkedFile file;
        Way way = Way::keep;
    };
    [[nodiscard]] Status make(const Step& step) const; // as the user, like all that follows
    void unmake(const Step& step) const;

    JobUser m_user;
    int m_mount_ns;
    int m_images;
    std::string m_job;
    std::vector<Step> m_steps;
    std::set<std::string> m_replaced;
    std::size_t m_applied = 0;
};

} // namespace ckpt
