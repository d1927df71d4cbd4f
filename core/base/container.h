#pragma once

#include <stddef.h>

/// The struct that holds `pointer` as its field `member`. Only `.c` files
/// include this header.
#define PERI_CONTAINER_OF(pointer, type, member) \
  ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
