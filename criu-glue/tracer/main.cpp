// SPDX-License-Identifier: GPL-2.0-or-later
// ckpt-tracer: serves one dump's criu on descriptor 3 and its owner on descriptor 4 and exits. Runs with
// criu's identity and rights, in criu's pid namespace, started by ckpt-engine.
#include <csignal>
#include <cstdlib>
#include <initializer_list>

#include "tracer/serve.hpp"

namespace {

constexpr int k_connection = 3;
constexpr int k_control = 4;

} // namespace

int main() {
    // Whoever ends the processes around it ends criu as well, and then it is needed.
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE})
        ::signal(signal, SIG_IGN); // NOLINT(cert-err33-c): cannot fail for these
    ckpt::tracing::serve(k_connection, k_control);
    return EXIT_SUCCESS;
}
