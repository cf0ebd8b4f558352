/* lua_ranks_test.c - a reducer in Lua: nets and core.reduce call it, and it lives as long as a net has it. Run it in
** the root of the tree. */
#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "../../csrc/moonglass_lua.h"
#include "check.h"
#include "lua_tree.h"

typedef struct twin {
  moon_reducer reducer;
  int calls;
  moon_status status;
} twin;

static int collected; /* twins so far */

/* As if another rank had the same values. */
static moon_status reduce(void *ud, float *values, size_t n) {
  twin *t = ud;
  t->calls++;
  for (size_t i = 0; i < n && t->reducer.ranks == 2; i++) values[i] *= 2;
  return t->status;
}

static int twin_gc(lua_State *L) {
  (void)L;
  collected++;
  return 0;
}

/* twin(ranks): a reducer of one rank, or of two that have the same values. */
static int twin_new(lua_State *L) {
  twin *t = lua_newuserdatauv(L, sizeof *t, 0);
  *t = (twin){.reducer = {sizeof(moon_reducer), 0, (size_t)luaL_checkinteger(L, 1), reduce, t}};
  if (luaL_newmetatable(L, "moonglass.reducer")) {
    lua_pushcfunction(L, twin_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return 1;
}

/* stub(): a userdata of that name which is too short. */
static int short_new(lua_State *L) {
  lua_newuserdatauv(L, sizeof(moon_reducer) - 1, 0);
  luaL_setmetatable(L, "moonglass.reducer");
  return 1;
}

static int calls(lua_State *L) {
  lua_pushinteger(L, ((const twin *)lua_touserdata(L, 1))->calls);
  return 1;
}

static int fail_with(lua_State *L) {
  ((twin *)lua_touserdata(L, 1))->status = (moon_status)luaL_checkinteger(L, 2);
  return 0;
}

static int collected_now(lua_State *L) {
  lua_gc(L, LUA_GCCOLLECT);
  lua_gc(L, LUA_GCCOLLECT);
  lua_pushinteger(L, collected);
  return 1;
}

static void run(lua_State *L, const char *name, const char *code) {
  bool good = luaL_dostring(L, code) == LUA_OK;
  CHECK(good);
  if (!good) fprintf(stderr, "%s: %s\n", name, lua_tostring(L, -1));
  lua_settop(L, 0);
}

static const char opening[] =
    "moon, core = require 'moonglass', require 'moonglass.core'\n"
    "x, opt = moon.rand(20, 6), moon.adam()\n"
    "function make(kl)\n"
    "  return moon.sequential{moon.dense(6, 4, {activation = 'sigmoid', kl_weight = kl}), moon.dense(4, 6)}\n"
    "end\n"
    "function refuses(message, f, ...)\n"
    "  local ok, got = pcall(f, ...)\n"
    "  assert(not ok and got:gsub('^[^:]+:%d+: ', '') == message, got)\n"
    "end\n";

static const char sums[] =
    "local r, t = twin(2), moon.tensor{1, -2, 3}\n"
    "core.reduce(r, t)\n"
    "assert(moon.tensor{2, -4, 6}:equal(t) and calls(r) == 1)\n"
    "fail_with(r, 1)\n"
    "refuses('reduce: the reducer failed (out of memory)', core.reduce, r, t)\n"
    "refuses(\"bad argument #1 to 'moonglass.core.reduce' (the reducer is shorter than a moon_reducer)\", "
    "core.reduce,\n"
    "  short(), t)\n"
    "refuses('reduce: the tensor has bytes, expected float32', core.reduce, r, moon.ones{2, dtype = 'uint8'})\n"
    "assert(calls(r) == 2)\n";

static const char steps[] = "local r, net, plain = twin(1), make(0.1), make(0)\n"
                            "local data = moon.dataset(x)\n"
                            "net:set_reducer(r)\n"
                            "net:step(x, nil, 'mse', opt)\n"
                            "assert(calls(r) == 2)\n" /* the penalty's sums, and the gradients */
                            "net:step_rows(data, 1, 10, 'mse', opt)\n"
                            "assert(calls(r) == 4)\n"
                            "net:evaluate(x, nil, {loss = 'mse', batch_size = 10})\n"
                            "assert(calls(r) == 7)\n" /* the sums of two batches, and the end */
                            "net:predict(x) net:forward(x) net:backward(x)\n"
                            "assert(calls(r) == 7)\n"
                            "plain:set_reducer(r)\n"
                            "plain:step(x, nil, 'mse', opt)\n"
                            "assert(calls(r) == 8)\n"
                            "fail_with(r, 7)\n"
                            "refuses('step: the reducer failed (state)', net.step, net, x, nil, 'mse', opt)\n"
                            "net:set_reducer(nil) plain:set_reducer()\n"
                            "net:step(x, nil, 'mse', opt) plain:step(x, nil, 'mse', opt)\n"
                            "assert(calls(r) == 9)\n";

/* A step that runs out of memory is tried a second time by one process, but not by several: the others take part in
** each try. */
static const char memory[] = "local r, net, large = twin(1), make(0), moon.rand(5000, 6)\n"
                             "net:set_reducer(r)\n"
                             "moon.limits{memory = moon.info().memory + 1000}\n"
                             "local ok, message = pcall(net.step, net, large, nil, 'mse', opt)\n"
                             "moon.limits{memory = 0}\n"
                             "assert(not ok and message:find('step: out of memory', 1, true), message)\n"
                             "assert(calls(r) == 1)\n"
                             "net:set_reducer(nil)\n";

static const char lives[] = "local before = collected()\n"
                            "local net = make(0)\n"
                            "net:set_reducer(twin(1))\n"
                            "assert(collected() == before)\n"
                            "net:step(x, nil, 'mse', opt)\n"
                            "net:set_reducer(twin(1))\n"
                            "assert(collected() == before + 1)\n"
                            "net:step(x, nil, 'mse', opt)\n"
                            "net:set_reducer(nil)\n"
                            "assert(collected() == before + 2)\n"
                            "net:set_reducer(twin(1))\n"
                            "kept = net\n";

int main(void) {
  static const luaL_Reg functions[] = {{"twin", twin_new},       {"short", short_new},         {"calls", calls},
                                       {"fail_with", fail_with}, {"collected", collected_now}, {NULL, NULL}};
  lua_State *L = luaL_newstate();
  lua_pushcfunction(L, open_tree);
  CHECK(lua_pcall(L, 0, 0, 0) == LUA_OK);
  lua_pushglobaltable(L);
  luaL_setfuncs(L, functions, 0);
  lua_settop(L, 0);
  run(L, "opening", opening);
  run(L, "sums", sums);
  run(L, "steps", steps);
  run(L, "memory", memory);
  run(L, "lives", lives);
  /* The host holds a net whose handle goes: the reducer stays. */
  lua_getglobal(L, "kept");
  moon_net *net = moon_net_retain(moon_lua_check_net(L, -1));
  int before = collected;
  run(L, "handle", "kept = nil collected()");
  CHECK(collected == before);
  moon_lua_push_net(L, net);
  lua_setglobal(L, "again");
  run(L, "again", "again:step(x, nil, 'mse', opt) again:set_reducer(nil) collected()");
  CHECK(collected == before + 1);
  moon_net_release(net);
  lua_close(L);
  return check_report();
}
