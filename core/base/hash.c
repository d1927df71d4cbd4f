#include "base/hash.h"

#include <errno.h>
#include <md5.h>
#include <sys/random.h>
#include <unistd.h>
#include <xxhash.h>
#include <zlib.h>

#include "base/clock.h"

uint32_t peri_hash_fnv1a32(struct peri_slice bytes) {
  uint32_t hash = 2166136261u;
  for (size_t i = 0; i < bytes.len; i++) {
    hash ^= (unsigned char)bytes.ptr[i];
    hash *= 16777619u;
  }
  return hash;
}

uint64_t peri_hash_fnv1_64(struct peri_slice bytes) {
  uint64_t hash = 14695981039346656037u;
  for (size_t i = 0; i < bytes.len; i++) {
    hash *= 1099511628211u;
    hash ^= (unsigned char)bytes.ptr[i];
  }
  return hash;
}

uint32_t peri_hash_crc32(struct peri_slice bytes) {
  if (bytes.len == 0) {
    return 0;
  }
  return (uint32_t)crc32_z(0, (const unsigned char *)bytes.ptr, bytes.len);
}

uint64_t peri_hash_xxh3(struct peri_slice bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.len > 0 ? bytes.ptr : "", bytes.len, seed);
}

void peri_hash_md5_hex(struct peri_slice bytes, char ret_hex[33]) {
  MD5Data((const uint8_t *)(bytes.len > 0 ? bytes.ptr : ""), bytes.len,
          ret_hex);
}

uint64_t peri_hash_random_seed(void) {
  uint64_t seed = 0;
  ssize_t got = 0;
  do {
    got = getrandom(&seed, sizeof(seed), 0);
  } while (got < 0 && errno == EINTR);
  if (got == (ssize_t)sizeof(seed)) {
    return seed;
  }
  // A sandbox may forbid the call; a seed that differs by process still spreads
  // keys, it only is easier to guess.
  uint64_t parts[3] = {peri_clock_mono_ns(), (uint64_t)peri_clock_unix_ns(),
                       (uint64_t)getpid()};
  return XXH3_64bits(parts, sizeof(parts));
}
