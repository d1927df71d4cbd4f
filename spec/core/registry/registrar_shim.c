#include "registry/registrar_shim.h"

#include "registry/registration.h"

void peri_shim_outcome_note(void *ctx, int error) {
  struct peri_shim_outcome *outcome = ctx;
  outcome->count++;
  outcome->error = error;
}

void peri_shim_outcome_closed(void *ctx) {
  peri_shim_outcome_note(ctx, 0);
}

size_t peri_shim_fleet(void *ctx) {
  return *(size_t *)ctx;
}

void peri_shim_outcome_free(void *ctx, int error) {
  struct peri_shim_freeing *freeing = ctx;
  peri_shim_outcome_note(&freeing->outcome, error);
  peri_registrar_free(freeing->registrar);
}
