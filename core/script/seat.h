#pragma once

#include "base/error.h"
#include "base/list.h"
#include "base/types.h"
#include "script/failing.h"
#include "script/instance.h"
#include "script/version.h"

struct peri_choice;
struct peri_json;
struct peri_load;
struct peri_peers;
struct peri_policy_ref;
struct peri_script;

enum peri_seat_limits { PERI_SEAT_OLDER = 16 };

/// One use of a policy that the configuration makes: a group's picker, a
/// service's balancer. It stays while versions come and go.
struct peri_seat {
  struct peri_instance *current;  // NULL: none could be made
  struct peri_instance *previous;
  struct peri_instance *next;
  struct peri_policy *policy;
  struct peri_list link;   // in the policy
  struct peri_list older;  // that calls go on with, oldest first
  uint32_t older_count;
  bool balances;
  bool stays;  // what is prepared does not name it
  struct peri_json *options;
  struct peri_peers *peers;                 // NULL before the first update
  struct peri_load **loads;                 // of a balancer, parallel to them
  void (*changed)(struct peri_seat *seat);  // its versions did; may be NULL
  uint32_t trouble_len;  // of why the current version did not say
  char trouble[PERI_FAILING_BYTES];
};

/// Makes the instances of a new seat: on the running and the previous version
/// (which may refuse it), and on the prepared one, which may not.
/// @return 0 or as peri_instance_new() and peri_version_load()
int peri_seat_open(struct peri_seat *seat, struct peri_script *script,
                   const char *kind, const struct peri_policy_ref *ref,
                   struct peri_problem *ret_problem);
void peri_seat_close(struct peri_seat *seat);

/// Takes new peers and runs `update` of what runs. @return 0 when any version
/// may still pick, else PERI_ESCRIPT
int peri_seat_update(struct peri_seat *seat, struct peri_peers *peers,
                     struct peri_load *const *loads);

/// Makes the instance of the prepared version, with what the running one
/// exports and the present peers.
int peri_seat_prepare(struct peri_seat *seat, struct peri_problem *ret_problem);
/// Drops it.
void peri_seat_forgo(struct peri_seat *seat);
/// Makes it the running one, as far as there is one.
void peri_seat_switch(struct peri_seat *seat);
/// Exchanges the running and the previous instance; a missing one is made.
void peri_seat_swap(struct peri_seat *seat);

/// Who is asked for one call, in order: the version that placed the attempt
/// before, the running one, the one before.
struct peri_seat_order {
  uint32_t version;  // 0: none placed it before
  uint32_t step;     // zero
  const struct peri_instance *asked[3];
};

/// The next that can be asked, or NULL.
struct peri_instance *peri_seat_next(struct peri_seat *seat,
                                     struct peri_seat_order *order);
/// It failed, as its VM says.
void peri_seat_failed(struct peri_seat *seat, struct peri_instance *instance);

/// The first to be asked, in the plain case without looking further.
static inline struct peri_instance *peri_seat_first(
    struct peri_seat *seat, struct peri_seat_order *order) {
  struct peri_instance *current = seat->current;

  seat->trouble_len = 0;
  if (current && current->ready && !current->version->off &&
      (order->version == 0 || order->version == current->version->number)) {
    order->step = 2;
    order->asked[1] = current;
    return current;
  }
  return peri_seat_next(seat, order);
}

/// It answered.
static inline void peri_seat_succeeded(struct peri_seat *seat,
                                       struct peri_instance *instance) {
  seat->policy->calls++;
  if (instance->version->off) {
    peri_version_recovered(instance->version);
  }
}

/// Fills in which version chose (NULL: none did) and why the running one did
/// not.
void peri_seat_tell(struct peri_seat *seat,
                    const struct peri_instance *instance,
                    struct peri_choice *ret_choice);

/// Something of a call is left to be told to the instance, or was told. The
/// second may free it.
void peri_seat_hold(struct peri_instance *instance);
void peri_seat_release(struct peri_seat *seat, struct peri_instance *instance);
/// The instance of a version, or NULL when it is gone.
struct peri_instance *peri_seat_find(struct peri_seat *seat, uint32_t version);
/// Whether any instance wants to know how calls end.
bool peri_seat_wants_done(const struct peri_seat *seat);
