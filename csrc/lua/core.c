/* core.c - the roof: luaopen_moonglass_core, and the functions of the core that belong to no class. */
#include <limits.h>
#include <math.h>
#include <string.h>
#include <time.h>

#include "bind_args.h"
#include "bind_function.h"
#include "bind_home.h"
#include "bind_open.h"
#include "bind_option.h"

/* The context takes memory through the state's allocator, so that a host's limit covers tensors. */
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
    if ((double)bytes < number) bytes++; /* or half a byte would be none, which is no limit */
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

/* core.log(line): to the host; there is no such function if the host has not given one. */
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

static moon_family check_family(lua_State *L) {
  static const char *const families[] = {"layers", "losses", "optimizers", "activations", "inits", NULL};
  return (moon_family)luaL_checkoption(L, 1, NULL, families);
}

/* Push the list of the names that are registered in a family. */
static void push_registered(lua_State *L, moon_family family) {
  const char *name;
  lua_newtable(L);
  for (size_t i = 0; (name = moon_registered(bind_ctx(L), family, i)) != NULL; i++) {
    lua_pushstring(L, name);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

/*** @alias moonglass.Family "layers"|"losses"|"optimizers"|"activations"|"inits" */

/*** moon.registered(family)
** The registered names of a family, as `moon.layer`, `moon.loss`, `moon.optimizer` and options take them.
** @param family moonglass.Family
** @return string[] names */
static int core_registered(lua_State *L) {
  push_registered(L, check_family(L));
  return 1;
}

/* Push the texts that an option may be: a list, or nil if any text is allowed. */
static void push_choices(lua_State *L, const moon_option_values *values) {
  if (values->choices) {
    lua_newtable(L);
    for (int i = 0; values->choices[i]; i++) {
      lua_pushstring(L, values->choices[i]);
      lua_rawseti(L, -2, i + 1);
    }
  } else if (values->family >= 0) {
    push_registered(L, (moon_family)values->family);
  } else {
    lua_pushnil(L);
  }
}

/* field = number in the table on the top; no field if it is infinite. */
static void set_bound(lua_State *L, const char *field, double number, moon_option_kind kind) {
  if (isinf(number)) return;
  if (kind == MOON_COUNT)
    lua_pushinteger(L, (lua_Integer)number);
  else
    lua_pushnumber(L, number);
  lua_setfield(L, -2, field);
}

static void set_flag(lua_State *L, const char *field, bool flag) {
  lua_pushboolean(L, flag);
  lua_setfield(L, -2, field);
}

static void push_option_info(lua_State *L, const moon_option_info *info, const moon_option_values *values) {
  static const char *const kinds[] = {"number", "count", "flag", "text", "range", "layer"};
  lua_createtable(L, 0, 13);
  lua_pushstring(L, info->name);
  lua_setfield(L, -2, "name");
  lua_pushstring(L, kinds[info->kind]);
  lua_setfield(L, -2, "kind");
  lua_pushstring(L, info->help);
  lua_setfield(L, -2, "help");
  if (!info->required) {
    bind_push_option(L, &(moon_option){.kind = info->kind, .number = info->number, .text = info->text});
    lua_setfield(L, -2, "default");
  }
  set_bound(L, "low", values->low, info->kind);
  set_bound(L, "high", values->high, info->kind);
  push_choices(L, values);
  lua_setfield(L, -2, "choices");
  set_flag(L, "open_low", values->open_low);
  set_flag(L, "open_high", values->open_high);
  set_flag(L, "settable", values->settable);
  set_flag(L, "positional", info->positional);
  set_flag(L, "required", info->required);
}

/* core.options("layers", "dense") -> the options of a layer, a loss or an optimiser, in their order: a list of
**   name        "kl_target"
**   kind        "number", "count" (a whole number), "flag" (a boolean), "text", "range" ({low, high}) or "layer"
**   help        one line: what it does. It says neither default nor bounds: those follow
**   default     as Lua gives it; nil: there is none, or it is required
**   low, high   bounds of a number or count; nil: none
**   open_low, open_high   true: the bound itself is not allowed
**   choices     the texts that are allowed, a list; nil: any text, or it is no text
**   settable    true: it may be set after construction, opt.lr = 0.1
**   positional  true: it may be given by position, in the order of this list
**   required    true: it must be given
** An unknown name has no options. */
static int core_options(lua_State *L) {
  moon_family family = check_family(L);
  const char *name = luaL_checkstring(L, 2);
  moon_option_info info;
  moon_option_values values = {.size = sizeof values};
  lua_newtable(L);
  for (size_t i = 0; moon_option_describe(bind_ctx(L), family, name, i, &info); i++) {
    moon_option_allows(bind_ctx(L), family, name, i, &values);
    push_option_info(L, &info, &values);
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

static const bind_reg public_functions[] = {
    {"limits", core_limits, "limits"},         {"seed", core_seed, "seed"}, {"draw_seed", core_draw_seed, ""},
    {"set_threads", core_set_threads, "n"},    {"info", core_info, ""},     {"interrupt", core_interrupt, ""},
    {"registered", core_registered, "family"}, {"clock", core_clock, ""},   {0},
};

static const bind_reg private_functions[] = {
    {"nearest", core_nearest, "name, names"},
    {"options", core_options, "family, name"},
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
  bind_public(L, public_functions);
  bind_functions(L, private_functions);
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
