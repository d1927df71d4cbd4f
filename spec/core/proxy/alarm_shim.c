#include "proxy/alarm_shim.h"

#include <stdlib.h>

#include "base/clock.h"
#include "loop/loop.h"
#include "proxy/private.h"

static int rung;
static uint64_t last_ns;

static void due(struct peri_proxy_call *call) {
  uint64_t now_ns = peri_clock_mono_ns();
  if (rung < 0 || call->alarm_ns > now_ns || call->alarm_ns < last_ns ||
      call->attempts++ > 0) {
    rung = -1;
    return;
  }
  last_ns = call->alarm_ns;
  rung++;
}

int peri_shim_alarm_run(const uint32_t *waits_ms, const bool *gone,
                        size_t count) {
  struct peri_proxy_alarms alarms;
  struct peri_loop *loop = NULL;
  struct peri_proxy_call *calls = calloc(count, sizeof(*calls));
  rung = 0;
  last_ns = 0;
  if (calls == NULL || peri_loop_new(&loop) < 0 ||
      peri_proxy_alarms_init(&alarms, loop, due) < 0) {
    abort();
  }
  uint64_t now_ns = peri_clock_mono_ns();
  for (size_t i = 0; i < count; i++) {
    calls[i].alarm_ns = now_ns + (uint64_t)waits_ms[i] * 1000000;
    if (peri_proxy_alarm_set(&alarms, &calls[i]) < 0) {
      abort();
    }
  }
  for (size_t i = 0; i < count; i++) {
    if (i % 5 == 0) {
      calls[i].alarm_ns = now_ns + (uint64_t)waits_ms[count - 1 - i] * 1000000;
      (void)peri_proxy_alarm_set(&alarms, &calls[i]);
    }
    if (gone[i]) {
      peri_proxy_alarm_clear(&alarms, &calls[i]);
    }
  }
  while (alarms.count > 0 && rung >= 0) {
    (void)peri_loop_step(loop, 5);
  }
  peri_proxy_alarms_done(&alarms);
  if (peri_loop_free(loop) < 0) {
    abort();
  }
  free(calls);
  return rung;
}
