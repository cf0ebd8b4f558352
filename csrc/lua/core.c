/* core.c - the roof: luaopen_moonglass_core, and the functions of the core that belong to no class. */
#include <limits.h>
#include <string.h>
#include <time.h>

#include "bind_args.h"
#include "bind_function.h"
#include "bind_home.h"
#include "bind_open.h"

/* The context uses the allocator of the state, so that a host's limit covers tensors. */
static void make_ctx(lua_State *L, bind_home *h) {
  const moon_lua_config *c = &h->config;
  moon_config config = {
      .memory_limit = c->memory_limit, .threads = c->threads, .seed = c->seed, .log = c->log, .log_ud = c->log_ud};
  config.alloc = lua_getallocf(L, &config.alloc_ud);
  if (h->closed) luaL_error(L, "moonglass: the state is closing");
  if (moon_ctx_new(&h->ctx, &config) != MOON_OK) luaL_error(L, "moonglass: not enough memory for a context");
}

/*** @class moonglass.LimitsOptions
** Options of `moon.limits`.
** @field memory integer? bytes that tensors and nets may hold; 0: no limit. At most the limit that the host has set */

/*** moon.limits(limits)
** Limit the memory. An allocation beyond the limit raises "out of memory".
** @param limits moonglass.LimitsOptions */
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
    if ((double)bytes < number) bytes++; /* so that half a byte does not become 0, which is no limit */
    if (most && (!bytes || (lua_Unsigned)bytes > most))
      return luaL_error(L, "limits: memory is %I bytes, expected at most the host's %I", (LUAI_UACINT)bytes,
                        (LUAI_UACINT)most);
    moon_set_memory_limit(ctx, (size_t)bytes);
    lua_pop(L, 1);
  }
  return 0;
}

/*** moon.seed(seed)
** Restart the stream of random numbers, from which come random tensors, initial weights and seeds that are not given.
** @param seed integer */
static int core_seed(lua_State *L) {
  moon_seed(bind_ctx(L), (uint64_t)luaL_checkinteger(L, 1));
  return 0;
}

/*** moon.draw_seed()
** Draw a seed from the stream of random numbers.
** @return integer seed 0 to 2^53 - 1 */
static int core_draw_seed(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)(moon_random(bind_ctx(L)) >> 11));
  return 1;
}

/*** moon.set_threads(n)
** Set the number of worker threads. The default is 1; in the program `moonglass` it is the number of cores, at most 4.
** The same seed and the same number of threads give the same bits.
** @param n integer 1 to 256 */
static int core_set_threads(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  lua_Integer n = luaL_checkinteger(L, 1);
  BIND_TRY(L, ctx, moon_set_threads(ctx, n < 0 || n > INT_MAX ? 0 : (int)n));
  return 0;
}

/*** @class moonglass.Info
** The build and the memory it holds.
** @field version string
** @field blis string the version of BLIS
** @field blis_config string the kernels that BLIS has selected; "generic" is slow
** @field simd "base"|"avx2"|"avx512" the instruction set of our kernels
** @field threads integer worker threads
** @field memory integer bytes held now
** @field memory_peak integer the most bytes held so far
** @field memory_limit integer 0: no limit
** @field files boolean true if files may be opened */

/*** moon.info()
** The build and the memory it holds.
** @return moonglass.Info info */
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

/*** moon.clock()
** Seconds of a monotonic clock.
** @return number seconds */
static int core_clock(lua_State *L) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec * 1e-9);
  return 1;
}

/* core.log(line): pass a line to the host's log; registered only if the host has one. */
static int core_log(lua_State *L) {
  const moon_lua_config *config = &bind_find_home(L)->config;
  const char *line = luaL_checkstring(L, 1);
  luaL_argcheck(L, !strchr(line, '\n'), 1, "got more than one line, expected one");
  config->log(config->log_ud, line);
  return 0;
}

/*** moon.interrupt()
** End the running or next step or predict with an error, as Ctrl-C does. */
static int core_interrupt(lua_State *L) {
  moon_interrupt(bind_ctx(L));
  return 0;
}

static const bind_reg public_functions[] = {
    {"limits", core_limits, "limits"}, {"seed", core_seed, "seed"},
    {"draw_seed", core_draw_seed, ""}, {"set_threads", core_set_threads, "n"},
    {"info", core_info, ""},           {"interrupt", core_interrupt, ""},
    {"clock", core_clock, ""},         {0},
};

static const bind_reg log_functions[] = {{"log", core_log, "line"}, {0}};

/* Opening again, also after an opening that ran out of memory, makes everything again except the context: what the Lua
** library has added to the methods is gone, since the library will be loaded again. */
int luaopen_moonglass_core(lua_State *L) {
  luaL_checkversion(L); /* also checks the size of Lua's numbers */
  bind_home *h = bind_need_home(L);
  if (!h->ctx) make_ctx(L, h);
  lua_newtable(L);
  bind_public(L, public_functions);
  if (h->config.log) bind_functions(L, log_functions);
  bind_open_registry(L);
  bind_open_tensor(L);
  bind_open_layer(L);
  bind_open_loss(L);
  bind_open_optim(L);
  bind_open_net(L);
  bind_open_dataset(L);
  bind_open_scaler(L);
  bind_open_detector(L);
  bind_open_source(L);
  bind_open_digest(L);
  bind_open_csv(L);
  bind_open_files(L);
  return 1;
}
