/* json.c - reading JSON (RFC 8259).
**
** A text is read twice, by the same functions: first to check it and to count, then to build the tree in one block of
** the context's memory. So there is one allocation, and a hostile file cannot make it larger than what the file
** holds. */
#include "json.h"

#include <string.h>

#include "../core/error.h"
#include "../core/memory.h"
#include "../core/sort.h"
#include "number.h"

enum { DEEPEST = 64 };

typedef struct parser {
  const char *at, *end;
  const char *error; /* NULL: none yet */
  int depth;
  size_t values, bytes; /* counted or built so far */
  mooni_json *nodes;    /* NULL: only count */
  mooni_json **sorted;  /* room for all values */
  char *texts;
} parser;

static bool fail(parser *p, const char *error) {
  p->error = error;
  return false;
}

/* ---- texts ---- */

/* Bytes of the UTF-8 character at text; 0 if it is not valid: no overlong forms, no surrogates, nothing past
** U+10FFFF. */
static size_t utf8_length(const char *text, const char *end) {
  const unsigned char *p = (const unsigned char *)text;
  unsigned c = p[0], low = 0x80, high = 0xbf;
  size_t n = c < 0x80 ? 1 : c >= 0xc2 && c <= 0xdf ? 2 : c >= 0xe0 && c <= 0xef ? 3 : c >= 0xf0 && c <= 0xf4 ? 4 : 0;
  if (!n || n > (size_t)(end - text)) return 0;
  if (c == 0xe0) low = 0xa0;
  if (c == 0xed) high = 0x9f;
  if (c == 0xf0) low = 0x90;
  if (c == 0xf4) high = 0x8f;
  for (size_t i = 1; i < n; i++, low = 0x80, high = 0xbf)
    if (p[i] < low || p[i] > high) return 0;
  return n;
}

bool mooni_is_utf8(const char *text) {
  const char *end = text + strlen(text);
  for (size_t n; text < end; text += n)
    if (!(n = utf8_length(text, end))) return false;
  return true;
}

static void put(parser *p, const char *bytes, size_t n) {
  if (p->texts) memcpy(p->texts + p->bytes, bytes, n);
  p->bytes += n;
}

static void put_code(parser *p, unsigned c) {
  char b[4];
  size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
  for (size_t i = n; i-- > 1; c >>= 6) b[i] = (char)(0x80 | (c & 0x3f));
  b[0] = (char)(lead[n] | c);
  put(p, b, n);
}

static bool read_hex(parser *p, unsigned *code) {
  *code = 0;
  if (p->end - p->at < 4) return fail(p, "four hexadecimal digits are expected");
  for (int i = 0; i < 4; i++) {
    char c = *p->at++;
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (digit < 0) return fail(p, "four hexadecimal digits are expected");
    *code = *code << 4 | (unsigned)digit;
  }
  return true;
}

/* After "\u". A character beyond 16 bits comes as a pair of codes. */
static bool read_code(parser *p) {
  unsigned code, low;
  if (!read_hex(p, &code)) return false;
  if (!code) return fail(p, "a text with a zero byte");
  if (code >= 0xd800 && code <= 0xdfff) {
    bool pair = code < 0xdc00 && p->end - p->at > 2 && p->at[0] == '\\' && p->at[1] == 'u';
    if (!pair) return fail(p, "half a surrogate pair");
    p->at += 2;
    if (!read_hex(p, &low)) return false;
    if (low < 0xdc00 || low > 0xdfff) return fail(p, "half a surrogate pair");
    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
  }
  put_code(p, code);
  return true;
}

static bool read_escape(parser *p) {
  static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
  if (++p->at == p->end) return fail(p, "the end within a text");
  char c = *p->at++;
  if (c == 'u') return read_code(p);
  const char *found = c ? strchr(names, c) : NULL;
  if (!found) return fail(p, "an unknown escape in a text");
  put(p, &values[found - names], 1);
  return true;
}

static bool read_text(parser *p, const char **out) {
  size_t begin = p->bytes;
  if (p->at == p->end || *p->at != '"') return fail(p, "a text is expected");
  p->at++;
  while (p->at < p->end && *p->at != '"') {
    if ((unsigned char)*p->at < 0x20) return fail(p, "a control character in a text");
    if (*p->at == '\\') {
      if (!read_escape(p)) return false;
      continue;
    }
    size_t n = utf8_length(p->at, p->end);
    if (!n) return fail(p, "a text that is not UTF-8");
    put(p, p->at, n);
    p->at += n;
  }
  if (p->at == p->end) return fail(p, "the end within a text");
  p->at++;
  put(p, "", 1);
  *out = p->texts ? p->texts + begin : "";
  return true;
}

/* ---- numbers and words ---- */

static size_t skip_digits(parser *p) {
  const char *from = p->at;
  while (p->at < p->end && *p->at >= '0' && *p->at <= '9') p->at++;
  return (size_t)(p->at - from);
}

static bool take(parser *p, char c) {
  if (p->at == p->end || *p->at != c) return false;
  p->at++;
  return true;
}

static bool read_integer(parser *p, mooni_json *v, const char *from) {
  bool negative = *from == '-', fits = true;
  v->integer = 0;
  for (from += negative; from < p->at; from++) {
    int digit = negative ? '0' - *from : *from - '0';
    fits = fits && !__builtin_mul_overflow(v->integer, 10, &v->integer) &&
           !__builtin_add_overflow(v->integer, digit, &v->integer);
  }
  v->type = MOONI_JSON_INTEGER;
  v->number = (double)v->integer;
  return fits ? true : fail(p, "an integer of more than 64 bits");
}

static bool read_real(parser *p, mooni_json *v, const char *from) {
  v->type = MOONI_JSON_REAL;
  return mooni_number_read(from, p->at, '.', &v->number) == MOONI_NUMBER || fail(p, "a number that is too large");
}

static bool read_number(parser *p, mooni_json *v) {
  const char *from = p->at;
  take(p, '-');
  if (!take(p, '0') && !skip_digits(p)) return fail(p, "a digit is expected");
  bool whole = true;
  if (take(p, '.')) {
    whole = false;
    if (!skip_digits(p)) return fail(p, "a digit is expected");
  }
  if (take(p, 'e') || take(p, 'E')) {
    whole = false;
    if (!take(p, '+')) take(p, '-');
    if (!skip_digits(p)) return fail(p, "a digit is expected");
  }
  return whole ? read_integer(p, v, from) : read_real(p, v, from);
}

static bool read_word(parser *p, mooni_json *v) {
  static const char *const words[] = {"true", "false", "null"};
  for (int i = 0; i < 3; i++) {
    size_t n = strlen(words[i]);
    if ((size_t)(p->end - p->at) < n || memcmp(p->at, words[i], n) != 0) continue;
    p->at += n;
    v->type = (mooni_json_type)(MOONI_JSON_TRUE + i);
    return true;
  }
  return fail(p, "a value is expected");
}

/* ---- arrays and objects ---- */

static void skip_space(parser *p) {
  while (p->at < p->end && (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r')) p->at++;
}

static bool key_before(const void *a, const void *b, const void *ud) {
  (void)ud;
  return strcmp((*(mooni_json *const *)a)->key, (*(mooni_json *const *)b)->key) < 0;
}

/* Is a key there twice? */
static bool has_duplicates(parser *p, const mooni_json *object) {
  mooni_json **list = p->sorted;
  size_t n = 0, i = 1;
  for (mooni_json *v = object->first; v; v = v->next) list[n++] = v;
  mooni_sort(list, n, sizeof *list, key_before, NULL);
  while (i < n && strcmp(list[i - 1]->key, list[i]->key) != 0) i++;
  return i < n;
}

static bool read_value(parser *p, mooni_json *v);

/* Read one more value of a container; *last is where to link it. */
static bool read_member(parser *p, mooni_json *container, mooni_json ***last) {
  mooni_json counted = {0}, *v = p->nodes ? &p->nodes[p->values] : &counted;
  p->values++;
  *v = counted;
  if (container->type == MOONI_JSON_OBJECT) {
    if (!read_text(p, &v->key)) return false;
    skip_space(p);
    if (!take(p, ':')) return fail(p, "':' is expected");
  }
  if (p->nodes) **last = v;
  *last = &v->next;
  container->count++;
  bool good = read_value(p, v);
  if (!p->nodes) *last = &container->first; /* a value that was only counted no longer exists */
  return good;
}

static bool read_container(parser *p, mooni_json *v, char close) {
  mooni_json **last = &v->first;
  v->type = *p->at++ == '{' ? MOONI_JSON_OBJECT : MOONI_JSON_ARRAY;
  if (++p->depth > DEEPEST) return fail(p, "nested more than 64 deep");
  skip_space(p);
  if (!take(p, close)) {
    do {
      skip_space(p);
      if (!read_member(p, v, &last)) return false;
      skip_space(p);
    } while (take(p, ','));
    if (!take(p, close)) return fail(p, "',' or the end of the list is expected");
  }
  p->depth--;
  if (p->nodes && v->type == MOONI_JSON_OBJECT && has_duplicates(p, v)) return fail(p, "a duplicate key in the object");
  return true;
}

static bool read_value(parser *p, mooni_json *v) {
  skip_space(p);
  if (p->at == p->end) return fail(p, "a value is expected");
  switch (*p->at) {
    case '{': return read_container(p, v, '}');
    case '[': return read_container(p, v, ']');
    case '"': v->type = MOONI_JSON_TEXT; return read_text(p, &v->text);
    case 't':
    case 'f':
    case 'n': return read_word(p, v);
    default: return read_number(p, v);
  }
}

/* One pass over the whole text. The root is the first node. */
static bool read_all(parser *p) {
  mooni_json counted = {0}, *root = p->nodes ? p->nodes : &counted;
  p->values = 1;
  p->bytes = 0;
  *root = counted;
  if (!read_value(p, root)) return false;
  skip_space(p);
  return p->at == p->end ? true : fail(p, "the end is expected");
}

moon_status mooni_json_parse(moon_ctx *ctx, mooni_json **out, const char *text, size_t size, const char *what) {
  parser count = {.at = text, .end = text + size};
  parser build = count;
  bool good = read_all(&count);
  if (good) {
    size_t bytes = count.values * (sizeof *build.nodes + sizeof *build.sorted) + count.bytes;
    build.nodes = mooni_alloc(ctx, bytes);
    if (!build.nodes) return mooni_nomem(ctx, bytes);
    build.sorted = (mooni_json **)(build.nodes + count.values);
    build.texts = (char *)(build.sorted + count.values);
    good = read_all(&build);
  }
  if (good) {
    *out = build.nodes;
    return MOON_OK;
  }
  const parser *failed = count.error ? &count : &build;
  mooni_free(ctx, build.nodes);
  return mooni_fail(ctx, MOON_EFORMAT, "%s is not valid JSON: %s at byte %zu", what, failed->error,
                    (size_t)(failed->at - text));
}

/* ---- looking at it ---- */

const mooni_json *mooni_json_get(const mooni_json *object, const char *key) {
  const mooni_json *v = object && object->type == MOONI_JSON_OBJECT ? object->first : NULL;
  while (v && strcmp(v->key, key) != 0) v = v->next;
  return v;
}

const char *mooni_json_text_of(const mooni_json *value) {
  return value && value->type == MOONI_JSON_TEXT ? value->text : NULL;
}

const char *mooni_json_kind(const mooni_json *value) {
  static const char *const kinds[] = {"an object",     "an array", "a text", "an integer",
                                      "a real number", "true",     "false",  "null"};
  return value ? kinds[value->type] : "nothing";
}
