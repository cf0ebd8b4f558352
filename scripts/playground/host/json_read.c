/* json_read.c - JSON that a visitor sent, as Lua values. */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "json.h"

/* A drawing has 784 numbers, 5,000 placed points 15,000. jansson takes about 50 bytes for a number. */
enum { MOST_VALUES = 60000, MOST_DEPTH = 12 };

/* What is wrong with the size of the text's values, before jansson makes them; NULL: nothing. */
static const char *too_much(const char *s, size_t size) {
  size_t values = 1;
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < size; i++) {
    if (s[i] == '\\' && quoted)
      i++;
    else if (s[i] == '"')
      quoted = !quoted;
    else if (quoted)
      continue;
    else if (s[i] == '[' || s[i] == '{')
      depth++, values++;
    else if (s[i] == ']' || s[i] == '}')
      depth--;
    else if (s[i] == ',')
      values++;
    if (depth > MOST_DEPTH) return "it is nested too deeply";
    if (values > MOST_VALUES) return "it has too many values";
  }
  return NULL;
}

json_t *json_read(const char *bytes, size_t size, char *words, size_t room) {
  json_error_t error;
  const char *problem = too_much(bytes, size);
  if (problem) {
    snprintf(words, room, "the body is no JSON that this server takes: %s", problem);
    return NULL;
  }
  json_t *value = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &error);
  if (!value) {
    snprintf(words, room, "the body is no JSON: %s (byte %d)", error.text, error.position);
  } else if (!json_is_object(value)) {
    snprintf(words, room, "the body is JSON, but no object: expected {\"do\": ...}");
    json_decref(value);
    value = NULL;
  }
  return value;
}

static void push_array(lua_State *L, const json_t *array) {
  size_t n = json_array_size(array);
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n; i++) {
    json_push(L, json_array_get(array, i));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

static void push_object(lua_State *L, const json_t *object) {
  const char *key;
  json_t *value;
  lua_createtable(L, 0, (int)json_object_size(object));
  json_object_foreach((json_t *)object, key, value) {
    lua_pushstring(L, key);
    json_push(L, value);
    lua_rawset(L, -3);
  }
}

void json_push(lua_State *L, const json_t *value) {
  luaL_checkstack(L, 4, "JSON");
  switch (json_typeof(value)) {
    case JSON_OBJECT: push_object(L, value); break;
    case JSON_ARRAY: push_array(L, value); break;
    case JSON_STRING: lua_pushlstring(L, json_string_value(value), json_string_length(value)); break;
    case JSON_INTEGER: lua_pushinteger(L, (lua_Integer)json_integer_value(value)); break;
    case JSON_REAL: lua_pushnumber(L, json_real_value(value)); break;
    case JSON_TRUE: lua_pushboolean(L, 1); break;
    case JSON_FALSE: lua_pushboolean(L, 0); break;
    default: lua_pushnil(L); break;
  }
}
