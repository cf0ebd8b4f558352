/* json_write.c - writing JSON (RFC 8259), compact and on one line.
**
** The text is written value by value, into memory of the context. There is no tree and no hash: a library that hashes
** keys asks the system for a random seed, so it opens /dev/urandom and keeps the seed for the whole process. */
#include <stdio.h>
#include <string.h>

#include "../core/error.h"
#include "../core/memory.h"
#include "json.h"

static bool grow(mooni_json_writer *w, size_t n) {
  enum { FIRST_ROOM = 1024 };
  size_t room = w->room ? w->room : FIRST_ROOM;
  while (room - w->length < n) room *= 2;
  char *bigger = mooni_alloc(w->ctx, room);
  if (!bigger) return false;
  if (w->length) memcpy(bigger, w->text, w->length);
  mooni_free(w->ctx, w->text);
  w->text = bigger;
  w->room = room;
  return true;
}

/* After a failure nothing more is written. */
static void add(mooni_json_writer *w, const char *bytes, size_t n) {
  w->failed = w->failed || (w->room - w->length < n && !grow(w, n));
  if (w->failed) return;
  memcpy(w->text + w->length, bytes, n);
  w->length += n;
}

/* A comma, unless the value is the first one of its list, or has a key: no other value ends with such a character. */
static void begin_value(mooni_json_writer *w) {
  if (w->length && !strchr("{[:", w->text[w->length - 1])) add(w, ",", 1);
}

/* Text in quotes. */
static void add_quoted(mooni_json_writer *w, const char *text) {
  static const char special[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
  add(w, "\"", 1);
  while (*text) {
    size_t plain = 0;
    while ((unsigned char)text[plain] >= 0x20 && text[plain] != '"' && text[plain] != '\\') plain++;
    add(w, text, plain);
    text += plain;
    if (!*text) break;
    char escape[8];
    const char *found = strchr(special, *text);
    int n = found ? snprintf(escape, sizeof escape, "\\%c", names[found - special])
                  : snprintf(escape, sizeof escape, "\\u%04X", (unsigned)*text);
    add(w, escape, (size_t)n);
    text++;
  }
  add(w, "\"", 1);
}

void mooni_json_open(mooni_json_writer *w, char bracket) {
  begin_value(w);
  add(w, &bracket, 1);
}

void mooni_json_close(mooni_json_writer *w, char bracket) { add(w, &bracket, 1); }

void mooni_json_key(mooni_json_writer *w, const char *key) {
  mooni_json_text(w, key);
  add(w, ":", 1);
}

void mooni_json_text(mooni_json_writer *w, const char *text) {
  begin_value(w);
  add_quoted(w, text);
}

void mooni_json_flag(mooni_json_writer *w, bool flag) {
  begin_value(w);
  add(w, flag ? "true" : "false", flag ? 4 : 5);
}

void mooni_json_null(mooni_json_writer *w) {
  begin_value(w);
  add(w, "null", 4);
}

void mooni_json_integer(mooni_json_writer *w, int64_t n) {
  char digits[32];
  begin_value(w);
  add(w, digits, (size_t)snprintf(digits, sizeof digits, "%lld", (long long)n));
}

/* All digits that a double needs. Whatever stands between the digits is the point of the host's locale. A number
** without a point gets ".0", unless it has an exponent; the exponent is as short as can be. */
void mooni_json_real(mooni_json_writer *w, double v) {
  static const char numerals[] = "0123456789";
  char digits[64];
  snprintf(digits, sizeof digits, "%.17g", v);
  const char *rest = digits + strspn(digits, "-0123456789");
  begin_value(w);
  add(w, digits, (size_t)(rest - digits));
  if (!*rest) {
    add(w, ".0", 2);
  } else if (*rest != 'e') {
    rest += strcspn(rest, numerals);
    size_t fraction = strspn(rest, numerals);
    add(w, ".", 1);
    add(w, rest, fraction);
    rest += fraction;
  }
  if (*rest != 'e') return;
  add(w, "e-", rest[1] == '-' ? 2 : 1);
  rest += 1 + strspn(rest + 1, "+-0");
  add(w, rest, strlen(rest));
}

moon_status mooni_json_finish(mooni_json_writer *w, char **text) {
  add(w, "", 1);
  if (!w->failed) {
    *text = w->text;
    return MOON_OK;
  }
  size_t room = w->room;
  mooni_json_drop(w);
  return mooni_nomem(w->ctx, 2 * room);
}

void mooni_json_drop(mooni_json_writer *w) {
  mooni_free(w->ctx, w->text);
  *w = (mooni_json_writer){.ctx = w->ctx};
}
