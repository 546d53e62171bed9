// SPDX-License-Identifier: GPL-2.0-or-later
#include "requests.hpp"

#include <chrono>
#include <optional>

#include <nlohmann/json.hpp>

#include "access.hpp"
#include "adopt_request.hpp"
#include "commit_request.hpp"
#include "fault/fault.hpp"
#include "os/reader.hpp"
#include "prune_request.hpp"
#include "request_parts.hpp"
#include "store/complete.hpp"
#include "store/inspect.hpp"

namespace ckpt {
namespace {

Status run(const wire::CommitRequest& request, std::vector<Fd>& fds, wire::CommitResult& result) {
    return commit(request, fds, result);
}

Status run(const wire::SealRequest& request, std::vector<Fd>& fds, wire::SealResult& result) {
    return seal(request, fds, result);
}

Status run(const wire::AdoptRequest& request, std::vector<Fd>& fds, wire::AdoptResult& result) {
    return adopt_images(request, fds, result);
}

Status run(const wire::PartRequest& request, std::vector<Fd>& fds, wire::PartResult& /*result*/) {
    return unpack_part(request, fds);
}

std::optional<store::Failed> failed_of(const wire::CompleteRequest& request) {
    if (request.how == wire::HowEnded::completed || request.how == wire::HowEnded::stopped)
        return std::nullopt;
    store::Failed failed;
    using How = store::Failed::How;
    failed.how = request.how == wire::HowEnded::fault ? How::fault : How::out_of_memory;
    failed.wait_status = request.wait_status;
    failed.memory_limit = request.memory_limit;
    failed.signal = static_cast<std::uint32_t>(request.signal);
    return failed;
}

std::optional<store::Stopped> stopped_of(const wire::CompleteRequest& request) {
    if (request.how != wire::HowEnded::stopped) return std::nullopt;
    return store::Stopped{request.generation, 0};
}

Status run(const wire::CompleteRequest& request, std::vector<Fd>& fds, wire::CompleteResult& /*result*/) {
    const auto access = Access::open(fds);
    const bool missed = !access && access.error().code == Code::not_found;
    if (missed && !request.has_generations) return {}; // nothing was ever stored
    if (!access) { // what is not permitted for good is a later incarnation's, and that is said below
        Error error = missing(access.error(), request.place);
        if (error.code == Code::not_permitted) error.code = Code::store_unwritable;
        return tl::unexpected(std::move(error));
    }
    CKPT_FAULT("complete.begin");
    return store::complete(access->store(),
                           {owner_of(request.place), request.place.incarnation, request.wait_status,
                            request.drop_generations, request.will_be_requeued, failed_of(request),
                            stopped_of(request), request.has_generations});
}

std::string failure_line(const Error& error) {
    const nlohmann::json line = {
        {"error", error.what}, {"hint", error.hint}, {"code", static_cast<unsigned>(error.code)}};
    return line.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace) + "\n";
}

Status inspect(const wire::InspectRequest& request, std::vector<Fd>& fds) {
    const auto access = Access::open(fds);
    if (!access && access.error().code == Code::not_found) return {};
    if (!access) return tl::unexpected(store::store_error(access.error(), "cannot use the store"));
    const auto known = [](std::uint32_t uid) {
        return uid != wire::InspectRequest::k_anybody ? std::optional(uid) : std::nullopt;
    };
    return store::inspect(
        access->store(),
        {request.job_id, request.details, request.verify, known(request.uid), known(request.history_uid)},
        fds[k_own].get());
}

// Whoever reads the listing learns of a failure, not only our log. Who did not read is not waited for again.
void tell_reader(int out, const Error& error) {
    const auto patience =
        error.code == Code::deadline ? std::chrono::milliseconds(0) : store::k_reader_patience;
    (void)write_to_reader(out, failure_line(error), patience);
}

Status run(const wire::InspectRequest& request, std::vector<Fd>& fds, wire::InspectResult& /*result*/) {
    if (fds.size() != k_own + 1) return fail(Code::wire_malformed, "an inspection needs one descriptor");
    Status done = inspect(request, fds);
    if (!done) tell_reader(fds[k_own].get(), done.error());
    return done;
}

Status run(const wire::PruneRequest& request, std::vector<Fd>& fds, wire::PruneResult& result) {
    if (fds.size() != k_own + 1) return fail(Code::wire_malformed, "a removal needs one descriptor");
    Status done = prune_user(request, fds, result);
    if (!done) tell_reader(fds[k_own].get(), done.error());
    return done;
}

template <typename Request, typename Answer>
std::string answer(const std::string& bytes, std::vector<Fd>& fds) {
    Answer result;
    const auto request = wire::decode<Request>(bytes);
    const Status done = request ? run(*request, fds, result) : tl::unexpected(request.error());
    if (!done) {
        result = Answer{};
        result.outcome = wire::outcome_of(done.error());
    }
    return wire::encode(result);
}

} // namespace

std::string serve(const std::string& bytes, std::vector<Fd>& fds) {
    const auto type = wire::type_of(bytes);
    if (!type) return {};
    switch (*type) {
    case wire::CommitRequest::k_type:
        return answer<wire::CommitRequest, wire::CommitResult>(bytes, fds);
    case wire::SealRequest::k_type:
        return answer<wire::SealRequest, wire::SealResult>(bytes, fds);
    case wire::AdoptRequest::k_type:
        return answer<wire::AdoptRequest, wire::AdoptResult>(bytes, fds);
    case wire::PartRequest::k_type:
        return answer<wire::PartRequest, wire::PartResult>(bytes, fds);
    case wire::CompleteRequest::k_type:
        return answer<wire::CompleteRequest, wire::CompleteResult>(bytes, fds);
    case wire::InspectRequest::k_type:
        return answer<wire::InspectRequest, wire::InspectResult>(bytes, fds);
    case wire::PruneRequest::k_type:
        return answer<wire::PruneRequest, wire::PruneResult>(bytes, fds);
    default:
        return {};
    }
}

} // namespace ckpt
