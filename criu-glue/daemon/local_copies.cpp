// SPDX-License-Identifier: GPL-2.0-or-later
#include "local_copies.hpp"

#include <algorithm>
#include <format>
#include <functional>
#include <utility>

namespace ckpt {

namespace {

std::vector<LocalCopy> take_if(std::list<LocalCopy>& copies,
                               const std::function<bool(const LocalCopy&)>& wanted) {
    std::vector<LocalCopy> taken;
    std::erase_if(copies, [&](const LocalCopy& copy) {
        if (!wanted(copy)) return false;
        taken.push_back(copy);
        return true;
    });
    return taken;
}

} // namespace

std::string LocalCopy::name() const {
    return std::format("{}-{}-inc{}-gen{}-{}-{}", job_id, uuid.substr(0, 8), incarnation, generation,
                       task.step_id, task.task_id);
}

std::vector<LocalCopy> LocalCopies::keep(LocalCopy copy, std::uint64_t limit) {
    auto removed = take_if(m_copies, [&](const LocalCopy& other) {
        return other.job_id == copy.job_id && other.uuid == copy.uuid && other.task == copy.task;
    });
    if (copy.bytes > limit) {
        removed.push_back(std::move(copy));
        return removed;
    }
    while (bytes() + copy.bytes > limit) {
        removed.push_back(std::move(m_copies.front()));
        m_copies.pop_front();
    }
    m_copies.push_back(std::move(copy));
    return removed;
}

std::optional<LocalCopy> LocalCopies::find(std::uint32_t job_id, const std::string& uuid,
                                           const TaskKey& task) const {
    const auto at = std::ranges::find_if(m_copies, [&](const LocalCopy& copy) {
        return copy.job_id == job_id && copy.uuid == uuid && copy.task == task;
    });
    return at == m_copies.end() ? std::nullopt : std::optional(*at);
}

void LocalCopies::drop(const LocalCopy& copy) {
    const std::string name = copy.name();
    std::erase_if(m_copies, [&](const LocalCopy& other) { return other.name() == name; });
}

std::vector<LocalCopy> LocalCopies::drop_job(std::uint32_t job_id, const std::string& uuid) {
    return take_if(m_copies,
                   [&](const LocalCopy& copy) { return copy.job_id == job_id && copy.uuid == uuid; });
}

std::vector<LocalCopy> LocalCopies::make_room(std::uint64_t wanted) {
    std::vector<LocalCopy> removed;
    for (std::uint64_t freed = 0; freed < wanted && !m_copies.empty();) {
        freed += m_copies.front().bytes;
        removed.push_back(std::move(m_copies.front()));
        m_copies.pop_front();
    }
    return removed;
}

std::vector<LocalCopy> LocalCopies::expire(std::int64_t kept_before) {
    return take_if(m_copies, [&](const LocalCopy& copy) { return copy.kept_at < kept_before; });
}

std::uint64_t LocalCopies::bytes() const {
    std::uint64_t sum = 0;
    for (const LocalCopy& copy : m_copies)
        sum += copy.bytes;
    return sum;
}

} // namespace ckpt
