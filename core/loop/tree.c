#include "loop/tree.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/container.h"
#include "base/error.h"
#include "base/list.h"
#include "loop/errand.h"
#include "loop/private.h"
#include "loop/scan.h"

enum { EVERY_MS = 2000, QUIET_MS = 100, MOST_MS = 1000, MOST_ARMED = 512 };

// A folder whose notifications are wanted. Where there are none (more folders
// than this, or the system's limit), looking now and then has to do.
struct armed {
  struct peri_list link;
  uv_fs_event_t event;
  struct peri_tree_watch *watch;
  char *path;
  uint64_t device, inode;
  bool seen;  // by the scan that is gone through
};

// What is looked at. A scan that hangs may have it after the watch has gone.
struct places {
  atomic_uint refs;
  char **folders;
  size_t count;
  char *ending;
};

// One look at all of it.
struct scan {
  struct peri_errand errand;
  struct peri_tree_watch *watch;  // NULL: it has gone; the loop's thread only
  struct places *places;
  struct peri_scan fresh;
  int code;
};

struct peri_tree_watch {
  uv_timer_t look;   // now and then
  uv_timer_t quiet;  // runs while a change waits to be told
  struct peri_mailbox *mailbox;
  struct scan *scan;  // under way, or NULL
  struct places *places;
  struct peri_list armed;
  uint64_t every_ms, quiet_ms, most_ms;
  uint64_t first_ms;  // the loop's time when the first untold change was seen
  void (*changed)(void *ctx);
  void *ctx;
  uint64_t print;  // of the last scan
  unsigned holds;  // handles and requests that still point here
  bool again;      // something happened while scanning
  bool waits;      // a change is to be told
  bool due;        // it was quiet, but a scan was under way
};

static void look(struct peri_tree_watch *watch);

static void unref(struct places *places) {
  if (places == NULL ||
      atomic_fetch_sub_explicit(&places->refs, 1, memory_order_acq_rel) > 1) {
    return;
  }
  for (size_t i = 0; i < places->count; i++) {
    free(places->folders[i]);
  }
  free(places->folders);
  free(places->ending);
  free(places);
}

static void release(struct peri_tree_watch *watch) {
  unref(watch->places);
  free(watch);
}

static void drop(struct peri_tree_watch *watch) {
  if (--watch->holds == 0) {
    release(watch);
  }
}

static void tell(struct peri_tree_watch *watch) {
  watch->waits = false;
  watch->due = false;
  watch->changed(watch->ctx);
}

static void was_quiet(uv_timer_t *timer) {
  struct peri_tree_watch *watch =
      PERI_CONTAINER_OF(timer, struct peri_tree_watch, quiet);
  uint64_t past_ms = uv_now(timer->loop) - watch->first_ms;
  if (watch->scan != NULL && past_ms < watch->most_ms) {
    // Else what it finds would be told as another change.
    watch->due = true;
  } else {
    tell(watch);
  }
}

static void note_change(struct peri_tree_watch *watch) {
  uint64_t now_ms = uv_now(watch->look.loop);
  if (!watch->waits) {
    watch->waits = true;
    watch->first_ms = now_ms;
  }
  uint64_t past_ms = now_ms - watch->first_ms;
  uint64_t left_ms = past_ms < watch->most_ms ? watch->most_ms - past_ms : 0;
  watch->due = false;
  uv_timer_start(&watch->quiet, was_quiet,
                 left_ms < watch->quiet_ms ? left_ms : watch->quiet_ms, 0);
}

static void notified(uv_fs_event_t *event, const char *name, int events,
                     int status) {
  struct peri_tree_watch *watch =
      PERI_CONTAINER_OF(event, struct armed, event)->watch;
  (void)events;
  // The file's time may be too coarse for two changes in a row to differ.
  if (status == 0 && name != NULL &&
      peri_scan_counts(name, watch->places->ending)) {
    note_change(watch);
  }
  look(watch);
}

static void armed_closed(uv_handle_t *handle) {
  struct armed *armed = PERI_CONTAINER_OF(handle, struct armed, event);
  drop(armed->watch);
  free(armed->path);
  free(armed);
}

static void disarm(struct armed *armed) {
  peri_list_remove(&armed->link);
  uv_fs_event_stop(&armed->event);
  uv_close((uv_handle_t *)&armed->event, armed_closed);
}

static bool is_armed(struct peri_tree_watch *watch,
                     const struct peri_scan_folder *folder) {
  struct peri_list *head = &watch->armed;
  for (struct peri_list *at = head->next; at != head; at = at->next) {
    struct armed *armed = PERI_CONTAINER_OF(at, struct armed, link);
    if (armed->inode == folder->inode && armed->device == folder->device &&
        strcmp(armed->path, folder->path) == 0) {
      armed->seen = true;
      return true;
    }
  }
  return false;
}

/// Takes the folder's path over. What cannot be armed is looked at anyway.
static bool arm(struct peri_tree_watch *watch,
                struct peri_scan_folder *folder) {
  struct armed *armed = calloc(1, sizeof *armed);
  if (armed == NULL) {
    return false;
  }
  armed->watch = watch;
  armed->path = folder->path;
  armed->device = folder->device;
  armed->inode = folder->inode;
  armed->seen = true;
  folder->path = NULL;
  watch->holds++;
  peri_list_push(&watch->armed, &armed->link);
  uv_fs_event_init(watch->look.loop, &armed->event);
  uv_unref((uv_handle_t *)&armed->event);
  return uv_fs_event_start(&armed->event, notified, armed->path, 0) == 0;
}

/// Follows folders that came, went, or are others by now. Returns whether some
/// were armed, in which something may have happened before.
static bool follow(struct peri_tree_watch *watch, struct peri_scan *found) {
  struct peri_list *head = &watch->armed;
  bool fresh = false;
  for (struct peri_list *at = head->next; at != head; at = at->next) {
    PERI_CONTAINER_OF(at, struct armed, link)->seen = false;
  }
  for (size_t i = 0; i < found->folder_count && i < MOST_ARMED; i++) {
    if (!is_armed(watch, &found->folders[i])) {
      fresh = arm(watch, &found->folders[i]) || fresh;
    }
  }
  for (struct peri_list *at = head->next; at != head;) {
    struct armed *armed = PERI_CONTAINER_OF(at, struct armed, link);
    at = at->next;
    if (!armed->seen) {
      disarm(armed);
    }
  }
  return fresh;
}

/// Returns whether another scan has to follow.
static bool take(struct peri_tree_watch *watch, struct peri_scan *found) {
  bool armed = follow(watch, found);
  if (found->print != watch->print) {
    watch->print = found->print;
    note_change(watch);
  }
  return armed;
}

static void free_scan(struct scan *scan) {
  peri_scan_clear(&scan->fresh);
  unref(scan->places);
  free(scan);
}

static int run_scan(const struct places *places, struct peri_scan *ret_scan) {
  return peri_scan_run((const char *const *)places->folders, places->count,
                       places->ending, ret_scan);
}

static void run(struct peri_errand *errand) {
  struct scan *scan = PERI_CONTAINER_OF(errand, struct scan, errand);
  scan->code = run_scan(scan->places, &scan->fresh);
}

static void lost(struct peri_errand *errand) {
  free_scan(PERI_CONTAINER_OF(errand, struct scan, errand));
}

static void done(struct peri_errand *errand) {
  struct scan *scan = PERI_CONTAINER_OF(errand, struct scan, errand);
  struct peri_tree_watch *watch = scan->watch;
  if (watch != NULL) {
    watch->scan = NULL;
    if ((scan->code == 0 && take(watch, &scan->fresh)) || watch->again) {
      look(watch);
    }
    if (watch->due) {
      tell(watch);
    }
  }
  free_scan(scan);
}

/// On a thread of its own, since a slow disk would block the loop.
static void look(struct peri_tree_watch *watch) {
  if (watch->scan != NULL) {
    watch->again = true;
    return;
  }
  watch->again = false;
  struct scan *scan = calloc(1, sizeof *scan);
  if (scan == NULL) {
    return;
  }
  scan->watch = watch;
  scan->places = watch->places;
  atomic_fetch_add_explicit(&scan->places->refs, 1, memory_order_relaxed);
  if (peri_errand_start(&scan->errand, watch->mailbox, run, done, lost) < 0) {
    free_scan(scan);
    return;
  }
  watch->scan = scan;
}

static void time_to_look(uv_timer_t *timer) {
  look(PERI_CONTAINER_OF(timer, struct peri_tree_watch, look));
}

static struct places *copy(const struct peri_tree_options *options) {
  struct places *places = calloc(1, sizeof *places);
  if (places == NULL) {
    return NULL;
  }
  atomic_init(&places->refs, 1);
  places->folders = calloc(options->folder_count + 1, sizeof *places->folders);
  bool whole = places->folders != NULL;
  for (size_t i = 0; whole && i < options->folder_count; i++) {
    places->folders[i] = strdup(options->folders[i]);
    whole = places->folders[i] != NULL;
    places->count += whole ? 1 : 0;
  }
  if (whole && options->ending != NULL) {
    places->ending = strdup(options->ending);
    whole = places->ending != NULL;
  }
  if (!whole) {
    unref(places);
    return NULL;
  }
  return places;
}

static void set_times(struct peri_tree_watch *watch,
                      const struct peri_tree_options *options) {
  watch->every_ms = options->every_ms > 0 ? options->every_ms : EVERY_MS;
  watch->quiet_ms = options->quiet_ms > 0 ? options->quiet_ms : QUIET_MS;
  watch->most_ms = options->most_ms > 0 ? options->most_ms : MOST_MS;
}

int peri_tree_watch_new(struct peri_loop *loop,
                        const struct peri_tree_options *options,
                        void (*changed)(void *ctx), void *ctx,
                        struct peri_tree_watch **ret_watch) {
  struct peri_tree_watch *watch = calloc(1, sizeof *watch);
  if (watch == NULL) {
    return PERI_ENOMEM;
  }
  struct peri_scan first = {0};
  peri_list_init(&watch->armed);
  watch->changed = changed;
  watch->ctx = ctx;
  set_times(watch, options);
  watch->places = copy(options);
  int rc = watch->places != NULL ? 0 : PERI_ENOMEM;
  if (rc == 0) {
    // At once and on this thread: a change right after this call must show.
    rc = run_scan(watch->places, &first);
  }
  if (rc == 0) {
    rc = peri_mailbox_new(loop, &watch->mailbox);
  }
  if (rc < 0) {
    peri_scan_clear(&first);
    release(watch);
    return rc;
  }
  watch->holds = 2;
  uv_timer_init(&loop->uv, &watch->look);
  uv_timer_init(&loop->uv, &watch->quiet);
  watch->print = first.print;
  bool armed = take(watch, &first);
  peri_scan_clear(&first);
  uv_update_time(&loop->uv);
  uv_timer_start(&watch->look, time_to_look, watch->every_ms, watch->every_ms);
  uv_unref((uv_handle_t *)&watch->look);
  uv_unref((uv_handle_t *)&watch->quiet);
  if (armed) {
    look(watch);
  }
  *ret_watch = watch;
  return 0;
}

static void look_closed(uv_handle_t *handle) {
  drop(PERI_CONTAINER_OF(handle, struct peri_tree_watch, look));
}

static void quiet_closed(uv_handle_t *handle) {
  drop(PERI_CONTAINER_OF(handle, struct peri_tree_watch, quiet));
}

void peri_tree_watch_free(struct peri_tree_watch *watch) {
  if (watch == NULL) {
    return;
  }
  if (watch->scan != NULL) {
    watch->scan->watch = NULL;
    watch->scan = NULL;
  }
  peri_mailbox_close(watch->mailbox);
  while (!peri_list_empty(&watch->armed)) {
    disarm(PERI_CONTAINER_OF(watch->armed.next, struct armed, link));
  }
  uv_close((uv_handle_t *)&watch->look, look_closed);
  uv_close((uv_handle_t *)&watch->quiet, quiet_closed);
}
