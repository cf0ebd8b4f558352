/* bind_texts.c - lists of texts, and columns of texts, from Lua and to Lua. */
#include "bind_texts.h"

#include <lauxlib.h>
#include <limits.h>
#include <string.h>

#include "bind_args.h"

/* The text on the top: element i of `what`, from 1. */
static const char *check_text(lua_State *L, const char *function, const char *what, size_t i) {
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
  if (!text || strlen(text) != lua_rawlen(L, -1))
    luaL_error(L, "%s: %s[%I] is %s, expected a text%s", function, what, (LUAI_UACINT)i, bind_shown(L, -1),
               text ? " without a zero byte" : "");
  return text;
}

const char **bind_read_texts(lua_State *L, const char *function, const char *what, size_t *n) {
  const int list = lua_gettop(L);
  *n = 0;
  if (!lua_toboolean(L, list)) return NULL;
  if (!lua_istable(L, list)) luaL_error(L, "%s: %s is %s, expected a list", function, what, bind_shown(L, list));
  *n = lua_rawlen(L, list);
  if (*n > INT_MAX / sizeof(char *)) luaL_error(L, "%s: %s are too many", function, what);
  lua_createtable(L, (int)*n, 0);
  const char **texts = lua_newuserdatauv(L, *n * sizeof *texts + 1, 0);
  for (size_t i = 0; i < *n; i++) {
    lua_rawgeti(L, list, (lua_Integer)i + 1);
    texts[i] = check_text(L, function, what, i + 1);
    lua_rawseti(L, -3, (lua_Integer)i + 1);
  }
  return texts;
}

const moon_csv_category *bind_read_categories(lua_State *L, const char *function, size_t *n) {
  *n = 0;
  if (lua_isnil(L, -1)) return NULL;
  luaL_checktype(L, -1, LUA_TTABLE);
  const int list = lua_gettop(L);
  *n = lua_rawlen(L, list);
  moon_csv_category *categories = lua_newuserdatauv(L, *n * sizeof *categories + 1, 0);
  for (size_t i = 0; i < *n; i++) {
    bind_want_stack(L, LUA_MINSTACK, function);
    lua_rawgeti(L, list, (lua_Integer)i + 1);
    luaL_checktype(L, -1, LUA_TTABLE);
    lua_rawgeti(L, -1, 1);
    categories[i].column = check_text(L, function, "categories", i + 1);
    const char *what = lua_pushfstring(L, "categories.%s", categories[i].column);
    lua_rawgeti(L, -3, 2);
    categories[i].values = bind_read_texts(L, function, what, &categories[i].count);
  }
  return categories;
}

void bind_push_texts(lua_State *L, const char *const *texts, size_t n) {
  lua_createtable(L, n < INT_MAX ? (int)n : 0, 0);
  for (size_t i = 0; i < n; i++) {
    lua_pushstring(L, texts[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

void bind_push_categories(lua_State *L, const moon_csv_category *categories, size_t n) {
  lua_createtable(L, 0, n < INT_MAX ? (int)n : 0);
  for (size_t i = 0; i < n; i++) {
    bind_push_texts(L, categories[i].values, categories[i].count);
    lua_setfield(L, -2, categories[i].column);
  }
}
