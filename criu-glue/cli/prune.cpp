// SPDX-License-Identifier: GPL-2.0-or-later
#include "prune.hpp"

#include <iostream>

#include "fetch.hpp"
#include "table.hpp"
#include "text/text.hpp"
#include "users.hpp"
#include "wire/messages.hpp"

namespace ckpt::cli {

namespace {

class Pruning {
public:
    explicit Pruning(const PruneOptions& options) : m_options(options) {}

    Status of(const StoreUser& user) {
        CKPT_TRY(auto objects, fetch(wire::encode(wire::PruneCommand{m_options.dry_run, user.uid, user.name,
                                                                     m_options.dir})));
        for (Json& object : objects) {
            object["user"] = user.name;
            if (object.contains("note"))
                std::cerr << "sckpt: warning: " << user.name << ": " << string(object, "note") << "\n";
            else
                add(object);
        }
        return {};
    }

    void print() const {
        if (m_options.json) return;
        if (!m_table.empty()) std::cout << m_table.text(true);
        if (m_removed == 0 && m_stayed.empty()) std::cout << "nothing to remove\n";
        if (m_removed > 0)
            std::cout << text::bytes(m_bytes) << (m_options.dry_run ? " would be removed\n" : " removed\n");
    }

    // Something stayed that should have gone.
    [[nodiscard]] Status outcome() const {
        if (m_stayed.empty()) return {};
        return fail(Code::busy, m_stayed, "the rest of that job stays, until the next time");
    }

private:
    void add(const Json& object) {
        if (m_options.json) std::cout << line_of(object);
        const std::string problem = string(object, "problem");
        if (!problem.empty()) {
            if (m_stayed.empty()) m_stayed = "job " + std::to_string(number(object, "job")) + ": " + problem;
            return;
        }
        ++m_removed;
        m_bytes += number(object, "bytes");
        const bool is_generation = object.contains("generation");
        m_table.add({std::to_string(number(object, "job")),
                     is_generation ? std::to_string(number(object, "incarnation")) : "-",
                     is_generation ? std::to_string(number(object, "generation")) : "-",
                     string(object, "user"), text::bytes(number(object, "bytes")), string(object, "reason")});
    }

    const PruneOptions& m_options;
    Table m_table{
        {{"JOBID", true}, {"INC", true}, {"GEN", true}, {"USER", false}, {"SIZE", true}, {"WHY", false}}};
    std::size_t m_removed = 0;
    std::uint64_t m_bytes = 0;
    std::string m_stayed;
};

} // namespace

Status prune(const PruneOptions& options) {
    CKPT_TRY(const auto users, users_in_question(options.user, options.dir));
    Pruning pruning(options);
    Status first;
    for (const StoreUser& user : users) {
        const Status done = pruning.of(user);
        if (!done && first) first = done;
    }
    if (first) pruning.print();
    CKPT_CHECK(first);
    return pruning.outcome();
}

} // namespace ckpt::cli
