/* timed.c - a Lua module that times reducers. timed.wrap(reducer) is a reducer that does the same and adds up how long
 * it takes: within a step that is the reduction, and waiting for the slowest rank. timed.loop calls one many times. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <lauxlib.h>
#include <lua.h>
#include <moonglass.h>

#define CLASS "moonglass.reducer"

/* It begins with a moon_reducer, as all objects of the class do. */
typedef struct {
  moon_reducer reducer;
  moon_reducer inner;
  double seconds;
  lua_Integer calls, floats;
} timed;

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static moon_status reduce(void *ud, float *values, size_t n) {
  timed *t = ud;
  double start = now();
  moon_status status = t->inner.reduce(t->inner.ud, values, n);
  t->seconds += now() - start;
  t->calls++;
  t->floats += (lua_Integer)n;
  return status;
}

/* timed.wrap(reducer) -> reducer, which keeps the other one alive. Its metatable is that of the other one, so it must
 * not need to be collected: the module moonglass.mpi has no __gc. */
static int wrap(lua_State *L) {
  const moon_reducer *inner = luaL_checkudata(L, 1, CLASS);
  timed *t = lua_newuserdatauv(L, sizeof *t, 1);
  memset(t, 0, sizeof *t);
  t->inner = *inner;
  t->reducer = *inner;
  t->reducer.reduce = reduce;
  t->reducer.ud = t;
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  luaL_setmetatable(L, CLASS);
  return 1;
}

/* timed.take(reducer) -> seconds, calls, floats since it was last called */
static int take(lua_State *L) {
  timed *t = luaL_checkudata(L, 1, CLASS);
  luaL_argcheck(L, t->reducer.reduce == reduce, 1, "not made by timed.wrap");
  lua_pushnumber(L, t->seconds);
  lua_pushinteger(L, t->calls);
  lua_pushinteger(L, t->floats);
  t->seconds = 0;
  t->calls = t->floats = 0;
  return 3;
}

/* timed.loop(reducer, floats, times) -> seconds a call */
static int loop(lua_State *L) {
  const moon_reducer *r = luaL_checkudata(L, 1, CLASS);
  lua_Integer n = luaL_checkinteger(L, 2), times = luaL_checkinteger(L, 3);
  luaL_argcheck(L, n > 0, 2, "expected at least one number");
  luaL_argcheck(L, times > 0, 3, "expected at least one call");
  float *values = calloc((size_t)n, sizeof *values);
  if (!values) return luaL_error(L, "loop: not enough memory for %I numbers", n);
  moon_status status = MOON_OK;
  double start = now();
  for (lua_Integer i = 0; i < times && status == MOON_OK; i++) status = r->reduce(r->ud, values, (size_t)n);
  double seconds = (now() - start) / (double)times;
  free(values);
  if (status != MOON_OK) return luaL_error(L, "loop: the reducer failed with status %d", (int)status);
  lua_pushnumber(L, seconds);
  return 1;
}

int luaopen_timed(lua_State *L);
__attribute__((visibility("default"))) int luaopen_timed(lua_State *L) {
  static const luaL_Reg functions[] = {{"wrap", wrap}, {"take", take}, {"loop", loop}, {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}
