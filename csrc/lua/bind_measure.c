/* bind_measure.c - figures of batches beside the objective: measures of nets. */
#include "bind_args.h"
#include "bind_run.h"

/* Add the i-th measure, at the top of the stack: the name of a kind, or a loss. */
static moon_status add(lua_State *L, moon_net *net, lua_Integer i) {
  bool named = lua_type(L, -1) == LUA_TSTRING;
  moon_loss *loss = bind_test(L, -1, BIND_LOSS);
  if (!named && !loss) {
    moon_net_drop_measures(net);
    luaL_error(L, "set_measures: element %I is %s, expected the name of a kind, or a loss of the core", (LUAI_UACINT)i,
               bind_shown(L, -1));
  }
  return moon_net_add_measure(net, named ? lua_tostring(L, -1) : "loss", loss);
}

/*** Net:set_measures(measures)
** From now on each batch of `step`, `step_rows` and `evaluate_rows` adds figures of its outputs to sums, beside the
** objective, before the update, and changes nothing else. `fit` does that with its option `metrics`; this is for a loop
** of your own. A measure is a loss, or the name of a kind: "accuracy", "binary_accuracy", "data" (the objective without
** its penalties) or "penalty".
** @param measures (string|moonglass.Loss)[]? nil: none */
static int net_set_measures(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  size_t before = moon_memory_used(ctx);
  lua_settop(L, 2);
  moon_net *net = bind_check_net(L, 1);
  if (!lua_isnil(L, 2)) luaL_checktype(L, 2, LUA_TTABLE);
  moon_net_drop_measures(net);
  for (lua_Integer i = 1; lua_istable(L, 2) && lua_rawgeti(L, 2, i) != LUA_TNIL; i++, lua_settop(L, 2))
    if (add(L, net, i) != MOON_OK) {
      moon_net_drop_measures(net);
      return bind_raise(L, ctx);
    }
  bind_weigh_growth(L, ctx, before);
  return 0;
}

/*** Net:measured()
** What the measures have added up since `set_measures`. The mean of measure i is sums[i] / weights[i].
** @return number[] sums of a batch's figure times its weight
** @return number[] weights the rows of the batches; with a mask their cells, where the figure is a mean over cells */
static int net_measured(lua_State *L) {
  double sum, weight;
  const moon_net *net = bind_check_net(L, 1);
  size_t count = 0;
  lua_newtable(L);
  lua_newtable(L);
  for (; moon_net_measured(net, count, &sum, &weight) == MOON_OK; count++) {
    lua_pushnumber(L, sum);
    lua_rawseti(L, -3, (lua_Integer)count + 1);
    lua_pushnumber(L, weight);
    lua_rawseti(L, -2, (lua_Integer)count + 1);
  }
  return 2;
}

const bind_reg bind_measure_methods[] = {
    {"set_measures", net_set_measures, "measures"}, {"measured", net_measured, ""}, {0}};
