/* bind.c - the ground floor: the context of a state, errors and the collector. */
#include "bind.h"

#include <limits.h>

#include "bind_home.h"

moon_ctx *bind_ctx(lua_State *L) {
  const bind_home *h = lua_touserdata(L, lua_upvalueindex(1));
  if (!h || !h->ctx) luaL_error(L, "moonglass: the core is not open in this state");
  return h->ctx;
}

bool bind_has_files(lua_State *L) { return !(bind_find_home(L)->config.flags & MOON_LUA_NO_FILES); }

/* ---- errors ---- */

int bind_raise(lua_State *L, moon_ctx *ctx) { return luaL_error(L, "%s", moon_error(ctx)); }

int bind_file_result(lua_State *L, moon_ctx *ctx, moon_status status) {
  if (status == MOON_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  if (status != MOON_EIO && status != MOON_EFORMAT) return bind_raise(L, ctx);
  lua_pushnil(L);
  lua_pushstring(L, moon_error(ctx));
  lua_pushstring(L, moon_status_name(status));
  return 3;
}

/* ---- the collector ---- */

static int call_nothing(lua_State *L) {
  (void)L;
  return 0;
}

/* If Lua cannot allocate the call of a finaliser, the finaliser never runs and its memory leaks. Make one call first,
** so that the memory is there. If that call has no memory, collect nothing. Any other error is from a hook, which wants
** to end what runs. */
void bind_want_stack(lua_State *L, int slots, const char *name) {
  if (!lua_checkstack(L, slots))
    luaL_error(L, "%s: not enough memory for %d more values on Lua's stack, or a recursion too deep", name, slots);
}

void bind_collect(lua_State *L) {
  bind_home *h = bind_find_home(L);
  if (!lua_checkstack(L, 2 * LUA_MINSTACK)) return;
  lua_pushcfunction(L, call_nothing);
  bool within = h->calling;
  h->calling = true;
  int status = lua_pcall(L, 0, 0, 0);
  h->calling = within;
  if (status == LUA_OK)
    lua_gc(L, LUA_GCCOLLECT);
  else if (status == LUA_ERRMEM)
    lua_pop(L, 1);
  else
    lua_error(L);
}

/* In generational mode a tensor that has survived two collections is old, and Lua looks at old objects only when its
** own memory has doubled. So force a full collection when the memory of our objects has doubled. */
static void collect_old(lua_State *L) {
  enum { SLACK = 16 << 20 };
  bind_home *h = bind_find_home(L);
  if (!h || !h->ctx) return;
  size_t used = moon_memory_used(h->ctx);
  bool doubled = used / 2 >= h->settled + SLACK / 2;
  if (doubled) bind_collect(L);
  /* What Lua has freed by itself leaves no room for more garbage than before. */
  if (doubled || used < h->settled) h->settled = moon_memory_used(h->ctx);
}

void bind_weigh(lua_State *L, size_t bytes) {
  size_t kilobytes = bytes / 1024 + 1;
  if (!lua_gc(L, LUA_GCISRUNNING)) return; /* the host has stopped its collector: that is its decision */
#if LUA_VERSION_NUM >= 505
  lua_gc(L, LUA_GCSTEP, kilobytes);
#else
  lua_gc(L, LUA_GCSTEP, kilobytes > INT_MAX ? INT_MAX : (int)kilobytes);
#endif
  collect_old(L);
}

void bind_weigh_growth(lua_State *L, moon_ctx *ctx, size_t before) {
  size_t now = moon_memory_used(ctx);
  if (now > before) bind_weigh(L, now - before);
}
