#include "script/hostile_shim.h"

#include <time.h>

#include "script/script_private.h"

void hostile_shim_stress(struct script_shim *shim) {
  shim->script->vm_options.stress = true;
}

uint64_t hostile_shim_cpu_ns(void) {
  struct timespec now = {0, 0};

  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int hostile_shim_slowdown(void) {
  return PERI_SLOWDOWN;
}
