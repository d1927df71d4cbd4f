#pragma once

#include "base/types.h"

/// The descriptor of the listening socket that systemd handed over under
/// `name` (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES), made
/// close-on-exec; -1 when there is none.
int peri_inherit_find(const char *name);

/// Whether systemd handed over a socket that no listener takes, since it is
/// named otherwise than app, mesh or admin; its name lives as long as the
/// environment.
bool peri_inherit_stray(struct peri_slice *ret_name);
