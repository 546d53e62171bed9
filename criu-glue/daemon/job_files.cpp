// SPDX-License-Identifier: GPL-2.0-or-later
#include "job_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "fault/fault.hpp"
#include "os/files.hpp"
#include "os/safe_path.hpp"

namespace ckpt {

namespace {

constexpr std::size_t k_file_max = 1 << 20;
constexpr const char* k_new = ".new";

Result<JobFile> read(int dir, const std::string& name) {
    CKPT_TRY(const Fd file, open_beneath(dir, name, O_RDONLY));
    CKPT_TRY(const std::string bytes, read_all(file.get(), k_file_max));
    return wire::decode<JobFile>(bytes);
}

} // namespace

Result<JobFiles> JobFiles::open(const std::string& path) {
    CKPT_TRY(Fd dir, make_trusted_dir(path, 0700));
    return JobFiles(std::move(dir));
}

std::vector<JobFile> JobFiles::load() const {
    std::vector<JobFile> all;
    const auto names = list_dir(m_dir.get());
    if (!names) return all;
    for (const std::string& name : *names) {
        if (auto job = read(m_dir.get(), name))
            all.push_back(std::move(*job));
        else
            (void)remove_tree(m_dir.get(), name);
    }
    return all;
}

Status JobFiles::save(std::uint32_t job_id, const std::string& bytes) const {
    const std::string name = std::to_string(job_id);
    CKPT_FAULT("ckptd.file");
    {
        CKPT_TRY(const Fd file, open_beneath(m_dir.get(), k_new, O_WRONLY | O_CREAT | O_TRUNC, 0600));
        CKPT_CHECK(write_all(file.get(), bytes));
    }
    CKPT_FAULT("ckptd.file_named");
    if (::renameat(m_dir.get(), k_new, m_dir.get(), name.c_str()) != 0)
        return fail_errno(Code::os, "write the file of job " + name);
    return {};
}

void JobFiles::remove(std::uint32_t job_id) const {
    ::unlinkat(m_dir.get(), std::to_string(job_id).c_str(), 0);
}

} // namespace ckpt
