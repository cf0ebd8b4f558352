/* bind_optim.c - the class of optimisers. They take lists of parameters as parameters() returns them. */
#include <limits.h>

#include "bind_family.h"
#include "bind_open.h"
#include "bind_option.h"

/* ---- lists of parameters ---- */

/* The tensor under a key, at stack index `key`, of the list element on the top. Allocates nothing. */
static moon_tensor *element_tensor(lua_State *L, const char *name, size_t place, int key) {
  moon_tensor *t = NULL;
  bool closed = false;
  if (lua_istable(L, -1)) {
    lua_pushvalue(L, key);
    lua_rawget(L, -2);
    t = bind_test_tensor(L, -1);
    closed = !t && luaL_testudata(L, -1, BIND_TENSOR);
    lua_pop(L, 1);
  }
  if (!t)
    luaL_error(L, "%s: parameter %I has %s tensor '%s', expected a list as parameters() returns it", name,
               (LUAI_UACINT)place, closed ? "a closed" : "no", lua_tostring(L, key));
  return t;
}

/* Is this the value under a key of the parameter on the top? */
static bool has_flag(lua_State *L, int key, bool value) {
  lua_pushvalue(L, key);
  bool is = lua_rawget(L, -2) == LUA_TBOOLEAN && lua_toboolean(L, -1) == value;
  lua_pop(L, 1);
  return is;
}

/* A parameter that belongs to another layer is updated there, once; a frozen one not at all. */
static bool is_updated(lua_State *L, int shared, int trainable) {
  return !has_flag(L, shared, true) && !has_flag(L, trainable, false);
}

/* Read the tensors of the list at index 2 into room: n values, then n gradients. Returns how many are to be updated.
** The four keys are at indices 4 to 7. */
static size_t read_list(lua_State *L, const char *name, moon_tensor **room, size_t n) {
  size_t count = 0;
  for (size_t i = 1; i <= n; i++) {
    lua_rawgeti(L, 2, (lua_Integer)i);
    room[count] = element_tensor(L, name, i, 4);
    room[n + count] = element_tensor(L, name, i, 5);
    if (is_updated(L, 6, 7)) count++;
    lua_pop(L, 1);
  }
  return count;
}

static size_t check_list(lua_State *L, const moon_optim *opt) {
  if (!lua_istable(L, 2))
    luaL_error(L, "%s: got %s, expected a list as parameters() returns it", moon_optim_kind(opt), bind_shown(L, 2));
  return (size_t)lua_rawlen(L, 2);
}

/*** Optimizer:step(parameters)
** Update each parameter once, by its gradient; frozen ones are left as they are.
** @param parameters moonglass.Parameter[] from `net:parameters()`; shared ones are updated with their owners */
static int optim_step(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  moon_optim *opt = bind_check_optim(L, 1);
  lua_settop(L, 2);
  size_t n = check_list(L, opt), before = moon_memory_used(ctx);
  moon_tensor **room = lua_newuserdatauv(L, 2 * n * sizeof *room + 1, 0);
  lua_pushliteral(L, "value");
  lua_pushliteral(L, "grad");
  lua_pushliteral(L, "shared");
  lua_pushliteral(L, "trainable");
  size_t count = read_list(L, moon_optim_kind(opt), room, n);
  BIND_TRY(L, ctx, moon_optim_step(opt, room, room + n, count));
  bind_weigh_growth(L, ctx, before);
  return 0;
}

/* Replace the parameter on the top by its live moments: {m = tensor, v = tensor}. */
static void push_moments(lua_State *L, moon_optim *opt, size_t place) {
  int element = lua_gettop(L);
  lua_pushliteral(L, "value");
  lua_insert(L, element);
  moon_tensor *value = element_tensor(L, "moments", place, element);
  lua_pushliteral(L, "trainable");
  lua_insert(L, element);
  bool wanted = !has_flag(L, element, false) || moon_optim_has(opt, value);
  lua_remove(L, element);
  lua_newtable(L);
  for (size_t slot = 0; wanted; slot++) {
    const char *name;
    moon_tensor *moment = NULL;
    void **handle = bind_new(L, BIND_TENSOR);
    moon_status status;
    BIND_TWICE(L, status, moon_optim_moment(opt, value, slot, &name, &moment));
    if (status == MOON_ERANGE) break; /* past the last */
    if (status != MOON_OK) bind_raise(L, bind_ctx(L));
    *handle = moon_tensor_retain(moment);
    lua_setfield(L, element + 2, name);
  }
  lua_settop(L, element + 2);
  lua_replace(L, element);
  lua_settop(L, element);
}

/* Push the moments of the list at index 2. */
static void push_list_of_moments(lua_State *L, moon_optim *opt) {
  size_t n = check_list(L, opt), before = moon_memory_used(bind_ctx(L));
  lua_createtable(L, n > INT_MAX ? 0 : (int)n, 0);
  for (size_t i = 1; i <= n; i++) {
    lua_rawgeti(L, 2, (lua_Integer)i);
    push_moments(L, opt, i);
    lua_rawseti(L, -2, (lua_Integer)i);
  }
  bind_weigh_growth(L, bind_ctx(L), before);
}

/*** Optimizer:moments(parameters)
** The live moments of each parameter by name, for example {m =, v =}. Missing moments are created, but not those of
** frozen parameters: their tables are empty.
** @param parameters moonglass.Parameter[]
** @return table<string, moonglass.Tensor>[] moments */
static int optim_moments(lua_State *L) {
  moon_optim *opt = bind_check_optim(L, 1);
  lua_settop(L, 2);
  push_list_of_moments(L, opt);
  return 1;
}

/* ---- state ---- */

/*** Optimizer:steps()
** The number of steps so far.
** @return integer steps */
static int optim_steps(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)moon_optim_steps(bind_check_optim(L, 1)));
  return 1;
}

/*** Optimizer:set_steps(steps)
** Set the number of steps so far.
** @param steps integer at least 0 */
static int optim_set_steps(lua_State *L) {
  moon_optim *opt = bind_check_optim(L, 1);
  lua_Integer steps = luaL_checkinteger(L, 2);
  luaL_argcheck(L, steps >= 0, 2, "expected at least 0");
  moon_optim_set_steps(opt, (uint64_t)steps);
  return 0;
}

/*** Optimizer:state(parameters)
** The optimiser as a table: kind, steps and every option. With parameters, also their moments.
** @param parameters moonglass.Parameter[]?
** @return table state */
static int optim_state(lua_State *L) {
  moon_optim *opt = bind_check_optim(L, 1);
  moon_option_info info;
  moon_option value;
  lua_settop(L, 2);
  lua_newtable(L);
  lua_pushstring(L, moon_optim_kind(opt));
  lua_setfield(L, 3, "kind");
  lua_pushinteger(L, (lua_Integer)moon_optim_steps(opt));
  lua_setfield(L, 3, "steps");
  for (size_t i = 0; moon_option_describe(bind_ctx(L), MOON_OPTIMS, moon_optim_kind(opt), i, &info); i++) {
    BIND_TRY(L, bind_ctx(L), moon_optim_get(opt, info.name, &value));
    bind_push_option(L, &value);
    lua_setfield(L, 3, info.name);
  }
  if (lua_isnil(L, 2)) return 1;
  push_list_of_moments(L, opt);
  lua_setfield(L, 3, "moments");
  return 1;
}

/*** Optimizer:kind()
** The name of the kind: "adam", for example.
** @return moonglass.OptimizerName kind */
static int optim_kind(lua_State *L) {
  lua_pushstring(L, moon_optim_kind(bind_check_optim(L, 1)));
  return 1;
}

static int optim_index(lua_State *L) {
  if (bind_method(L) || bind_option_field(L, &bind_optims)) return 1;
  bind_nearest n = bind_key(L);
  return bind_no_option_field(L, &bind_optims, &n);
}

static int optim_newindex(lua_State *L) {
  bind_nearest n = bind_key(L);
  return bind_set_field(L, &bind_optims, &n);
}

static int optim_tostring(lua_State *L) { return bind_family_tostring(L, &bind_optims); }

/*** @class moonglass.Optimizer
** An optimiser with its moments. Its options can be read as fields; most can be set between steps.
**
** Gradients can be clipped as in Keras, by at most one of `clip_value`, `clip_norm` and `global_clip_norm`. A layer
** shows its gradients as they were. A step whose norm is not finite changes nothing; with `clip_value` an infinity is
** cut and NaN counts as 0. */

/*** @class moonglass.LuaOptimizer
** An optimiser written in Lua: a table with the method `step`.
** @field step fun(self, parameters: moonglass.Parameter[]) updates each value by its grad
** @field lr number? for callbacks that set the learning rate */

/*** @alias moonglass.AnyOptimizer moonglass.Optimizer|moonglass.LuaOptimizer */

static const bind_reg methods[] = {
    {"step", optim_step, "parameters"},
    {"moments", optim_moments, "parameters"},
    {"steps", optim_steps, ""},
    {"set_steps", optim_set_steps, "steps"},
    {"state", optim_state, "parameters"},
    {"kind", optim_kind, ""},
    {0},
};

static const luaL_Reg meta[] = {{"__newindex", optim_newindex}, {"__tostring", optim_tostring}, {NULL, NULL}};

void bind_open_optim(lua_State *L) {
  bind_new_class(L, BIND_OPTIM, meta, methods, optim_index);
  bind_constructors(L, &bind_optims);
}
