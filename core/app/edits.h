#pragma once

#include "base/types.h"

struct peri_failures;
struct peri_roster;
struct peri_metrics;

/// What became of edits: which versions run, what was refused and why; tells
/// the log and the metrics. Control thread only.
struct peri_edits;

/// @return 0 or PERI_ENOMEM.
int peri_edits_new(struct peri_metrics *metrics, struct peri_edits **ret_edits);
/// NULL is fine.
void peri_edits_free(struct peri_edits *edits);

/// What runs now (taken over; NULL: as before), and which edits were refused on
/// the way there (borrowed; NULL: none). A refusal ends with the next edit of
/// its policy.
void peri_edits_take(struct peri_edits *edits, struct peri_roster *roster,
                     const struct peri_failures *refused);
/// No policy at all could be taken over, for the reason in `words`, until
/// peri_edits_take(). Said once.
void peri_edits_none(struct peri_edits *edits, const char *words);
/// What runs now, after a version was rolled back (taken over; NULL: as
/// before).
void peri_edits_roll(struct peri_edits *edits, struct peri_roster *roster);

/// Why the configuration's last edit was not taken over; NULL when it was.
void peri_edits_config(struct peri_edits *edits, const char *words);
/// "" when it was.
const char *peri_edits_config_words(const struct peri_edits *edits);

/// What runs; NULL before anything was heard of it.
const struct peri_roster *peri_edits_roster(const struct peri_edits *edits);
/// Why the last edit of a policy was refused, or "".
const char *peri_edits_words(const struct peri_edits *edits, const char *kind,
                             const char *name);
