// SPDX-License-Identifier: GPL-2.0-or-later
// Puts the files that were saved with the images where the tree will look for them, as the user and in the
// task's mount namespace, and takes that back when the restore fails.
#pragma once

#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "engine/leftovers.hpp"
#include "engine/placement.hpp"
#include "engine/record.hpp"
#include "engine/tails.hpp"
#include "engine/undo_lock.hpp"
#include "engine/undo_record.hpp"
#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

class LocalFiles {
public:
    // `images`: where the contents are; readable by the user until the restore has ended. `job`: what the
    // names begin with that are made beside the user's files, so that the next restore of this task finds
    // them.
    LocalFiles(UserPlace place, int images, Tails& tails, std::string job)
        : m_place(std::move(place)), m_images(images), m_tails(tails), m_job(std::move(job)) {}

    // Looks and decides; changes nothing. `passed`: full paths of files that the tree gets in another way.
    Status plan(const DumpRecord& record, const std::set<std::string>& passed, const PlacingRules& rules,
                std::chrono::milliseconds limit);
    // Full paths of the files whose content comes from the images.
    [[nodiscard]] std::set<std::string> placed() const;
    // Puts all of them back. Before the first is touched there is a record of it on disk in each directory,
    // with what was there: undo() can follow whenever this has failed or was killed, here or in the next
    // restore (leftovers.hpp). `until_ns`: Unix time at which the restore is over in any case.
    Status apply(std::chrono::milliseconds limit, std::int64_t until_ns);
    // Once the restored tree exists and before it runs: what it has begun to use is not taken back any more.
    Status finish(std::chrono::milliseconds limit);
    Status undo(std::chrono::milliseconds limit);
    // After the restore: the newest `keep_most` bytes of what each file held before go to the tails.
    void settle(std::uint64_t keep_most, std::chrono::milliseconds limit);
    // Once applied: one line for each file that others had changed, or of which something is lost.
    [[nodiscard]] std::vector<std::string> notes(std::uint64_t keep_most) const;
    // "PATH: written anew", for the log.
    [[nodiscard]] std::vector<std::string> changes() const;

private:
    struct Step {
        LocalFile file;
        Placement placement = Placement::leave;
        LocalNow now;
        std::string helper;      // beside it (undo_record.hpp)
        bool shared = false;     // every node sees it
        bool keeps = false;      // what is there may be somebody else's
        bool in_new_dir = false; // and so may be made right away
    };
    Status look(const std::vector<LocalFile>& files, std::vector<LocalNow>& now,
                std::chrono::milliseconds limit) const;
    [[nodiscard]] std::vector<LocalFile> directories() const; // a file in each that gets a record
    [[nodiscard]] bool needs_record(const std::string& directory) const;
    // As the user:
    [[nodiscard]] Result<std::string> make_all(std::int64_t until_ns, const LockPost& post) const;
    [[nodiscard]] Result<std::vector<UndoRecord>> prepare_all(std::int64_t until_ns) const;
    [[nodiscard]] Status unmake_all(UndoEnd end) const;
    void unmake_new_ones() const;
    Status as_the_user(std::chrono::milliseconds limit, const std::function<Status()>& work) const;

    UserPlace m_place;
    int m_images;
    Tails& m_tails;
    std::string m_job;
    std::string m_prefix;
    PlacingRules m_rules;
    std::vector<Step> m_steps;
    std::vector<UndoRecord> m_records; // once applied
    std::vector<Fd> m_locks;           // of these: nobody undoes what a tree is made with
    bool m_applied = false;            // or tried to
    bool m_finished = false;
};

} // namespace ckpt
