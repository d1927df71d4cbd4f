#pragma once

#include "base/buffer.h"
#include "base/types.h"

struct ProtobufCBinaryData;
struct ProtobufCMessage;

/// Appends a packed message. @return 0 or PERI_ENOMEM (unchanged then).
int peri_proto_pack(const struct ProtobufCMessage *message,
                    struct peri_buffer *buffer);

/// A slice, or a NUL-terminated text (NULL for none), as messages hold it;
/// borrowed: whoever frees the message must not free these.
struct ProtobufCBinaryData peri_proto_bytes(struct peri_slice slice);
struct ProtobufCBinaryData peri_proto_text(const char *text);

/// The reverse, borrowed from the message; its `ptr` is never NULL.
struct peri_slice peri_proto_slice(struct ProtobufCBinaryData bytes);
