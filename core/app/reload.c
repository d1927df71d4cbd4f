#include "app/reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/ask.h"
#include "app/change.h"
#include "app/edits.h"
#include "app/policies.h"
#include "app/roster.h"
#include "app/stage.h"
#include "app/worker.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/container.h"
#include "base/list.h"
#include "base/log.h"
#include "base/slice.h"
#include "loop/loop.h"
#include "loop/timer.h"
#include "loop/tree.h"
#include "loop/turn.h"
#include "loop/watch.h"
#include "model/config.h"

enum {
  LOOK_EVERY_MS = 2000,
  SIGNAL_EVERY_MS = 1000,
  MOST_WAITING = 256,
  NAME_BYTES = 160
};

static const char stopping[] = "this sidecar is stopping";
static const char every_policy[] = "*";

struct peri_reload {
  struct peri_reload_options options;
  struct peri_round_place *places;
  struct peri_edits *edits;
  struct peri_change *change;
  struct peri_watch *watch;
  struct peri_tree_watch *trees;
  struct peri_turn turn;
  struct peri_timer *pause;  // between readings that signals ask for
  uint64_t signal_ms;        // the loop's time at the last of them
  bool signalled;            // again, within the pause
  bool config;               // is to be read
  bool policies;             // are to be read
  bool busy;                 // with a change
  bool closed;
  struct peri_list waiting;  // wishes, in order
  size_t waiting_count;
  struct peri_list served;  // wishes that the change under way is for
};

/// Somebody waits for a change.
struct wish {
  struct peri_list node;
  struct peri_question *question;
  bool rollback;
  char name[NAME_BYTES];  // "": of no policy in particular
};

static void next(struct peri_turn *turn);

static void answer(struct wish *wish, const struct peri_change_result *result) {
  struct peri_buffer bytes = {0};
  int rc = result->code;
  if (rc == 0) {
    rc = peri_policies_pack_changes(result->before, result->after,
                                    result->refused, &bytes);
  }
  if (rc == 0) {
    peri_question_answer(wish->question, &bytes);
  } else {
    peri_question_refuse(wish->question, rc, result->problem.text);
    peri_buffer_done(&bytes);
  }
  free(wish);
}

static void refuse(struct wish *wish, int code, const char *words) {
  peri_question_refuse(wish->question, code, words);
  free(wish);
}

static void on_done(void *ctx, const struct peri_change_result *result) {
  struct peri_reload *reload = ctx;
  struct peri_list *node;
  while ((node = peri_list_pop(&reload->served)) != NULL) {
    answer(PERI_CONTAINER_OF(node, struct wish, node), result);
  }
  reload->busy = false;
  if (!reload->closed) {
    peri_turn_request(&reload->turn);
  }
}

static void on_policies_changed(void *ctx) {
  struct peri_reload *reload = ctx;
  reload->policies = true;
  peri_turn_request(&reload->turn);
}

/// Watches the folders of the configuration that runs.
static int watch_policies(struct peri_reload *reload,
                          const struct peri_config *config) {
  struct peri_tree_options options = {
      .folders = config->policy_paths,
      .folder_count = config->policy_path_count,
      .ending = ".lua",
  };
  struct peri_tree_watch *trees = NULL;
  if (options.folder_count > 0) {
    int rc = peri_tree_watch_new(reload->options.loop, &options,
                                 on_policies_changed, reload, &trees);
    if (rc < 0) {
      return rc;
    }
  }
  peri_tree_watch_free(reload->trees);
  reload->trees = trees;
  return 0;
}

static void on_taken(void *ctx, const struct peri_config *config) {
  struct peri_reload *reload = ctx;
  reload->options.taken(reload->options.ctx, config);
  if (reload->closed) {
    return;
  }
  int rc = watch_policies(reload, config);
  if (rc < 0) {
    peri_log(PERI_LOG_ERROR, "app", "policies are watched where they were: %s",
             peri_error_text(rc));
  }
  // What was edited there before it was watched.
  reload->policies = true;
}

/// What changed meanwhile was not seen.
static void on_stale(void *ctx) {
  struct peri_reload *reload = ctx;
  if (!reload->closed) {
    reload->config = true;
    reload->policies = true;
    peri_turn_request(&reload->turn);
  }
}

static struct wish *pop(struct peri_reload *reload) {
  struct peri_list *node = peri_list_pop(&reload->waiting);
  if (node == NULL) {
    return NULL;
  }
  reload->waiting_count--;
  return PERI_CONTAINER_OF(node, struct wish, node);
}

/// Whoever waits for no policy in particular is served by the next change.
static void gather(struct peri_reload *reload) {
  struct peri_list *node = reload->waiting.next;
  while (node != &reload->waiting) {
    struct wish *wish = PERI_CONTAINER_OF(node, struct wish, node);
    node = node->next;
    if (!wish->rollback && wish->name[0] == '\0') {
      peri_list_remove(&wish->node);
      reload->waiting_count--;
      peri_list_push(&reload->served, &wish->node);
    }
  }
}

static void begin(struct peri_reload *reload, const char *force) {
  bool config = reload->config;
  gather(reload);
  reload->config = false;
  // A wrong configuration is refused with its policies; they get their turn.
  reload->policies = reload->policies && config;
  reload->busy = true;
  peri_change_begin(reload->change, config, force, on_done, reload);
}

/// Serves one who means one policy.
static void serve(struct peri_reload *reload, struct wish *wish) {
  const struct peri_roster *roster = peri_edits_roster(reload->edits);
  const struct peri_roster_entry *policy = NULL;
  struct peri_problem problem = {0, "it is not known what runs"};
  char name[2 * NAME_BYTES];
  if (!wish->rollback && strcmp(wish->name, every_policy) == 0) {
    peri_list_push(&reload->served, &wish->node);
    begin(reload, every_policy);
    return;
  }
  int rc = roster != NULL ? peri_roster_find(roster, peri_slice_of(wish->name),
                                             &policy, &problem)
                          : PERI_EBUSY;
  if (rc < 0) {
    refuse(wish, rc, problem.text);
    peri_turn_request(&reload->turn);
    return;
  }
  peri_list_push(&reload->served, &wish->node);
  if (wish->rollback) {
    reload->busy = true;
    peri_change_rollback(reload->change, policy->kind, policy->name, on_done,
                         reload);
    return;
  }
  snprintf(name, sizeof(name), "%s/%s", policy->kind, policy->name);
  begin(reload, name);
}

static void next(struct peri_turn *turn) {
  struct peri_reload *reload =
      PERI_CONTAINER_OF(turn, struct peri_reload, turn);
  if (reload->busy || reload->closed) {
    return;
  }
  struct wish *wish = NULL;
  if (reload->config || reload->policies) {
    begin(reload, NULL);
  } else if ((wish = pop(reload)) == NULL) {
    return;
  } else if (!wish->rollback && wish->name[0] == '\0') {
    peri_list_push(&reload->served, &wish->node);
    begin(reload, NULL);
  } else {
    serve(reload, wish);
  }
}

static void on_config_changed(void *ctx) {
  struct peri_reload *reload = ctx;
  reload->config = true;
  peri_turn_request(&reload->turn);
}

static void on_signal_due(void *ctx) {
  struct peri_reload *reload = ctx;
  reload->signalled = false;
  reload->signal_ms = peri_loop_now_ns(reload->options.loop) / PERI_NS_PER_MS;
  on_config_changed(reload);
}

void peri_reload_request(struct peri_reload *reload) {
  uint64_t now_ms = peri_loop_now_ns(reload->options.loop) / PERI_NS_PER_MS;
  uint64_t past_ms = now_ms - reload->signal_ms;
  if (reload->closed || reload->signalled) {
    return;
  }
  if (reload->signal_ms == 0 || past_ms >= SIGNAL_EVERY_MS) {
    on_signal_due(reload);
    return;
  }
  reload->signalled = true;
  peri_timer_start(reload->pause, SIGNAL_EVERY_MS - past_ms, 0);
}

static void want(struct peri_reload *reload, struct peri_question *question,
                 struct peri_slice request, bool rollback) {
  struct wish *wish = calloc(1, sizeof(*wish));
  int rc = wish == NULL ? PERI_ENOMEM : 0;
  if (reload->closed) {
    rc = PERI_ECLOSED;
  } else if (rc == 0 && reload->waiting_count == MOST_WAITING) {
    rc = PERI_ELIMIT;
  } else if (rc == 0) {
    rc = peri_policies_name(request, wish->name, sizeof(wish->name));
  }
  if (rc == 0 && rollback && wish->name[0] == '\0') {
    rc = PERI_EINVAL;
  }
  if (rc < 0) {
    free(wish);
    peri_question_refuse(question, rc,
                         rc == PERI_ECLOSED  ? stopping
                         : rc == PERI_EINVAL ? "the message names no policy"
                                             : NULL);
    return;
  }
  wish->question = question;
  wish->rollback = rollback;
  peri_list_push(&reload->waiting, &wish->node);
  reload->waiting_count++;
  peri_turn_request(&reload->turn);
}

static void serve_reload(void *ctx, struct peri_question *question,
                         struct peri_slice request) {
  want(ctx, question, request, false);
}

static void serve_rollback(void *ctx, struct peri_question *question,
                           struct peri_slice request) {
  want(ctx, question, request, true);
}

/// A question about what runs, while the workers tell.
struct look {
  struct peri_reload *reload;
  struct peri_question *question;
  char name[NAME_BYTES];
};

static int pack_look(const struct look *look, struct peri_roster *roster,
                     struct peri_buffer *bytes, struct peri_problem *problem) {
  const struct peri_roster_entry *only = NULL;
  if (look->name[0] != '\0') {
    int rc =
        peri_roster_find(roster, peri_slice_of(look->name), &only, problem);
    if (rc < 0) {
      return rc;
    }
  }
  return peri_policies_pack(roster, only, look->reload->edits, bytes);
}

static void on_listed(void *ctx, struct peri_part *parts, size_t count) {
  struct look *look = ctx;
  struct peri_problem problem = {0, ""};
  struct peri_buffer bytes = {0};
  struct peri_roster *all = NULL;
  int rc = peri_roster_new(&all);
  for (size_t i = 0; i < count; i++) {
    struct peri_roster *each = parts[i].result;
    if (rc == 0) {
      rc = each != NULL ? peri_roster_add(all, each) : parts[i].code;
    }
    peri_roster_free(each);
  }
  if (rc == 0) {
    rc = pack_look(look, all, &bytes, &problem);
  }
  if (rc == 0) {
    peri_question_answer(look->question, &bytes);
  } else {
    peri_question_refuse(look->question, rc,
                         rc == PERI_ECLOSED ? stopping : problem.text);
    peri_buffer_done(&bytes);
  }
  peri_roster_free(all);
  free(look);
}

static void serve_list(void *ctx, struct peri_question *question,
                       struct peri_slice request) {
  struct peri_reload *reload = ctx;
  struct look *look = calloc(1, sizeof(*look));
  int rc = look == NULL ? PERI_ENOMEM
           : reload->closed
               ? PERI_ECLOSED
               : peri_policies_name(request, look->name, sizeof(look->name));
  if (rc == 0) {
    look->reload = reload;
    look->question = question;
    struct peri_round_options round = {
        .control = reload->options.control,
        .places = reload->places,
        .count = reload->options.count,
        .run = peri_stage_list,
        .done = on_listed,
        .ctx = look,
    };
    rc = peri_round_start(&round);
  }
  if (rc < 0) {
    free(look);
    peri_question_refuse(question, rc, rc == PERI_ECLOSED ? stopping : NULL);
  }
}

static int make(struct peri_reload *reload) {
  const struct peri_reload_options *options = &reload->options;
  reload->places = calloc(options->count + 1, sizeof(*reload->places));
  if (reload->places == NULL) {
    return PERI_ENOMEM;
  }
  for (size_t i = 0; i < options->count; i++) {
    reload->places[i] = peri_worker_place(options->workers[i]);
  }
  int rc = peri_edits_new(options->metrics, &reload->edits);
  if (rc == 0) {
    rc = peri_timer_new(options->loop, on_signal_due, reload, &reload->pause);
  }
  if (rc < 0) {
    return rc;
  }
  peri_timer_unref(reload->pause);
  struct peri_change_options change = {
      .loop = options->loop,
      .control = options->control,
      .places = reload->places,
      .count = options->count,
      .file = options->file,
      .setup = options->setup,
      .folders = options->folders,
      .cache = options->cache,
      .registry = options->registry,
      .edits = reload->edits,
      .metrics = options->metrics,
      .taken = on_taken,
      .stale = on_stale,
      .ctx = reload,
  };
  rc = peri_change_new(&change, &reload->change);
  if (rc == 0) {
    rc = peri_watch_new(options->loop, options->file, LOOK_EVERY_MS,
                        on_config_changed, reload, &reload->watch);
  }
  return rc < 0 ? rc : watch_policies(reload, options->setup->config);
}

int peri_reload_new(const struct peri_reload_options *options,
                    struct peri_reload **ret_reload) {
  struct peri_reload *reload = calloc(1, sizeof(*reload));
  if (reload == NULL) {
    return PERI_ENOMEM;
  }
  reload->options = *options;
  peri_list_init(&reload->waiting);
  peri_list_init(&reload->served);
  peri_turn_init(&reload->turn, options->loop, next);
  int rc = make(reload);
  if (rc < 0) {
    peri_reload_close(reload);
    peri_reload_free(reload);
    return rc;
  }
  peri_ask_serve(options->ask, PERI_ASK_POLICIES, serve_list, reload);
  peri_ask_serve(options->ask, PERI_ASK_RELOAD, serve_reload, reload);
  peri_ask_serve(options->ask, PERI_ASK_ROLLBACK, serve_rollback, reload);
  // What was edited while the workers started; tells what runs, too.
  on_policies_changed(reload);
  *ret_reload = reload;
  return 0;
}

void peri_reload_close(struct peri_reload *reload) {
  struct wish *wish;
  if (reload == NULL || reload->closed) {
    return;
  }
  reload->closed = true;
  peri_turn_cancel(&reload->turn);
  peri_timer_free(reload->pause);
  peri_watch_free(reload->watch);
  peri_tree_watch_free(reload->trees);
  while ((wish = pop(reload)) != NULL) {
    refuse(wish, PERI_ECLOSED, stopping);
  }
  if (reload->change != NULL) {
    peri_change_close(reload->change);
  }
}

void peri_reload_free(struct peri_reload *reload) {
  if (reload == NULL) {
    return;
  }
  peri_change_free(reload->change);
  peri_edits_free(reload->edits);
  for (size_t i = 0; reload->places != NULL && i < reload->options.count; i++) {
    peri_mailbox_unref(reload->places[i].mailbox);
  }
  free(reload->places);
  free(reload);
}
