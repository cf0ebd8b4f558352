/* bind_option.c - options between Lua and the engine: one value, and all the arguments of a constructor. */
#include "bind_option.h"

#include <math.h>
#include <string.h>

#include "bind_handle.h"

/* ---- one value ---- */

static const char *const expected[] = {"a number", "a whole number",          "true or false",
                                       "a string", "two numbers {low, high}", "a layer"};

static bool read_range(lua_State *L, int index, moon_option *o) {
  if (lua_type(L, index) != LUA_TTABLE || lua_rawlen(L, index) != 2) return false;
  bool numbers = lua_rawgeti(L, index, 1) == LUA_TNUMBER;
  numbers = lua_rawgeti(L, index, 2) == LUA_TNUMBER && numbers;
  o->number = lua_tonumber(L, -2);
  o->upper = lua_tonumber(L, -1);
  lua_pop(L, 2);
  return numbers;
}

/* Read a value of kind o->kind; false if the type is wrong. Strings and numbers are not converted. */
static bool read_value(lua_State *L, int index, moon_option *o) {
  int type = lua_type(L, index);
  switch (o->kind) {
    case MOON_NUMBER:
    case MOON_COUNT: o->number = lua_tonumber(L, index); return type == LUA_TNUMBER;
    case MOON_FLAG: o->number = lua_toboolean(L, index); return type == LUA_TBOOLEAN;
    case MOON_TEXT: o->text = type == LUA_TSTRING ? lua_tostring(L, index) : NULL; return o->text != NULL;
    case MOON_RANGE: return read_range(L, index, o);
    case MOON_LAYER: o->layer = bind_test(L, index, BIND_LAYER); return o->layer != NULL;
  }
  return false;
}

void bind_read_option(lua_State *L, int index, const char *name, const moon_option_info *info, moon_option *option) {
  *option = (moon_option){.name = info->name, .kind = info->kind};
  if (!read_value(L, index, option))
    luaL_error(L, "%s: %s is %s, expected %s", name, info->name, bind_shown(L, index), expected[info->kind]);
  if (option->text && strlen(option->text) != lua_rawlen(L, index))
    luaL_error(L, "%s: option '%s' holds a zero byte, expected text", name, info->name);
}

void bind_push_option(lua_State *L, const moon_option *option) {
  switch (option->kind) {
    case MOON_NUMBER: lua_pushnumber(L, option->number); return;
    case MOON_COUNT: lua_pushinteger(L, (lua_Integer)option->number); return;
    case MOON_FLAG: lua_pushboolean(L, option->number != 0); return;
    case MOON_TEXT:
      if (!option->text || !*option->text) break;
      lua_pushstring(L, option->text);
      return;
    case MOON_RANGE:
      if (isnan(option->number)) break;
      lua_createtable(L, 2, 0);
      lua_pushnumber(L, option->number);
      lua_rawseti(L, -2, 1);
      lua_pushnumber(L, option->upper);
      lua_rawseti(L, -2, 2);
      return;
    case MOON_LAYER:
      if (!option->layer) break;
      bind_push(L, BIND_LAYER, option->layer);
      return;
  }
  lua_pushnil(L); /* not given */
}

/* ---- the arguments of a constructor ---- */

bool bind_find_option(lua_State *L, moon_family family, const char *name, const char *option, moon_option_info *info) {
  for (size_t i = 0; moon_option_describe(bind_ctx(L), family, name, i, info); i++)
    if (strcmp(info->name, option) == 0) return true;
  return false;
}

void bind_offer_options(lua_State *L, bind_nearest *n, moon_family family, const char *name) {
  moon_option_info info;
  for (size_t i = 0; moon_option_describe(bind_ctx(L), family, name, i, &info); i++) bind_offer(n, info.name);
}

/* Push "in, out, activation": the names of the options, or only of the positional ones. */
static const char *push_names(lua_State *L, moon_family family, const char *name, bool positional) {
  moon_option_info info;
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  bool first = true;
  for (size_t i = 0; moon_option_describe(bind_ctx(L), family, name, i, &info); i++) {
    if (positional && !info.positional) continue;
    if (!first) luaL_addstring(&text, ", ");
    luaL_addstring(&text, info.name);
    first = false;
  }
  if (first) luaL_addstring(&text, "none");
  luaL_pushresult(&text);
  return lua_tostring(L, -1);
}

static void check_names(lua_State *L, int named, moon_family family, const char *name) {
  moon_option_info info;
  for (lua_pushnil(L); lua_next(L, named); lua_pop(L, 1)) {
    bool text = lua_type(L, -2) == LUA_TSTRING;
    const char *key = text ? lua_tostring(L, -2) : bind_shown(L, -2);
    if (text && bind_find_option(L, family, name, key, &info)) continue;
    if (!text)
      luaL_error(L, "%s: the value at [%s] has no name, expected options by name (known: %s)", name, key,
                 push_names(L, family, name, false));
    bind_nearest n = {.name = key};
    bind_offer_options(L, &n, family, name);
    luaL_error(L, "%s: unknown option '%s'%s (known: %s)", name, key, bind_push_question(L, &n),
               push_names(L, family, name, false));
  }
}

/* Push the value of an option, given by position or by name, and return its index; 0, with nothing pushed, if it was
** not given. The value stays on the stack, which keeps its text alive. */
static int find_value(lua_State *L, const moon_option_info *info, const char *name, int argument, int named) {
  bool by_position = argument && !lua_isnil(L, argument);
  if (named) {
    lua_pushstring(L, info->name);
    if (lua_rawget(L, named) != LUA_TNIL) {
      if (by_position) luaL_error(L, "%s: option '%s' is given twice, by position and by name", name, info->name);
      return lua_gettop(L);
    }
    lua_pop(L, 1);
  }
  if (!by_position) return 0;
  lua_pushvalue(L, argument);
  return lua_gettop(L);
}

/* A table as the last argument is the table of named options: no positional option is a table. */
size_t bind_options(lua_State *L, int first, moon_family family, const char *name, moon_option *options) {
  int last = lua_gettop(L), next = first, named = 0;
  size_t count = 0;
  moon_option_info info;
  if (!moon_option_describe(bind_ctx(L), family, name, 0, &info)) return 0; /* the engine names an unknown kind */
  bind_want_stack(L, BIND_MAX_OPTIONS + LUA_MINSTACK, name);
  while (last >= first && lua_isnil(L, last)) last--;
  if (last >= first && lua_istable(L, last)) named = last--;
  if (named) check_names(L, named, family, name);
  for (size_t i = 0; i < BIND_MAX_OPTIONS && moon_option_describe(bind_ctx(L), family, name, i, &info); i++) {
    int argument = info.positional && next <= last ? next++ : 0;
    int value = find_value(L, &info, name, argument, named);
    if (value) bind_read_option(L, value, name, &info, &options[count++]);
  }
  if (next <= last && lua_istable(L, next))
    luaL_error(L, "%s: argument %d is a table, expected named options as the last argument only", name,
               next - first + 1);
  if (next <= last) {
    const char *got = bind_shown(L, next), *by_position = push_names(L, family, name, true);
    bool none = strcmp(by_position, "none") == 0;
    luaL_error(L, "%s: argument %d is %s, expected a table of named options (%s: %s)", name, next - first + 1, got,
               none ? "known" : "by position", none ? push_names(L, family, name, false) : by_position);
  }
  return count;
}
