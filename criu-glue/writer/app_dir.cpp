// SPDX-License-Identifier: GPL-2.0-or-later
#include "writer/app_dir.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <string>

#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr mode_t k_dir_mode = 0700;
constexpr mode_t k_file_mode = 0600;
constexpr std::size_t k_note_max = 64;
constexpr std::uint32_t k_generation_max = 999999; // as of any generation (store/names.hpp)
const std::string k_new = ".generation.new";

std::uint32_t read_note(int dir) {
    const auto file = open_beneath(dir, wire::k_app_state, O_RDONLY | O_NONBLOCK);
    struct stat st{};
    if (!file || ::fstat(file->get(), &st) != 0 || !S_ISREG(st.st_mode)) return 0;
    const auto text = read_all(file->get(), k_note_max);
    if (!text) return 0;
    std::uint32_t number = 0;
    const char* const end = text->data() + text->size();
    const auto [at, error] = std::from_chars(text->data(), end, number);
    const bool is_whole = error == std::errc() && (at == end || *at == '\n');
    return is_whole && number <= k_generation_max ? number : 0;
}

Status write_note(int dir, std::uint32_t generation) {
    ::unlinkat(dir, k_new.c_str(), 0);
    CKPT_TRY(const Fd file, open_beneath(dir, k_new, O_WRONLY | O_CREAT | O_EXCL, k_file_mode));
    CKPT_CHECK(write_all(file.get(), std::to_string(generation) + "\n"));
    CKPT_CHECK(sync_fd(file.get(), wire::k_app_state));
    if (::renameat(dir, k_new.c_str(), dir, wire::k_app_state) != 0)
        return fail_errno(Code::store_unwritable, "note the generation");
    return sync_fd(dir, "the job's directory");
}

} // namespace

Result<std::uint32_t> serve_app_dir(int user_dir, const wire::AppDirRequest& request) {
    using What = wire::AppDirRequest::What;
    for (const std::string& name : {request.cluster, request.name})
        if (!is_plain_name(name)) return fail(Code::wire_malformed, "no name of a directory");
    CKPT_TRY(const Fd all, make_dir_beneath(user_dir, wire::k_app_dirs, k_dir_mode));
    CKPT_TRY(const Fd cluster, make_dir_beneath(all.get(), request.cluster, k_dir_mode));
    CKPT_TRY(const Fd dir, make_dir_beneath(cluster.get(), request.name, k_dir_mode));
    if (request.what == What::open) return read_note(dir.get());
    if (request.what == What::note) {
        CKPT_CHECK(write_note(dir.get(), request.generation));
        return request.generation;
    }
    for (const char* ours : {wire::k_app_marker, wire::k_app_state, k_new.c_str()})
        ::unlinkat(dir.get(), ours, 0);
    ::unlinkat(cluster.get(), request.name.c_str(), AT_REMOVEDIR); // what is left in it is the user's own
    return 0U;
}

} // namespace ckpt
