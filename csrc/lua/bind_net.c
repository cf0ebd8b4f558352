/* bind_net.c - the class of nets. The user value of a handle is a table, made when first needed: under strings the
** fields that Lua sets on this net, under numbers the handles of its layers, so that what a layer keeps for backward
** lives as long as the net. */
#include <limits.h>
#include <string.h>

#include "bind_archive.h"
#include "bind_detector.h"
#include "bind_family.h"
#include "bind_layer.h"
#include "bind_open.h"
#include "bind_reduce.h"
#include "bind_run.h"

/* ---- making ---- */

/* Read the n layers of the list at index 1 into room, and their handles into the table at index 2. */
static void read_layers(lua_State *L, moon_layer **room, size_t n) {
  for (size_t i = 0; i < n; i++) {
    lua_rawgeti(L, 1, (lua_Integer)i + 1);
    room[i] = bind_test(L, -1, BIND_LAYER);
    if (!room[i]) luaL_error(L, "net: element %I is %s, expected a layer", (LUAI_UACINT)(i + 1), bind_shown(L, -1));
    lua_rawseti(L, 2, (lua_Integer)i + 1);
  }
}

/* core.net{layer, layer, ...} */
static int net_new(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  size_t n = (size_t)lua_rawlen(L, 1);
  lua_createtable(L, n > INT_MAX ? 0 : (int)n, 2);
  moon_layer **room = lua_newuserdatauv(L, n * sizeof *room + 1, 0);
  read_layers(L, room, n);
  void **handle = bind_new(L, BIND_NET);
  moon_net *net = NULL;
  BIND_TRY(L, bind_ctx(L), moon_net_new(bind_ctx(L), &net, room, n));
  *handle = net;
  lua_pushvalue(L, 2);
  lua_setiuservalue(L, -2, 1);
  return 1;
}

/* Push the table of the net at index 1. */
static void push_fields(lua_State *L) {
  if (lua_getiuservalue(L, 1, 1) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, 1, 1);
}

/*** Net:layer(i)
** One layer.
** @param i integer 1 to #net
** @return moonglass.Layer|moonglass.LuaLayer layer */
static int net_layer(lua_State *L) {
  const moon_net *net = bind_check_net(L, 1);
  lua_Integer i = bind_whole(L, 2, "layer", "index", 0, 1, (lua_Integer)moon_net_count(net));
  push_fields(L);
  int fields = lua_gettop(L);
  lua_rawgeti(L, fields, i);
  if (bind_test(L, -1, BIND_LAYER)) return 1;
  bind_push(L, BIND_LAYER, moon_net_layer(net, (size_t)i - 1));
  lua_pushvalue(L, -1);
  lua_rawseti(L, fields, i);
  return 1;
}

/* net:slice(i, j): layers i to j, sharing the parameters. */
static int net_slice(lua_State *L) {
  const moon_net *net = bind_check_net(L, 1);
  lua_Integer n = (lua_Integer)moon_net_count(net);
  lua_Integer i = bind_whole(L, 2, "slice", "first layer", 0, 1, n),
              j = bind_whole(L, 3, "slice", "last layer", 0, i, n);
  void **handle = bind_new(L, BIND_NET);
  moon_net *slice = NULL;
  BIND_TRY(L, bind_ctx(L), moon_net_slice(net, &slice, (size_t)i - 1, (size_t)(j - i + 1)));
  *handle = slice;
  return 1;
}

/* A copy with its own parameters; sequential.lua adds the halves and the loss. */
static int push_copy(lua_State *L, moon_status (*copy)(const moon_net *net, moon_net **out)) {
  const moon_net *net = bind_check_net(L, 1);
  size_t before = moon_memory_used(bind_ctx(L));
  void **handle = bind_new(L, BIND_NET);
  moon_net *made = NULL;
  BIND_TRY(L, bind_ctx(L), copy(net, &made));
  *handle = made;
  bind_weigh_growth(L, bind_ctx(L), before);
  return 1;
}

static int net_clone(lua_State *L) { return push_copy(L, moon_net_clone); }
static int net_fold(lua_State *L) { return push_copy(L, moon_net_fold); }

/* ---- properties ---- */

/* Has an earlier parameter than the j-th of layer i this value tensor? */
static bool seen_before(const moon_net *net, const moon_tensor *value, size_t i, size_t j) {
  moon_parameter p;
  for (size_t k = 0; k <= i; k++)
    for (size_t l = 0; moon_layer_parameter(moon_net_layer(net, k), l, &p); l++) {
      if (k == i && l == j) return false;
      if (p.value == value) return true;
    }
  return false;
}

/* Push the list of all parameters, or of all buffers, each once. */
static int push_list(lua_State *L, bool buffers) {
  moon_parameter p;
  lua_Integer n = 0;
  lua_settop(L, 1);
  const moon_net *net = bind_check_net(L, 1);
  lua_newtable(L);
  for (size_t i = 0; i < moon_net_count(net); i++)
    for (size_t j = 0; moon_layer_parameter(moon_net_layer(net, i), j, &p); j++) {
      if (buffers == (p.grad != NULL) || seen_before(net, p.value, i, j)) continue;
      const char *name = lua_pushfstring(L, "%I.%s", (LUAI_UACINT)(i + 1), p.name);
      bind_push_parameter(L, name, moon_net_layer(net, i), j);
      lua_rawseti(L, 2, ++n);
      lua_settop(L, 2);
    }
  return 1;
}

/*** Net:parameters()
** All parameters with their gradients, each once. The tensors are live.
** @return moonglass.Parameter[] parameters */
static int net_parameters(lua_State *L) { return push_list(L, false); }

/*** Net:buffers()
** What the layers keep beside their parameters, saved with them but not trained: the running statistics of batch_norm,
** each once. The tensors are live.
** @return moonglass.Buffer[] buffers */
static int net_buffers(lua_State *L) { return push_list(L, true); }

/*** Net:penalty()
** The penalties of the last `forward`.
** @return number penalty */
static int net_penalty(lua_State *L) {
  lua_pushnumber(L, moon_net_penalty(bind_check_net(L, 1)));
  return 1;
}

/*** Net:seed(seed)
** Restart the streams of the noise.
** @param seed integer */
static int net_seed(lua_State *L) {
  moon_net_seed(bind_check_net(L, 1), (uint64_t)luaL_checkinteger(L, 2));
  return 0;
}

/*** Net:inputs()
** The width of the input; 0 if any width fits.
** @return integer width */
static int net_inputs(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)moon_net_inputs(bind_check_net(L, 1)));
  return 1;
}

/*** Net:outputs()
** The width of the output; 0 if it is not known.
** @return integer width */
static int net_outputs(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)moon_net_outputs(bind_check_net(L, 1)));
  return 1;
}

/*** Net:encoder_layers()
** The number of layers that are the encoder of an autoencoder; 0 if the net is not one.
** @return integer layers */
static int net_encoder_layers(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)moon_net_encoder(bind_check_net(L, 1)));
  return 1;
}

/*** Net:set_encoder_layers(layers)
** Set how many of the layers are the encoder. `save` writes the number to the file.
** @param layers integer 0 to #net */
static int net_set_encoder_layers(lua_State *L) {
  moon_net *net = bind_check_net(L, 1);
  lua_Integer layers = bind_whole(L, 2, "set_encoder_layers", "number of layers", 0, 0,
                                  (lua_Integer)moon_net_count(net));
  BIND_TRY(L, bind_ctx(L), moon_net_set_encoder(net, (size_t)layers));
  return 0;
}

static int net_len(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)moon_net_count(bind_check_net(L, 1)));
  return 1;
}

/* Push ", sharing layers 1 to 2 of another net" for a slice, whose field says so; else "". */
static const char *push_shares(lua_State *L) {
  if (lua_getiuservalue(L, 1, 1) == LUA_TTABLE) {
    lua_pushliteral(L, "shares");
    if (lua_rawget(L, -2) == LUA_TSTRING) return lua_pushfstring(L, ", sharing %s", lua_tostring(L, -1));
  }
  return lua_pushliteral(L, "");
}

/* "net (dense 784->32 relu, dense 32->784 sigmoid)" with the first layers only, and what a slice shares. */
static int net_tostring(lua_State *L) {
  enum { SHOWN = 6 };
  luaL_checkudata(L, 1, BIND_NET);
  if (!bind_test(L, 1, BIND_NET)) {
    lua_pushliteral(L, BIND_NET " (closed)");
    return 1;
  }
  const moon_net *net = bind_check_net(L, 1);
  const char *shares = push_shares(L);
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  for (size_t i = 0; i < moon_net_count(net) && i < SHOWN; i++) {
    luaL_addstring(&text, i ? ", " : "net (");
    bind_push_text(L, &bind_layers, moon_net_layer(net, i));
    luaL_addvalue(&text);
  }
  if (moon_net_count(net) > SHOWN) {
    lua_pushfstring(L, ", and %I more", (LUAI_UACINT)(moon_net_count(net) - SHOWN));
    luaL_addvalue(&text);
  }
  luaL_addstring(&text, ")");
  luaL_addstring(&text, shares);
  luaL_pushresult(&text);
  return 1;
}

static int net_call(lua_State *L) {
  return luaL_error(L, "a net cannot be called; use net:forward(x) or net:predict(x)");
}

/* ---- fields ---- */

static bool is_trainable_key(lua_State *L) {
  return lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), BIND_TRAINABLE) == 0;
}

/* Is any parameter trained? */
static bool is_trained(const moon_net *net) {
  for (size_t i = 0; i < moon_net_count(net); i++)
    if (bind_layer_trains(moon_net_layer(net, i))) return true;
  return false;
}

static int set_trainable(lua_State *L, const moon_net *net) {
  if (!lua_isboolean(L, 3))
    return luaL_error(L, "net: " BIND_TRAINABLE " is %s, expected true or false", bind_shown(L, 3));
  for (size_t i = 0; i < moon_net_count(net); i++)
    bind_layer_set_trainable(L, moon_net_layer(net, i), lua_toboolean(L, 3));
  return 0;
}

/* Fields that Lua has set on this net come first, then methods. A field that may be missing is declared by false among
** the methods, and reads as nil; any other unknown name raises. */
static int net_index(lua_State *L) {
  if (is_trainable_key(L)) {
    lua_pushboolean(L, is_trained(bind_check_net(L, 1)));
    return 1;
  }
  if (lua_type(L, 2) == LUA_TNUMBER)
    return luaL_error(L, "net: a layer is net:layer(%s), not net[%s]", lua_tostring(L, 2), lua_tostring(L, 2));
  if (lua_type(L, 2) == LUA_TSTRING && lua_getiuservalue(L, 1, 1) == LUA_TTABLE) {
    lua_pushvalue(L, 2);
    if (lua_rawget(L, -2) != LUA_TNIL) return 1;
  }
  lua_pushvalue(L, 2);
  int type = lua_rawget(L, lua_upvalueindex(2));
  if (type == LUA_TNIL) {
    bind_nearest n = bind_key(L);
    if (lua_getiuservalue(L, 1, 1) == LUA_TTABLE) bind_offer_names(L, &n, -1);
    return bind_no_field(L, "net", &n);
  }
  if (type == LUA_TBOOLEAN && !lua_toboolean(L, -1)) lua_pushnil(L);
  return 1;
}

static int net_newindex(lua_State *L) {
  luaL_checkudata(L, 1, BIND_NET);
  if (is_trainable_key(L)) return set_trainable(L, bind_check_net(L, 1));
  if (lua_type(L, 2) != LUA_TSTRING) return luaL_error(L, "net: a field has a name, got %s", bind_shown(L, 2));
  push_fields(L);
  lua_insert(L, 2);
  lua_rawset(L, 2);
  return 0;
}

/* ---- archives ---- */

/*** Net:archive()
** The content of the file that `save` writes, as tables.
** @return table<string, moonglass.Tensor> tensors
** @return table<string, string> metadata */
static int net_archive(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  size_t before = moon_memory_used(ctx);
  const moon_net *net = bind_check_net(L, 1);
  moon_archive *archive = bind_new_archive(L);
  BIND_TRY(L, ctx, moon_net_to_archive(net, archive));
  bind_push_archive(L, archive);
  bind_weigh_growth(L, ctx, before);
  lua_pop(L, 1);
  return 2;
}

/* core.net_from(tensors, metadata) -> net | nil, message, code */
static int net_from(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  size_t before = moon_memory_used(ctx);
  const moon_archive *archive = bind_read_archive(L, "net_from", 1, 2);
  void **handle = bind_new(L, BIND_NET);
  moon_net *net = NULL;
  moon_status status;
  BIND_TWICE(L, status, moon_net_from_archive(ctx, &net, archive));
  if (status != MOON_OK) return bind_file_result(L, ctx, status);
  *handle = net;
  bind_weigh_growth(L, ctx, before);
  return 1;
}

/*** Net:bytes()
** The bytes of the file that `save` writes. They need no file: a program may send them. `moon.load_bytes` reads them.
** @return string bytes */
static int net_bytes(lua_State *L) {
  const moon_net *net = bind_check_net(L, 1);
  moon_tensor *bytes = NULL;
  BIND_TRY(L, bind_ctx(L), moon_net_to_bytes(net, &bytes));
  return bind_push_bytes(L, bytes);
}

/* core.net_from_bytes(bytes) -> net, or detector | nil, message, code */
static int net_from_bytes(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  size_t size, before = moon_memory_used(ctx);
  const char *bytes = luaL_checklstring(L, 1, &size);
  moon_archive *archive = NULL;
  moon_status status;
  BIND_TWICE(L, status, moon_archive_decode(ctx, &archive, bytes, size));
  if (status != MOON_OK) return bind_file_result(L, ctx, status);
  return bind_load_archive(L, bind_adopt(L, BIND_ARCHIVE, archive), NULL, before);
}

static const bind_reg methods[] = {
    {"archive", net_archive, ""},
    {"bytes", net_bytes, ""},
    {"parameters", net_parameters, ""},
    {"buffers", net_buffers, ""},
    {"penalty", net_penalty, ""},
    {"seed", net_seed, "seed"},
    {"layer", net_layer, "i"},
    {"slice", net_slice, "i, j"},
    {"clone", net_clone, ""},
    {"fold", net_fold, ""},
    {"inputs", net_inputs, ""},
    {"outputs", net_outputs, ""},
    {"encoder_layers", net_encoder_layers, ""},
    {"set_encoder_layers", net_set_encoder_layers, "layers"},
    {0},
};

static const luaL_Reg meta[] = {
    {"__len", net_len}, {"__tostring", net_tostring}, {"__newindex", net_newindex}, {"__call", net_call}, {NULL, NULL}};

static const bind_reg functions[] = {
    {"net", net_new, "layers"},
    {"net_from", net_from, "tensors, metadata"},
    {"net_from_bytes", net_from_bytes, "bytes"},
    {0},
};

void bind_open_net(lua_State *L) {
  bind_new_class(L, BIND_NET, meta, methods, net_index);
  bind_more_methods(L, BIND_NET, bind_run_methods);
  bind_more_methods(L, BIND_NET, bind_reduce_methods);
  bind_more_methods(L, BIND_NET, bind_measure_methods);
  bind_functions(L, functions);
  bind_functions(L, bind_reduce_functions);
}
