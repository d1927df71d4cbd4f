#pragma once

#include "base/error.h"
#include "base/types.h"

struct peri_h2_stream;

/// gRPC's server reflection (grpc.reflection.v1 and v1alpha) of the sidecar's
/// own services, for one worker. Its loop's thread only.
struct peri_reflection;

/// NULL when out of memory.
struct peri_reflection *peri_reflection_new(void);

/// Takes over the request stream of a ServerReflectionInfo call and answers
/// every message on it, in order, until the caller ends it.
void peri_reflection_accept(struct peri_reflection *reflection,
                            struct peri_h2_stream *stream);

/// This sidecar is about to stop: calls that are open end with UNAVAILABLE, so
/// that none keeps the drain waiting.
void peri_reflection_drain(struct peri_reflection *reflection);

/// Every stream must have closed (free the servers first). NULL is fine.
void peri_reflection_free(struct peri_reflection *reflection);
