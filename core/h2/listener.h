#pragma once

#include "base/address.h"
#include "base/error.h"
#include "base/types.h"

struct peri_loop;
/// A listening socket and its accept loop; one owner thread.
struct peri_listener;

/// Binds and listens: TCP (SO_REUSEADDR, never SO_REUSEPORT, so a port in use
/// is seen), or Unix (a stale socket file that nobody answers on is replaced; a
/// live one is PERI_EEXIST). `fd` >= 0 takes an inherited listening socket
/// instead. `problem` names address and reason in words ("port 7400 on
/// 127.0.0.1 is in use").
/// @return 0, a libuv code (-EADDRINUSE …), PERI_EINVAL for a name that is not
/// "localhost".
int peri_listener_bind(const struct peri_address *address, int fd,
                       struct peri_listener **ret_listener,
                       struct peri_problem *ret_problem);

/// Where it really listens (the port chosen for port 0).
const struct peri_address *peri_listener_address(
    const struct peri_listener *listener);

/// Accepts on `loop`: each connection comes as a non-blocking, close-on-exec
/// descriptor (TCP_NODELAY set) that the callee owns. When descriptors run out
/// (EMFILE) the waiting connection is accepted with a spare one and closed,
/// counted by `refused(ctx)`, which may be NULL, so the loop never spins. At
/// most 64 accepts an iteration. @return 0 or a libuv code.
int peri_listener_start(struct peri_listener *listener, struct peri_loop *loop,
                        void (*accepted)(void *ctx, int fd),
                        void (*refused)(void *ctx), void *ctx);

/// Stops accepting, closes the socket (removing a Unix socket's file) and frees
/// it. NULL is fine.
void peri_listener_free(struct peri_listener *listener);
