/* bind_host.c - what a C host calls (moonglass_lua.h): configuring a state, and its objects on the stack. A host calls
** these outside of our functions, so nothing is held for it. */
#include <stddef.h>
#include <string.h>

#include "bind_handle.h"
#include "bind_home.h"

enum { ROOM = 8 }; /* stack slots that these functions use at most */

moon_ctx *moon_lua_ctx(lua_State *L) {
  if (!lua_checkstack(L, ROOM)) return NULL;
  const bind_home *h = bind_find_home(L);
  return h ? h->ctx : NULL;
}

/* ---- configuring ---- */

static int close_home(lua_State *L) {
  bind_home *h = lua_touserdata(L, 1);
  moon_ctx *ctx = h->ctx;
  h->ctx = NULL;
  h->closed = true;
  bind_close_handles(L);
  moon_ctx_release(ctx);
  return 0;
}

bind_home *bind_need_home(lua_State *L) {
  bind_want_stack(L, ROOM, "moonglass");
  bind_home *h = bind_find_home(L);
  if (h) return h;
  h = lua_newuserdatauv(L, sizeof *h, 1);
  *h = (bind_home){.holds = {.list = h->holds.first, .room = BIND_LENT}};
  lua_newtable(L);
  lua_setiuservalue(L, -2, 1);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, close_home);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  bind_set_home(L);
  return h;
}

/* A host that was compiled against a later header may have fields that we do not know: they must be zero. */
static void check_config(lua_State *L, const moon_lua_config *config) {
  const char *bytes = (const char *)config;
  if (config->size < offsetof(moon_lua_config, log_ud) + sizeof config->log_ud)
    luaL_error(L, "moonglass: the configuration's size is %I, expected sizeof(moon_lua_config)",
               (LUAI_UACINT)config->size);
  for (size_t i = sizeof *config; i < config->size; i++)
    if (bytes[i]) luaL_error(L, "moonglass: the configuration has a field that version %s does not know", MOON_VERSION);
  if (config->flags & ~(unsigned)MOON_LUA_NO_FILES)
    luaL_error(L, "moonglass: the configuration has a flag that version %s does not know", MOON_VERSION);
  if (config->threads < 0 || config->threads > 256)
    luaL_error(L, "moonglass: threads is %d, expected 1 to 256, or 0 for the default", config->threads);
}

void moon_lua_configure(lua_State *L, const moon_lua_config *config) {
  static const moon_lua_config defaults = {.size = sizeof defaults};
  const bind_home *there = bind_find_home(L);
  if (!config) config = &defaults;
  if (there && (there->ctx || there->closed))
    luaL_error(L, "moonglass: the core is open already, expected moon_lua_configure before that");
  check_config(L, config);
  memcpy(&bind_need_home(L)->config, config, sizeof *config);
}

/* ---- objects on the stack ---- */

/* An object of another context would use memory of an allocator that may be gone before this state is. */
static void push_object(lua_State *L, const char *name, void *object, const moon_ctx *owner) {
  bind_want_stack(L, ROOM, name);
  const moon_ctx *ctx = moon_lua_ctx(L);
  if (!ctx) luaL_error(L, "moonglass: the core is not open in this state");
  if (ctx != owner) luaL_error(L, "moonglass: this %s belongs to another context", name);
  bind_push(L, name, object);
}

void moon_lua_push_tensor(lua_State *L, moon_tensor *t) {
  if (t)
    push_object(L, BIND_TENSOR, t, moon_tensor_ctx(t));
  else
    lua_pushnil(L);
}

void moon_lua_push_net(lua_State *L, moon_net *net) {
  if (net)
    push_object(L, BIND_NET, net, moon_net_ctx(net));
  else
    lua_pushnil(L);
}

static void *to_object(lua_State *L, int index, const char *name) {
  return lua_checkstack(L, ROOM) ? bind_test_unheld(L, index, name) : NULL;
}

static void *check_object(lua_State *L, int arg, const char *name) {
  bind_want_stack(L, ROOM, name);
  return bind_check_unheld(L, arg, name);
}

moon_tensor *moon_lua_check_tensor(lua_State *L, int arg) { return check_object(L, arg, BIND_TENSOR); }
moon_tensor *moon_lua_to_tensor(lua_State *L, int index) { return to_object(L, index, BIND_TENSOR); }
moon_net *moon_lua_check_net(lua_State *L, int arg) { return check_object(L, arg, BIND_NET); }
moon_net *moon_lua_to_net(lua_State *L, int index) { return to_object(L, index, BIND_NET); }
