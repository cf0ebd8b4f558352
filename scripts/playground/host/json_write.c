/* json_write.c - Lua values as JSON. */
#include <lauxlib.h>
#include <math.h>
#include <moonglass_lua.h>

#include "json.h"

enum { MOST_DEPTH = 12 };

static const char list_mark[] = "playground.list";

void json_push_list_mark(lua_State *L) { luaL_newmetatable(L, list_mark); }

static void write_tensor(const moon_tensor *t, text *out) {
  text_put(out, "{\"shape\":[");
  for (int i = 0; i < moon_tensor_rank(t); i++) text_format(out, i ? ",%zu" : "%zu", moon_tensor_shape(t)[i]);
  text_put(out, moon_tensor_dtype(t) == MOON_UINT8 ? "],\"u8\":\"" : "],\"f32\":\"");
  text_base64(out, moon_tensor_data(t), moon_tensor_bytes(t));
  text_put(out, "\"}");
}

static void write_number(lua_State *L, int index, text *out) {
  if (lua_isinteger(L, index))
    text_format(out, LUA_INTEGER_FMT, (LUAI_UACINT)lua_tointeger(L, index));
  else if (isfinite(lua_tonumber(L, index)))
    text_format(out, "%.17g", lua_tonumber(L, index));
  else
    text_put(out, "null");
}

static void write_value(lua_State *L, int index, text *out, int depth);

static void write_list(lua_State *L, int index, text *out, int depth) {
  lua_Integer n = (lua_Integer)lua_rawlen(L, index);
  text_put(out, "[");
  for (lua_Integer i = 1; i <= n; i++) {
    if (i > 1) text_put(out, ",");
    lua_rawgeti(L, index, i);
    write_value(L, lua_gettop(L), out, depth);
    lua_pop(L, 1);
  }
  text_put(out, "]");
}

static void write_object(lua_State *L, int index, text *out, int depth) {
  bool more = false;
  text_put(out, "{");
  lua_pushnil(L);
  while (lua_next(L, index)) {
    size_t size;
    if (lua_type(L, -2) != LUA_TSTRING)
      luaL_error(L, "JSON: a table without elements 1 to n has a key that is a %s, expected a string",
                 luaL_typename(L, -2));
    const char *key = lua_tolstring(L, -2, &size);
    if (more) text_put(out, ",");
    more = true;
    text_quote(out, key, size);
    text_put(out, ":");
    write_value(L, lua_gettop(L), out, depth);
    lua_pop(L, 1);
  }
  text_put(out, "}");
}

static bool is_list(lua_State *L, int index) {
  if (lua_rawlen(L, index) > 0) return true;
  if (!lua_getmetatable(L, index)) return false;
  luaL_getmetatable(L, list_mark);
  bool marked = lua_rawequal(L, -1, -2);
  lua_pop(L, 2);
  return marked;
}

static void write_value(lua_State *L, int index, text *out, int depth) {
  const moon_tensor *t = lua_type(L, index) == LUA_TUSERDATA ? moon_lua_to_tensor(L, index) : NULL;
  size_t size;
  if (depth > MOST_DEPTH) luaL_error(L, "JSON: tables are nested more than %d deep, or in a circle", MOST_DEPTH);
  luaL_checkstack(L, 4, "JSON");
  if (t) {
    write_tensor(t, out);
    return;
  }
  switch (lua_type(L, index)) {
    case LUA_TNIL: text_put(out, "null"); break;
    case LUA_TBOOLEAN: text_put(out, lua_toboolean(L, index) ? "true" : "false"); break;
    case LUA_TNUMBER: write_number(L, index, out); break;
    case LUA_TSTRING: {
      const char *s = lua_tolstring(L, index, &size);
      text_quote(out, s, size);
      break;
    }
    case LUA_TTABLE: (is_list(L, index) ? write_list : write_object)(L, index, out, depth + 1); break;
    default: luaL_error(L, "JSON: a %s has no place in it", luaL_typename(L, index));
  }
}

void json_write(lua_State *L, int index, text *out) {
  write_value(L, lua_absindex(L, index), out, 0);
  if (out->failed) luaL_error(L, "JSON: %s (at most %d bytes)", out->failed, (int)out->limit);
}
