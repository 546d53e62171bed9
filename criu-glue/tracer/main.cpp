// SPDX-License-Identifier: GPL-2.0-or-later
// ckpt-tracer: serves one dump's criu on descriptor 3 and its owner on descriptor 4 and exits. Runs with
// criu's identity and rights, in criu's pid namespace, started by ckpt-engine.
#include <csignal>
#include <cstdlib>
#include <initializer_list>

#include "tracer/protocol.hpp"
#include "tracer/serve.hpp"

int main() {
    // Whoever ends the processes around it ends criu as well, and then it is needed.
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE})
        ::signal(signal, SIG_IGN); // NOLINT(cert-err33-c): cannot fail for these
    ckpt::tracing::serve(ckpt::tracing::k_connection_fd, ckpt::tracing::k_control_fd);
    return EXIT_SUCCESS;
}
