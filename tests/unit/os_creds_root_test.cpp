// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "os/creds.hpp"
#include "os/files.hpp"

namespace ckpt {
namespace {

constexpr uid_t k_user = 12345;
const std::string k_none = "0000000000000000";

std::map<std::string, std::string> status_of_self() {
    std::map<std::string, std::string> fields;
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        fields[line.substr(0, line.find(':'))] = line.substr(line.find('\t') + 1);
    return fields;
}

// What a child sees of itself behind `drop`, one field a line.
std::string seen_behind(const std::function<Status()>& drop) {
    auto pipe = make_pipe();
    const pid_t child = ::fork();
    if (child == 0) {
        std::string text;
        if (const Status dropped = drop(); !dropped) text = dropped.error().what + "\n";
        auto fields = status_of_self();
        for (const char* name :
             {"Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs"})
            text += std::string(name) + " " + fields[name] + "\n";
        (void)!::write(pipe->write.get(), text.data(), text.size());
        ::_exit(0);
    }
    pipe->write = Fd();
    std::string text(4096, '\0');
    const ssize_t size = ::read(pipe->read.get(), text.data(), text.size());
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    ::waitpid(child, nullptr, 0);
    return text;
}

TEST(DropTo, NothingIsLeftAndNothingComesBack) {
    EXPECT_EQ(seen_behind([] { return drop_to(*Root::claim(), {k_user, k_user, {50, 60}}); }),
              "Uid 12345\t12345\t12345\t12345\nGid 12345\t12345\t12345\t12345\nGroups 50 60 \nCapInh " +
                  k_none + "\nCapPrm " + k_none + "\nCapEff " + k_none + "\nCapBnd " + k_none + "\nCapAmb " +
                  k_none + "\nNoNewPrivs 1\n");
}

TEST(DropTo, RootIsNobodyToDropTo) {
    EXPECT_TRUE(seen_behind([] {
                    return drop_to(*Root::claim(), {0, k_user, {}});
                }).starts_with("refusing to drop to uid 0\n"));
}

// criu's: what it starts becomes the user's job, which may have set-user-id programs.
TEST(DropToKeeping, OnlyWhatIsKeptIsThere) {
    const std::string seen =
        seen_behind([] { return drop_to_keeping(*Root::claim(), {k_user, k_user, {}}, 1U << 21U); });
    EXPECT_NE(seen.find("CapEff 0000000000200000\n"), std::string::npos) << seen;
    EXPECT_NE(seen.find("CapAmb 0000000000200000\n"), std::string::npos) << seen;
    EXPECT_NE(seen.find("NoNewPrivs 0\n"), std::string::npos) << seen;
}

} // namespace
} // namespace ckpt
