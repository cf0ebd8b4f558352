/* bind_loss.c - the class of losses. The user value of a handle is a list of the prediction and the target of the last
** forward. */
#include "bind_described.h"
#include "bind_open.h"

/* loss:forward(prediction [n x k], target) -> number. */
static int loss_forward(lua_State *L) {
  double value = 0;
  lua_settop(L, 3);
  const moon_loss *loss = bind_check_loss(L, 1);
  const moon_tensor *prediction = bind_check_tensor(L, 2), *target = bind_check_tensor(L, 3);
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
  const moon_loss *loss = bind_check_loss(L, 1);
  lua_settop(L, 1);
  if (lua_getiuservalue(L, 1, 1) != LUA_TTABLE)
    return luaL_error(L, "%s: backward without a forward before it", moon_loss_kind(loss));
  lua_rawgeti(L, 2, 1);
  lua_rawgeti(L, 2, 2);
  const moon_tensor *prediction = bind_test_tensor(L, 3), *target = bind_test_tensor(L, 4);
  if (!prediction || !target)
    return luaL_error(L, "%s: backward: the prediction or the target of the last forward is closed",
                      moon_loss_kind(loss));
  moon_tensor *grad = bind_new_tensor(L, MOON_FLOAT32, moon_tensor_rank(prediction), moon_tensor_shape(prediction));
  BIND_TRY(L, bind_ctx(L), moon_loss_apply(loss, NULL, grad, prediction, target));
  return 1;
}

static int loss_kind(lua_State *L) {
  lua_pushstring(L, moon_loss_kind(bind_check_loss(L, 1)));
  return 1;
}

static int loss_index(lua_State *L) {
  if (bind_method(L) || bind_option_field(L, &bind_losses)) return 1;
  bind_nearest n = bind_key(L);
  return bind_no_option_field(L, &bind_losses, &n);
}

static int loss_newindex(lua_State *L) {
  bind_nearest n = bind_key(L);
  return bind_fixed_field(L, &bind_losses, &n);
}

static int loss_call(lua_State *L) {
  return luaL_error(L, "a loss cannot be called; use loss:forward(prediction, target)");
}

static int loss_tostring(lua_State *L) { return bind_described_tostring(L, &bind_losses); }

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
  bind_constructors(L, &bind_losses);
}
