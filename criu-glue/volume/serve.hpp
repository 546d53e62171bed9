// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "volume/pulse.hpp"
#include "volume/volume.hpp"

namespace ckpt::store {

// Does to `volume` what a RemoteVolume at the other end of the stream `socket` asks, until that goes. An
// error is one of the connection; those of files are replies.
Status serve_volume(int socket, Volume& volume, PulseTimes times = {});

// There is no volume: RemoteVolume::connect() at the other end fails with `error`.
Status serve_no_volume(int socket, const Error& error);

} // namespace ckpt::store
