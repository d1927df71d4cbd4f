#include "etcd/error_shim.h"

#include "etcd/private.h"

bool shim_etcd_undone(int status, const char *text) {
  struct peri_etcd_error error;
  peri_etcd_error_of(status, text, &error);
  return peri_etcd_error_undone(&error);
}
