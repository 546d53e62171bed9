// SPDX-License-Identifier: GPL-2.0-or-later
// Puts the files that were saved with the images where the tree will look for them, as the user and in the
// task's mount namespace, and takes that back when the restore fails.
#pragma once

#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "engine/placement.hpp"
#include "engine/record.hpp"
#include "engine/rewrite.hpp"
#include "engine/tails.hpp"
#include "os/creds.hpp"
#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

class LocalFiles {
public:
    // `images`: where the contents are; readable by the user until the restore has ended.
    LocalFiles(Identity user, int mount_ns, int images, Tails& tails)
        : m_user(std::move(user)), m_mount_ns(mount_ns), m_images(images), m_tails(tails) {}

    // Looks and decides; changes nothing. `passed`: full paths of files that the tree gets in another way.
    Status plan(const DumpRecord& record, const std::set<std::string>& passed, bool tree_was_stopped,
                std::chrono::milliseconds limit);
    // Full paths of the files whose content comes from the images.
    [[nodiscard]] std::set<std::string> placed() const;
    // All of them, or none when it fails; only a file server that hangs, and runs into the limit, leaves
    // some, with what they have replaced beside them under a name that begins with .ckpt-.
    Status apply(std::chrono::milliseconds limit);
    Status undo(std::chrono::milliseconds limit);
    // After the restore: of what was on the node itself and was replaced nothing stays, of other files the
    // newest `keep_most` bytes in the tails.
    void settle(std::uint64_t keep_most, std::chrono::milliseconds limit);

private:
    struct Step {
        LocalFile file;
        Placement placement = Placement::leave;
        std::string aside;   // beside it: first our copy, after the exchange what was replaced
        bool shared = false; // every node sees it
        Rewrite rewrite;
        Fd saved; // what a rewrite writes over
    };
    Status look(const std::vector<LocalFile>& files, std::vector<LocalNow>& now,
                std::chrono::milliseconds limit) const;
    Status save_what_is_rewritten(std::chrono::milliseconds limit);
    [[nodiscard]] Status make_one(const Step& step) const;      // as the user
    [[nodiscard]] Status make_all() const;                      // as the user
    [[nodiscard]] Status unmake_first(std::size_t count) const; // as the user, the last of them first
    Status as_the_user(std::chrono::milliseconds limit, const std::function<Status()>& work) const;
    void keep(const Step& step, std::uint64_t most, std::chrono::milliseconds limit) const;

    Identity m_user;
    int m_mount_ns;
    int m_images;
    Tails& m_tails;
    std::vector<Step> m_steps;
    bool m_applied = false;
};

} // namespace ckpt
