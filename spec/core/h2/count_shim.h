#pragma once

#include "h2/body.h"
#include "h2/out.h"

/// An owner of borrowed bytes that counts how often they were given back.
struct count_owner {
  uint32_t released;
};

/// A release callback for a struct count_owner.
void count_release(void *owner);

/// peri_out_fits(), which is inline.
bool count_fits(const struct peri_out *out, size_t frames);
