// SPDX-License-Identifier: GPL-2.0-or-later
// How criu is started: with whose identity, in which environment, with which descriptors.
#pragma once

#include <string>

#include "engine/criu_client.hpp"
#include "os/process.hpp"
#include "wire/worker.hpp"

namespace ckpt {

// criu's descriptor numbers.
constexpr int k_criu_socket = 3;
constexpr int k_criu_images = 4;
constexpr int k_criu_tracer = 5;          // of a dump
constexpr int k_criu_first_inherited = 5; // of a restore

JobUser job_user(const wire::UserIds& user);

// `criu swrk` on `socket` with the user's ids and `rights` (criu_rights.hpp), its images in `images`. Further
// descriptors may be appended to `fds`.
Result<SpawnSpec> criu_spawn_spec(const std::string& criu, const wire::UserIds& user, CapabilitySet rights,
                                  int socket, int images);

// The options that follow from criu_spawn_spec.
CriuOptions criu_common_options(const std::string& log_file);

// Puts the first error of CRIU's log into an error for which CRIU gave no reason over its socket.
Error with_log_reason(Error error, int images, const std::string& log_file);

} // namespace ckpt
