// SPDX-License-Identifier: GPL-2.0-or-later
// A store in memory with a job in it, whose key is all zeros.
#pragma once

#include "fuzz.hpp"
#include "memory_volume.hpp"
#include "store/job_at.hpp"

namespace ckpt::fuzz {

class StorePlace {
public:
    StorePlace() {
        for (const char* dir : {"alpha", "alpha/1-00000000", "alpha/1-00000000/inc-0"})
            require(volume.make_dir(dir).has_value());
    }
    [[nodiscard]] store::JobAt job() {
        store::JobAt job{volume, {"alpha", 1000, 1, std::string(32, '0')}, {}, "alpha/1-00000000"};
        job.keys.all.push_back({"0011223344556677", {}});
        return job;
    }
    // The file `name` of incarnation 0, sealed, with this text.
    void put_sealed(const std::string& name, std::string text) {
        auto sealed = store::seal(std::move(text), {"0011223344556677", {}});
        require(sealed.has_value());
        volume.files["alpha/1-00000000/inc-0/" + name] = std::make_shared<std::string>(*sealed + *sealed);
    }

    store::test::MemoryVolume volume;
};

} // namespace ckpt::fuzz
