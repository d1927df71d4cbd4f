#pragma once

#include "base/address.h"
#include "base/types.h"

struct peri_h2_conn;
/// The attempt to connect one connection: looks a name up and tries its
/// addresses one after the other.
struct peri_h2_dial;

/// Begins; `conn->dial` owns it until it is freed. Everything happens from the
/// loop: in the end the connection is open, or killed with PERI_ECONNECT.
/// @return 0 or PERI_ENOMEM.
int peri_h2_dial_new(struct peri_h2_conn *conn,
                     const struct peri_address *address);

/// Tells how the attempt under way ended.
void peri_h2_dial_tell(struct peri_h2_dial *dial, int code);

/// Gives up, silently. NULL is fine.
void peri_h2_dial_free(struct peri_h2_dial *dial);
