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
Result<std::vector<SavedOutput>> save_output(const std::array<StdioIdentity, 3>& stdio, const JobUser& user,
                                             int mount_ns, int images, std::uint64_t most,
                                             std::chrono::milliseconds patience);

// What becomes of saved output.
enum class OutputStep : std::uint8_t {
    leave,    // Slurm has not emptied the file
    is_back,  // an earlier restore has put it back already
    put_back, // in front of what is there
    too_much  // was printed since, to be moved
};
// `begins_with_it`: the file has the saved bytes in front; `has_them_where_they_were`: at SavedOutput::from.
OutputStep decide_output(const SavedOutput& output, std::uint64_t size, bool begins_with_it,
                         bool has_them_where_they_were);

// Puts saved output back where a file does not begin with it any more. No restore fails for it: what cannot
// be completed is still output, and a line says so.
class OutputFiles {
public:
    OutputFiles(JobUser user, int mount_ns, int images)
        : m_user(std::move(user)), m_mount_ns(mount_ns), m_images(images) {}

    // Looks and decides; changes nothing. Only what is standard output or error now.
    void plan(const std::vector<SavedOutput>& saved, const std::array<StdioIdentity, 3>& stdio,
              std::chrono::milliseconds limit);
    void apply(std::chrono::milliseconds limit);
    Status undo(std::chrono::milliseconds limit);
    // The files that Slurm has emptied.
    [[nodiscard]] std::set<std::string> paths() const;
    // One line for each file of which something is missing.
    [[nodiscard]] std::vector<std::string> notes() const;

private:
    std::vector<SavedOutput> m_outputs; // that are put back
    std::vector<std::uint64_t> m_sizes; // of these, before
    std::vector<std::uint64_t> m_inodes;
    std::set<std::string> m_emptied;
    std::vector<std::string> m_not_whole; // lines
    JobUser m_user;
    int m_mount_ns;
    int m_images;
    std::size_t m_applied = 0;
};

} // namespace ckpt
