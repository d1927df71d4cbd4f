#include "cli/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "cli/output.h"

enum { WORDS_BYTES = 256 };

void peri_cli_table_add(struct peri_cli_table *table, const char *format, ...) {
  char words[WORDS_BYTES];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(words, sizeof(words), format, arguments);
  va_end(arguments);
  if (table->rc == 0) {
    table->rc = peri_buffer_add(&table->cells, words, strlen(words));
  }
}

void peri_cli_table_put(struct peri_cli_table *table, struct peri_slice bytes,
                        size_t most) {
  bytes.len = bytes.len < most ? bytes.len : most;
  if (table->rc == 0) {
    table->rc = peri_cli_add_clean(bytes, &table->cells);
  }
}

void peri_cli_table_next(struct peri_cli_table *table) {
  if (table->rc == 0) {
    table->rc = peri_buffer_add(&table->cells, "", 1);
  }
}

void peri_cli_table_titles(struct peri_cli_table *table,
                           const char *const *titles) {
  for (size_t i = 0; i < table->columns; i++) {
    peri_cli_table_add(table, "%s", titles[i]);
    peri_cli_table_next(table);
  }
}

static void measure(const struct peri_cli_table *table, int *widths) {
  const char *end = table->cells.ptr + table->cells.len;
  size_t column = 0;
  for (const char *cell = table->cells.ptr; cell < end;
       cell += strlen(cell) + 1) {
    int len = (int)strlen(cell);
    widths[column] = len > widths[column] ? len : widths[column];
    column = (column + 1) % table->columns;
  }
}

static int print(const struct peri_cli_table *table, const int *widths,
                 struct peri_buffer *text) {
  const char *end = table->cells.ptr + table->cells.len;
  size_t column = 0;
  int rc = 0;
  for (const char *cell = table->cells.ptr; rc == 0 && cell < end;
       cell += strlen(cell) + 1) {
    bool last = column == table->columns - 1;
    rc = peri_buffer_printf(text, "%-*s%s", last ? 0 : widths[column], cell,
                            last ? "\n" : "  ");
    column = last ? 0 : column + 1;
  }
  return rc;
}

int peri_cli_table_end(struct peri_cli_table *table, struct peri_buffer *text) {
  int *widths = calloc(table->columns, sizeof(*widths));
  int rc = widths != NULL ? table->rc : PERI_ENOMEM;
  if (rc == 0 && table->cells.len > 0) {
    measure(table, widths);
    rc = print(table, widths, text);
  }
  free(widths);
  peri_buffer_done(&table->cells);
  return rc;
}
