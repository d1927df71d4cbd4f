#pragma once

#include "base/error.h"
#include "base/list.h"
#include "base/types.h"

struct peri_asked_handle;
struct peri_json;
struct peri_load;
struct peri_peers;
struct peri_peers_handle;
struct peri_version;

/// What `new` of one version made for one seat, with the handles it is called
/// with, anchored in the registry of its VM.
struct peri_instance {
  struct peri_version *version;  // a use of it
  bool ready;                    // its peers are those of the seat
  bool spoilt;                   // it failed to take them
  int self;
  struct peri_peers_handle *handle;  // NULL before peers, and when spoilt
  int handle_ref;
  struct peri_asked_handle *asked;  // of balancers
  int asked_ref;
  uint32_t open;          // picks that are not done, fetches under way
  struct peri_list link;  // among its seat's older ones
};

/// What an instance is made of.
struct peri_instance_init {
  const struct peri_json *options;  // may be NULL
  bool asks;                        // a balancer: has a request handle
  struct peri_slice carried;  // what another version exported, when `ptr` is
                              // not NULL; see carry.h
};

/// @return 0, PERI_ECONFIG (the options do not fit), PERI_ESCRIPT or
///   PERI_ENOMEM with words in `ret_problem`
int peri_instance_new(struct peri_version *version,
                      const struct peri_instance_init *init,
                      struct peri_instance **ret_instance,
                      struct peri_problem *ret_problem);
/// Ends its handles and gives the version back. NULL is fine.
void peri_instance_free(struct peri_instance *instance);

/// Gives it the present peers and runs its `update`. `loads` are NULL or
/// parallel to them. @return 0, or a failure of its VM: it makes no picks then
/// until an update succeeds.
int peri_instance_update(struct peri_instance *instance,
                         struct peri_peers *peers,
                         struct peri_load *const *loads, uint64_t now_ns);
