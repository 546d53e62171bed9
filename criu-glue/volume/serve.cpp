// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/serve.hpp"

#include <algorithm>
#include <map>

#include "fault/fault.hpp"
#include "os/stream.hpp"
#include "volume/messages.hpp"

namespace ckpt::store {
namespace {

class Service {
public:
    explicit Service(Volume& volume) : m_volume(volume) {}

    VolumeReply answer(const VolumeCall& call) {
        VolumeReply reply;
        if (const Status done = carry_out(call, reply); !done) {
            reply = VolumeReply{};
            reply.outcome = wire::outcome_of(done.error());
        }
        return reply;
    }

private:
    Status carry_out(const VolumeCall& call, VolumeReply& reply) {
        switch (call.operation) {
        case Operation::name:
            reply.bytes = m_volume.name();
            return {};
        case Operation::list:
            CKPT_FAULT("writer.list");
            return list(call, reply);
        case Operation::make_dir:
            CKPT_FAULT("writer.make_dir");
            return m_volume.make_dir(call.path);
        case Operation::create:
            CKPT_FAULT("writer.create");
            return create(call, reply);
        case Operation::write:
            CKPT_FAULT("writer.write");
            return write(call);
        case Operation::finish:
            CKPT_FAULT("writer.finish");
            return finish(call);
        case Operation::open:
            CKPT_FAULT("writer.open");
            return open(call, reply);
        case Operation::read_at:
            CKPT_FAULT("writer.read_at");
            return read_at(call, reply);
        case Operation::close:
            m_new.erase(call.handle);
            m_old.erase(call.handle);
            return {};
        case Operation::rename:
            CKPT_FAULT("writer.rename");
            return m_volume.rename(call.path, call.to);
        case Operation::sync:
            CKPT_FAULT("writer.sync");
            return m_volume.sync(call.path);
        case Operation::remove:
            CKPT_FAULT("writer.remove");
            return m_volume.remove(call.path);
        case Operation::space:
            CKPT_FAULT("writer.space");
            return space(reply);
        case Operation::usage:
            return usage(call, reply);
        }
        return fail(Code::wire_malformed, "no such operation");
    }

    Status list(const VolumeCall& call, VolumeReply& reply) {
        CKPT_TRY(reply.names, m_volume.list(call.path));
        return {};
    }
    Status create(const VolumeCall& call, VolumeReply& reply) {
        CKPT_TRY(auto file, m_volume.create(call.path));
        reply.handle = ++m_last;
        m_new.emplace(m_last, std::move(file));
        return {};
    }
    Status write(const VolumeCall& call) {
        const auto file = m_new.find(call.handle);
        if (file == m_new.end()) return fail(Code::wire_malformed, "no such file");
        return file->second->write(call.bytes);
    }
    Status finish(const VolumeCall& call) {
        const auto file = m_new.find(call.handle);
        if (file == m_new.end()) return fail(Code::wire_malformed, "no such file");
        const Status done = file->second->finish();
        m_new.erase(file);
        return done;
    }
    Status open(const VolumeCall& call, VolumeReply& reply) {
        CKPT_TRY(auto file, m_volume.open(call.path));
        reply.handle = ++m_last;
        reply.first = file->size();
        m_old.emplace(m_last, std::move(file));
        return {};
    }
    Status read_at(const VolumeCall& call, VolumeReply& reply) {
        const auto file = m_old.find(call.handle);
        if (file == m_old.end()) return fail(Code::wire_malformed, "no such file");
        reply.bytes.resize(std::min<std::size_t>(call.size, k_chunk_max));
        CKPT_TRY(const std::size_t got, file->second->read_at(call.offset, reply.bytes));
        reply.bytes.resize(got);
        return {};
    }
    Status space(VolumeReply& reply) {
        CKPT_TRY(const Space space, m_volume.space());
        reply.first = space.free;
        reply.second = space.total;
        return {};
    }
    Status usage(const VolumeCall& call, VolumeReply& reply) {
        CKPT_TRY(const Usage usage, m_volume.usage(call.path));
        reply.first = usage.bytes;
        reply.second = static_cast<std::uint64_t>(usage.newest);
        return {};
    }

    Volume& m_volume;
    std::map<std::uint32_t, std::unique_ptr<NewFile>> m_new;
    std::map<std::uint32_t, std::unique_ptr<OldFile>> m_old;
    std::uint32_t m_last = 0;
};

} // namespace

Status serve_volume(int socket, Volume& volume, PulseTimes times) {
    Service service(volume);
    Pulse pulse(socket, times);
    for (;;) {
        const auto frame = receive_frame(socket, k_frame_max);
        if (!frame && frame.error().code == Code::not_found) return {};
        if (!frame) return tl::unexpected(frame.error());
        CKPT_TRY(const auto call, wire::decode<VolumeCall>(*frame));
        pulse.begin_call();
        CKPT_CHECK(pulse.end_call(wire::encode(service.answer(call))));
    }
}

Status serve_no_volume(int socket, const Error& error) {
    CKPT_TRY([[maybe_unused]] const std::string call, receive_frame(socket, k_frame_max));
    VolumeReply reply;
    reply.outcome = wire::outcome_of(error);
    return send_frame(socket, wire::encode(reply));
}

} // namespace ckpt::store
