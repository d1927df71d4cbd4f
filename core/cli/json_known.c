#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/slice.h"
#include "cli/json_private.h"

enum { NANOS = 1000000000 };

static const int64_t first_second = -62135596800;  // 0001-01-01T00:00:00Z
static const int64_t last_second = 253402300799;   // 9999-12-31T23:59:59Z
static const int64_t most_seconds = 315576000000;  // of a duration

enum peri_json_known peri_json_known_of(const char *type) {
  static const struct {
    const char *name;
    enum peri_json_known known;
  } all[] = {
      {"Timestamp", PERI_JSON_TIMESTAMP}, {"Duration", PERI_JSON_DURATION},
      {"Struct", PERI_JSON_STRUCT},       {"ListValue", PERI_JSON_LIST},
      {"Value", PERI_JSON_VALUE},         {"DoubleValue", PERI_JSON_WRAPPER},
      {"FloatValue", PERI_JSON_WRAPPER},  {"Int64Value", PERI_JSON_WRAPPER},
      {"UInt64Value", PERI_JSON_WRAPPER}, {"Int32Value", PERI_JSON_WRAPPER},
      {"UInt32Value", PERI_JSON_WRAPPER}, {"BoolValue", PERI_JSON_WRAPPER},
      {"StringValue", PERI_JSON_WRAPPER}, {"BytesValue", PERI_JSON_WRAPPER},
  };
  static const char package[] = ".google.protobuf.";
  if (strncmp(type, package, sizeof(package) - 1) != 0) {
    return PERI_JSON_PLAIN;
  }
  for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
    if (strcmp(type + sizeof(package) - 1, all[i].name) == 0) {
      return all[i].known;
    }
  }
  return PERI_JSON_PLAIN;
}

/// Reads ".5" as nanoseconds; nothing counts as 0. Returns what follows, or
/// NULL.
static const char *read_fraction(const char *text, int32_t *ret_nanos) {
  int32_t nanos = 0, unit = NANOS;
  if (*text == '.') {
    text++;
    if (*text < '0' || *text > '9') {
      return NULL;
    }
    for (; *text >= '0' && *text <= '9'; text++) {
      if (unit == 1) {
        return NULL;
      }
      unit /= 10;
      nanos += (*text - '0') * unit;
    }
  }
  *ret_nanos = nanos;
  return text;
}

/// Reads "Z" or "+01:30" as seconds east. Returns whether that is all.
static bool read_zone(const char *text, int64_t *ret_seconds) {
  int hours, minutes, used = 0;
  if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0) {
    *ret_seconds = 0;
    return true;
  }
  if ((text[0] != '+' && text[0] != '-') ||
      sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 ||
      used != 5 || text[1 + used] != '\0' || hours > 23 || minutes > 59) {
    return false;
  }
  *ret_seconds =
      (int64_t)(hours * 3600 + minutes * 60) * (text[0] == '-' ? -1 : 1);
  return true;
}

int peri_json_timestamp_read(struct peri_slice text, int64_t *ret_seconds,
                             int32_t *ret_nanos) {
  struct tm parts = {0};
  int used = 0;
  int32_t nanos;
  int64_t zone;
  // The text is a JSON string's, which ends with a NUL.
  if (text.len != strlen(text.ptr) ||
      sscanf(text.ptr, "%4d-%2d-%2d%*1[Tt]%2d:%2d:%2d%n", &parts.tm_year,
             &parts.tm_mon, &parts.tm_mday, &parts.tm_hour, &parts.tm_min,
             &parts.tm_sec, &used) != 6 ||
      used != 19) {
    return PERI_EINVAL;
  }
  struct tm given = parts;
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  int64_t seconds = timegm(&parts);
  // timegm() carries what is out of range over.
  if (parts.tm_mon != given.tm_mon - 1 || parts.tm_mday != given.tm_mday ||
      parts.tm_hour != given.tm_hour || parts.tm_min != given.tm_min ||
      parts.tm_sec != given.tm_sec) {
    return PERI_EINVAL;
  }
  const char *rest = read_fraction(text.ptr + used, &nanos);
  if (rest == NULL || !read_zone(rest, &zone)) {
    return PERI_EINVAL;
  }
  seconds -= zone;
  if (seconds < first_second || seconds > last_second) {
    return PERI_EINVAL;
  }
  *ret_seconds = seconds;
  *ret_nanos = nanos;
  return 0;
}

/// Nothing, or a point and 3, 6 or 9 digits.
static void write_fraction(int32_t nanos, char ret_text[16]) {
  if (nanos == 0) {
    ret_text[0] = '\0';
  } else if (nanos % 1000000 == 0) {
    snprintf(ret_text, 16, ".%03d", nanos / 1000000);
  } else if (nanos % 1000 == 0) {
    snprintf(ret_text, 16, ".%06d", nanos / 1000);
  } else {
    snprintf(ret_text, 16, ".%09d", nanos);
  }
}

int peri_json_timestamp_write(int64_t seconds, int32_t nanos,
                              char ret_text[64]) {
  char fraction[16];
  struct tm parts;
  time_t when = seconds;
  if (seconds < first_second || seconds > last_second || nanos < 0 ||
      nanos >= NANOS || gmtime_r(&when, &parts) == NULL) {
    return PERI_EINVAL;
  }
  write_fraction(nanos, fraction);
  snprintf(ret_text, 64, "%04d-%02d-%02dT%02d:%02d:%02d%sZ",
           parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
           parts.tm_min, parts.tm_sec, fraction);
  return 0;
}

int peri_json_duration_read(struct peri_slice text, int64_t *ret_seconds,
                            int32_t *ret_nanos) {
  char *rest;
  int32_t nanos;
  bool minus = text.len > 0 && text.ptr[0] == '-';
  const char *digits = text.ptr + (minus ? 1 : 0);
  if (text.len != strlen(text.ptr) || digits[0] < '0' || digits[0] > '9') {
    return PERI_EINVAL;
  }
  long long seconds = strtoll(digits, &rest, 10);
  const char *end = read_fraction(rest, &nanos);
  if (end == NULL || strcmp(end, "s") != 0 || seconds > most_seconds) {
    return PERI_EINVAL;
  }
  *ret_seconds = minus ? -seconds : seconds;
  *ret_nanos = minus ? -nanos : nanos;
  return 0;
}

int peri_json_duration_write(int64_t seconds, int32_t nanos,
                             char ret_text[64]) {
  char fraction[16];
  bool minus = seconds < 0 || nanos < 0;
  if (seconds > most_seconds || seconds < -most_seconds || nanos >= NANOS ||
      nanos <= -NANOS || (minus && (seconds > 0 || nanos > 0))) {
    return PERI_EINVAL;
  }
  write_fraction(minus ? -nanos : nanos, fraction);
  snprintf(ret_text, 64, "%s%lld%ss", minus ? "-" : "",
           (long long)(minus ? -seconds : seconds), fraction);
  return 0;
}
