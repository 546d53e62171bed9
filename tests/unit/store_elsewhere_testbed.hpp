// SPDX-License-Identifier: GPL-2.0-or-later
// Generations whose parts several nodes seal: one of them commits, the others work while it waits.
#pragma once

#include <functional>
#include <span>

#include "store/seal_elsewhere.hpp"
#include "store_testbed.hpp"
#include "volume_testbed.hpp"

namespace ckpt::store::test {

// A step's task, by its stand-in, and the node it runs on.
struct OtherTask {
    std::uint64_t stand_in;
    std::uint32_t step_id;
    std::uint32_t task_id;
    std::string node;
    Files files;
};

class ElsewhereTest : public StoreTest {
protected:
    static constexpr std::uint64_t k_first = 0xfedcba9876543210;
    static constexpr std::uint64_t k_second = 7;

    static std::vector<OtherTask> others(GenerationId id) {
        const std::string mark = to_text(id);
        return {{k_first, 0, 1, "n2", {{"core-2.img", "first " + mark}, {"pages-1.img", page('f', id)}}},
                {k_second, 3, 0, "n3", {{"core-3.img", "second " + mark}, {"pages-1.img", page('s', id)}}}};
    }
    static std::string page(char of, GenerationId id) {
        std::string bytes(2 * std::size_t{4096}, of);
        return bytes.replace(100, 20, 20, static_cast<char>('0' + id.generation));
    }
    static std::vector<StepPart> names_of(const std::vector<OtherTask>& tasks) {
        std::vector<StepPart> names;
        names.reserve(tasks.size());
        for (const OtherTask& task : tasks)
            names.push_back({task.stand_in, task.step_id, task.task_id});
        return names;
    }

    // Runs `work` on the store as a process of its own would see it.
    template <typename T>
    Result<T> on_store(std::span<const ClusterKey> keys, const std::function<Result<T>(const Store&)>& work) {
        if (!m_remote) {
            LocalVolume here = volume(m_base);
            return work({here, keys});
        }
        Peer peer([this](int socket) {
            LocalVolume served = volume(m_base);
            EXPECT_TRUE(serve_volume(socket, served));
        });
        CKPT_TRY(const auto remote, RemoteVolume::connect(peer.take()));
        return work({*remote, keys});
    }

    // What the node of these tasks is asked to do.
    struct Sealing {
        SealSpec spec;
        std::vector<Fd> dirs;
    };
    Sealing sealing(const Owner& owner, GenerationId id, const std::vector<OtherTask>& tasks) {
        Sealing sealing;
        sealing.spec.owner = owner;
        sealing.spec.id = id;
        sealing.spec.compression = 1;
        for (const OtherTask& task : tasks) {
            sealing.dirs.push_back(open_path(make_dump(task.files)));
            sealing.spec.parts.push_back(
                {{task.step_id, task.task_id, task.node, 900, 8192, 2, "4.1.1", {}, task.stand_in},
                 sealing.dirs.back().get()});
        }
        return sealing;
    }
    Result<std::uint64_t> seal(const Sealing& what, std::span<const ClusterKey> keys) {
        return on_store<std::uint64_t>(keys,
                                       [&](const Store& store) { return seal_elsewhere(store, what.spec); });
    }
    Result<std::uint64_t> seal(GenerationId id, const std::vector<OtherTask>& tasks) {
        return seal(sealing(m_owner, id, tasks), m_keys);
    }
    // Each node its part.
    Status seal_each(GenerationId id, const std::vector<OtherTask>& tasks) {
        for (const OtherTask& task : tasks) {
            CKPT_TRY([[maybe_unused]] const auto bytes, seal(id, {task}));
        }
        return {};
    }

    // Commits the batch script's images; `meanwhile` is what happens while the commit waits for `parts`.
    Result<CommitDone> commit_with(const Owner& owner, GenerationId id, const std::vector<StepPart>& parts,
                                   const std::function<Status()>& meanwhile) {
        const Fd dir = open_path(make_dump(images(id)));
        CommitSpec spec = spec_of(owner, id, 100, dir.get());
        bool is_ready = false;
        spec.elsewhere.parts = parts;
        spec.elsewhere.ready = [&] {
            is_ready = true;
            return Status{};
        };
        spec.elsewhere.wait = [&] {
            EXPECT_TRUE(is_ready) << "nobody was told to begin";
            return meanwhile();
        };
        return on_store<CommitDone>(m_keys, [&](const Store& store) { return commit(store, spec); });
    }
    Result<CommitDone> commit_with(GenerationId id, const std::vector<StepPart>& parts,
                                   const std::function<Status()>& meanwhile) {
        return commit_with(m_owner, id, parts, meanwhile);
    }
    Result<CommitDone> commit_all(GenerationId id, const std::vector<OtherTask>& tasks) {
        return commit_with(id, names_of(tasks), [&] { return seal_each(id, tasks); });
    }
    void must_commit_all(GenerationId id) {
        const auto done = commit_all(id, others(id));
        ASSERT_TRUE(done) << one_line(done.error());
        EXPECT_THAT(done->notes, ::testing::IsEmpty());
    }

    // Adopts it, which has to be the newest, and unpacks every part.
    void expect_all_restored(std::uint32_t incarnation, GenerationId id,
                             const std::vector<OtherTask>& tasks) {
        expect_adopted(incarnation, id);
        for (const OtherTask& task : tasks) {
            const fs::path target = make_dump({});
            const Fd dir = open_path(target);
            const PartSpec spec{m_owner, incarnation, id, task.stand_in, task.task_id, dir.get()};
            const auto done = on_store<bool>(m_keys, [&](const Store& store) {
                return unpack_part(store, spec).map([] { return true; });
            });
            ASSERT_TRUE(done) << one_line(done.error());
            EXPECT_TRUE(files_in(target) == task.files) << task.node;
        }
    }
    void expect_all_restored(std::uint32_t incarnation, GenerationId id) {
        expect_all_restored(incarnation, id, others(id));
    }

    [[nodiscard]] fs::path temp_path(GenerationId id) const {
        return job_path() / incarnation_dir_name(id.incarnation) /
               (".tmp-" + generation_dir_name(id.generation));
    }
    [[nodiscard]] static std::vector<std::string> names_in(const fs::path& dir) {
        std::vector<std::string> names;
        for (const auto& entry : fs::directory_iterator(dir))
            names.push_back(entry.path().filename());
        std::ranges::sort(names);
        return names;
    }

    bool m_remote = false;
};

} // namespace ckpt::store::test
