#pragma once

#include "base/address.h"
#include "base/types.h"
#include "h2/out.h"

struct peri_loop;

/// The bytes of one connection, TCP or Unix, on libuv. Everything above it
/// deals in plain bytes: this is where TLS goes, as a second implementation
/// that finishes its handshake before on_connect or the first on_bytes,
/// decrypts into `read_buffer`, and encrypts the parts that peri_wire_write()
/// gathers. Loop thread only.
struct peri_wire;

/// What happens on a wire. None of these comes after peri_wire_close(), and
/// each may call it.
struct peri_wire_events {
  /// A connection attempt ended: 0 or a libuv code.
  void (*on_connect)(void *ctx, int code);
  /// Bytes came; valid during the call.
  void (*on_bytes)(void *ctx, struct peri_slice bytes);
  /// What peri_wire_write() had to keep has left, or failed (a libuv code).
  void (*on_drained)(void *ctx, int code);
  /// The peer closed (PERI_ECLOSED), or reading failed (a libuv code).
  void (*on_end)(void *ctx, int code);
};

/// What a wire is made of; copied.
struct peri_wire_setup {
  struct peri_loop *loop;
  const struct peri_wire_events *events;  // static storage
  void *ctx;
  char *read_buffer;  // may be shared by all wires of a loop; outlives them
  size_t read_bytes;
};

/// Takes over a connected socket; closes it also on failure. Reading starts
/// with peri_wire_read(). @return 0, PERI_ENOMEM or a libuv code.
int peri_wire_adopt(const struct peri_wire_setup *setup, int fd,
                    struct peri_wire **ret_wire);

/// Connects to an address that is not a name; on_connect comes later, from the
/// loop. @return 0, PERI_EINVAL, PERI_ENOMEM or a libuv code.
int peri_wire_connect(const struct peri_wire_setup *setup,
                      const struct peri_address *address,
                      struct peri_wire **ret_wire);

/// Starts or pauses reading. @return 0 or a libuv code.
int peri_wire_read(struct peri_wire *wire, bool on);

/// Writes everything gathered with one system call and empties `out`. What the
/// socket does not take is kept and written as it can be; until on_drained the
/// wire is busy and must not be written to. @return 0, PERI_ENOMEM or a libuv
/// code (the connection is then lost; `out` is emptied all the same).
int peri_wire_write(struct peri_wire *wire, struct peri_out *out);

/// Whether what peri_wire_write() kept has not left yet.
bool peri_wire_busy(const struct peri_wire *wire);

/// Bytes kept by peri_wire_write() that have not left yet.
size_t peri_wire_backlog(const struct peri_wire *wire);

/// Tells the peer that nothing more will come; reading goes on.
void peri_wire_shutdown(struct peri_wire *wire);

/// Closes at once; what was kept is released and the wire frees itself in the
/// loop. NULL is fine.
void peri_wire_close(struct peri_wire *wire);
