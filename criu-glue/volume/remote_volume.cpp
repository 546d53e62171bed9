// SPDX-License-Identifier: GPL-2.0-or-later
#include "volume/remote_volume.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "os/safe_path.hpp"
#include "os/stream.hpp"
#include "volume/messages.hpp"

namespace ckpt::store {
namespace {

constexpr std::size_t k_text_max = 300;
constexpr std::size_t k_name_max = 4096; // of a path

void make_printable(std::string& text, std::size_t max) {
    text.resize(std::min(text.size(), max));
    std::ranges::replace_if(text, [](char c) { return c < ' ' || c > '~'; }, '?');
}

} // namespace

class VolumeChannel {
public:
    VolumeChannel(Fd socket, VolumePatience patience) : m_socket(std::move(socket)), m_patience(patience) {}

    Status prepare() { return set_patience(m_socket.get(), m_patience.silence); }

    Result<VolumeReply> call(const VolumeCall& call) {
        collect();
        CKPT_CHECK(send(call));
        return receive();
    }

    // Sends a write and goes on; failure_of() the file tells how it went, as far as that is known.
    Status begin_write(const VolumeCall& call) {
        collect();
        CKPT_CHECK(failure_of(call.handle));
        CKPT_CHECK(send(call));
        m_pending = call.handle;
        return {};
    }

    // Waits for the write under way. Its failure stays with its file, whoever comes next: what reads another
    // one may take a failure for that one's damage.
    void collect() {
        const std::uint32_t handle = std::exchange(m_pending, 0);
        if (handle == 0) return;
        if (auto reply = receive(); !reply) m_failed.emplace(handle, reply.error());
    }
    Status failure_of(std::uint32_t handle) {
        collect();
        const auto failed = m_failed.find(handle);
        return failed == m_failed.end() ? Status() : Status(tl::unexpected(failed->second));
    }
    void forget(std::uint32_t handle) { m_failed.erase(handle); }

private:
    // Of the connection: from here on nobody can say what a frame would belong to.
    tl::unexpected<Error> broken(Error error) {
        if (error.code == Code::not_found)
            error = {Code::os, "ckpt-writer, which runs as the job's user, has ended", "", EPIPE};
        if (error.code == Code::deadline)
            error.what =
                "ckpt-writer, which runs as the job's user, does not answer: it was stopped, or the file "
                "system hangs";
        m_broken = error;
        return tl::unexpected(std::move(error));
    }
    Status send(const VolumeCall& call) {
        if (m_broken) return tl::unexpected(*m_broken);
        auto sent = send_frame(m_socket.get(), wire::encode(call));
        if (!sent) return broken(std::move(sent).error());
        return {};
    }
    // The next frame that is more than a sign of life.
    Result<std::string> receive_bytes() {
        const auto began = std::chrono::steady_clock::now();
        for (;;) {
            auto frame = receive_frame(m_socket.get(), k_frame_max);
            if (!frame) return broken(std::move(frame).error());
            const auto type = wire::type_of(*frame);
            if (!type || *type != VolumeBusy::k_type) return frame;
            if (std::chrono::steady_clock::now() - began > m_patience.call_max)
                return broken({Code::deadline, "", "", ETIMEDOUT});
        }
    }
    Result<VolumeReply> receive() {
        if (m_broken) return tl::unexpected(*m_broken);
        CKPT_TRY(const std::string frame, receive_bytes());
        CKPT_TRY(VolumeReply reply, wire::decode<VolumeReply>(frame));
        CKPT_CHECK(wire::status_of(believable(std::move(reply.outcome))));
        return reply;
    }
    // It reaches logs and outputs: the other side may be lying.
    static wire::Outcome believable(wire::Outcome outcome) {
        constexpr std::array k_known{Code::not_found, Code::store_full, Code::not_permitted,
                                     Code::store_corrupt};
        if (outcome.code == 0) return outcome;
        if (std::ranges::find(k_known, static_cast<Code>(outcome.code)) == k_known.end())
            outcome.code = static_cast<std::uint32_t>(Code::os);
        make_printable(outcome.what, k_text_max);
        make_printable(outcome.hint, k_text_max);
        return outcome;
    }

    Fd m_socket;
    VolumePatience m_patience;
    std::optional<Error> m_broken;
    std::uint32_t m_pending = 0; // of the file that is being written to; 0 = none
    std::map<std::uint32_t, Error> m_failed;
};

namespace {

VolumeCall about(Operation operation, const std::string& path) {
    VolumeCall call;
    call.operation = operation;
    call.path = path;
    return call;
}
VolumeCall of_file(Operation operation, std::uint32_t handle) {
    VolumeCall call;
    call.operation = operation;
    call.handle = handle;
    return call;
}

class NewRemoteFile final : public NewFile {
public:
    NewRemoteFile(VolumeChannel& channel, std::uint32_t handle) : m_channel(channel), m_handle(handle) {}
    NewRemoteFile(const NewRemoteFile&) = delete;
    NewRemoteFile& operator=(const NewRemoteFile&) = delete;
    NewRemoteFile(NewRemoteFile&&) = delete;
    NewRemoteFile& operator=(NewRemoteFile&&) = delete;
    ~NewRemoteFile() override {
        if (!m_finished) (void)m_channel.call(of_file(Operation::close, m_handle));
        m_channel.forget(m_handle);
    }
    Status write(std::string_view bytes) override {
        while (!bytes.empty()) {
            VolumeCall call = of_file(Operation::write, m_handle);
            call.bytes = bytes.substr(0, k_chunk_max);
            bytes.remove_prefix(call.bytes.size());
            CKPT_CHECK(m_channel.begin_write(call));
        }
        return {};
    }
    Status finish() override {
        CKPT_CHECK(m_channel.failure_of(m_handle));
        m_finished = true;
        CKPT_TRY([[maybe_unused]] const VolumeReply reply,
                 m_channel.call(of_file(Operation::finish, m_handle)));
        return {};
    }

private:
    VolumeChannel& m_channel;
    std::uint32_t m_handle;
    bool m_finished = false;
};

class OldRemoteFile final : public OldFile {
public:
    OldRemoteFile(VolumeChannel& channel, std::uint32_t handle, std::uint64_t size)
        : m_channel(channel), m_handle(handle), m_size(size) {}
    OldRemoteFile(const OldRemoteFile&) = delete;
    OldRemoteFile& operator=(const OldRemoteFile&) = delete;
    OldRemoteFile(OldRemoteFile&&) = delete;
    OldRemoteFile& operator=(OldRemoteFile&&) = delete;
    ~OldRemoteFile() override { (void)m_channel.call(of_file(Operation::close, m_handle)); }
    [[nodiscard]] std::uint64_t size() const override { return m_size; }
    Result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override {
        std::size_t have = 0;
        while (have < into.size()) {
            VolumeCall call = of_file(Operation::read_at, m_handle);
            call.offset = offset + have;
            call.size = static_cast<std::uint32_t>(std::min(into.size() - have, k_chunk_max));
            CKPT_TRY(const VolumeReply reply, m_channel.call(call));
            if (reply.bytes.size() > call.size) return fail(Code::wire_malformed, "more than was asked for");
            std::ranges::copy(reply.bytes, into.begin() + static_cast<std::ptrdiff_t>(have));
            have += reply.bytes.size();
            if (reply.bytes.size() < call.size) break;
        }
        return have;
    }

private:
    VolumeChannel& m_channel;
    std::uint32_t m_handle;
    std::uint64_t m_size;
};

} // namespace

RemoteVolume::RemoteVolume(std::unique_ptr<VolumeChannel> channel) : m_channel(std::move(channel)) {}
RemoteVolume::~RemoteVolume() = default;

Result<std::unique_ptr<RemoteVolume>> RemoteVolume::connect(Fd socket, VolumePatience patience) {
    std::unique_ptr<RemoteVolume> volume(
        new RemoteVolume(std::make_unique<VolumeChannel>(std::move(socket), patience)));
    CKPT_CHECK(volume->m_channel->prepare());
    CKPT_TRY(VolumeReply reply, volume->m_channel->call(about(Operation::name, {})));
    make_printable(reply.bytes, k_name_max);
    volume->m_name = std::move(reply.bytes);
    return volume;
}

Result<std::vector<std::string>> RemoteVolume::list(const std::string& dir) {
    CKPT_TRY(VolumeReply reply, m_channel->call(about(Operation::list, dir)));
    for (const std::string& name : reply.names)
        if (!is_plain_name(name)) return fail(Code::wire_malformed, "a name that is none");
    std::ranges::sort(reply.names);
    return std::move(reply.names);
}

Status RemoteVolume::make_dir(const std::string& path) {
    return m_channel->call(about(Operation::make_dir, path)).map([](const VolumeReply&) {});
}

Result<std::unique_ptr<NewFile>> RemoteVolume::create(const std::string& path) {
    CKPT_TRY(const VolumeReply reply, m_channel->call(about(Operation::create, path)));
    return std::make_unique<NewRemoteFile>(*m_channel, reply.handle);
}

Result<std::unique_ptr<OldFile>> RemoteVolume::open(const std::string& path) {
    CKPT_TRY(const VolumeReply reply, m_channel->call(about(Operation::open, path)));
    return std::make_unique<OldRemoteFile>(*m_channel, reply.handle, reply.first);
}

Result<std::string> RemoteVolume::read(const std::string& path, std::size_t max) {
    CKPT_TRY(const auto file, open(path));
    if (file->size() > max) return fail(Code::os, "more than " + std::to_string(max) + " bytes");
    std::string bytes(file->size(), '\0');
    CKPT_TRY(const std::size_t got, file->read_at(0, bytes));
    bytes.resize(got);
    return bytes;
}

Status RemoteVolume::rename(const std::string& from, const std::string& to) {
    VolumeCall call = about(Operation::rename, from);
    call.to = to;
    return m_channel->call(call).map([](const VolumeReply&) {});
}

Status RemoteVolume::sync(const std::string& dir) {
    return m_channel->call(about(Operation::sync, dir)).map([](const VolumeReply&) {});
}

Status RemoteVolume::remove(const std::string& path) {
    return m_channel->call(about(Operation::remove, path)).map([](const VolumeReply&) {});
}

Result<Space> RemoteVolume::space() {
    CKPT_TRY(const VolumeReply reply, m_channel->call(about(Operation::space, {})));
    return Space{reply.first, reply.second};
}

Result<Usage> RemoteVolume::usage(const std::string& path) {
    CKPT_TRY(const VolumeReply reply, m_channel->call(about(Operation::usage, path)));
    constexpr std::uint64_t k_last = std::numeric_limits<std::int64_t>::max();
    return Usage{reply.first, static_cast<std::int64_t>(std::min(reply.second, k_last))};
}

} // namespace ckpt::store
