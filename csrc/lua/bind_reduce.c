/* bind_reduce.c - several processes that train one net: a library (MPI, or another) gives Lua a reducer, a full
** userdata with the metatable "moonglass.reducer" whose memory begins with a moon_reducer. Here it goes to a net, and
** sums tensors. */
#include "bind_reduce.h"

#include "bind_args.h"

#define REDUCER "moonglass.reducer"

/*** @class moonglass.Reducer
** Sums over several processes: `require("moonglass.mpi").reducer`. */

static const moon_reducer *check_reducer(lua_State *L, int arg) {
  const moon_reducer *r = luaL_checkudata(L, arg, REDUCER);
  luaL_argcheck(L, lua_rawlen(L, arg) >= sizeof *r, arg, "the reducer is shorter than a moon_reducer");
  return r;
}

/* The registry keeps the reducer under the net's address: a host may hold the net longer than its handle lives. If the
** net goes first, the entry stays until a net with the same address gets one. */

/*** Net:set_reducer(reducer)
** Train this net in several processes, which all make the same steps: each computes some rows of every batch, and the
** reducer sums the gradients over all. `fit` does that with its option `distributed`; this is for a loop of your own.
** @param reducer moonglass.Reducer? nil: this process trains the net alone */
static int net_set_reducer(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  size_t before = moon_memory_used(ctx);
  lua_settop(L, 2);
  moon_net *net = bind_check_net(L, 1);
  const moon_reducer *reducer = lua_isnil(L, 2) ? NULL : check_reducer(L, 2);
  lua_rawgetp(L, LUA_REGISTRYINDEX, net);
  lua_pushvalue(L, 2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, net); /* first: it may run out of memory */
  moon_status status;
  BIND_TWICE(L, status, moon_net_set_reducer(net, reducer));
  if (status != MOON_OK) {
    lua_rawsetp(L, LUA_REGISTRYINDEX, net);
    return bind_raise(L, ctx);
  }
  bind_weigh_growth(L, ctx, before);
  return 0;
}

bool bind_has_reducer(lua_State *L, const moon_net *net) {
  bool has = lua_rawgetp(L, LUA_REGISTRYINDEX, net) != LUA_TNIL;
  lua_pop(L, 1);
  return has;
}

/* core.reduce(reducer or nil, t): the sums of t's elements over all ranks, in place. nil: there is one rank. */
static int core_reduce(lua_State *L) {
  const moon_reducer *r = lua_isnil(L, 1) ? NULL : check_reducer(L, 1);
  moon_tensor *t = bind_check_tensor(L, 2);
  float *values = moon_tensor_float(t);
  if (!values) return luaL_error(L, "reduce: the tensor has bytes, expected float32");
  if (moon_tensor_frozen(t)) return luaL_error(L, "reduce: the tensor is read-only: other contexts share it");
  moon_status status = !r ? MOON_OK : r->reduce(r->ud, values, moon_tensor_numel(t));
  if (status != MOON_OK) return luaL_error(L, "reduce: the reducer failed (%s)", moon_status_name(status));
  return 0;
}

const bind_reg bind_reduce_methods[] = {{"set_reducer", net_set_reducer, "reducer"}, {0}};
const bind_reg bind_reduce_functions[] = {{"reduce", core_reduce, "reducer, tensor"}, {0}};
