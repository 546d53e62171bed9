// SPDX-License-Identifier: GPL-2.0-or-later
// ckpt-sealer and ckpt-writer as ckptd starts them, with a store on a small file system of its own.
#pragma once

#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <csignal>
#include <functional>
#include <optional>

#include "os/process.hpp"
#include "os/socket.hpp"
#include "os/stream.hpp"
#include "store_testbed.hpp"
#include "wire/store_messages.hpp"

namespace ckpt::store::test {

inline constexpr std::uint32_t k_user = 12345;
inline constexpr std::uint32_t k_stranger = 54321;
inline constexpr std::uint32_t k_service = 65533; // the account that the sealer runs as
inline constexpr std::chrono::seconds k_limit{60};
inline constexpr std::size_t k_frame_limit = std::size_t{32} << 20U;

class SealerTest : public StoreTest {
protected:
    // The mounts of one test are its own and go with it: every test of ctest is a process.
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root to mount a file system";
        if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
            GTEST_SKIP() << "needs CAP_SYS_ADMIN to mount a file system";
        ASSERT_EQ(::mkdir(m_mount.c_str(), 0755), 0);
        ASSERT_EQ(::mount("store", m_mount.c_str(), "tmpfs", 0, "size=2m,mode=0755"), 0);
        make_base();
        ASSERT_TRUE(create_key(m_key_file));
        ASSERT_EQ(::chmod(m_temp.path().c_str(), 0755), 0); // the sealer's images are in there
        m_owner.uid = k_user;
    }
    void TearDown() override {
        ::umount2(m_mount.c_str(), MNT_DETACH);
        ::rmdir(m_mount.c_str());
    }

    [[nodiscard]] wire::StorePlace place(std::uint32_t incarnation) const {
        return {m_store, m_owner.cluster, m_owner.uuid, m_owner.job_id, m_owner.uid, incarnation};
    }
    static Result<Child> start(const char* program, std::optional<Identity> as, Fd& channel) {
        CKPT_TRY(auto pair, make_socket_pair());
        SpawnSpec spec;
        spec.path = program;
        spec.argv = {"worker"};
        spec.fds = {{pair.second.get(), wire::k_worker_fd}};
        spec.become = std::move(as);
        channel = std::move(pair.first);
        return spawn(spec);
    }

    struct Worker {
        Child process;
        Fd channel;
    };
    // ckpt-writer at the other end of the stream.
    Worker start_writer(Fd& stream, bool make) {
        auto pair = make_stream_pair();
        Worker writer;
        writer.process = start(CKPT_WRITER, std::nullopt, writer.channel).value();
        const wire::WriterRequest request{m_store, {k_user, k_user, {}}, make, true, m_above};
        const std::vector<int> fds{pair->second.get()};
        EXPECT_TRUE(send_packet(writer.channel.get(), wire::encode(request), fds));
        stream = std::move(pair->first);
        return writer;
    }
    Worker start_sealer(const std::string& request, const std::vector<int>& own, const Fd& stream) {
        Worker sealer;
        sealer.process = start(CKPT_SEALER, Identity{k_service, k_service, {}}, sealer.channel).value();
        const Fd key(::open(m_key_file.c_str(), O_RDONLY | O_CLOEXEC));
        std::vector<int> fds{stream.get(), key.get()};
        fds.insert(fds.end(), own.begin(), own.end());
        EXPECT_TRUE(send_packet(sealer.channel.get(), request, fds));
        return sealer;
    }
    static Result<std::string> answer_of(Worker& worker) {
        auto answer = receive_packet(worker.channel.get(), k_limit);
        if (!answer) return tl::unexpected(answer.error());
        return answer->bytes;
    }
    template <typename Answer>
    static Answer decoded(const Result<std::string>& bytes) {
        EXPECT_TRUE(bytes) << one_line(bytes ? Error{} : bytes.error());
        if (!bytes) return {};
        const auto answer = wire::decode<Answer>(*bytes);
        EXPECT_TRUE(answer) << one_line(answer ? Error{} : answer.error());
        return answer ? *answer : Answer{};
    }

    template <typename Answer, typename Request>
    Answer must_ask(const Request& request, const std::vector<int>& own, bool make) {
        Fd stream;
        Worker writer = start_writer(stream, make);
        Worker sealer = start_sealer(wire::encode(request), own, stream);
        stream.reset();
        const auto answer = decoded<Answer>(answer_of(sealer));
        EXPECT_EQ(sealer.process.wait(k_limit), 0);
        EXPECT_EQ(writer.process.wait(k_limit), 0) << "it ends with the sealer";
        return answer;
    }
    // A directory of the sealer's, as ckptd hands it over.
    fs::path make_local(const Files& files) {
        fs::path dir = make_dump(files);
        EXPECT_EQ(::chown(dir.c_str(), k_service, k_service), 0);
        for (const auto& entry : fs::directory_iterator(dir))
            EXPECT_EQ(::chown(entry.path().c_str(), k_service, k_service), 0);
        return dir;
    }
    [[nodiscard]] wire::CommitRequest commit_request(std::uint32_t incarnation,
                                                     std::uint32_t generation) const {
        wire::CommitRequest request;
        request.place = place(incarnation);
        request.generation = generation;
        request.keep = 3;
        request.taken_at = 1700000000;
        request.reason = "on demand";
        request.compression = 1;
        request.parts.push_back({k_step, 0, "n1", 10, 20, 1, "4.1.1"});
        return request;
    }
    [[nodiscard]] wire::AdoptRequest adopt_request(std::uint32_t incarnation) const {
        wire::AdoptRequest request;
        request.place = place(incarnation);
        request.step_id = k_step;
        return request;
    }
    wire::CommitResult commit_of(std::uint32_t incarnation, std::uint32_t generation, const Files& files) {
        const Fd dir = open_path(make_local(files));
        return must_ask<wire::CommitResult>(commit_request(incarnation, generation), {dir.get()}, true);
    }
    wire::AdoptResult adopt_by(std::uint32_t incarnation, const fs::path& target, bool make) {
        const Fd dir = open_path(target);
        return must_ask<wire::AdoptResult>(adopt_request(incarnation), {dir.get()}, make);
    }
    void expect_restores(std::uint32_t incarnation, GenerationId id) {
        const fs::path target = make_local({});
        const auto adopted = adopt_by(incarnation, target, false);
        ASSERT_EQ(adopted.outcome.code, 0U) << adopted.outcome.what;
        EXPECT_EQ(adopted.found, wire::Found::generation);
        EXPECT_EQ(adopted.generation, id.generation);
        EXPECT_TRUE(files_in(target) == images(id));
    }

    // Passes calls of the sealer on to the writer and replies back; `at` is called before the call of that
    // number. Returns how many calls there were until one of them had gone.
    static int pass_on(const Fd& sealer, const Fd& writer, int number, const std::function<void()>& at) {
        for (int calls = 1;; ++calls) {
            const auto call = receive_frame(sealer.get(), k_frame_limit);
            if (!call) return calls - 1;
            if (calls == number) at();
            if (!send_frame(writer.get(), *call)) return calls;
            const auto reply = receive_frame(writer.get(), k_frame_limit);
            if (!reply || !send_frame(sealer.get(), *reply)) return calls;
        }
    }

    // The admin's part of the store: nobody makes it.
    void make_base() const {
        fs::create_directories(m_above);
        fs::permissions(m_above, fs::perms(0711));
    }

    // Owned by root down from "/", unlike anything below /tmp.
    const std::string m_mount = "/run/ckpt-sealer-test-" + std::to_string(::getpid());
    const std::string m_key_file = m_mount + "/key";
    const std::string m_above = m_mount + "/site/store";
    std::string m_store = m_above + "/" + std::to_string(k_user);
};

} // namespace ckpt::store::test
