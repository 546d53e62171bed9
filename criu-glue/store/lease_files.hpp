// SPDX-License-Identifier: GPL-2.0-or-later
// The few things that leases (lease.hpp) ask of the directory in which they are kept, so that tests can put
// a file server that fails in its place.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "os/fd.hpp"
#include "result/result.hpp"

namespace ckpt::store {

// Names are plain, texts at most k_text_max bytes. Errors are Code::os with errnum.
class LeaseFiles {
public:
    static constexpr std::size_t k_text_max = 256;

    LeaseFiles() = default;
    LeaseFiles(const LeaseFiles&) = delete;
    LeaseFiles& operator=(const LeaseFiles&) = delete;
    LeaseFiles(LeaseFiles&&) = delete;
    LeaseFiles& operator=(LeaseFiles&&) = delete;
    virtual ~LeaseFiles() = default;

    virtual Result<std::vector<std::string>> list() = 0;
    // Makes a file that did not exist. False: it exists, and is not ours.
    virtual Result<bool> create(const std::string& name, const std::string& text) = 0;
    // Writes over the beginning of a file. False: it is gone.
    virtual Result<bool> write(const std::string& name, const std::string& text) = 0;
    // Nothing: it is gone. May be empty, or half of what is being written.
    virtual Result<std::optional<std::string>> read(const std::string& name) = 0;
    virtual Status remove(const std::string& name) = 0; // what is gone is fine
};

// In a directory. Every call opens what it needs and closes it again: NFS promises that who opens a file
// after another node has closed it sees what was written.
class DirLeaseFiles : public LeaseFiles {
public:
    explicit DirLeaseFiles(Fd dir) : m_dir(std::move(dir)) {}
    Result<std::vector<std::string>> list() override;
    Result<bool> create(const std::string& name, const std::string& text) override;
    Result<bool> write(const std::string& name, const std::string& text) override;
    Result<std::optional<std::string>> read(const std::string& name) override;
    Status remove(const std::string& name) override;

private:
    Fd m_dir;
};

// Opens a directory for leases. It has to belong to the account of this process and to be writable by nobody
// else (Code::not_permitted).
Result<Fd> open_lease_dir(const std::string& path);

} // namespace ckpt::store
