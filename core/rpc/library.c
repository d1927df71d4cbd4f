#include "rpc/library.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

// The soname of the headers that this file is compiled with comes first.
static const char *const names[] = {"libgrpc.so.29", "libgrpc.so"};

struct symbol {
  const char *name;
  size_t offset;
};

static const struct symbol symbols[] = {
    {"grpc_init", offsetof(struct peri_grpc, init)},
    {"grpc_shutdown", offsetof(struct peri_grpc, shutdown)},
    {"grpc_is_initialized", offsetof(struct peri_grpc, is_initialized)},
    {"grpc_insecure_credentials_create",
     offsetof(struct peri_grpc, insecure_credentials)},
    {"grpc_ssl_credentials_create",
     offsetof(struct peri_grpc, ssl_credentials)},
    {"grpc_channel_credentials_release",
     offsetof(struct peri_grpc, credentials_release)},
    {"grpc_channel_create", offsetof(struct peri_grpc, channel_create)},
    {"grpc_channel_destroy", offsetof(struct peri_grpc, channel_destroy)},
    {"grpc_channel_create_call", offsetof(struct peri_grpc, create_call)},
    {"grpc_call_start_batch", offsetof(struct peri_grpc, start_batch)},
    {"grpc_call_cancel", offsetof(struct peri_grpc, call_cancel)},
    {"grpc_call_unref", offsetof(struct peri_grpc, call_unref)},
    {"grpc_completion_queue_create_for_next",
     offsetof(struct peri_grpc, queue_create)},
    {"grpc_completion_queue_next", offsetof(struct peri_grpc, queue_next)},
    {"grpc_completion_queue_shutdown",
     offsetof(struct peri_grpc, queue_shutdown)},
    {"grpc_completion_queue_destroy",
     offsetof(struct peri_grpc, queue_destroy)},
    {"grpc_metadata_array_init", offsetof(struct peri_grpc, metadata_init)},
    {"grpc_metadata_array_destroy",
     offsetof(struct peri_grpc, metadata_destroy)},
    {"grpc_raw_byte_buffer_create", offsetof(struct peri_grpc, buffer_create)},
    {"grpc_byte_buffer_destroy", offsetof(struct peri_grpc, buffer_destroy)},
    {"grpc_byte_buffer_reader_init", offsetof(struct peri_grpc, reader_init)},
    {"grpc_byte_buffer_reader_next", offsetof(struct peri_grpc, reader_next)},
    {"grpc_byte_buffer_reader_destroy",
     offsetof(struct peri_grpc, reader_destroy)},
    {"grpc_slice_from_copied_buffer", offsetof(struct peri_grpc, slice_copy)},
    {"grpc_slice_unref", offsetof(struct peri_grpc, slice_unref)},
    {"grpc_header_key_is_legal", offsetof(struct peri_grpc, key_is_legal)},
    {"grpc_header_nonbin_value_is_legal",
     offsetof(struct peri_grpc, value_is_legal)},
    {"grpc_is_binary_header", offsetof(struct peri_grpc, is_binary)},
    {"gpr_set_log_function", offsetof(struct peri_grpc, set_log_function)},
    {"gpr_now", offsetof(struct peri_grpc, now)},
    {"gpr_inf_future", offsetof(struct peri_grpc, inf_future)},
    {"gpr_time_add", offsetof(struct peri_grpc, time_add)},
    {"gpr_time_from_millis", offsetof(struct peri_grpc, from_millis)},
};

static void *open_library(void) {
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    // Never unloaded: its threads and thread-local destructors outlive us.
    void *handle = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle != NULL) {
      return handle;
    }
  }
  return NULL;
}

static void quiet(gpr_log_func_args *args) {
  (void)args;
}

int peri_grpc_load(struct peri_grpc *ret_grpc,
                   struct peri_problem *ret_problem) {
  struct peri_grpc grpc;
  memset(&grpc, 0, sizeof(grpc));
  void *handle = open_library();
  if (handle == NULL) {
    return peri_problem_set(ret_problem, PERI_EUNSUPPORTED,
                            "gRPC's library cannot be loaded (%s): install "
                            "libgrpc29",
                            dlerror());
  }
  for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
    void *found = dlsym(handle, symbols[i].name);
    if (found == NULL) {
      return peri_problem_set(ret_problem, PERI_EUNSUPPORTED,
                              "gRPC's library has no %s: install libgrpc29",
                              symbols[i].name);
    }
    // ISO C knows no cast from an object pointer to a function pointer.
    memcpy((char *)&grpc + symbols[i].offset, &found, sizeof(found));
  }
  if (getenv("GRPC_VERBOSITY") == NULL) {
    grpc.set_log_function(quiet);
  }
  *ret_grpc = grpc;
  return 0;
}
