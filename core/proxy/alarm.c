#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/grow.h"
#include "loop/timer.h"
#include "proxy/private.h"

static void place(struct peri_proxy_alarms *alarms, size_t at,
                  struct peri_proxy_call *call) {
  alarms->calls[at - 1] = call;
  call->alarm_at = at;
}

static struct peri_proxy_call *at_place(const struct peri_proxy_alarms *alarms,
                                        size_t at) {
  return alarms->calls[at - 1];
}

static void rise(struct peri_proxy_alarms *alarms, size_t at) {
  struct peri_proxy_call *call = at_place(alarms, at);
  while (at > 1 && at_place(alarms, at / 2)->alarm_ns > call->alarm_ns) {
    place(alarms, at, at_place(alarms, at / 2));
    at /= 2;
  }
  place(alarms, at, call);
}

static void sink(struct peri_proxy_alarms *alarms, size_t at) {
  struct peri_proxy_call *call = at_place(alarms, at);
  for (;;) {
    size_t child = at * 2;
    if (child < alarms->count && at_place(alarms, child + 1)->alarm_ns <
                                     at_place(alarms, child)->alarm_ns) {
      child++;
    }
    if (child > alarms->count ||
        at_place(alarms, child)->alarm_ns >= call->alarm_ns) {
      break;
    }
    place(alarms, at, at_place(alarms, child));
    at = child;
  }
  place(alarms, at, call);
}

// The timer is only ever moved to an earlier instant; when it fires too early
// it is set again. Most calls end before, and cost no timer.
static void wind(struct peri_proxy_alarms *alarms) {
  if (alarms->count == 0) {
    return;
  }
  uint64_t first_ns = alarms->calls[0]->alarm_ns;
  if (alarms->set_ns != 0 && alarms->set_ns <= first_ns) {
    return;
  }
  uint64_t now_ns = peri_clock_mono_ns();
  uint64_t left_ns = first_ns > now_ns ? first_ns - now_ns : 0;
  alarms->set_ns = first_ns;
  peri_timer_start(alarms->timer,
                   (left_ns + PERI_NS_PER_MS - 1) / PERI_NS_PER_MS, 0);
}

static void fired(void *ctx) {
  struct peri_proxy_alarms *alarms = ctx;
  uint64_t now_ns = peri_clock_mono_ns();
  alarms->set_ns = 0;
  while (alarms->count > 0 && alarms->calls[0]->alarm_ns <= now_ns) {
    struct peri_proxy_call *call = alarms->calls[0];
    peri_proxy_alarm_clear(alarms, call);
    alarms->due(call);
  }
  wind(alarms);
}

int peri_proxy_alarms_init(struct peri_proxy_alarms *alarms,
                           struct peri_loop *loop,
                           void (*due)(struct peri_proxy_call *call)) {
  *alarms = (struct peri_proxy_alarms){.due = due};
  return peri_timer_new(loop, fired, alarms, &alarms->timer);
}

void peri_proxy_alarms_done(struct peri_proxy_alarms *alarms) {
  peri_timer_free(alarms->timer);
  free(alarms->calls);
  *alarms = (struct peri_proxy_alarms){.count = 0};
}

int peri_proxy_alarm_set(struct peri_proxy_alarms *alarms,
                         struct peri_proxy_call *call) {
  if (call->alarm_at == 0) {
    if (alarms->count == alarms->capacity) {
      struct peri_proxy_call **calls = peri_grow(
          alarms->calls, &alarms->capacity, sizeof(struct peri_proxy_call *));
      if (calls == NULL) {
        return PERI_ENOMEM;
      }
      alarms->calls = calls;
    }
    alarms->count++;
    place(alarms, alarms->count, call);
  }
  rise(alarms, call->alarm_at);
  sink(alarms, call->alarm_at);
  wind(alarms);
  return 0;
}

void peri_proxy_alarm_clear(struct peri_proxy_alarms *alarms,
                            struct peri_proxy_call *call) {
  size_t at = call->alarm_at;
  if (at == 0) {
    return;
  }
  call->alarm_at = 0;
  struct peri_proxy_call *last = at_place(alarms, alarms->count);
  alarms->count--;
  if (last != call) {
    place(alarms, at, last);
    rise(alarms, at);
    sink(alarms, last->alarm_at);
  }
}
