// SPDX-License-Identifier: GPL-2.0-or-later
// Between remote_volume.hpp and serve.hpp: one call, one reply, in this order. While a call takes long, the
// server says every few seconds that it is at work (pulse.hpp).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "wire/codec.hpp"
#include "wire/worker.hpp"

namespace ckpt::store {

constexpr std::size_t k_chunk_max = std::size_t{1} << 20U; // of what is written or read with one call
constexpr std::size_t k_frame_max = std::size_t{16} << 20U;

enum class Operation : std::uint8_t {
    name,
    list,
    make_dir,
    create,
    write,
    finish,
    open,
    read_at,
    close,
    rename,
    sync,
    remove,
    space,
    usage
};

struct VolumeCall {
    static constexpr std::uint16_t k_type = 60;
    Operation operation = Operation::name;
    std::string path;
    std::string to;           // rename
    std::uint32_t handle = 0; // of a file that create or open has opened
    std::uint64_t offset = 0;
    std::uint32_t size = 0;
    std::string bytes;
    template <class V>
    void fields(V& v) {
        v(operation, path, to, handle, offset, size, bytes);
    }
};

struct VolumeReply {
    static constexpr std::uint16_t k_type = 61;
    wire::Outcome outcome;
    std::vector<std::string> names;
    std::string bytes;
    std::uint32_t handle = 0;
    std::uint64_t first = 0;  // open: the size; space: what is free; usage: bytes
    std::uint64_t second = 0; // space: the total; usage: the newest change
    template <class V>
    void fields(V& v) {
        v(outcome, names, bytes, handle, first, second);
    }
};

// Before a reply, any number of times.
struct VolumeBusy {
    static constexpr std::uint16_t k_type = 62;
    bool busy = true;
    template <class V>
    void fields(V& v) {
        v(busy);
    }
};

} // namespace ckpt::store
