/* bind.c - handles, errors and the context: what every class of the binding stands on. */
#include "bind.h"

#include <limits.h>
#include <string.h>
#include <time.h>

/* The registry keys are addresses: nobody else can have them. */
static const char ctx_key = 0;

moon_ctx *bind_ctx(lua_State *L) { return *(moon_ctx **)lua_touserdata(L, lua_upvalueindex(1)); }

static void push_ctx_handle(lua_State *L) { lua_rawgetp(L, LUA_REGISTRYINDEX, &ctx_key); }

void bind_functions(lua_State *L, const luaL_Reg *functions) {
  push_ctx_handle(L);
  luaL_setfuncs(L, functions, 1);
}

static int release(lua_State *L, const char *name, void (*give_back)(void *)) {
  void **handle = luaL_checkudata(L, 1, name);
  void *object = *handle;
  *handle = NULL;
  if (object) give_back(object);
  return 0;
}

#define RELEASER(noun, NAME, type)                                            \
  static void give_back_##noun(void *p) { moon_##noun##_release((type *)p); } \
  static int release_##noun(lua_State *L) { return release(L, NAME, give_back_##noun); }

RELEASER(tensor, BIND_TENSOR, moon_tensor)
RELEASER(layer, BIND_LAYER, moon_layer)
RELEASER(loss, BIND_LOSS, moon_loss)
RELEASER(optim, BIND_OPTIM, moon_optim)
RELEASER(net, BIND_NET, moon_net)
RELEASER(dataset, BIND_DATASET, moon_dataset)

static const luaL_Reg releasers[] = {
    {BIND_TENSOR, release_tensor}, {BIND_LAYER, release_layer}, {BIND_LOSS, release_loss},
    {BIND_OPTIM, release_optim},   {BIND_NET, release_net},     {BIND_DATASET, release_dataset},
};

static lua_CFunction releaser(const char *name) {
  size_t i = 0;
  while (strcmp(releasers[i].name, name) != 0) i++;
  return releasers[i].func;
}

void bind_class(lua_State *L, const char *name, const luaL_Reg *meta, const luaL_Reg *methods, lua_CFunction index) {
  luaL_newmetatable(L, name);
  bind_functions(L, meta);
  lua_pushcfunction(L, releaser(name));
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "__gc");
  lua_setfield(L, -2, "__close");
  lua_newtable(L);
  bind_functions(L, methods);
  luaL_getsubtable(L, -3, "methods");
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
  if (index) {
    push_ctx_handle(L);
    lua_insert(L, -2);
    lua_pushcclosure(L, index, 2);
  }
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
}

void **bind_new(lua_State *L, const char *name) {
  void **handle = lua_newuserdatauv(L, sizeof *handle, 1);
  *handle = NULL;
  luaL_setmetatable(L, name);
  return handle;
}

void *bind_check(lua_State *L, int arg, const char *name) {
  void *object = *(void **)luaL_checkudata(L, arg, name);
  if (!object) luaL_argerror(L, arg, lua_pushfstring(L, "this %s is closed", name));
  return object;
}

void *bind_test(lua_State *L, int arg, const char *name) {
  void **handle = luaL_testudata(L, arg, name);
  return handle ? *handle : NULL;
}

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

void bind_weigh(lua_State *L, size_t bytes) {
  size_t kilobytes = bytes / 1024 + 1;
  if (!lua_gc(L, LUA_GCISRUNNING)) return; /* the host has stopped its collector: that is its decision */
#if LUA_VERSION_NUM >= 505
  lua_gc(L, LUA_GCSTEP, kilobytes);
#else
  lua_gc(L, LUA_GCSTEP, kilobytes > INT_MAX ? INT_MAX : (int)kilobytes);
#endif
}

moon_tensor *bind_new_tensor(lua_State *L, moon_dtype dtype, int rank, const size_t *shape) {
  moon_ctx *ctx = moon_lua_ctx(L);
  void **handle = bind_new(L, BIND_TENSOR);
  moon_tensor *t = NULL;
  BIND_TRY(L, ctx, moon_tensor_new(ctx, &t, dtype, rank, shape));
  *handle = t;
  bind_weigh(L, moon_tensor_bytes(t));
  return t;
}

moon_ctx *moon_lua_ctx(lua_State *L) {
  push_ctx_handle(L);
  moon_ctx **handle = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return handle ? *handle : NULL;
}

void moon_lua_push_tensor(lua_State *L, moon_tensor *t) {
  void **handle = bind_new(L, BIND_TENSOR);
  *handle = moon_tensor_retain(t);
}

void moon_lua_push_net(lua_State *L, moon_net *net) {
  void **handle = bind_new(L, BIND_NET);
  *handle = moon_net_retain(net);
}

moon_tensor *moon_lua_check_tensor(lua_State *L, int arg) { return bind_check(L, arg, BIND_TENSOR); }
moon_tensor *moon_lua_to_tensor(lua_State *L, int index) { return bind_test(L, index, BIND_TENSOR); }
moon_net *moon_lua_check_net(lua_State *L, int arg) { return bind_check(L, arg, BIND_NET); }
moon_net *moon_lua_to_net(lua_State *L, int index) { return bind_test(L, index, BIND_NET); }

/* ---- opening ---- */

static int close_ctx(lua_State *L) {
  moon_ctx **handle = lua_touserdata(L, 1);
  moon_ctx *ctx = *handle;
  *handle = NULL;
  moon_ctx_release(ctx);
  return 0;
}

/* The context takes memory through the state's allocator, so that a host's limit covers tensors. */
static void make_ctx(lua_State *L) {
  moon_ctx **handle = lua_newuserdatauv(L, sizeof *handle, 0);
  *handle = NULL;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, close_ctx);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  moon_config config = {0};
  config.alloc = lua_getallocf(L, &config.alloc_ud);
  if (moon_ctx_new(handle, &config) != MOON_OK) luaL_error(L, "moonglass: not enough memory for a context");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &ctx_key);
}

/* memory limits: core.limits{memory = bytes} */
static int core_limits(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_pushnil(L);
  while (lua_next(L, 1)) {
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : luaL_typename(L, -2);
    if (lua_rawlen(L, -2) != 6 || key[0] != 'm')
      return luaL_error(L, "limits: unknown limit '%s' (known: memory)", key);
    lua_Integer bytes = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : (lua_Integer)luaL_checknumber(L, -1);
    if (bytes < 0) return luaL_error(L, "limits: memory is a number of bytes, 0 for none; got %I", (LUAI_UACINT)bytes);
    moon_set_memory_limit(ctx, (size_t)bytes);
    lua_pop(L, 1);
  }
  return 0;
}

static int core_seed(lua_State *L) {
  moon_seed(bind_ctx(L), (uint64_t)luaL_checkinteger(L, 1));
  return 0;
}

/* A seed drawn from the context's stream: a whole number of 0 to 2^53 - 1, which any file format keeps. */
static int core_draw_seed(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)(moon_random(bind_ctx(L)) >> 11));
  return 1;
}

static int core_set_threads(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  lua_Integer n = luaL_checkinteger(L, 1);
  BIND_TRY(L, ctx, moon_set_threads(ctx, n < 0 || n > INT_MAX ? 0 : (int)n));
  return 0;
}

static int core_info(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  moon_build build;
  moon_build_info(ctx, &build);
  const char *texts[][2] = {
      {"version", build.version}, {"blis", build.blis}, {"blis_config", build.blis_config}, {"simd", build.simd}};
  lua_createtable(L, 0, 8);
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    lua_pushstring(L, texts[i][1]);
    lua_setfield(L, -2, texts[i][0]);
  }
  lua_pushinteger(L, moon_threads(ctx));
  lua_setfield(L, -2, "threads");
  lua_pushinteger(L, (lua_Integer)moon_memory_used(ctx));
  lua_setfield(L, -2, "memory");
  lua_pushinteger(L, (lua_Integer)moon_memory_peak(ctx));
  lua_setfield(L, -2, "memory_peak");
  lua_pushinteger(L, (lua_Integer)moon_memory_limit(ctx));
  lua_setfield(L, -2, "memory_limit");
  return 1;
}

/* Seconds of a clock that never goes back. */
static int core_clock(lua_State *L) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec * 1e-9);
  return 1;
}

static int core_interrupt(lua_State *L) {
  moon_interrupt(bind_ctx(L));
  return 0;
}

/* core.registered("losses") -> list of names */
static int core_registered(lua_State *L) {
  static const char *const families[] = {"layers", "losses", "optimizers", "activations", "inits", NULL};
  moon_family family = (moon_family)luaL_checkoption(L, 1, NULL, families);
  const char *name;
  lua_newtable(L);
  for (size_t i = 0; (name = moon_registered(bind_ctx(L), family, i)) != NULL; i++) {
    lua_pushstring(L, name);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

static const luaL_Reg core_functions[] = {
    {"limits", core_limits},           {"seed", core_seed},   {"draw_seed", core_draw_seed},
    {"set_threads", core_set_threads}, {"info", core_info},   {"interrupt", core_interrupt},
    {"registered", core_registered},   {"clock", core_clock}, {NULL, NULL},
};

int luaopen_moonglass_core(lua_State *L) {
  if (!moon_lua_ctx(L)) make_ctx(L);
  lua_newtable(L);
  bind_functions(L, core_functions);
  bind_open_tensor(L);
  bind_open_layer(L);
  bind_open_loss(L);
  bind_open_optim(L);
  bind_open_net(L);
  bind_open_dataset(L);
  bind_open_files(L);
  return 1;
}
