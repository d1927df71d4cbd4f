#pragma once

#include "base/types.h"

/// A peer that does not keep to the contract, on the thread of the spec: it
/// answers while the mesh is stepped.
struct peri_shim_liar;
struct peri_shim_mesh;

/// What it does with a call, or with a connection.
enum {
  SHIM_LIAR_SAYS = 0,      // answers OK with the bytes given
  SHIM_LIAR_NOTHING = 1,   // never answers
  SHIM_LIAR_BARE_OK = 2,   // OK without a message
  SHIM_LIAR_HTML = 3,      // HTTP 404 with a page
  SHIM_LIAR_PART = 4,      // half a message, and no more
  SHIM_LIAR_RESET = 5,     // half a message, then RST_STREAM
  SHIM_LIAR_UNKNOWN = 6,   // grpc-status 99
  SHIM_LIAR_NO_END = 7,    // a message without trailers
  SHIM_LIAR_JUNK = 8,      // bytes that are no HTTP/2
  SHIM_LIAR_DEAF = 9,      // takes connections, says nothing on them
  SHIM_LIAR_HANGS_UP = 10  // closes every connection
};

/// Starts it beside the nodes of the mesh, whose peers may then have it as bit
/// 30; ended by peri_shim_mesh_free().
void peri_shim_mesh_liar(struct peri_shim_mesh *mesh);
void peri_shim_liar_does(struct peri_shim_mesh *mesh, int what,
                         struct peri_slice says);
/// Closes all its connections.
void peri_shim_liar_hang_up(struct peri_shim_mesh *mesh);
/// Calls, or connections of the kinds without calls, that came.
int peri_shim_liar_asked(const struct peri_shim_mesh *mesh);
const char *peri_shim_liar_address(const struct peri_shim_mesh *mesh);
void peri_shim_liar_free(struct peri_shim_liar *liar);
