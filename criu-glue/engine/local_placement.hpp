// SPDX-License-Identifier: GPL-2.0-or-later
// Puts the files that travelled with the images where the tree will look for them on this node, as the user
// and in the task's mount namespace, and takes that back when the restore fails.
#pragma once

#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "engine/record.hpp"
#include "os/creds.hpp"
#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt {

// What is at a local file's path now. `foreign`: it, or a directory on the way, is somebody else's, who could
// swap it under the restored program.
struct LocalNow {
    enum class What : std::uint8_t { missing, same_kind, other_kind, foreign } what = What::missing;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
};

enum class Placement : std::uint8_t { leave, create, replace };

// The very file of the dump, when it only grows, is left for the roll-back of output; anything else gets the
// content it had. `same_boot`: this node has not started since the dump, and is the dump's.
Result<Placement> decide_placement(const LocalFile& file, const LocalNow& now, bool same_boot);

// `files` and every directory between them and their roots, parents first.
std::vector<LocalFile> with_directories(std::vector<LocalFile> files);

class LocalFiles {
public:
    // `images`: where the contents are; readable by the user until the restore has ended.
    LocalFiles(Identity user, int mount_ns, int images)
        : m_user(std::move(user)), m_mount_ns(mount_ns), m_images(images) {}

    // Looks and decides; changes nothing. `passed`: full paths of files that the tree gets in another way.
    Status plan(const DumpRecord& record, const std::set<std::string>& passed,
                std::chrono::milliseconds limit);
    // Full paths of the files whose content comes from the images.
    [[nodiscard]] std::set<std::string> placed() const;
    // All of them, or none when it fails; only a file server that hangs, and runs into the limit, leaves
    // some, with what they have replaced beside them under a name that begins with .ckpt-.
    Status apply(std::chrono::milliseconds limit);
    Status undo(std::chrono::milliseconds limit);
    // After the restore: what was replaced goes for good.
    void settle(std::chrono::milliseconds limit);

private:
    struct Step {
        LocalFile file;
        Placement placement = Placement::leave;
        std::string aside; // beside it: first our copy, after the exchange what was replaced
    };
    [[nodiscard]] Status make_all() const;      // as the user
    void unmake_first(std::size_t count) const; // as the user, the last of them first
    Status as_the_user(std::chrono::milliseconds limit, const std::function<Status()>& work) const;

    Identity m_user;
    int m_mount_ns;
    int m_images;
    std::vector<Step> m_steps;
    bool m_applied = false;
};

} // namespace ckpt
