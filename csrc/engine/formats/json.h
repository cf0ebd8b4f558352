/* json.h - reading JSON into a tree of values, each linked to the next one of its array or object; and writing it. */
#ifndef MOONI_JSON_H
#define MOONI_JSON_H

#include <jansson.h>

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

/* The value as compact text on one line, to be freed with mooni_free. Takes over value. MOON_ENOMEM, also if value is
** NULL: jansson fails in no other way. */
moon_status mooni_json_write(moon_ctx *ctx, char **out, json_t *value);

#endif
