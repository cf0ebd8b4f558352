/* output.c - the lines of the standard output: text with tabs, or JSON. */
#include "output.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- text that grows ---- */

/* Room for n more bytes, at the end of the text; NULL: no memory, which output_flush tells. */
static char *reserve(output *out, size_t n) {
  if (out->room - out->used < n) {
    size_t room = 2 * out->room + n + 4096;
    char *text = realloc(out->text, room);
    if (!text) {
      out->no_memory = true;
      return NULL;
    }
    out->text = text;
    out->room = room;
  }
  return out->text + out->used;
}

static void add_bytes(output *out, const char *bytes, size_t n) {
  char *end = reserve(out, n);
  if (!end) return;
  memcpy(end, bytes, n);
  out->used += n;
}

static void add(output *out, const char *text) { add_bytes(out, text, strlen(text)); }

/* The text of a number is short. */
__attribute__((format(printf, 2, 3))) static void add_short(output *out, const char *pattern, ...) {
  enum { ENOUGH = 64 };
  char *end = reserve(out, ENOUGH);
  if (!end) return;
  va_list arguments;
  va_start(arguments, pattern);
  int n = vsnprintf(end, ENOUGH, pattern, arguments);
  va_end(arguments);
  if (n > 0) out->used += (size_t)n < ENOUGH ? (size_t)n : ENOUGH - 1;
}

static void add_whole(output *out, size_t value) {
  char digits[24];
  size_t i = sizeof digits;
  do digits[--i] = (char)('0' + value % 10);
  while (value /= 10);
  add_bytes(out, digits + i, sizeof digits - i);
}

/* ---- names ---- */

/* The length of the UTF-8 character at the start of s; 0 if it is not one. */
static size_t utf8_length(const unsigned char *s) {
  static const unsigned char low[] = {0x80, 0xa0, 0x80, 0x90, 0x80}, high[] = {0xbf, 0xbf, 0x9f, 0xbf, 0x8f};
  size_t n = *s < 0x80 ? 1 : *s < 0xc2 ? 0 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : *s < 0xf5 ? 4 : 0;
  int bounds = *s == 0xe0 ? 1 : *s == 0xed ? 2 : *s == 0xf0 ? 3 : *s == 0xf4 ? 4 : 0;
  for (size_t i = 1; i < n; i++) /* a zero at the end of the text is none of these bytes */
    if (s[i] < (i == 1 ? low[bounds] : 0x80) || s[i] > (i == 1 ? high[bounds] : 0xbf)) return 0;
  return n;
}

/* A name may be any bytes of a file. Quoted: as a text of JSON; else control characters become '?'. */
static void add_name(output *out, const char *name, bool quoted) {
  if (quoted) add(out, "\"");
  for (const unsigned char *s = (const unsigned char *)name; *s;) {
    size_t n = utf8_length(s);
    if (n == 0)
      add(out, "\xef\xbf\xbd");
    else if (quoted && (*s == '"' || *s == '\\'))
      add_short(out, "\\%c", *s);
    else if (*s < 0x20 || *s == 0x7f)
      quoted ? add_short(out, "\\u%04x", *s) : add(out, "?");
    else
      add_bytes(out, (const char *)s, n);
    s += n ? n : 1;
  }
  if (quoted) add(out, "\"");
}

/* ---- a row as JSON ---- */

/* JSON has no NaN and no infinity. */
static void add_number(output *out, double value) {
  if (isfinite(value))
    add_short(out, "%.9g", value);
  else
    add(out, "null");
}

static void add_json_reason(output *out, const moon_reason *r) {
  add(out, "{\"column\":");
  add_name(out, r->column, true);
  add(out, ",\"value\":");
  add_number(out, (double)r->value);
  add(out, ",\"expected\":");
  add_number(out, (double)r->expected);
  add(out, ",\"share\":");
  add_number(out, (double)r->share);
  add(out, r->outside ? ",\"outside\":true}" : ",\"outside\":false}");
}

static void add_json(output *out, const verdict *v) {
  add(out, out->o->format == FORMAT_CSV ? "{\"line\":" : "{\"row\":");
  add_whole(out, v->place);
  add(out, ",\"score\":");
  add_number(out, v->score);
  if (out->judged) add(out, v->alarm ? ",\"alarm\":true" : ",\"alarm\":false");
  if (out->o->why) {
    add(out, ",\"why\":[");
    for (size_t i = 0; i < v->reason_count; i++) {
      if (i) add(out, ",");
      add_json_reason(out, &v->reasons[i]);
    }
    add(out, "]");
  }
  add(out, "}\n");
}

/* ---- a row as text ---- */

/* "pressure 9.81 (expected 4.02, 71 %)". In these, which are for a person, six digits are enough. */
static void add_text_reason(output *out, const moon_reason *r) {
  add_name(out, r->column, false);
  add_short(out, " %.6g (expected ", (double)r->value);
  add_short(out, "%.6g, ", (double)r->expected);
  add_short(out, "%.0f %%", 100 * (double)r->share);
  add(out, r->outside ? ", out of range)" : ")");
}

static void add_text(output *out, const verdict *v) {
  if (out->o->only) {
    add_whole(out, v->place);
    add(out, "\t");
  }
  add_short(out, "%.9g", v->score);
  if (out->judged && !out->o->only) add(out, v->alarm ? "\t1" : "\t0");
  if (out->o->why) add(out, "\t");
  for (size_t i = 0; out->o->why && i < v->reason_count; i++) {
    if (i) add(out, "; ");
    add_text_reason(out, &v->reasons[i]);
  }
  add(out, "\n");
}

void output_row(output *out, const verdict *v) {
  if (out->o->only && !v->alarm) return;
  if (out->o->json)
    add_json(out, v);
  else
    add_text(out, v);
}

outcome output_flush(output *out) {
  if (out->no_memory) return say_failure("out of memory for the lines of the output");
  for (size_t done = 0; done < out->used;) {
    ssize_t n = write(STDOUT_FILENO, out->text + done, out->used - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EPIPE ? CLOSED : say_failure("cannot write the scores: %s", strerror(errno));
    done += (size_t)n;
  }
  out->used = 0;
  return GOING;
}

void output_free(output *out) { free(out->text); }
