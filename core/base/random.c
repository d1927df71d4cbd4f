#include "base/random.h"

uint64_t peri_random_next(uint64_t *state) {
  uint64_t x = (*state += UINT64_C(0x9e3779b97f4a7c15));

  x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
  return x ^ (x >> 31);
}

uint64_t peri_random_below(uint64_t *state, uint32_t below) {
  return ((peri_random_next(state) >> 32) * below) >> 32;
}
