#pragma once

#include "base/types.h"

struct peri_call;
struct ProtobufCMessage;

/// Answers a unary call with a message; RESOURCE_EXHAUSTED when out of memory.
/// The call must not be touched afterwards.
void peri_reply_message(struct peri_call *call,
                        const struct ProtobufCMessage *message);

/// Sends one message of a stream. @return 0, PERI_EBUSY, PERI_ECLOSED or
/// PERI_ENOMEM.
int peri_reply_send(struct peri_call *call,
                    const struct ProtobufCMessage *message);
