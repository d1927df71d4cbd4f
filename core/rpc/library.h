#pragma once

#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <grpc/support/log.h>
#include <grpc/support/time.h>

#include "base/error.h"

/// The functions of gRPC's C core that this room uses. They are looked up at
/// run time: linking the library would cost every sidecar 5 MB of resident
/// memory for what only commands and the etcd registry need.
struct peri_grpc {
  __typeof__(&grpc_init) init;
  __typeof__(&grpc_shutdown) shutdown;
  __typeof__(&grpc_is_initialized) is_initialized;
  __typeof__(&grpc_insecure_credentials_create) insecure_credentials;
  __typeof__(&grpc_ssl_credentials_create) ssl_credentials;
  __typeof__(&grpc_channel_credentials_release) credentials_release;
  __typeof__(&grpc_channel_create) channel_create;
  __typeof__(&grpc_channel_destroy) channel_destroy;
  __typeof__(&grpc_channel_create_call) create_call;
  __typeof__(&grpc_call_start_batch) start_batch;
  __typeof__(&grpc_call_cancel) call_cancel;
  __typeof__(&grpc_call_unref) call_unref;
  __typeof__(&grpc_completion_queue_create_for_next) queue_create;
  __typeof__(&grpc_completion_queue_next) queue_next;
  __typeof__(&grpc_completion_queue_shutdown) queue_shutdown;
  __typeof__(&grpc_completion_queue_destroy) queue_destroy;
  __typeof__(&grpc_metadata_array_init) metadata_init;
  __typeof__(&grpc_metadata_array_destroy) metadata_destroy;
  __typeof__(&grpc_raw_byte_buffer_create) buffer_create;
  __typeof__(&grpc_byte_buffer_destroy) buffer_destroy;
  __typeof__(&grpc_byte_buffer_reader_init) reader_init;
  __typeof__(&grpc_byte_buffer_reader_next) reader_next;
  __typeof__(&grpc_byte_buffer_reader_destroy) reader_destroy;
  __typeof__(&grpc_slice_from_copied_buffer) slice_copy;
  __typeof__(&grpc_slice_unref) slice_unref;
  __typeof__(&grpc_header_key_is_legal) key_is_legal;
  __typeof__(&grpc_header_nonbin_value_is_legal) value_is_legal;
  __typeof__(&grpc_is_binary_header) is_binary;
  __typeof__(&gpr_set_log_function) set_log_function;
  __typeof__(&gpr_now) now;
  __typeof__(&gpr_inf_future) inf_future;
  __typeof__(&gpr_time_add) time_add;
  __typeof__(&gpr_time_from_millis) from_millis;
};

/// Loads the library, which then stays in the process, and finds the
/// functions. Its own log is kept silent, since its lines are neither ours nor
/// limited in number, unless GRPC_VERBOSITY asks for it. Any thread. @return 0
/// or PERI_EUNSUPPORTED with words.
int peri_grpc_load(struct peri_grpc *ret_grpc,
                   struct peri_problem *ret_problem);
