/* bind_function.c - every function of ours, as Lua calls it: entered and left, its arguments counted. */
#include "bind_function.h"

#include <string.h>

#include "bind_home.h"

enum { FUNCTION = 4, MOST, TAKES, METHOD }; /* upvalues after the three that the functions know */

/* Holds that are there on entry belong to the function that was interrupted by this call, if there is one. */
static int enter(lua_State *L) {
  bind_home *h = lua_touserdata(L, lua_upvalueindex(1));
  if ((h->holds.count || h->remembers) && !h->calling && !bind_in_finaliser(L)) {
    bind_drop(&h->holds, 0);
    if (h->remembers) bind_forget(L, h);
  }
  size_t before = h->holds.count;
  int results = lua_tocfunction(L, lua_upvalueindex(FUNCTION))(L);
  bind_drop(&h->holds, before);
  return results;
}

static int refuse_argument(lua_State *L, int given, int most) {
  const char *name = lua_tostring(L, lua_upvalueindex(2)), *takes = lua_tostring(L, lua_upvalueindex(TAKES));
  int object = lua_toboolean(L, lua_upvalueindex(METHOD));
  const char *expected = most > object ? lua_pushfstring(L, "at most %d (%s)", most - object, takes) : "none";
  return luaL_error(L, "%s: got %d argument%s, expected %s", name, given - object, given - object == 1 ? "" : "s",
                    expected);
}

/* The same for a function whose arguments are counted. */
static int enter_counted(lua_State *L) {
  int given = lua_gettop(L), most = (int)lua_tointeger(L, lua_upvalueindex(MOST));
  if (given > most) {
    while (given > most && lua_isnil(L, given)) given--;
    if (given > most) return refuse_argument(L, given, most);
    lua_settop(L, most);
  }
  return enter(L);
}

/* ---- registering ---- */

static int count_names(const char *takes) {
  int n = *takes != '\0';
  for (; *takes; takes++) n += *takes == ',';
  return n;
}

void bind_push_function(lua_State *L, const bind_reg *function, bool method, bool flag) {
  bind_push_home(L);
  lua_pushstring(L, function->name);
  lua_pushboolean(L, flag);
  lua_pushcfunction(L, function->f);
  if (strcmp(function->takes, "...") == 0) {
    lua_pushcclosure(L, enter, FUNCTION);
    return;
  }
  lua_pushinteger(L, count_names(function->takes) + method);
  lua_pushstring(L, function->takes);
  lua_pushboolean(L, method);
  lua_pushcclosure(L, enter_counted, METHOD);
}

void bind_push_metamethod(lua_State *L, lua_CFunction f) {
  bind_push_home(L);
  lua_insert(L, -2);
  lua_pushboolean(L, 0);
  lua_pushcfunction(L, f);
  lua_pushcclosure(L, enter, FUNCTION);
}

void bind_set_public(lua_State *L, const char *name) {
  luaL_getsubtable(L, -2, "public");
  lua_pushboolean(L, true);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
  lua_setfield(L, -2, name);
}

void bind_public(lua_State *L, const bind_reg *functions) {
  for (; functions->name; functions++) {
    bind_push_function(L, functions, false, false);
    bind_set_public(L, functions->name);
  }
}

static void add_functions(lua_State *L, const bind_reg *functions, bool method) {
  for (; functions->name; functions++) {
    bind_push_function(L, functions, method, false);
    lua_setfield(L, -2, functions->name);
  }
}

void bind_functions(lua_State *L, const bind_reg *functions) { add_functions(L, functions, false); }
void bind_methods(lua_State *L, const bind_reg *methods) { add_functions(L, methods, true); }

/* ---- errors ---- */

int bind_bad_argument(lua_State *L, int arg, const char *text) {
  lua_Debug ar;
  bool named = lua_getstack(L, 0, &ar) && lua_getinfo(L, "n", &ar) && ar.name && strcmp(ar.name, "?") != 0;
  const char *name = lua_type(L, lua_upvalueindex(2)) == LUA_TSTRING ? lua_tostring(L, lua_upvalueindex(2)) : NULL;
  if (named || !name) return luaL_argerror(L, arg, text);
  arg -= lua_toboolean(L, lua_upvalueindex(METHOD));
  if (arg == 0) return luaL_error(L, "calling '%s' on bad self (%s)", name, text);
  return luaL_error(L, "bad argument #%d to '%s' (%s)", arg, name, text);
}
