/* text.c - a growing text: plain, as a JSON string, as base64 (RFC 4648). */
#include "text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Make room for more bytes and a zero. */
static bool reserve(text *t, size_t more) {
  if (t->failed) return false;
  if (more > t->limit - t->size) {
    t->failed = "it is too large";
    return false;
  }
  size_t need = t->size + more + 1;
  if (need <= t->room) return true;
  size_t room = t->room + t->room / 2 + 256;
  if (room < need) room = need;
  char *data = realloc(t->data, room);
  if (!data) {
    t->failed = "out of memory";
    return false;
  }
  t->data = data, t->room = room;
  return true;
}

void text_add(text *t, const void *bytes, size_t size) {
  if (!reserve(t, size)) return;
  if (size) memcpy(t->data + t->size, bytes, size);
  t->data[t->size += size] = '\0';
}

void text_put(text *t, const char *words) { text_add(t, words, strlen(words)); }

/* Most numbers fit in the room that is there, and are made once. */
void text_format(text *t, const char *format, ...) {
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  size_t room = t->room - t->size;
  int size = vsnprintf(room ? t->data + t->size : NULL, room, format, arguments);
  if (size >= 0 && reserve(t, (size_t)size)) {
    if ((size_t)size >= room) vsnprintf(t->data + t->size, (size_t)size + 1, format, again);
    t->size += (size_t)size;
  }
  va_end(again);
  va_end(arguments);
}

/* ---- a JSON string ---- */

/* The length of the UTF-8 character at s; 0: there is none. Overlong forms and surrogates are none. */
static size_t character(const unsigned char *s, size_t size) {
  if (s[0] < 0x80) return 1;
  size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
  if (s[0] < 0xc2 || s[0] > 0xf4 || n > size) return 0;
  for (size_t i = 1; i < n; i++)
    if ((s[i] & 0xc0) != 0x80) return 0;
  if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)) return 0;
  if ((s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)) return 0;
  return n;
}

static bool is_plain(unsigned char c) { return c >= ' ' && c < 0x80 && c != '"' && c != '\\' && c != 127; }

/* Add the first character that is not plain; return its size. */
static size_t add_special(text *t, const unsigned char *s, size_t size) {
  size_t n = character(s, size);
  if (n > 1)
    text_add(t, s, n);
  else if (n == 0)
    text_put(t, "\xef\xbf\xbd");
  else if (*s == '"' || *s == '\\')
    text_format(t, "\\%c", *s);
  else if (*s == '\n')
    text_put(t, "\\n");
  else
    text_format(t, "\\u%04x", *s);
  return n ? n : 1;
}

void text_quote(text *t, const char *bytes, size_t size) {
  const unsigned char *s = (const unsigned char *)bytes;
  text_put(t, "\"");
  while (size && !t->failed) {
    size_t n = 0;
    while (n < size && is_plain(s[n])) n++;
    text_add(t, s, n);
    if (n < size) n += add_special(t, s + n, size - n);
    s += n, size -= n;
  }
  text_put(t, "\"");
}

void text_object(text *t, const char *key, const char *words, size_t size) {
  text_format(t, "{\"%s\":", key);
  text_quote(t, words, size);
  text_put(t, "}");
}

/* ---- base64 ---- */

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void text_base64(text *t, const void *bytes, size_t size) {
  const unsigned char *s = bytes;
  if (size > t->limit || !reserve(t, (size + 2) / 3 * 4)) {
    t->failed = t->failed ? t->failed : "it is too large";
    return;
  }
  char *out = t->data + t->size;
  for (size_t i = 0; i < size; i += 3) {
    size_t left = size - i;
    unsigned v = (unsigned)s[i] << 16 | (left > 1 ? (unsigned)s[i + 1] << 8 : 0) | (left > 2 ? s[i + 2] : 0u);
    *out++ = letters[v >> 18];
    *out++ = letters[v >> 12 & 63];
    *out++ = left > 1 ? letters[v >> 6 & 63] : '=';
    *out++ = left > 2 ? letters[v & 63] : '=';
  }
  *out = '\0';
  t->size = (size_t)(out - t->data);
}

/* The six bits of a letter; -1: it is none. */
static int value_of(char c) {
  const char *at = c ? strchr(letters, c) : NULL;
  return at ? (int)(at - letters) : -1;
}

bool text_from_base64(text *t, const char *code, size_t size) {
  if (size % 4) return false;
  size_t padding = size && code[size - 1] == '=' ? (code[size - 2] == '=' ? 2 : 1) : 0;
  for (size_t i = 0; i < size; i += 4) {
    size_t n = i + 4 == size ? 4 - padding : 4;
    uint32_t v = 0;
    for (size_t k = 0; k < 4; k++) {
      int six = k < n ? value_of(code[i + k]) : 0;
      if (six < 0) return false;
      v = v << 6 | (uint32_t)six;
    }
    const unsigned char three[] = {(unsigned char)(v >> 16), (unsigned char)(v >> 8), (unsigned char)v};
    text_add(t, three, n - 1);
  }
  return !t->failed;
}

void text_clear(text *t, size_t keep) {
  if (t->room > keep) {
    text_free(t);
  } else if (t->data) {
    t->data[0] = '\0';
  }
  t->size = 0, t->failed = NULL;
}

void text_free(text *t) {
  free(t->data);
  t->data = NULL, t->size = t->room = 0;
}
