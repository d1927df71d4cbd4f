#include "h2/dial.h"

#include <stdlib.h>

#include "base/container.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/slice.h"
#include "h2/conn.h"
#include "h2/resolve.h"
#include "loop/turn.h"

struct peri_h2_dial {
  struct peri_h2_conn *conn;
  struct peri_turn turn;
  struct peri_resolve *resolve;
  struct peri_resolved found;
  size_t next;
};

static void try_next(struct peri_h2_dial *dial) {
  struct peri_h2_conn *conn = dial->conn;
  struct peri_wire_setup wiring = peri_h2_conn_wiring(conn);
  while (dial->next < dial->found.count) {
    const struct peri_address *address = &dial->found.addresses[dial->next++];
    conn->reached = peri_hash_fnv1a32(peri_slice_of(address->host));
    conn->cause = peri_wire_connect(&wiring, address, &conn->wire);
    if (conn->cause == 0) {
      return;
    }
  }
  peri_h2_conn_kill(conn, PERI_ECONNECT);
}

static void resolved(void *ctx, int code, const struct peri_resolved *found) {
  struct peri_h2_dial *dial = ctx;
  struct peri_h2_hub *hub = dial->conn->hub;
  peri_h2_hub_enter(hub);
  dial->resolve = NULL;
  dial->found.count = 0;
  if (code == 0) {
    dial->found = *found;
  }
  dial->conn->cause = code;
  try_next(dial);
  peri_h2_hub_leave(hub);
}

static void take_turn(struct peri_turn *turn) {
  struct peri_h2_dial *dial =
      PERI_CONTAINER_OF(turn, struct peri_h2_dial, turn);
  struct peri_h2_hub *hub = dial->conn->hub;
  const struct peri_address *address = &dial->found.addresses[0];
  peri_h2_hub_enter(hub);
  if (address->kind != PERI_ADDRESS_NAME) {
    try_next(dial);
  } else if (peri_resolve_start(hub->setup.loop, address, resolved, dial,
                                &dial->resolve) < 0) {
    peri_h2_conn_kill(dial->conn, PERI_ECONNECT);
  }
  peri_h2_hub_leave(hub);
}

int peri_h2_dial_new(struct peri_h2_conn *conn,
                     const struct peri_address *address) {
  struct peri_h2_dial *dial = malloc(sizeof(*dial));
  if (dial == NULL) {
    return PERI_ENOMEM;
  }
  dial->conn = conn;
  dial->resolve = NULL;
  dial->next = 0;
  dial->found.count = 1;
  dial->found.addresses[0] = *address;
  peri_turn_init(&dial->turn, conn->hub->setup.loop, take_turn);
  peri_turn_request(&dial->turn);
  conn->dial = dial;
  return 0;
}

void peri_h2_dial_tell(struct peri_h2_dial *dial, int code) {
  struct peri_h2_conn *conn = dial->conn;
  struct peri_wire *wire = conn->wire;
  if (code < 0) {
    conn->cause = code;
    conn->wire = NULL;
    peri_wire_close(wire);
    try_next(dial);
    return;
  }
  conn->dial = NULL;
  conn->wired = true;
  peri_h2_dial_free(dial);
  if (peri_h2_conn_open(conn, wire) < 0) {
    peri_h2_conn_kill(conn, PERI_ECONNECT);
  }
}

void peri_h2_dial_free(struct peri_h2_dial *dial) {
  if (dial != NULL) {
    peri_resolve_cancel(dial->resolve);
    peri_turn_cancel(&dial->turn);
    free(dial);
  }
}
