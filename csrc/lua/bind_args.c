/* bind_args.c - numbers and sizes among the arguments of a function, and how messages show them. */
#include "bind_args.h"

#include <math.h>
#include <string.h>

/* Is the value at an index, whose metatable has this name, a handle that is closed? */
static bool is_closed(lua_State *L, int index, const char *name) {
  return strncmp(name, "moonglass.", 10) == 0 && lua_type(L, index) == LUA_TUSERDATA &&
         lua_rawlen(L, index) == sizeof(void *) && !*(void **)lua_touserdata(L, index);
}

/* Metamethods are not called, since they could do anything. */
const char *bind_shown(lua_State *L, int index) {
  switch (lua_type(L, index)) {
    case LUA_TNONE: return "missing";
    case LUA_TNIL: return "nil";
    case LUA_TNUMBER: return isnan(lua_tonumber(L, index)) ? "nan" : (lua_pushvalue(L, index), lua_tostring(L, -1));
    case LUA_TSTRING: return lua_pushfstring(L, "'%s' (a string)", lua_tostring(L, index));
    default: break;
  }
  index = lua_absindex(L, index);
  bool named = luaL_getmetafield(L, index, "__name") == LUA_TSTRING;
  const char *name = named ? lua_tostring(L, -1) : luaL_typename(L, index);
  return lua_pushfstring(L, "a %s%s", is_closed(L, index, name) ? "closed " : "", name);
}

lua_Integer bind_whole(lua_State *L, int index, const char *name, const char *noun, int place, lua_Integer low,
                       lua_Integer high) {
  int whole = 0;
  lua_Integer value = lua_type(L, index) == LUA_TNUMBER ? lua_tointegerx(L, index, &whole) : 0;
  if (whole && value >= low && value <= high) return value;
  const char *shown = bind_shown(L, index);
  const char *which = place ? lua_pushfstring(L, "%s %d", noun, place) : noun;
  if (high == LUA_MAXINTEGER)
    return luaL_error(L, "%s: %s is %s, expected a whole number of at least %I", name, which, shown, (LUAI_UACINT)low);
  return luaL_error(L, "%s: %s is %s, expected a whole number of %I to %I", name, which, shown, (LUAI_UACINT)low,
                    (LUAI_UACINT)high);
}

double bind_number(lua_State *L, int index, const char *name, const char *noun) {
  if (lua_type(L, index) != LUA_TNUMBER)
    luaL_error(L, "%s: %s is %s, expected a number", name, noun, bind_shown(L, index));
  return lua_tonumber(L, index);
}

void bind_row_range(lua_State *L, int arg, const char *name, size_t rows, size_t *first, size_t *count) {
  *first = (size_t)bind_whole(L, arg, name, "first row", 0, 1, (lua_Integer)rows) - 1;
  *count = (size_t)bind_whole(L, arg + 1, name, "number of rows", 0, 1, (lua_Integer)(rows - *first));
}

int bind_sizes(lua_State *L, const char *name, int first, int last, lua_Integer low, lua_Integer *sizes) {
  bool table = first == last && lua_type(L, first) == LUA_TTABLE;
  lua_Unsigned count = table ? lua_rawlen(L, first) : (lua_Unsigned)(last >= first ? last - first + 1 : 0);
  if (!table && !count) luaL_error(L, "%s: got no sizes, expected numbers or one table of numbers", name);
  if (count > MOON_MAX_RANK)
    luaL_error(L, "%s: got %I sizes, expected at most %d", name, (LUAI_UACINT)count, MOON_MAX_RANK);
  for (int i = 0; i < (int)count; i++) {
    if (table)
      lua_rawgeti(L, first, i + 1);
    else
      lua_pushvalue(L, first + i);
    sizes[i] = bind_whole(L, -1, name, "size", i + 1, low, LUA_MAXINTEGER);
    lua_pop(L, 1);
  }
  return (int)count;
}

const char *bind_push_shape(lua_State *L, int rank, const size_t *shape) {
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  luaL_addchar(&text, '[');
  for (int i = 0; i < rank; i++) {
    if (i) luaL_addstring(&text, " x ");
    lua_pushinteger(L, (lua_Integer)shape[i]);
    luaL_addvalue(&text);
  }
  luaL_addchar(&text, ']');
  luaL_pushresult(&text);
  return lua_tostring(L, -1);
}
