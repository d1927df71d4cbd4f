#include "model/config_line.h"

#include <string.h>

#include "base/slice.h"

enum token_kind { TOKEN_END, TOKEN_NAME, TOKEN_STRING, TOKEN_OTHER };

struct token {
  enum token_kind kind;
  struct peri_slice text;  // a string's text is without its quotes
  size_t at;               // where it begins
};

struct lexer {
  struct peri_slice source;
  size_t at;
};

static bool is_name(char c, bool first) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         (!first && c >= '0' && c <= '9');
}

// The length of "[[" or "[==[" at `at`, or 0.
static size_t long_bracket(const struct lexer *lexer, size_t at) {
  size_t end = at;
  if (end >= lexer->source.len || lexer->source.ptr[end] != '[') {
    return 0;
  }
  end++;
  while (end < lexer->source.len && lexer->source.ptr[end] == '=') {
    end++;
  }
  if (end < lexer->source.len && lexer->source.ptr[end] == '[') {
    return end + 1 - at;
  }
  return 0;
}

// Moves behind the bracket that closes an opening one of `width` bytes.
static void skip_long(struct lexer *lexer, size_t width) {
  lexer->at += width;
  while (lexer->at + width <= lexer->source.len) {
    const char *text = lexer->source.ptr + lexer->at;
    bool closes = text[0] == ']' && text[width - 1] == ']';
    for (size_t i = 1; closes && i + 1 < width; i++) {
      closes = text[i] == '=';
    }
    if (closes) {
      lexer->at += width;
      return;
    }
    lexer->at++;
  }
  lexer->at = lexer->source.len;
}

static void skip_blank(struct lexer *lexer) {
  while (lexer->at < lexer->source.len) {
    const char *text = lexer->source.ptr + lexer->at;
    size_t left = lexer->source.len - lexer->at;
    if (left >= 2 && text[0] == '-' && text[1] == '-') {
      size_t width = long_bracket(lexer, lexer->at + 2);
      lexer->at += 2;
      if (width > 0) {
        skip_long(lexer, width);
        continue;
      }
      while (lexer->at < lexer->source.len &&
             lexer->source.ptr[lexer->at] != '\n') {
        lexer->at++;
      }
    } else if (text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r')) {
      lexer->at++;
    } else {
      return;
    }
  }
}

static struct token quoted(struct lexer *lexer) {
  char quote = lexer->source.ptr[lexer->at];
  struct token token = {.kind = TOKEN_STRING, .at = lexer->at};
  lexer->at++;
  token.text.ptr = lexer->source.ptr + lexer->at;
  while (lexer->at < lexer->source.len &&
         lexer->source.ptr[lexer->at] != quote) {
    lexer->at += lexer->source.ptr[lexer->at] == '\\' ? 2 : 1;
  }
  if (lexer->at > lexer->source.len) {
    lexer->at = lexer->source.len;
  }
  token.text.len = (size_t)(lexer->source.ptr + lexer->at - token.text.ptr);
  if (lexer->at < lexer->source.len) {
    lexer->at++;
  }
  return token;
}

static struct token next_token(struct lexer *lexer) {
  skip_blank(lexer);
  struct token token = {.kind = TOKEN_END, .at = lexer->at};
  if (lexer->at >= lexer->source.len) {
    return token;
  }
  const char *text = lexer->source.ptr + lexer->at;
  size_t width = long_bracket(lexer, lexer->at);
  if (*text == '"' || *text == '\'') {
    return quoted(lexer);
  }
  if (width > 0) {
    token.kind = TOKEN_STRING;
    skip_long(lexer, width);
    return token;
  }
  token.kind = TOKEN_OTHER;
  token.text = (struct peri_slice){text, 1};
  lexer->at++;
  if (is_name(*text, true)) {
    token.kind = TOKEN_NAME;
    while (lexer->at < lexer->source.len &&
           is_name(lexer->source.ptr[lexer->at], false)) {
      lexer->at++;
      token.text.len++;
    }
  } else if (*text == '=' && lexer->at < lexer->source.len && text[1] == '=') {
    lexer->at++;
    token.text.len = 2;
  }
  return token;
}

// How much a token opens (1) or closes (-1): brackets, and the blocks of
// functions, whose assignments are not fields of the table.
static int nesting(const struct token *token) {
  static const char *const opening[] = {"{",  "(",  "[",     "function",
                                        "if", "do", "repeat"};
  static const char *const closing[] = {"}", ")", "]", "end", "until"};
  if (token->kind != TOKEN_NAME && token->kind != TOKEN_OTHER) {
    return 0;
  }
  for (size_t i = 0; i < sizeof opening / sizeof *opening; i++) {
    if (peri_slice_is(token->text, opening[i])) {
      return 1;
    }
  }
  for (size_t i = 0; i < sizeof closing / sizeof *closing; i++) {
    if (peri_slice_is(token->text, closing[i])) {
      return -1;
    }
  }
  return 0;
}

// Puts the lexer behind the "{" of the last `return {` outside brackets.
static bool find_table(struct lexer *lexer) {
  struct lexer probe = *lexer;
  bool found = false;
  bool returning = false;
  int depth = 0;
  for (;;) {
    struct token token = next_token(&probe);
    if (token.kind == TOKEN_END) {
      return found;
    }
    if (returning && depth == 0 && peri_slice_is(token.text, "{") &&
        token.kind == TOKEN_OTHER) {
      *lexer = probe;
      found = true;
    }
    returning = token.kind == TOKEN_NAME && peri_slice_is(token.text, "return");
    depth += nesting(&token);
  }
}

// Whether the entry that begins with `first` is keyed, and by which name.
static bool entry_key(struct lexer lexer, struct token first,
                      struct peri_slice *ret_key) {
  struct token key = first;
  if (first.kind == TOKEN_OTHER && peri_slice_is(first.text, "[")) {
    key = next_token(&lexer);
    next_token(&lexer);
  } else if (first.kind != TOKEN_NAME) {
    return false;
  }
  struct token equals = next_token(&lexer);
  if (equals.kind != TOKEN_OTHER || !peri_slice_is(equals.text, "=")) {
    return false;
  }
  *ret_key = key.text;
  return true;
}

// Moves behind the entry and the comma after it. Returns false at the end of
// the table.
static bool skip_entry(struct lexer *lexer, struct token first) {
  int depth = 0;
  for (struct token token = first;; token = next_token(lexer)) {
    depth += nesting(&token);
    if (token.kind == TOKEN_END || depth < 0) {
      return false;
    }
    if (depth == 0 && token.kind == TOKEN_OTHER &&
        (*token.text.ptr == ',' || *token.text.ptr == ';')) {
      return true;
    }
  }
}

// Looks for the entry that `step` names in the table whose inside begins at the
// lexer. On success the lexer is behind the first "{" of its value, if any.
static bool find_entry(struct lexer *lexer, struct peri_config_step step,
                       size_t *ret_at) {
  size_t position = 0;
  for (;;) {
    struct token first = next_token(lexer);
    if (first.kind == TOKEN_END ||
        (first.kind == TOKEN_OTHER && *first.text.ptr == '}')) {
      return false;
    }
    struct peri_slice key = {NULL, 0};
    bool keyed = entry_key(*lexer, first, &key);
    position += keyed ? 0 : 1;
    bool hit = step.key != NULL ? keyed && peri_slice_is(key, step.key)
                                : !keyed && position == step.index;
    if (hit) {
      *ret_at = first.at;
      struct token token = first;
      while (token.kind != TOKEN_END && !peri_slice_is(token.text, "{") &&
             !peri_slice_is(token.text, ",") &&
             !peri_slice_is(token.text, "}")) {
        token = next_token(lexer);
      }
      if (!peri_slice_is(token.text, "{")) {
        lexer->at = lexer->source.len;
      }
      return true;
    }
    if (!skip_entry(lexer, first)) {
      return false;
    }
  }
}

size_t peri_config_line(struct peri_slice source,
                        const struct peri_config_step *steps, size_t count) {
  struct lexer lexer = {source, 0};
  size_t at = 0;
  bool found = false;
  if (!find_table(&lexer)) {
    return 0;
  }
  for (size_t i = 0; i < count && find_entry(&lexer, steps[i], &at); i++) {
    found = true;
  }
  if (!found) {
    return 0;
  }
  size_t line = 1;
  for (size_t i = 0; i < at; i++) {
    line += source.ptr[i] == '\n' ? 1 : 0;
  }
  return line;
}
