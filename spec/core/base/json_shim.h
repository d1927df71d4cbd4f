#pragma once

#include "base/json.h"

/// Appends "key=type;" for each member until `stop_at` members were seen.
/// @return what peri_json_each() answered: 7 when stopped, else 0.
int shim_json_members(const struct peri_json *object, int stop_at,
                      struct peri_buffer *buffer);

/// Takes and drops references to `json` on two threads at once.
void shim_json_share(struct peri_json *json, int rounds);
