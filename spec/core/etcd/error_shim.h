#pragma once

#include "base/types.h"

/// Whether what a call answered so surely never happened.
bool shim_etcd_undone(int status, const char *text);
