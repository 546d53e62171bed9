// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/saved_output.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "engine/task_environment.hpp"
#include "engine/user_child.hpp"
#include "engine/way.hpp"
#include "os/files.hpp"
#include "os/safe_path.hpp"
#include "text/text.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_compared = 64 << 10;
constexpr std::size_t k_fresh_max = 16 << 20; // what an incarnation prints before it is restored

// Runs as the user.
Result<Fd> open_output(const std::string& path, std::uint64_t inode, int flags, std::uint64_t& size) {
    CKPT_TRY(Fd fd, open_on_way(path, flags | O_NOCTTY | O_NONBLOCK));
    struct stat st{};
    if (::fstat(fd.get(), &st) != 0) return fail_errno(Code::os, "look at " + path);
    if (!S_ISREG(st.st_mode)) return fail(Code::os, path + " is no regular file");
    if (st.st_ino != inode) return fail(Code::os, path + " is another file");
    size = static_cast<std::uint64_t>(st.st_size);
    return fd;
}

Result<std::string> read_from(int fd, std::uint64_t at) {
    if (::lseek(fd, static_cast<off_t>(at), SEEK_SET) < 0) return fail_errno(Code::os, "seek");
    return read_all(fd, k_fresh_max);
}

// What is appended meanwhile comes too: a file that is longer than what goes in front of it is written over.
Result<std::string> read_growing(int fd) {
    std::string text;
    for (;;) {
        CKPT_TRY(const std::string more, read_from(fd, text.size()));
        text += more;
        if (text.size() > k_fresh_max) return fail(Code::os, "more was printed since than can be moved");
        struct stat st{};
        if (::fstat(fd, &st) != 0) return fail_errno(Code::os, "look at the output");
        if (more.empty() || static_cast<std::uint64_t>(st.st_size) <= text.size()) return text;
    }
}

// What is there now goes behind the saved bytes first: whoever appends meanwhile does so behind it, and
// nothing is lost if we are stopped in between.
Status put_in_front(const SavedOutput& output, std::uint64_t inode, int images) {
    std::uint64_t size = 0;
    CKPT_TRY(const Fd file, open_output(output.path, inode, O_RDWR, size));
    CKPT_TRY(const Fd content, open_beneath(images, output.content, O_RDONLY));
    const std::uint64_t length = output.size - output.from;
    CKPT_TRY(const std::string fresh, read_growing(file.get()));
    if (::lseek(file.get(), static_cast<off_t>(length), SEEK_SET) < 0) return fail_errno(Code::os, "seek");
    CKPT_CHECK(write_all(file.get(), fresh));
    if (fresh.empty() && ::ftruncate(file.get(), static_cast<off_t>(length)) != 0)
        return fail_errno(Code::os, "lengthen " + output.path);
    return copy_range(content.get(), 0, file.get(), 0, length);
}

// `before`: its size before put_in_front(), which may have been stopped anywhere.
Status take_from_front(const SavedOutput& output, std::uint64_t inode, std::uint64_t before) {
    std::uint64_t size = 0;
    CKPT_TRY(const Fd file, open_output(output.path, inode, O_RDWR, size));
    const std::uint64_t length = output.size - output.from;
    if (size == before) return {};      // it had not begun
    if (size < length + before) {       // nothing was put in front yet
        if (before > length) return {}; // it was moving itself: better twice than not at all
        if (::ftruncate(file.get(), static_cast<off_t>(before)) != 0)
            return fail_errno(Code::os, "shorten " + output.path);
        return {};
    }
    CKPT_TRY(const std::string fresh, read_from(file.get(), length));
    if (::lseek(file.get(), 0, SEEK_SET) < 0) return fail_errno(Code::os, "seek");
    CKPT_CHECK(write_all(file.get(), fresh));
    if (::ftruncate(file.get(), static_cast<off_t>(fresh.size())) != 0)
        return fail_errno(Code::os, "shorten " + output.path);
    return {};
}

bool is_at(int file, std::uint64_t at, const std::string& text) {
    std::string is(text.size(), '\0');
    return ::pread(file, is.data(), is.size(), static_cast<off_t>(at)) == static_cast<ssize_t>(is.size()) &&
           is == text;
}

// "STEP SIZE"
Result<std::string> look_at_output(const SavedOutput& output, std::uint64_t inode, int images) {
    std::uint64_t size = 0;
    CKPT_TRY(const Fd file, open_output(output.path, inode, O_RDWR, size));
    CKPT_TRY(const Fd content, open_beneath(images, output.content, O_RDONLY));
    std::string was(std::min<std::uint64_t>(output.size - output.from, k_compared), '\0');
    const ssize_t had = ::pread(content.get(), was.data(), was.size(), 0);
    if (had != static_cast<ssize_t>(was.size())) return fail_errno(Code::os, "read saved output");
    const auto step =
        decide_output(output, size, is_at(file.get(), 0, was), is_at(file.get(), output.from, was));
    return std::to_string(static_cast<unsigned>(step)) + " " + std::to_string(size);
}

Result<std::string> save_one(const StdioIdentity& stdio, const std::string& content, int images,
                             std::uint64_t most) {
    std::uint64_t size = 0;
    CKPT_TRY(const Fd file, open_output(stdio.path, stdio.inode, O_RDONLY, size));
    const std::uint64_t from = size - std::min(size, most);
    CKPT_TRY(const Fd copy, open_beneath(images, content, O_WRONLY | O_CREAT | O_EXCL, 0600));
    if (const auto copied = copy_sparse(file.get(), from, copy.get(), size - from); !copied)
        return tl::unexpected(copied.error());
    return std::to_string(size) + " " + std::to_string(from);
}

} // namespace

bool output_is_emptied(std::string_view environment) {
    const std::string_view mode = variable_in(environment, "SLURM_OPEN_MODE"); // job_scheduler.c:_set_job_env
    if (!mode.empty()) return mode.starts_with('t');
    // Unless we have made it append (spank/plugin/environment.hpp), slurm.conf decides, and may say either.
    return variable_in(environment, "SLURM_SPANK_CKPT_OPEN_MODE") != "made-append";
}

Result<std::vector<SavedOutput>> save_output(const std::array<StdioIdentity, 3>& stdio, const JobUser& user,
                                             int mount_ns, int images, std::uint64_t most,
                                             std::chrono::milliseconds patience) {
    std::vector<SavedOutput> saved;
    for (std::size_t i = 1; i < stdio.size(); ++i) {
        const StdioIdentity& one = stdio.at(i);
        if (one.kind != StdioIdentity::Kind::file || (i == 2 && one == stdio.at(1))) continue;
        SavedOutput output{one.path, 0, 0, "output-" + std::to_string(i)};
        const auto text =
            as_user(user, mount_ns, patience, [&] { return save_one(one, output.content, images, most); });
        if (!text && text.error().code != Code::os) return tl::unexpected(text.error());
        if (!text) continue; // not readable by its own user: then nobody misses it
        std::istringstream(*text) >> output.size >> output.from;
        saved.push_back(std::move(output));
    }
    return saved;
}

// Emptied, even if more than it once held was written since: it does not begin as it did.
OutputStep decide_output(const SavedOutput& output, std::uint64_t size, bool begins_with_it,
                         bool has_them_where_they_were) {
    if (size >= output.size && has_them_where_they_were) return OutputStep::leave;
    if (size >= output.size - output.from && begins_with_it) return OutputStep::is_back;
    return size > k_fresh_max ? OutputStep::too_much : OutputStep::put_back;
}

void OutputFiles::plan(const std::vector<SavedOutput>& saved, const std::array<StdioIdentity, 3>& stdio,
                       std::chrono::milliseconds limit) {
    for (const SavedOutput& output : saved) {
        const auto same = [&](const StdioIdentity& one) {
            return one.kind == StdioIdentity::Kind::file && one.path == output.path;
        };
        const auto* const now = std::find_if(stdio.begin() + 1, stdio.end(), same);
        if (now == stdio.end()) continue;
        const auto text =
            as_user(m_user, m_mount_ns, limit, [&] { return look_at_output(output, now->inode, m_images); });
        if (!text) {
            m_not_whole.push_back(output.path + " is not complete: " + text.error().what);
            continue;
        }
        unsigned step = 0;
        std::uint64_t size = 0;
        std::istringstream(*text) >> step >> size;
        if (static_cast<OutputStep>(step) != OutputStep::leave) m_emptied.insert(output.path);
        if (static_cast<OutputStep>(step) == OutputStep::too_much)
            m_not_whole.push_back("Slurm has emptied " + output.path + "; what it held is not put back, as " +
                                  text::bytes(size) + " were printed since");
        if (static_cast<OutputStep>(step) != OutputStep::put_back) continue;
        m_outputs.push_back(output);
        m_sizes.push_back(size);
        m_inodes.push_back(now->inode);
    }
}

void OutputFiles::apply(std::chrono::milliseconds limit) {
    while (m_applied < m_outputs.size()) {
        const std::size_t i = m_applied++; // a child that is killed says nothing
        const SavedOutput& output = m_outputs[i];
        const auto done = as_user(m_user, m_mount_ns, limit, [&]() -> Result<std::string> {
            CKPT_CHECK(put_in_front(output, m_inodes[i], m_images));
            return std::string();
        });
        if (done) continue;
        m_not_whole.push_back("Slurm has emptied " + output.path +
                              "; what it held cannot be put back: " + done.error().what);
    }
}

Status OutputFiles::undo(std::chrono::milliseconds limit) {
    Status worst;
    const std::size_t count = std::exchange(m_applied, 0);
    for (std::size_t i = 0; i < count; ++i) {
        const auto done = as_user(m_user, m_mount_ns, limit, [&]() -> Result<std::string> {
            CKPT_CHECK(take_from_front(m_outputs[i], m_inodes[i], m_sizes[i]));
            return std::string();
        });
        if (!done) worst = tl::unexpected(done.error());
    }
    return worst;
}

std::set<std::string> OutputFiles::paths() const {
    return m_emptied;
}

std::vector<std::string> OutputFiles::notes() const {
    std::vector<std::string> lines = m_not_whole;
    for (const SavedOutput& output : m_outputs)
        if (output.from != 0)
            lines.push_back("Slurm has emptied " + output.path + "; its first " + text::bytes(output.from) +
                            " are lost, as more than engine.tail_limit is not saved");
    return lines;
}

} // namespace ckpt
