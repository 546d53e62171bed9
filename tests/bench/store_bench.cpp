// SPDX-License-Identifier: GPL-2.0-or-later
// What two generations of a job, 5 % of whose pages have changed in between, cost in the store.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "images.hpp"
#include "os/files.hpp"
#include "store/key.hpp"
#include "wire/store_messages.hpp"
#include "workers.hpp"

namespace {

namespace fs = std::filesystem;
using namespace ckpt;

constexpr unsigned k_user = 12345;
constexpr std::uint64_t k_pages_per_mib = 256;
constexpr double k_changed = 0.05;
constexpr std::uint32_t k_step = 0xfffffffb;

Fd open_dir(const fs::path& path) {
    return Fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

void give_to_sealer(const fs::path& path) {
    if (::chown(path.c_str(), bench::k_service, bench::k_service) != 0) std::perror(path.c_str());
}

// What the file system does without us: the images copied and made durable.
Result<double> copy_seconds(const fs::path& from, const fs::path& to) {
    const auto began = std::chrono::steady_clock::now();
    const Fd in(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
    const Fd out(::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    CKPT_CHECK(copy_range(in.get(), 0, out.get(), 0, fs::file_size(from)));
    CKPT_CHECK(sync_fd(out.get(), to));
    fs::remove(to);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

class Bench {
public:
    Bench(const fs::path& root, std::uint64_t mib) : m_root(root / "store-bench"), m_mib(mib) {
        fs::remove_all(m_root);
        for (const char* name : {"images", "target"}) {
            fs::create_directories(m_root / name);
            give_to_sealer(m_root / name);
        }
        fs::permissions(m_root, fs::perms::owner_all | fs::perms::others_exec | fs::perms::group_exec);
    }
    Bench(const Bench&) = delete;
    Bench& operator=(const Bench&) = delete;
    Bench(Bench&&) = delete;
    Bench& operator=(Bench&&) = delete;
    ~Bench() { fs::remove_all(m_root); }

    Status run() {
        CKPT_CHECK(store::create_key(key()));
        CKPT_TRY(const std::uint64_t first, commit(1));
        CKPT_TRY(const std::uint64_t second, commit(2));
        std::printf("%6lu MiB  the second generation stores %.1f %% of the first\n",
                    static_cast<unsigned long>(m_mib),
                    100.0 * static_cast<double>(second) / static_cast<double>(first));
        return restore();
    }

private:
    [[nodiscard]] std::string key() const { return m_root / "key"; }
    [[nodiscard]] wire::StorePlace place(std::uint32_t incarnation) const {
        return {m_root / "user", "bench", "0a1b2c3d4e5f60718293a4b5c6d7e8f9", 1, k_user, incarnation};
    }

    void print(const char* what, const bench::Used& used, double stored_mib) const {
        std::printf("%6lu MiB  %-8s %6.2f s  %7.1f MiB/s  cpu %6.2f s  stored %8.1f MiB  sealer %4ld MiB  "
                    "writer %4ld MiB\n",
                    static_cast<unsigned long>(m_mib), what, used.seconds,
                    static_cast<double>(m_mib) / used.seconds, used.cpu_seconds, stored_mib,
                    used.sealer_kib / 1024, used.writer_kib / 1024);
        (void)std::fflush(stdout);
    }

    Result<std::uint64_t> commit(std::uint32_t generation) {
        const fs::path images = m_root / "images";
        bench::Memory(m_mib * k_pages_per_mib, 1).write(images, generation - 1, k_changed);
        for (const auto& file : fs::directory_iterator(images))
            give_to_sealer(file.path());
        CKPT_TRY(const double copied, copy_seconds(images / "pages-1.img", m_root / "copy"));
        std::printf("%6lu MiB  %-8s %6.2f s  %7.1f MiB/s  (copy and fsync of the same images)\n",
                    static_cast<unsigned long>(m_mib), "copy", copied, static_cast<double>(m_mib) / copied);
        wire::CommitRequest request;
        request.place = place(0);
        request.generation = generation;
        request.keep = 2;
        request.reason = "on demand";
        request.compression = 3;
        request.parts.push_back({k_step, 0, "n1", 0, m_mib << 20U, 1, "4.2.1"});
        const Fd dir = open_dir(images);
        CKPT_TRY(const bench::Used used,
                 bench::ask(place(0).base, key(), k_user, wire::encode(request), {dir.get()}));
        CKPT_TRY(const auto answer, wire::decode<wire::CommitResult>(used.answer));
        CKPT_CHECK(wire::status_of(answer.outcome));
        print(generation == 1 ? "commit 1" : "commit 2", used,
              static_cast<double>(answer.stored_bytes) / (1U << 20U));
        return answer.stored_bytes;
    }

    Status restore() {
        wire::AdoptRequest request;
        request.place = place(1);
        request.step_id = k_step;
        const Fd dir = open_dir(m_root / "target");
        CKPT_TRY(const bench::Used used,
                 bench::ask(place(1).base, key(), k_user, wire::encode(request), {dir.get()}));
        CKPT_TRY(const auto answer, wire::decode<wire::AdoptResult>(used.answer));
        CKPT_CHECK(wire::status_of(answer.outcome));
        if (answer.found != wire::Found::generation) return fail(Code::internal, "nothing was restored");
        print("unseal", used, 0);
        return {};
    }

    fs::path m_root;
    std::uint64_t m_mib;
};

} // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::cerr << "usage: store_bench DIRECTORY MIB...\n";
        return 2;
    }
    for (int i = 2; i < argc; ++i) {
        const Status done = Bench(argv[1], std::strtoull(argv[i], nullptr, 10)).run();
        if (done) continue;
        std::cerr << "store_bench: " << one_line(done.error()) << "\n";
        return 1;
    }
    return 0;
}
