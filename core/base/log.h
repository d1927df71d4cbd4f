#pragma once

#include "base/types.h"

enum peri_log_level {
  PERI_LOG_DEBUG = 0,
  PERI_LOG_INFO = 1,
  PERI_LOG_WARN = 2,
  PERI_LOG_ERROR = 3
};

enum peri_log_format { PERI_LOG_TEXT = 0, PERI_LOG_JSON = 1 };

/// Sets level and format for the process. Call before threads start.
void peri_log_setup(enum peri_log_level level, enum peri_log_format format);

/// Whether lines of this level are written. Any thread.
bool peri_log_enabled(enum peri_log_level level);

/// Writes one line to standard error with one write(): text is
/// `2026-11-21T10:00:00.123Z INFO  room: message`, JSON is
/// `{"time":…,"level":"info","room":…,"message":…}`. Control characters are
/// escaped, so hostile input cannot forge a line; lines over 4 KiB are cut.
/// A failing write is dropped (there is nowhere left to say so). When nobody
/// reads standard error, waits 100 ms once; lines are then dropped until there
/// is room again, and a line says how many. Any thread.
void peri_log(enum peri_log_level level, const char *room, const char *format,
              ...) __attribute__((format(printf, 3, 4)));

/// A gate for messages that hostile or broken peers could repeat: true at most
/// once per `every_ms` for one gate; `ret_suppressed` gets how often it was
/// false in between. Zero-initialise it. Any thread.
struct peri_log_gate {
  uint64_t next_ns;
  uint64_t suppressed;
};
bool peri_log_gate_open(struct peri_log_gate *gate, uint64_t now_ns,
                        uint64_t every_ms, uint64_t *ret_suppressed);
