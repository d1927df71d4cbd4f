#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/slice.h"

enum { LINE_BYTES = 4096, TAIL_BYTES = 3, PATIENCE_MS = 100 };

// The process's one sink; set before threads start, read by all of them.
static enum peri_log_level least_level = PERI_LOG_INFO;
static enum peri_log_format line_format = PERI_LOG_TEXT;

// Guards what follows: a pipe that has room for a line keeps it until written.
static pthread_mutex_t sink_lock = PTHREAD_MUTEX_INITIALIZER;
static bool sink_stuck;
static unsigned long long dropped;

struct line {
  size_t len;
  char text[LINE_BYTES];
};

void peri_log_setup(enum peri_log_level level, enum peri_log_format format) {
  least_level = level;
  line_format = format;
}

bool peri_log_enabled(enum peri_log_level level) {
  return level >= least_level;
}

// Adds all of `text`, or nothing and false; room for the line's tail is kept.
static bool add(struct line *line, const char *text, size_t len) {
  if (len > sizeof(line->text) - TAIL_BYTES - line->len) {
    return false;
  }
  memcpy(line->text + line->len, text, len);
  line->len += len;
  return true;
}

// Writes the character at the start of `rest` as the format needs it and
// returns how many bytes of `rest` it took.
static size_t escape(struct peri_slice rest, bool json, char ret_text[8],
                     size_t *ret_len) {
  size_t taken = peri_slice_utf8_length(rest);
  unsigned char byte = (unsigned char)rest.ptr[0];
  unsigned char next = taken == 2 ? (unsigned char)rest.ptr[1] : 0;
  int len = 0;
  if (taken == 0) {
    len = json ? snprintf(ret_text, 8, "\\ufffd")
               : snprintf(ret_text, 8, "\\x%02x", byte);
    taken = 1;
  } else if (byte == '\n' || byte == '\r' || byte == '\t') {
    int letter = byte == '\n' ? 'n' : byte == '\r' ? 'r' : 't';
    len = snprintf(ret_text, 8, "\\%c", letter);
  } else if (byte < 0x20 || byte == 0x7F) {
    len = snprintf(ret_text, 8, json ? "\\u%04x" : "\\x%02x", byte);
  } else if (byte == 0xC2 && next >= 0x80 && next < 0xA0) {
    len = snprintf(ret_text, 8, "\\u%04x", next);
  } else if (json && (byte == '"' || byte == '\\')) {
    len = snprintf(ret_text, 8, "\\%c", byte);
  } else {
    memcpy(ret_text, rest.ptr, taken);
    len = (int)taken;
  }
  *ret_len = (size_t)len;
  return taken;
}

static void add_escaped(struct line *line, struct peri_slice text, bool json) {
  while (text.len > 0) {
    char escaped[8];
    size_t len = 0;
    size_t taken = escape(text, json, escaped, &len);
    if (!add(line, escaped, len)) {
      return;
    }
    text.ptr += taken;
    text.len -= taken;
  }
}

static void add_text(struct line *line, const char *text) {
  add(line, text, strlen(text));
}

static void add_time(struct line *line) {
  struct timespec now = {0};
  struct tm utc;
  char text[40];
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &utc);
  size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
  add(line, text, len);
  snprintf(text, sizeof(text), ".%03ldZ", now.tv_nsec / 1000000);
  add_text(line, text);
}

static void add_head(struct line *line, enum peri_log_level level,
                     const char *room, bool json) {
  static const char *const upper[] = {"DEBUG", "INFO ", "WARN ", "ERROR"};
  static const char *const lower[] = {"debug", "info", "warn", "error"};
  size_t index = level < PERI_LOG_ERROR ? (size_t)level : PERI_LOG_ERROR;
  add_text(line, json ? "{\"time\":\"" : "");
  add_time(line);
  add_text(line, json ? "\",\"level\":\"" : " ");
  add_text(line, json ? lower[index] : upper[index]);
  add_text(line, json ? "\",\"room\":\"" : " ");
  add_escaped(line, peri_slice_of(room), json);
  add_text(line, json ? "\",\"message\":\"" : ": ");
}

// Whether a line can be written now. Whoever reads our log may have stopped;
// the first line waits a moment for it, further ones not at all.
static bool sink_ready(void) {
  struct pollfd sink = {.fd = STDERR_FILENO, .events = POLLOUT};
  int found = 0;
  do {
    found = poll(&sink, 1, sink_stuck ? 0 : PATIENCE_MS);
  } while (found < 0 && errno == EINTR);
  sink_stuck = found == 0;
  return !sink_stuck;
}

static void put(const struct line *line) {
  ssize_t written = 0;
  do {
    written = write(STDERR_FILENO, line->text, line->len);
  } while (written < 0 && errno == EINTR);
}

static void fill(struct line *line, enum peri_log_level level, const char *room,
                 const char *message) {
  bool json = line_format == PERI_LOG_JSON;
  const char *tail = json ? "\"}\n" : "\n";
  line->len = 0;
  add_head(line, level, room, json);
  add_escaped(line, peri_slice_of(message), json);
  memcpy(line->text + line->len, tail, strlen(tail));
  line->len += strlen(tail);
}

// Says how many lines are missing once there is room again; false when there
// is no more for another line.
static bool put_dropped(void) {
  char message[80];
  struct line line;
  if (dropped == 0) {
    return true;
  }
  snprintf(message, sizeof(message),
           "%llu lines were dropped: nobody read the log", dropped);
  fill(&line, PERI_LOG_WARN, "log", message);
  put(&line);
  dropped = 0;
  return sink_ready();
}

void peri_log(enum peri_log_level level, const char *room, const char *format,
              ...) {
  if (!peri_log_enabled(level)) {
    return;
  }
  int kept_errno = errno;
  char message[LINE_BYTES];
  struct line line;
  va_list args;
  va_start(args, format);
  if (vsnprintf(message, sizeof(message), format, args) < 0) {
    snprintf(message, sizeof(message), "(a message that cannot be printed)");
  }
  va_end(args);
  fill(&line, level, room, message);

  pthread_mutex_lock(&sink_lock);
  if (sink_ready() && put_dropped()) {
    put(&line);
  } else {
    dropped++;
  }
  pthread_mutex_unlock(&sink_lock);
  errno = kept_errno;
}

bool peri_log_gate_open(struct peri_log_gate *gate, uint64_t now_ns,
                        uint64_t every_ms, uint64_t *ret_suppressed) {
  uint64_t next = __atomic_load_n(&gate->next_ns, __ATOMIC_RELAXED);
  uint64_t later = now_ns + every_ms * 1000000u;
  if (now_ns < next ||
      !__atomic_compare_exchange_n(&gate->next_ns, &next, later, false,
                                   __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
    __atomic_fetch_add(&gate->suppressed, 1, __ATOMIC_RELAXED);
    return false;
  }
  *ret_suppressed = __atomic_exchange_n(&gate->suppressed, 0, __ATOMIC_RELAXED);
  return true;
}
