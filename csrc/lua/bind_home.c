/* bind_home.c - what the binding keeps in a Lua state. */
#include "bind_home.h"

/* The registry key is an address, so that no other library can have the same key. */
static const char home_key = 0;

int bind_push_home(lua_State *L) { return lua_rawgetp(L, LUA_REGISTRYINDEX, &home_key); }
void bind_set_home(lua_State *L) { lua_rawsetp(L, LUA_REGISTRYINDEX, &home_key); }

bind_home *bind_find_home(lua_State *L) {
  bind_push_home(L);
  bind_home *h = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return h;
}

/* In a finaliser lua_gc answers -1; before Lua 5.4.4 it says that the collector is stopped. */
bool bind_in_finaliser(lua_State *L) {
#if LUA_VERSION_RELEASE_NUM >= 50404
  return lua_gc(L, LUA_GCISRUNNING) < 0;
#else
  return !lua_gc(L, LUA_GCISRUNNING);
#endif
}

void bind_remember(lua_State *L) {
  bind_find_home(L)->remembers = true;
  bind_push_home(L);
  lua_getiuservalue(L, -1, 1);
  lua_pushvalue(L, -3);
  lua_pushboolean(L, 1);
  lua_rawset(L, -3);
  lua_pop(L, 2);
}

void bind_forget(lua_State *L, bind_home *h) {
  lua_getiuservalue(L, lua_upvalueindex(1), 1);
  for (lua_pushnil(L); lua_next(L, -2);) {
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    lua_pushnil(L);
    lua_rawset(L, -4);
  }
  lua_pop(L, 1);
  h->remembers = false;
}
