#include "script/draw.h"

#include "base/random.h"
#include "model/load.h"
#include "model/peers.h"
#include "script/handle.h"

static size_t below(struct peri_peers_handle *handle, size_t count) {
  return peri_random_below(&handle->random, (uint32_t)count);
}

static size_t at_place(const struct peri_draw *from, size_t place) {
  return from->list ? from->list[place] : place;
}

size_t peri_draw_two(struct peri_draw from, size_t ret_at[2]) {
  if (from.count == 0) {
    return 0;
  }
  size_t first = below(from.handle, from.count);
  ret_at[0] = at_place(&from, first);
  if (from.count == 1) {
    return 1;
  }
  size_t second = below(from.handle, from.count - 1);
  ret_at[1] = at_place(&from, second + (second >= first));
  return 2;
}

bool peri_draw_least(struct peri_draw from, size_t *ret_at) {
  const struct peri_peers_handle *handle = from.handle;
  size_t place = from.count > 0 ? below(from.handle, from.count) : 0;
  double least = 0;
  bool found = false;

  // From a random place on, so that equals share.
  for (size_t i = 0; handle->loads && i < from.count; i++) {
    size_t at = at_place(&from, place);
    double load = (handle->loads[at]->inflight + 1.0) /
                  peri_peers_at(handle->peers, at)->weight;
    if (!found || load < least) {
      least = load;
      *ret_at = at;
      found = true;
    }
    place = place + 1 < from.count ? place + 1 : 0;
  }
  return found;
}
