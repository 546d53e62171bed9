// SPDX-License-Identifier: GPL-2.0-or-later
// make_store_samples DIRECTORY: writes the key file and the store of store_sample_job.hpp, with the store as
// it is now. Run once for each format, and what it wrote was committed:
//     cmake --build --preset release --target make_store_samples
//     build/release/tests/unit/make_store_samples tests/unit/samples/format-2
// Never run again for a format that was released: the samples are what that release wrote.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "store/adopt.hpp"
#include "store/commit.hpp"
#include "store/complete.hpp"
#include "store_sample_job.hpp"
#include "volume/local_volume.hpp"

namespace {

namespace fs = std::filesystem;
using namespace ckpt;
using namespace ckpt::store;

Fd open_dir(const fs::path& path) {
    return Fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

class Samples {
public:
    explicit Samples(fs::path dir)
        : m_key_file(dir / "key"), m_store(dir / "store"), m_images(dir / "images") {}

    Status make() {
        fs::create_directories(m_store);
        CKPT_CHECK(create_key(m_key_file));
        CKPT_CHECK(store(sample::k_first));
        CKPT_CHECK(store(sample::k_second));
        CompleteSpec end{sample::k_owner, 0};
        end.stopped = Stopped{2, 0};
        CKPT_CHECK(complete(end));
        end.stopped.reset();
        end.failed = Failed{Failed::How::out_of_memory, 9, 0, 123456789, 0};
        CKPT_CHECK(complete(end));
        AdoptSpec next;
        next.owner = sample::k_owner;
        next.incarnation = 1;
        CKPT_CHECK(adopt(next));
        CKPT_TRY(const std::string id, add_key(m_key_file, ::geteuid()));
        CKPT_CHECK(use_key(m_key_file, id, ::geteuid()));
        CKPT_CHECK(store(sample::k_third));
        AdoptSpec other;
        other.owner = sample::k_other;
        other.other_job = sample::k_owner.job_id;
        other.other_generation = 1;
        CKPT_CHECK(adopt(other));
        return complete({sample::k_owner, 1, 3 << 8});
    }

private:
    template <typename Work>
    auto with_store(Work work) -> decltype(work(std::declval<const Store&>())) {
        CKPT_TRY(const ClusterKeys keys, load_keys(m_key_file, ::geteuid()));
        LocalVolume volume(open_dir(m_store), m_store);
        return work(Store{volume, keys.all()});
    }
    Status store(GenerationId id) {
        fs::create_directory(m_images);
        for (const auto& [name, content] : sample::images(id))
            std::ofstream(m_images / name, std::ios::binary) << content;
        const Fd dir = open_dir(m_images);
        CommitSpec spec;
        spec.owner = sample::k_owner;
        spec.id = id;
        spec.keep = 10;
        spec.taken_at = sample::k_taken_at + id.generation;
        spec.reason = "interval";
        spec.parts.push_back({{sample::k_step, 0, "n1", 1200, 4096, 3, "4.2.1", {}}, dir.get()});
        const auto done = with_store([&](const Store& at) { return commit(at, spec); });
        fs::remove_all(m_images);
        return done.map([](const CommitDone&) {});
    }
    Status adopt(AdoptSpec spec) {
        fs::create_directory(m_images);
        const Fd dir = open_dir(m_images);
        spec.step_id = sample::k_step;
        spec.target = dir.get();
        const auto done = with_store([&](const Store& at) { return store::adopt(at, spec); });
        fs::remove_all(m_images);
        return done.map([](const Adoption&) {});
    }
    Status complete(const CompleteSpec& spec) {
        return with_store([&](const Store& at) { return store::complete(at, spec); });
    }

    std::string m_key_file;
    fs::path m_store;
    fs::path m_images;
};

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) return EXIT_FAILURE;
    const Status made = Samples(fs::absolute(argv[1])).make();
    if (!made) (void)std::fprintf(stderr, "%s\n", one_line(made.error()).c_str());
    return made ? EXIT_SUCCESS : EXIT_FAILURE;
}
