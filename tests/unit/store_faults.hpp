// SPDX-License-Identifier: GPL-2.0-or-later
// Faults at system calls, without a seam in the product: store_faults.cpp defines the C library's functions
// in the test program, which the linker prefers, and passes on to the real ones.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace ckpt::store::test {

// One call that changes the file system.
struct Event {
    std::string call; // "write", "fsync", "renameat", "mkdirat", "unlinkat", "ftruncate"
    ino_t inode = 0;  // of the file, or of the directory the name is in
    std::string name; // the new name
};

// While one of these lives, calls are counted from 1, and the chosen one fails or ends the process before it
// does anything. Only one at a time.
class Faults {
public:
    Faults() { arm(); }
    Faults(const Faults&) = delete;
    Faults& operator=(const Faults&) = delete;
    Faults(Faults&&) = delete;
    Faults& operator=(Faults&&) = delete;
    ~Faults();

    void fail_at(int call, int errnum);
    void die_at(int call); // with k_died
    void fail_read_of(ino_t inode, int errnum);

    // Runs `action` once, right before the call that makes `name`; nothing is counted meanwhile.
    void before(const std::string& call, const std::string& name, std::function<void()> action);

    [[nodiscard]] int calls() const;
    [[nodiscard]] bool struck() const;
    [[nodiscard]] const std::vector<Event>& events() const;

    static constexpr int k_died = 99;

private:
    void arm();
};

// Runs `work` in a process that ends at its `call`-th system call; false when it came to its end before.
bool dies_at(int call, const std::function<bool()>& work);

} // namespace ckpt::store::test
