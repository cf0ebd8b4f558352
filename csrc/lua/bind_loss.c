/* bind_loss.c - the class of losses. The user value of a handle is a list of the prediction, the target and the weights
** of the last forward. */
#include <stdio.h>

#include "bind_args.h"
#include "bind_family.h"
#include "bind_open.h"

/*** Loss:forward(prediction, target, weights)
** The value of the loss.
** @param prediction moonglass.Tensor [rows x width]
** @param target moonglass.Tensor of the same shape; bytes count as value/255. cross_entropy takes bytes as they are
** @param weights moonglass.Tensor? [rows]: each row's loss is multiplied by its weight, and divided as without
** @return number value */
static int loss_forward(lua_State *L) {
  double value = 0;
  lua_settop(L, 4);
  const moon_loss *loss = bind_check_loss(L, 1);
  const moon_tensor *prediction = bind_check_tensor(L, 2), *target = bind_check_tensor(L, 3);
  const moon_tensor *weights = lua_isnil(L, 4) ? NULL : bind_check_tensor(L, 4);
  BIND_TRY(L, bind_ctx(L), moon_loss_apply_rows(loss, &value, NULL, prediction, target, weights));
  if (lua_getiuservalue(L, 1, 1) != LUA_TTABLE) {
    lua_createtable(L, 3, 0);
    lua_pushvalue(L, -1);
    lua_setiuservalue(L, 1, 1);
  }
  for (int i = 1; i <= 3; i++) {
    lua_pushvalue(L, i + 1);
    lua_rawseti(L, -2, i);
  }
  lua_pushnumber(L, value);
  return 1;
}

/*** Loss:backward()
** The gradient on the prediction of the last `forward`.
** @return moonglass.Tensor gradient of the prediction's shape */
static int loss_backward(lua_State *L) {
  const moon_loss *loss = bind_check_loss(L, 1);
  lua_settop(L, 1);
  if (lua_getiuservalue(L, 1, 1) != LUA_TTABLE)
    return luaL_error(L, "%s: backward without a forward before it", moon_loss_kind(loss));
  lua_rawgeti(L, 2, 1);
  lua_rawgeti(L, 2, 2);
  lua_rawgeti(L, 2, 3);
  const moon_tensor *prediction = bind_test_tensor(L, 3), *target = bind_test_tensor(L, 4);
  const moon_tensor *weights = bind_test_tensor(L, 5);
  if (!prediction || !target || (!weights && !lua_isnil(L, 5)))
    return luaL_error(L, "%s: backward: the prediction or the target of the last forward is closed",
                      moon_loss_kind(loss));
  moon_tensor *grad = bind_new_tensor(L, MOON_FLOAT32, moon_tensor_rank(prediction), moon_tensor_shape(prediction));
  BIND_TRY(L, bind_ctx(L), moon_loss_apply_rows(loss, NULL, grad, prediction, target, weights));
  return 1;
}

/*** Loss:kind()
** The name of the kind: "mse", for example.
** @return string kind */
static int loss_kind(lua_State *L) {
  lua_pushstring(L, moon_loss_kind(bind_check_loss(L, 1)));
  return 1;
}

/* ---- heads ---- */

enum { MAX_HEADS = 64 }; /* the engine takes fewer, and says how many */

/* The head at the top of the stack: {name, loss, columns, weight}. What it points to stays in the table, as long as
** nothing is allocated: a finaliser could change the table. */
static void read_head(lua_State *L, moon_head *head, int place) {
  if (!lua_istable(L, -1)) luaL_error(L, "heads: head %d is %s, expected a table", place, bind_shown(L, -1));
  for (int i = 1; i <= 4; i++) lua_rawgeti(L, -i, i);
  if (lua_type(L, -4) != LUA_TSTRING)
    luaL_error(L, "heads: head %d: name is %s, expected a text", place, bind_shown(L, -4));
  if (!bind_test(L, -3, BIND_LOSS))
    luaL_error(L, "heads: head %d: its loss is %s, expected a loss", place, bind_shown(L, -3));
  *head = (moon_head){lua_tostring(L, -4), bind_test(L, -3, BIND_LOSS),
                      (size_t)bind_whole(L, -2, "heads", "columns", place, 1, INT32_MAX),
                      bind_number(L, -1, "heads", "weight")};
  lua_pop(L, 4);
}

/* core.new_heads{{name, loss, columns, weight}, ...}: what moon.heads makes (net/heads.lua). */
static int new_heads(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  moon_head heads[MAX_HEADS];
  size_t before = moon_memory_used(ctx);
  luaL_checktype(L, 1, LUA_TTABLE);
  size_t count = lua_rawlen(L, 1);
  luaL_checkstack(L, 16, "heads");
  void **handle = bind_new(L, BIND_LOSS);
  for (size_t i = 0; i < count && i < MAX_HEADS; i++) {
    lua_rawgeti(L, 1, (lua_Integer)i + 1);
    read_head(L, &heads[i], (int)i + 1);
    lua_pop(L, 1);
  }
  moon_loss *loss = NULL;
  BIND_TRY(L, ctx, moon_loss_heads(ctx, &loss, heads, count));
  *handle = loss;
  bind_weigh_growth(L, ctx, before);
  return 1;
}

/*** Loss:heads()
** The heads of a loss that `moon.heads` has made. An empty list for any other loss.
** @return moonglass.Head[] heads */
static int loss_heads(lua_State *L) {
  const moon_loss *loss = bind_check_loss(L, 1);
  moon_head head;
  lua_newtable(L);
  for (size_t i = 0; moon_loss_head(loss, i, &head); i++) {
    lua_createtable(L, 0, 4);
    lua_pushstring(L, head.name);
    lua_setfield(L, -2, "name");
    bind_push(L, BIND_LOSS, head.loss);
    lua_setfield(L, -2, "loss");
    lua_pushinteger(L, (lua_Integer)head.columns);
    lua_setfield(L, -2, "columns");
    lua_pushnumber(L, head.weight);
    lua_setfield(L, -2, "weight");
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* "heads (reconstruction: bce, 784 columns; class: cross_entropy, 10 columns, weight 0.1)" */
static void push_heads(lua_State *L, const moon_loss *loss) {
  moon_head head;
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  luaL_addstring(&text, "heads (");
  for (size_t i = 0; moon_loss_head(loss, i, &head); i++) {
    char rest[64] = "";
    lua_pushfstring(L, "%s%s: ", i ? "; " : "", head.name);
    luaL_addvalue(&text);
    bind_push_text(L, &bind_losses, head.loss);
    luaL_addvalue(&text);
    if (head.weight != 1) snprintf(rest, sizeof rest, ", weight %.14g", head.weight);
    lua_pushfstring(L, ", %I column%s%s", (LUAI_UACINT)head.columns, head.columns == 1 ? "" : "s", rest);
    luaL_addvalue(&text);
  }
  luaL_addchar(&text, ')');
  luaL_pushresult(&text);
}

static int loss_index(lua_State *L) {
  if (bind_method(L) || bind_option_field(L, &bind_losses)) return 1;
  bind_nearest n = bind_key(L);
  return bind_no_option_field(L, &bind_losses, &n);
}

static int loss_newindex(lua_State *L) {
  bind_nearest n = bind_key(L);
  return bind_set_field(L, &bind_losses, &n);
}

static int loss_call(lua_State *L) {
  return luaL_error(L, "a loss cannot be called; use loss:forward(prediction, target)");
}

static int loss_tostring(lua_State *L) {
  moon_head head;
  const moon_loss *loss = bind_test(L, 1, BIND_LOSS);
  if (!loss || !moon_loss_head(loss, 0, &head)) return bind_family_tostring(L, &bind_losses);
  push_heads(L, loss);
  return 1;
}

/*** @class moonglass.Head
** A part of the loss of `moon.heads`.
** @field name string of its figures in the history
** @field loss moonglass.Loss
** @field columns integer how many of the outputs it has
** @field weight number in the sum of all heads */

/*** @class moonglass.Loss
** A loss: a value and its gradient on the prediction. Its options can be read as fields. */

/*** @class moonglass.LuaLoss
** A loss written in Lua: a table with these methods.
** @field forward fun(self, prediction: moonglass.Tensor, target: moonglass.Tensor): number
** @field backward fun(self): moonglass.Tensor the gradient on the last prediction
** @field metrics table<string, fun(prediction: moonglass.Tensor, target: moonglass.Tensor): number>? by themselves */

/*** @alias moonglass.LossFunction fun(prediction: moonglass.Tensor, target: moonglass.Tensor): number, moonglass.Tensor
** A loss as one function. It returns the value and its gradient on the prediction, of the prediction's shape. */

/*** @alias moonglass.AnyLoss moonglass.Loss|moonglass.LuaLoss|moonglass.LossFunction */

/*** @alias moonglass.Reduction "mean"|"batchmean"|"sum" */

static const bind_reg methods[] = {
    {"forward", loss_forward, "prediction, target, weights"},
    {"backward", loss_backward, ""},
    {"kind", loss_kind, ""},
    {"heads", loss_heads, ""},
    {0},
};

static const bind_reg functions[] = {{"new_heads", new_heads, "list"}, {0}};

static const luaL_Reg meta[] = {
    {"__newindex", loss_newindex}, {"__tostring", loss_tostring}, {"__call", loss_call}, {NULL, NULL}};

void bind_open_loss(lua_State *L) {
  bind_new_class(L, BIND_LOSS, meta, methods, loss_index);
  bind_constructors(L, &bind_losses);
  bind_functions(L, functions);
}
