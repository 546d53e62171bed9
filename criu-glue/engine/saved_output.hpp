// SPDX-License-Identifier: GPL-2.0-or-later
// Standard output and error of a job whose user wants Slurm to empty them (--open-mode=truncate): Slurm does
// so at every restart, so what was printed up to the cut is saved, and put in front of what is there then.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "engine/record.hpp"
#include "os/creds.hpp"
#include "result/result.hpp"

namespace ckpt {

// Whether Slurm empties the output at the next start, from the environment that the task was started with
// (task_environment.hpp). The descriptors do not tell: slurmstepd's
// io.c:io_get_file_flags has O_APPEND in every case.
bool output_is_emptied(std::string_view environment);

// Of each regular file among `stdio` the last `most` bytes, as `output-N` in the image directory.
Result<std::vector<SavedOutput>> save_output(const std::array<StdioIdentity, 3>& stdio, const Identity& user,
                                             int mount_ns, int images, std::uint64_t most,
                                             std::chrono::milliseconds patience);

// Puts saved output back where a file does not begin with it any more.
class OutputFiles {
public:
    OutputFiles(Identity user, int mount_ns, int images)
        : m_user(std::move(user)), m_mount_ns(mount_ns), m_images(images) {}

    // Looks and decides; changes nothing. Only what is standard output or error now.
    Status plan(const std::vector<SavedOutput>& saved, const std::array<StdioIdentity, 3>& stdio,
                std::chrono::milliseconds limit);
    Status apply(std::chrono::milliseconds limit);
    Status undo(std::chrono::milliseconds limit);
    // The files that get it.
    [[nodiscard]] std::set<std::string> paths() const;
    // One line for each file whose beginning was too much to save.
    [[nodiscard]] std::vector<std::string> notes() const;

private:
    std::vector<SavedOutput> m_outputs; // that are put back
    Identity m_user;
    int m_mount_ns;
    int m_images;
    std::size_t m_applied = 0;
};

} // namespace ckpt
