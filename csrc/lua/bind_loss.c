/* bind_loss.c - the class of losses. Its user value is a list of the prediction and the target of the last forward. */
#include "bind_object.h"

static moon_loss *check(lua_State *L, int arg) { return bind_check(L, arg, BIND_LOSS); }
static moon_tensor *check_tensor(lua_State *L, int arg) { return bind_check(L, arg, BIND_TENSOR); }

static moon_status make(moon_ctx *ctx, void **out, const char *kind, const moon_option *options, size_t count) {
  moon_loss *loss = NULL;
  moon_status status = moon_loss_new(ctx, &loss, kind, options, count);
  *out = loss;
  return status;
}

static const char *kind(const void *loss) { return moon_loss_kind(loss); }
static moon_status get(const void *loss, const char *name, moon_option *value) {
  return moon_loss_get(loss, name, value);
}

static const bind_described losses = {
    .family = MOON_LOSSES, .class = BIND_LOSS, .noun = "loss", .make = make, .kind = kind, .get = get};

static int loss_new(lua_State *L) { return bind_construct(L, &losses); }

/* loss:forward(prediction [n x k], target) -> number. */
static int loss_forward(lua_State *L) {
  double value = 0;
  lua_settop(L, 3);
  const moon_loss *loss = check(L, 1);
  const moon_tensor *prediction = check_tensor(L, 2), *target = check_tensor(L, 3);
  BIND_TRY(L, bind_ctx(L), moon_loss_apply(loss, &value, NULL, prediction, target));
  if (lua_getiuservalue(L, 1, 1) != LUA_TTABLE) {
    lua_createtable(L, 2, 0);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, 1);
  }
  for (int i = 1; i <= 2; i++) {
    lua_pushvalue(L, i + 1);
    lua_rawseti(L, -2, i);
  }
  lua_pushnumber(L, value);
  return 1;
}

/* loss:backward() -> the gradient on the last forward's prediction, a new tensor. */
static int loss_backward(lua_State *L) {
  const moon_loss *loss = check(L, 1);
  lua_settop(L, 1);
  if (lua_getiuservalue(L, 1, 1) != LUA_TTABLE)
    return luaL_error(L, "%s: backward without a forward before it", moon_loss_kind(loss));
  lua_rawgeti(L, 2, 1);
  lua_rawgeti(L, 2, 2);
  const moon_tensor *prediction = bind_test(L, 3, BIND_TENSOR), *target = bind_test(L, 4, BIND_TENSOR);
  if (!prediction || !target)
    return luaL_error(L, "%s: backward: the prediction or the target of the last forward is closed",
                      moon_loss_kind(loss));
  moon_tensor *grad = bind_new_tensor(L, MOON_FLOAT32, moon_tensor_rank(prediction), moon_tensor_shape(prediction));
  BIND_TRY(L, bind_ctx(L), moon_loss_apply(loss, NULL, grad, prediction, target));
  return 1;
}

static int loss_kind(lua_State *L) {
  lua_pushstring(L, moon_loss_kind(check(L, 1)));
  return 1;
}

static int loss_index(lua_State *L) {
  if (bind_method(L) || bind_option_field(L, &losses)) return 1;
  bind_nearest n = bind_key(L);
  return bind_no_option_field(L, &losses, &n);
}

static int loss_newindex(lua_State *L) {
  bind_nearest n = bind_key(L);
  return bind_fixed_field(L, &losses, &n);
}

static int loss_call(lua_State *L) { return luaL_error(L, "a loss is not called: loss:forward(prediction, target)"); }

static int loss_tostring(lua_State *L) { return bind_described_tostring(L, &losses); }

static const bind_reg methods[] = {
    {"forward", loss_forward, "prediction, target"},
    {"backward", loss_backward, ""},
    {"kind", loss_kind, ""},
    {0},
};

static const luaL_Reg meta[] = {
    {"__newindex", loss_newindex}, {"__tostring", loss_tostring}, {"__call", loss_call}, {NULL, NULL}};

void bind_open_loss(lua_State *L) {
  bind_class(L, BIND_LOSS, meta, methods, loss_index);
  bind_constructors(L, &losses, loss_new);
}
