/* json.h - reading JSON into a tree of values, each linked to the next one of its array or object; and writing it. */
#ifndef MOONI_JSON_H
#define MOONI_JSON_H

#include "../../moonglass.h"

typedef enum mooni_json_type {
  MOONI_JSON_OBJECT,
  MOONI_JSON_ARRAY,
  MOONI_JSON_TEXT,
  MOONI_JSON_INTEGER,
  MOONI_JSON_REAL,
  MOONI_JSON_TRUE,
  MOONI_JSON_FALSE,
  MOONI_JSON_NULL
} mooni_json_type;

typedef struct mooni_json {
  mooni_json_type type;
  int64_t integer;
  double number;          /* of an integer, too */
  const char *key, *text; /* key: in an object. UTF-8, without zero bytes */
  struct mooni_json *first, *next;
  size_t count; /* of an array's or object's values */
} mooni_json;

/* Parse size bytes; free *out with mooni_free. what begins a message. MOON_EFORMAT: not JSON, or a key twice in an
** object, an integer of more than 64 bits, values nested more than 64 deep. MOON_ENOMEM. */
moon_status mooni_json_parse(moon_ctx *ctx, mooni_json **out, const char *text, size_t size, const char *what);

/* The value of a key; NULL if there is none, or no object. The text of a value; NULL if it is not a text. */
const mooni_json *mooni_json_get(const mooni_json *object, const char *key);
const char *mooni_json_text_of(const mooni_json *value);

/* "an integer", "a text", ..., "nothing" for NULL: for messages. */
const char *mooni_json_kind(const mooni_json *value);

bool mooni_is_utf8(const char *text);

/* ---- json_write.c ----
** A text that is written value by value; commas come by themselves. Begin with {.ctx = ctx}. Running out of memory is
** remembered, and reported by finish. Texts must be UTF-8, and reals finite. */
typedef struct mooni_json_writer {
  moon_ctx *ctx;
  char *text;
  size_t length, room;
  bool failed;
} mooni_json_writer;

/* A list: '[' and ']', '{' and '}'. In an object a key stands before each value. */
void mooni_json_open(mooni_json_writer *w, char bracket);
void mooni_json_close(mooni_json_writer *w, char bracket);
void mooni_json_key(mooni_json_writer *w, const char *key);

void mooni_json_text(mooni_json_writer *w, const char *text);
void mooni_json_flag(mooni_json_writer *w, bool flag);
void mooni_json_integer(mooni_json_writer *w, int64_t n);
void mooni_json_real(mooni_json_writer *w, double v);
void mooni_json_null(mooni_json_writer *w);

/* The text, to be freed with mooni_free; MOON_ENOMEM. Or nothing: drop it. */
moon_status mooni_json_finish(mooni_json_writer *w, char **text);
void mooni_json_drop(mooni_json_writer *w);

#endif
