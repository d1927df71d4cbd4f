#pragma once

#include "base/types.h"

/// FNV-1a, 32 bits ("Tom" mod 16 is 11, "Jack" mod 16 is 10). Any thread.
uint32_t peri_hash_fnv1a32(struct peri_slice bytes);

/// FNV-1 (multiply, then xor), 64 bits, as groupcache-go v3 uses it.
uint64_t peri_hash_fnv1_64(struct peri_slice bytes);

/// CRC-32 with the IEEE polynomial, as zlib's crc32() computes it.
uint32_t peri_hash_crc32(struct peri_slice bytes);

/// XXH3, 64 bits, with a seed.
uint64_t peri_hash_xxh3(struct peri_slice bytes, uint64_t seed);

/// MD5 as 32 lowercase hexadecimal digits and a NUL (only where a contract
/// names MD5; it protects nothing).
void peri_hash_md5_hex(struct peri_slice bytes, char ret_hex[33]);

/// Eight bytes from the kernel's random source, for seeds.
uint64_t peri_hash_random_seed(void);
