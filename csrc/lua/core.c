/* core.c - the roof: luaopen_moonglass_core, and the functions of the core that belong to no class. */
#include <limits.h>
#include <string.h>
#include <time.h>

#include "bind_args.h"
#include "bind_function.h"
#include "bind_home.h"
#include "bind_open.h"

/* The context takes memory through the state's allocator, so that a host's limit covers tensors. */
static void make_ctx(lua_State *L, bind_home *h) {
  const moon_lua_config *c = &h->config;
  moon_config config = {
      .memory_limit = c->memory_limit, .threads = c->threads, .seed = c->seed, .log = c->log, .log_ud = c->log_ud};
  config.alloc = lua_getallocf(L, &config.alloc_ud);
  if (h->closed) luaL_error(L, "moonglass: the state is closing");
  if (moon_ctx_new(&h->ctx, &config) != MOON_OK) luaL_error(L, "moonglass: not enough memory for a context");
}

/* memory limits: core.limits{memory = bytes}; the host's own limit stays. */
static int core_limits(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  size_t most = bind_find_home(L)->config.memory_limit;
  if (lua_type(L, 1) != LUA_TTABLE) return luaL_error(L, "limits: got %s, expected {memory = bytes}", bind_shown(L, 1));
  lua_pushnil(L);
  while (lua_next(L, 1)) {
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : luaL_typename(L, -2);
    if (strcmp(key, "memory") != 0)
      return bind_unknown(L, "limits", "limit", key, (const char *const[]){"memory", NULL});
    double number = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : -1;
    if (!(number >= 0 && number < 9223372036854775808.0))
      return luaL_error(L, "limits: memory is %s, expected a number of bytes, or 0 for no limit", bind_shown(L, -1));
    lua_Integer bytes = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : (lua_Integer)number;
    if ((double)bytes < number) bytes++; /* or half a byte would be none, which is no limit */
    if (most && (!bytes || (lua_Unsigned)bytes > most))
      return luaL_error(L, "limits: memory is %I bytes, expected at most the host's %I", (LUAI_UACINT)bytes,
                        (LUAI_UACINT)most);
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
  lua_createtable(L, 0, 9);
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
  lua_pushboolean(L, bind_has_files(L));
  lua_setfield(L, -2, "files");
  return 1;
}

/* Seconds of a clock that never goes back. */
static int core_clock(lua_State *L) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec * 1e-9);
  return 1;
}

/* core.log(line): to the host; there is no such function if the host has not given one. */
static int core_log(lua_State *L) {
  const moon_lua_config *config = &bind_find_home(L)->config;
  const char *line = luaL_checkstring(L, 1);
  luaL_argcheck(L, !strchr(line, '\n'), 1, "expected one line");
  config->log(config->log_ud, line);
  return 0;
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

/* core.nearest(name, names) -> "; did you mean 'x'?", or "" if none is near. names is a list, or a table by name. */
static int core_nearest(lua_State *L) {
  bind_nearest n = {.name = luaL_checkstring(L, 1)};
  luaL_checktype(L, 2, LUA_TTABLE);
  bind_offer_names(L, &n, 2);
  bind_push_question(L, &n);
  return 1;
}

static const bind_reg core_functions[] = {
    {"limits", core_limits, "limits"},
    {"seed", core_seed, "seed"},
    {"draw_seed", core_draw_seed, ""},
    {"set_threads", core_set_threads, "n"},
    {"info", core_info, ""},
    {"interrupt", core_interrupt, ""},
    {"registered", core_registered, "family"},
    {"clock", core_clock, ""},
    {"nearest", core_nearest, "name, names"},
    {0},
};

static const bind_reg log_functions[] = {{"log", core_log, "line"}, {0}};

/* A second opening, also one after another that failed for want of memory, sets all anew but the context: what the Lua
** library has added to the methods is gone, as it has to be when the library is loaded again. */
int luaopen_moonglass_core(lua_State *L) {
  luaL_checkversion(L); /* also: are this Lua's numbers the ones that we were compiled with? */
  bind_home *h = bind_need_home(L);
  if (!h->ctx) make_ctx(L, h);
  lua_newtable(L);
  bind_functions(L, core_functions);
  if (h->config.log) bind_functions(L, log_functions);
  bind_open_tensor(L);
  bind_open_layer(L);
  bind_open_loss(L);
  bind_open_optim(L);
  bind_open_net(L);
  bind_open_dataset(L);
  bind_open_files(L);
  return 1;
}
