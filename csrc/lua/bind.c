/* bind.c - the context, errors and the collector: what every class of the binding stands on. */
#include <limits.h>
#include <string.h>
#include <time.h>

#include "bind_home.h"
#include "bind_tensor.h"

/* The registry key is an address: nobody else can have it. */
static const char home_key = 0;

int bind_push_home(lua_State *L) { return lua_rawgetp(L, LUA_REGISTRYINDEX, &home_key); }

bind_home *bind_find_home(lua_State *L) {
  bind_push_home(L);
  bind_home *h = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return h;
}

static moon_ctx *open_ctx(lua_State *L, const bind_home *h) {
  if (!h || !h->ctx) luaL_error(L, "moonglass: the core is not open in this state");
  return h->ctx;
}

moon_ctx *bind_ctx(lua_State *L) { return open_ctx(L, lua_touserdata(L, lua_upvalueindex(1))); }
bool bind_has_files(lua_State *L) { return !(bind_find_home(L)->config.flags & MOON_LUA_NO_FILES); }

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

static int call_nothing(lua_State *L) {
  (void)L;
  return 0;
}

/* Lua calls a finaliser once: if it has no memory for the call, the finaliser is lost, and what it would have given
** back. So there is a call first, whose memory Lua keeps for the next one. If there is no memory for it, nothing is
** collected; any other error is a hook's, which wants to end what runs. */
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

/* A collector of generations takes a tensor that has lived through two of them for old, and waits for Lua's own objects
** to double before it looks at the old ones: so when ours have doubled, it is made to. */
static void collect_old(lua_State *L) {
  enum { SLACK = 16 << 20 };
  bind_home *h = bind_find_home(L);
  if (!h || !h->ctx || moon_memory_used(h->ctx) / 2 < h->settled + SLACK / 2) return;
  bind_collect(L);
  h->settled = moon_memory_used(h->ctx);
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

moon_tensor *bind_new_tensor(lua_State *L, moon_dtype dtype, int rank, const size_t *shape) {
  moon_ctx *ctx = open_ctx(L, bind_find_home(L));
  void **handle = bind_new(L, BIND_TENSOR);
  moon_tensor *t = NULL;
  BIND_TRY(L, ctx, moon_tensor_new(ctx, &t, dtype, rank, shape));
  *handle = t;
  bind_weigh(L, moon_tensor_bytes(t));
  return bind_check(L, -1, BIND_TENSOR);
}

/* ---- configuring ---- */

enum { ROOM = 4 }; /* stack slots that the functions for hosts use at most */

moon_ctx *moon_lua_ctx(lua_State *L) {
  if (!lua_checkstack(L, ROOM)) return NULL;
  const bind_home *h = bind_find_home(L);
  return h ? h->ctx : NULL;
}

static int close_home(lua_State *L) {
  bind_home *h = lua_touserdata(L, 1);
  moon_ctx *ctx = h->ctx;
  h->ctx = NULL;
  h->closed = true;
  bind_close_handles(L, h);
  moon_ctx_release(ctx);
  return 0;
}

/* The state's, made if there is none yet. Pushes nothing. */
static bind_home *need_home(lua_State *L) {
  luaL_checkstack(L, ROOM, "moonglass");
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
  lua_rawsetp(L, LUA_REGISTRYINDEX, &home_key);
  return h;
}

/* A host that was compiled against a later header may know more fields than we do: they must be at their defaults. */
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
    luaL_error(L, "moonglass: threads: expected a whole number of 1 to 256, or 0 for the default, got %d",
               config->threads);
}

void moon_lua_configure(lua_State *L, const moon_lua_config *config) {
  static const moon_lua_config defaults = {.size = sizeof defaults};
  const bind_home *there = bind_find_home(L);
  if (!config) config = &defaults;
  if (there && (there->ctx || there->closed)) luaL_error(L, "moonglass: configured after the core was opened");
  check_config(L, config);
  memcpy(&need_home(L)->config, config, sizeof *config);
}

/* ---- opening ---- */

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

static const bind_reg core_functions[] = {
    {"limits", core_limits, "limits"},         {"seed", core_seed, "seed"}, {"draw_seed", core_draw_seed, ""},
    {"set_threads", core_set_threads, "n"},    {"info", core_info, ""},     {"interrupt", core_interrupt, ""},
    {"registered", core_registered, "family"}, {"clock", core_clock, ""},   {0},
};

static const bind_reg log_functions[] = {{"log", core_log, "line"}, {0}};

/* A second opening, also one after another that failed for want of memory, sets all anew but the context: what the Lua
** library has added to the methods is gone, as it has to be when the library is loaded again. */
int luaopen_moonglass_core(lua_State *L) {
  luaL_checkversion(L); /* also: are this Lua's numbers the ones that we were compiled with? */
  bind_home *h = need_home(L);
  if (!h->ctx) make_ctx(L, h);
  lua_newtable(L);
  bind_functions(L, core_functions);
  bind_functions(L, bind_nearest_functions);
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
