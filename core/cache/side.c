#include <stdlib.h>

#include "base/slice.h"
#include "cache/private.h"

static struct peri_cache_seat *seat_ref(struct peri_cache_seat *seat) {
  seat->references++;
  return seat;
}

static void seat_unref(struct peri_cache_seat *seat) {
  if (seat == NULL || --seat->references > 0) {
    return;
  }
  if (seat->picker != NULL) {
    seat->picker->free(seat->picker);
  }
  if (seat->fallback != NULL) {
    seat->fallback->free(seat->fallback);
  }
  free(seat);
}

struct peri_cache_side *peri_cache_side_ref(struct peri_cache_side *side) {
  side->references++;
  return side;
}

void peri_cache_side_unref(struct peri_cache_side *side) {
  if (--side->references > 0) {
    return;
  }
  seat_unref(side->pick_seat);
  seat_unref(side->fetch_seat);
  peri_config_unref(side->whole);
  // The sweep frees it, however much it holds.
  atomic_fetch_sub_explicit(&side->group->refs, 1, memory_order_release);
  free(side);
}

void peri_cache_sides_free(struct peri_cache_sides *sides) {
  if (sides == NULL) {
    return;
  }
  for (size_t i = 0; i < sides->count; i++) {
    peri_cache_side_unref(sides->all[i]);
  }
  peri_config_unref(sides->config);
  free(sides);
}

static void tell(const struct peri_cache_worker *worker,
                 struct peri_cache_seat *seat) {
  seat->heard = worker->changes;
  seat->picks =
      !worker->alone && seat->picker->update(seat->picker, worker->peers) == 0;
}

static int make_picker(struct peri_cache_worker *worker,
                       const struct peri_config_group *config,
                       struct peri_cache_seat **ret_seat,
                       struct peri_problem *problem) {
  struct peri_policy_host *host = worker->host;
  struct peri_cache_seat *seat = calloc(1, sizeof *seat);
  if (seat == NULL) {
    (void)peri_problem_set(problem, PERI_ENOMEM, "out of memory");
    return PERI_ENOMEM;
  }
  seat->references = 1;
  int rc = host->picker(host, &config->picker, &seat->picker, problem);
  if (rc == 0) {
    tell(worker, seat);
  }
  if (rc == 0 && !seat->picks && !worker->alone) {
    rc = peri_problem_set(problem, PERI_ESCRIPT,
                          "%s does not take the present peers",
                          config->picker.name);
  }
  if (rc < 0) {
    seat_unref(seat);
    (void)peri_policy_ref_fail(&config->picker, rc, problem);
    return rc;
  }
  *ret_seat = seat;
  return 0;
}

static int make_fallback(struct peri_cache_worker *worker,
                         const struct peri_config_group *config,
                         struct peri_cache_seat **ret_seat,
                         struct peri_problem *problem) {
  struct peri_policy_host *host = worker->host;
  struct peri_cache_seat *seat = calloc(1, sizeof *seat);
  if (seat == NULL) {
    (void)peri_problem_set(problem, PERI_ENOMEM, "out of memory");
    return PERI_ENOMEM;
  }
  seat->references = 1;
  int rc = host->fallback(host, &config->fallback, &seat->fallback, problem);
  if (rc < 0) {
    seat_unref(seat);
    (void)peri_policy_ref_fail(&config->fallback, rc, problem);
    return rc;
  }
  *ret_seat = seat;
  return 0;
}

// Takes the seats of `before` whose policies are the same, and makes others.
static int fill(struct peri_cache_worker *worker, struct peri_cache_side *side,
                const struct peri_cache_side *before,
                struct peri_problem *problem) {
  const struct peri_config_group *config = side->config;
  int rc = 0;
  if (before != NULL &&
      peri_policy_ref_same(&before->config->picker, &config->picker)) {
    side->pick_seat = seat_ref(before->pick_seat);
  } else {
    rc = make_picker(worker, config, &side->pick_seat, problem);
  }
  if (rc < 0) {
    return rc;
  }
  side->picker = side->pick_seat->picker;
  if (config->fallback.name == NULL) {
    return 0;
  }
  if (before != NULL &&
      peri_policy_ref_same(&before->config->fallback, &config->fallback)) {
    side->fetch_seat = seat_ref(before->fetch_seat);
  } else {
    rc = make_fallback(worker, config, &side->fetch_seat, problem);
  }
  if (rc == 0) {
    side->fallback = side->fetch_seat->fallback;
  }
  return rc;
}

static const struct peri_cache_side *side_of(
    const struct peri_cache_sides *sides,
    const struct peri_cache_group *group) {
  for (size_t i = 0; sides != NULL && i < sides->count; i++) {
    if (sides->all[i]->group == group) {
      return sides->all[i];
    }
  }
  return NULL;
}

int peri_cache_sides_new(struct peri_cache_worker *worker,
                         const struct peri_cache_plan *plan,
                         const struct peri_cache_sides *before,
                         struct peri_cache_sides **ret_sides,
                         struct peri_problem *ret_problem) {
  struct peri_cache_sides *sides =
      calloc(1, sizeof *sides + plan->group_count * sizeof(*sides->all));
  if (sides == NULL) {
    return peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
  }
  sides->config = peri_config_ref(plan->config);
  int rc = 0;
  for (size_t i = 0; rc == 0 && i < plan->group_count; i++) {
    struct peri_cache_side *side = calloc(1, sizeof *side);
    if (side == NULL) {
      rc = peri_problem_set(ret_problem, PERI_ENOMEM, "out of memory");
      break;
    }
    side->references = 1;
    side->whole = peri_config_ref(plan->config);
    side->config = &plan->config->groups[i];
    side->group = plan->groups[i];
    atomic_fetch_add_explicit(&side->group->refs, 1, memory_order_relaxed);
    sides->all[sides->count++] = side;
    rc = fill(worker, side, side_of(before, side->group), ret_problem);
  }
  if (rc < 0) {
    peri_cache_sides_free(sides);
    return rc;
  }
  *ret_sides = sides;
  return 0;
}

void peri_cache_sides_update(const struct peri_cache_worker *worker,
                             struct peri_cache_sides *sides) {
  for (size_t i = 0; sides != NULL && i < sides->count; i++) {
    if (sides->all[i]->pick_seat->heard != worker->changes) {
      tell(worker, sides->all[i]->pick_seat);
    }
  }
}

struct peri_cache_side *peri_cache_side(struct peri_cache_worker *worker,
                                        struct peri_slice name) {
  const struct peri_cache_sides *sides = worker->sides;
  for (size_t i = 0; i < sides->count; i++) {
    if (peri_slice_equal(sides->all[i]->group->name, name)) {
      return sides->all[i];
    }
  }
  return NULL;
}

int peri_cache_worker_prepare(struct peri_cache_worker *worker,
                              const struct peri_cache_plan *plan,
                              struct peri_problem *ret_problem) {
  peri_cache_worker_abort(worker);
  return peri_cache_sides_new(worker, plan, worker->sides, &worker->next,
                              ret_problem);
}

void peri_cache_worker_commit(struct peri_cache_worker *worker) {
  struct peri_cache_sides *before = worker->sides;
  if (worker->next != NULL) {
    worker->sides = worker->next;
    worker->next = NULL;
    peri_cache_sides_free(before);
  }
}

void peri_cache_worker_abort(struct peri_cache_worker *worker) {
  peri_cache_sides_free(worker->next);
  worker->next = NULL;
}
