#pragma once

#include "base/types.h"

/// A key with its value: immutable and counted by reference, so that a reply
/// can send the stored bytes while another thread evicts the entry. An entry
/// can also stand for "there is no such value" (`absent`).
struct peri_entry;

/// Copies `key` and `value` into a new entry with one reference.
/// @param expire_ns  Unix time in nanoseconds, 0 for never.
/// @param absent     remembers that the key has no value; `value` is ignored.
/// @return 0, PERI_ENOMEM, or PERI_ELIMIT (key or value over 256 MiB).
int peri_entry_new(struct peri_slice key, struct peri_slice value,
                   int64_t expire_ns, bool absent,
                   struct peri_entry **ret_entry);

/// Takes one more reference, and returns `entry`. Any thread.
struct peri_entry *peri_entry_ref(struct peri_entry *entry);

/// Drops one reference; the last one frees. NULL is fine. Any thread.
void peri_entry_unref(struct peri_entry *entry);

/// The bytes live as long as the caller's reference. Any thread.
struct peri_slice peri_entry_key(const struct peri_entry *entry);
struct peri_slice peri_entry_value(const struct peri_entry *entry);

/// Unix time in nanoseconds, 0 for never. Any thread.
int64_t peri_entry_expire_ns(const struct peri_entry *entry);

/// Whether it stands for "no such value". Any thread.
bool peri_entry_absent(const struct peri_entry *entry);

/// Whether it is over at `now_ns` (Unix). Any thread.
bool peri_entry_expired(const struct peri_entry *entry, int64_t now_ns);

/// What a store charges for it: key, value, structure and index slot, with the
/// rounding of the store's memory. UINT64_MAX when no store takes it (over
/// 32 MiB). Any thread.
uint64_t peri_entry_charge_bytes(const struct peri_entry *entry);
