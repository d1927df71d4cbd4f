#pragma once

#include "base/types.h"
#include "h2/framing.h"

enum {
  PERI_SINGLE_ROOM_BYTES = 256,  // a message kept without an allocation
  PERI_SINGLE_WORDS_BYTES = 96
};

/// How the messages of one side are compressed, from its grpc-encoding.
enum peri_single_encoding {
  PERI_ENCODING_IDENTITY = 0,
  PERI_ENCODING_ZLIB = 1,  // gzip or deflate: the bytes themselves say which
  PERI_ENCODING_UNKNOWN = 2
};

/// What is wrong with a side that should have sent exactly one message.
struct peri_single_fault {
  int status;  // enum peri_status
  int code;    // PERI_ELIMIT, PERI_EPROTO or PERI_ENOMEM
  char words[PERI_SINGLE_WORDS_BYTES];
};

/// The one message of a unary call's side, collected and decompressed. Embed
/// it, then peri_single_init(); the members are single.c's own.
struct peri_single {
  struct peri_framing framing;
  struct peri_buffer buffer;  // what `room` does not hold
  struct peri_slice message;
  uint32_t count;
  bool compressed;
  char room[PERI_SINGLE_ROOM_BYTES];
};

/// Reads a grpc-encoding.
enum peri_single_encoding peri_single_encoding_of(struct peri_slice value);

/// The message, compressed or not, may have up to `message_bytes`.
void peri_single_init(struct peri_single *single, uint32_t message_bytes);
/// Frees what it holds; the message is gone with it.
void peri_single_done(struct peri_single *single);

/// Takes body bytes. @return 0, or the code in `ret_fault`; nothing more may be
/// fed then.
int peri_single_feed(struct peri_single *single, struct peri_slice bytes,
                     struct peri_single_fault *ret_fault);

/// After the side's end: the message, decompressed, valid until
/// peri_single_done(). @return 0, or the code in `ret_fault`.
int peri_single_finish(struct peri_single *single,
                       enum peri_single_encoding encoding,
                       struct peri_slice *ret_message,
                       struct peri_single_fault *ret_fault);
