/* bind_layer.c - the class of layers. The user value of a handle is a net of this layer alone, made when the layer is
** first run without a net. */
#include <string.h>

#include "bind_family.h"
#include "bind_layer.h"
#include "bind_open.h"
#include "bind_run.h"

/* ---- parameters ---- */

void bind_push_parameter(lua_State *L, const char *name, const moon_layer *layer, size_t i) {
  moon_parameter p;
  moon_layer_parameter(layer, i, &p);
  lua_createtable(L, 0, 4);
  lua_pushstring(L, name ? name : p.name);
  lua_setfield(L, -2, "name");
  bind_push(L, BIND_TENSOR, p.value);
  lua_setfield(L, -2, "value");
  if (!p.grad) return;
  bind_push(L, BIND_TENSOR, p.grad);
  lua_setfield(L, -2, "grad");
  if (moon_layer_trains(layer, i)) return;
  lua_pushboolean(L, false);
  lua_setfield(L, -2, BIND_TRAINABLE);
}

bool bind_layer_trains(const moon_layer *layer) {
  moon_parameter p;
  for (size_t i = 0; moon_layer_parameter(layer, i, &p); i++)
    if (moon_layer_trains(layer, i)) return true;
  return false;
}

void bind_layer_set_trainable(lua_State *L, moon_layer *layer, bool trainable) {
  moon_parameter p;
  moon_option value = {.name = BIND_TRAINABLE, .kind = MOON_FLAG, .number = trainable};
  if (moon_layer_parameter(layer, 0, &p)) BIND_TRY(L, bind_ctx(L), moon_layer_set(layer, &value));
}

/* Is the key at index 2 "trainable", of a layer without parameters? */
static bool is_idle_trainable(lua_State *L) {
  moon_parameter p;
  return lua_type(L, 2) == LUA_TSTRING && strcmp(lua_tostring(L, 2), BIND_TRAINABLE) == 0 &&
         !moon_layer_parameter(bind_check_layer(L, 1), 0, &p);
}

/* Push the list of the layer's parameters, or of its buffers, which have no gradient. */
static int push_list(lua_State *L, bool buffers) {
  moon_parameter p;
  lua_Integer n = 0;
  const moon_layer *layer = bind_check_layer(L, 1);
  lua_newtable(L);
  for (size_t i = 0; moon_layer_parameter(layer, i, &p); i++) {
    if (buffers == (p.grad != NULL)) continue;
    bind_push_parameter(L, NULL, layer, i);
    if (p.shared) {
      lua_pushboolean(L, true);
      lua_setfield(L, -2, "shared");
    }
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

/*** Layer:parameters()
** The parameters with their gradients. The tensors are live.
** @return moonglass.Parameter[] parameters */
static int layer_parameters(lua_State *L) { return push_list(L, false); }

/*** Layer:buffers()
** What the layer keeps beside its parameters, saved with them but not trained: the running statistics of batch_norm.
** The tensors are live.
** @return moonglass.Buffer[] buffers */
static int layer_buffers(lua_State *L) { return push_list(L, true); }

/* The tensor of a key: "weight" the parameter, "weight_grad" its gradient; NULL if there is none. */
static moon_tensor *find_parameter(const moon_layer *layer, const char *key) {
  moon_parameter p;
  for (size_t i = 0; moon_layer_parameter(layer, i, &p); i++) {
    size_t n = strlen(p.name);
    if (strncmp(key, p.name, n) != 0) continue;
    if (!key[n]) return p.value;
    if (strcmp(key + n, "_grad") == 0) return p.grad;
  }
  return NULL;
}

static void offer_parameters(bind_nearest *n, const moon_layer *layer) {
  moon_parameter p;
  for (size_t i = 0; moon_layer_parameter(layer, i, &p); i++) bind_offer(n, p.name);
}

static moon_tensor *parameter_at(lua_State *L) {
  return lua_type(L, 2) == LUA_TSTRING ? find_parameter(bind_check_layer(L, 1), lua_tostring(L, 2)) : NULL;
}

/* Methods come first, then parameters, then options: layer.bias is the parameter, or without one the option, false. */
static int layer_index(lua_State *L) {
  if (bind_method(L)) return 1;
  void **handle = bind_new(L, BIND_TENSOR);
  moon_tensor *t = parameter_at(L);
  if (!t) {
    if (bind_option_field(L, &bind_layers)) return 1;
    if (is_idle_trainable(L)) return lua_pushboolean(L, false), 1;
    bind_nearest n = bind_key(L);
    offer_parameters(&n, bind_check_layer(L, 1));
    return bind_no_option_field(L, &bind_layers, &n);
  }
  *handle = moon_tensor_retain(t);
  return 1;
}

/* layer.weight = t copies the elements of t; layer.sigma = v sets an option. */
static int layer_newindex(lua_State *L) {
  moon_tensor *t = parameter_at(L);
  if (!t) {
    bind_nearest n = bind_key(L);
    offer_parameters(&n, bind_check_layer(L, 1));
    if (is_idle_trainable(L) && lua_isboolean(L, 3)) return 0;
    return bind_set_field(L, &bind_layers, &n);
  }
  if (!luaL_testudata(L, 3, BIND_TENSOR))
    return luaL_error(L, "%s: %s is %s, expected a tensor", moon_layer_kind(bind_check_layer(L, 1)), lua_tostring(L, 2),
                      bind_shown(L, 3));
  const moon_tensor *source = bind_check_tensor(L, 3);
  if (moon_tensor_copy(t, source) == MOON_OK) return 0;
  return luaL_error(L, "%s: %s: %s", moon_layer_kind(bind_check_layer(L, 1)), lua_tostring(L, 2),
                    moon_error(bind_ctx(L)));
}

/* ---- running without a net ---- */

/* Push the net of this layer alone; returns its index. */
static int push_own_net(lua_State *L) {
  moon_layer *layer = bind_check_layer(L, 1);
  lua_getiuservalue(L, 1, 1);
  if (bind_test(L, -1, BIND_NET)) return lua_gettop(L);
  lua_pop(L, 1);
  void **handle = bind_new(L, BIND_NET);
  moon_net *net = NULL;
  BIND_TRY(L, bind_ctx(L), moon_net_new(bind_ctx(L), &net, &layer, 1));
  *handle = net;
  lua_pushvalue(L, -1);
  lua_setiuservalue(L, 1, 1);
  return lua_gettop(L);
}

/*** Layer:forward(x, training)
** Run rows through this layer alone.
** @param x moonglass.Tensor [rows x in]; bytes count as value/255
** @param training boolean? default false: with true, noise and dropout are active
** @return moonglass.Tensor y [rows x out] */
static int layer_forward(lua_State *L) {
  lua_settop(L, 3);
  return bind_forward(L, push_own_net(L), 2, lua_toboolean(L, 3));
}

/*** Layer:backward(dy)
** The gradient on the input of this layer's last `forward`. The parameters' gradients are set.
** @param dy moonglass.Tensor [rows x out]: the gradient on the output
** @return moonglass.Tensor dx [rows x in] */
static int layer_backward(lua_State *L) {
  lua_settop(L, 2);
  return bind_backward(L, push_own_net(L), 2);
}

/*** Layer:penalty()
** The penalties of this layer's last `forward`.
** @return number penalty */
static int layer_penalty(lua_State *L) {
  lua_settop(L, 1);
  lua_pushnumber(L, moon_net_penalty(bind_check_net(L, push_own_net(L))));
  return 1;
}

/*** Layer:seed(seed)
** Restart the stream of the noise.
** @param seed integer */
static int layer_seed(lua_State *L) {
  lua_Integer seed = luaL_checkinteger(L, 2);
  moon_net_seed(bind_check_net(L, push_own_net(L)), (uint64_t)seed);
  return 0;
}

/*** Layer:kind()
** The name of the kind: "dense", for example.
** @return moonglass.LayerName kind */
static int layer_kind(lua_State *L) {
  lua_pushstring(L, moon_layer_kind(bind_check_layer(L, 1)));
  return 1;
}

/* core.layer_modules(layer) -> how many modules it is in torch.nn.Sequential */
static int layer_modules(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)moon_layer_modules(bind_check_layer(L, 1)));
  return 1;
}

/* Two handles on one layer are equal: net:layer(1) == net:layer(1). */
static int layer_equal(lua_State *L) {
  const moon_layer *a = bind_test(L, 1, BIND_LAYER), *b = bind_test(L, 2, BIND_LAYER);
  lua_pushboolean(L, a && a == b);
  return 1;
}

static int layer_call(lua_State *L) { return luaL_error(L, "a layer cannot be called; use layer:forward(x)"); }

static int layer_tostring(lua_State *L) { return bind_family_tostring(L, &bind_layers); }

/*** @class moonglass.Layer
** A layer of a net, with its parameters and what its last `forward` left for `backward`. Its options can be read as
** fields, and some can be set: the next step has them. Assigning a tensor to `weight`, `bias` or a buffer copies the
** elements. Two handles on one layer are equal. A layer whose `trainable` is false is frozen: steps leave its
** parameters as they are. The layer that owns a tied weight decides about it. A layer without parameters has nothing to
** train: there `trainable` is false and stays so.
** @field trainable boolean may be set */

/*** @class moonglass.Parameter
** One parameter of a layer or a net.
** @field name string "weight" or "bias"; in a net "1.weight", with the layer's number
** @field value moonglass.Tensor live
** @field grad moonglass.Tensor live, of the same shape
** @field shared boolean? true: another layer owns it (tied weights)
** @field trainable boolean? false: it is frozen, an optimiser's step leaves it out */

/*** @class moonglass.Buffer
** What a layer keeps beside its parameters.
** @field name string such as "running_mean"; in a net "2.running_mean", with the layer's number
** @field value moonglass.Tensor live */

/*** @class moonglass.LuaLayer
** A layer written in Lua: a table with these methods; all but `forward` and `backward` are optional.
** @field name string? for messages and summaries
** @field trainable boolean? false: the layer is frozen, steps leave its parameters as they are
** @field forward fun(self, x: moonglass.Tensor, training: boolean): moonglass.Tensor from rows to rows
** @field backward fun(self, dy: moonglass.Tensor): moonglass.Tensor from dy to dx; sets the parameters' gradients
** @field parameters (fun(self): moonglass.Parameter[])? the name, value and grad of each
** @field penalty (fun(self): number)? the penalty of the last forward
** @field seed (fun(self, seed: integer))? restarts the noise
** @field state (fun(self): moonglass.LayerState)? what a file must hold besides the parameters
** @field load_state (fun(self, state: moonglass.LayerState))? takes such a table
** @field clone (fun(self): moonglass.LuaLayer)? a copy, for `net:clone` */

/*** @alias moonglass.LayerState table<string, moonglass.Tensor|number|string|boolean> */

/*** @alias moonglass.AnyLayer moonglass.Layer|moonglass.LuaLayer|moonglass.Net */

static const bind_reg methods[] = {
    {"forward", layer_forward, "x, training"},
    {"backward", layer_backward, "dy"},
    {"parameters", layer_parameters, ""},
    {"buffers", layer_buffers, ""},
    {"penalty", layer_penalty, ""},
    {"seed", layer_seed, "seed"},
    {"kind", layer_kind, ""},
    {0},
};

static const luaL_Reg meta[] = {
    {"__newindex", layer_newindex},
    {"__tostring", layer_tostring},
    {"__eq", layer_equal},
    {"__call", layer_call},
    {NULL, NULL},
};

static const bind_reg functions[] = {{"layer_modules", layer_modules, "layer"}, {0}};

void bind_open_layer(lua_State *L) {
  bind_functions(L, functions);
  bind_new_class(L, BIND_LAYER, meta, methods, layer_index);
  bind_constructors(L, &bind_layers);
}
