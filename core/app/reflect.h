#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/types.h"

/// Answers one message of gRPC's reflection protocol (v1 and v1alpha are the
/// same on the wire) about the sidecar's own services: appends the packed
/// ServerReflectionResponse. What is not known is an answer too, NOT_FOUND in
/// its error_response. Any thread.
/// @return 0, PERI_EPROTO (the bytes are no ServerReflectionRequest) or
/// PERI_ENOMEM.
int peri_reflect_answer(struct peri_slice request, struct peri_buffer *answer);
