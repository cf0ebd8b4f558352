/* bind_family.c - layers, losses and optimisers: whatever is registered in the engine has its constructor, its
** fields and its text here, without a line of code for it. */
#include "bind_family.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bind_option.h"

/* ---- constructors ---- */

/* core.dense(...) has the flag set and its kind as upvalue 2; core.layer("dense", ...) takes it as argument 1. */
static int construct(lua_State *L, const bind_family *f) {
  moon_ctx *ctx = bind_ctx(L);
  const char *kind = lua_toboolean(L, lua_upvalueindex(3)) ? lua_tostring(L, lua_upvalueindex(2)) : NULL;
  int first = 1;
  if (!kind) {
    if (lua_type(L, 1) != LUA_TSTRING)
      return luaL_error(L, "%s: name is %s, expected a string", f->noun, bind_shown(L, 1));
    kind = lua_tostring(L, 1);
    first = 2;
  }
  moon_option options[BIND_MAX_OPTIONS];
  size_t count = bind_options(L, first, f->family, kind, options), before = moon_memory_used(ctx);
  void **handle = bind_new(L, f->class);
  void *object = NULL;
  BIND_TRY(L, ctx, f->make(ctx, &object, kind, options, count));
  *handle = object;
  bind_weigh_growth(L, ctx, before);
  return 1;
}

#define FAMILY(noun)                                                                                            \
  static moon_status make_##noun(moon_ctx *ctx, void **out, const char *kind, const moon_option *o, size_t n) { \
    moon_##noun *object = NULL;                                                                                 \
    moon_status status = moon_##noun##_new(ctx, &object, kind, o, n);                                           \
    *out = object;                                                                                              \
    return status;                                                                                              \
  }                                                                                                             \
  static const char *kind_of_##noun(const void *object) { return moon_##noun##_kind(object); }                  \
  static moon_status get_##noun(const void *object, const char *name, moon_option *value) {                     \
    return moon_##noun##_get(object, name, value);                                                              \
  }

FAMILY(layer)
FAMILY(loss)
FAMILY(optim)

static moon_status set_layer(void *object, const moon_option *value) { return moon_layer_set(object, value); }
static moon_status set_optim(void *object, const moon_option *value) { return moon_optim_set(object, value); }

/*** moon.layer(kind, ...)
** A layer by the name of its kind: `moon.layer("dense", 784, 32, {activation = "relu"})`.
** @param kind moonglass.LayerName
** @param ... any the arguments of that constructor
** @return moonglass.Layer layer */
static int construct_layer(lua_State *L) { return construct(L, &bind_layers); }

/*** moon.loss(kind, options)
** A loss by name; Keras's longer names work too: `moon.loss("binary_crossentropy")`.
** @param kind moonglass.LossName
** @param options table? the options of that loss
** @return moonglass.Loss loss */
static int construct_loss(lua_State *L) { return construct(L, &bind_losses); }

/*** moon.optimizer(kind, options)
** An optimiser by name: `moon.optimizer("adam", {lr = 0.01})`.
** @param kind moonglass.OptimizerName
** @param options table? the options of that optimiser
** @return moonglass.Optimizer optimizer */
static int construct_optim(lua_State *L) { return construct(L, &bind_optims); }

const bind_family bind_layers = {.family = MOON_LAYERS,
                                 .class = BIND_LAYER,
                                 .noun = "layer",
                                 .bare = "activation",
                                 .construct = construct_layer,
                                 .make = make_layer,
                                 .kind = kind_of_layer,
                                 .get = get_layer,
                                 .set = set_layer};

const bind_family bind_losses = {.family = MOON_LOSSES,
                                 .class = BIND_LOSS,
                                 .noun = "loss",
                                 .construct = construct_loss,
                                 .make = make_loss,
                                 .kind = kind_of_loss,
                                 .get = get_loss};

const bind_family bind_optims = {.family = MOON_OPTIMS,
                                 .class = BIND_OPTIM,
                                 .noun = "optimizer",
                                 .always = "lr",
                                 .construct = construct_optim,
                                 .make = make_optim,
                                 .kind = kind_of_optim,
                                 .get = get_optim,
                                 .set = set_optim};

void bind_constructors(lua_State *L, const bind_family *f) {
  const char *name;
  bind_push_function(L, &(bind_reg){f->noun, f->construct, "..."}, false, false);
  bind_set_public(L, f->noun);
  for (size_t i = 0; (name = moon_registered(moon_lua_ctx(L), f->family, i)) != NULL; i++) {
    bind_push_function(L, &(bind_reg){name, f->construct, "..."}, false, true);
    bind_set_public(L, name);
  }
}

/* ---- fields ---- */

bool bind_method(lua_State *L) {
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL) return true;
  lua_pop(L, 1);
  return false;
}

bool bind_option_field(lua_State *L, const bind_family *f) {
  const void *object = bind_check(L, 1, f->class);
  moon_option_info info;
  if (lua_type(L, 2) != LUA_TSTRING || !bind_find_option(L, f->family, f->kind(object), lua_tostring(L, 2), &info))
    return false;
  moon_option value;
  BIND_TRY(L, bind_ctx(L), f->get(object, info.name, &value));
  bind_push_option(L, &value);
  return true;
}

bind_nearest bind_key(lua_State *L) {
  return (bind_nearest){.name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : bind_shown(L, 2)};
}

int bind_no_field(lua_State *L, const char *noun, bind_nearest *n) {
  if (lua_type(L, 2) == LUA_TSTRING && strncmp(n->name, "__", 2) == 0) return 0;
  bind_offer_names(L, n, lua_upvalueindex(2));
  return luaL_error(L, "%s has no field or method '%s'%s", noun, n->name, bind_push_question(L, n));
}

int bind_no_option_field(lua_State *L, const bind_family *f, bind_nearest *n) {
  bind_offer_options(L, n, f->family, f->kind(bind_check(L, 1, f->class)));
  return bind_no_field(L, f->noun, n);
}

static bool may_be_set(lua_State *L, const bind_family *f, const char *kind, const char *name) {
  moon_option_info info;
  moon_option_values values = {.size = sizeof values};
  for (size_t i = 0; moon_option_describe(bind_ctx(L), f->family, kind, i, &info); i++)
    if (strcmp(info.name, name) == 0)
      return moon_option_allows(bind_ctx(L), f->family, kind, i, &values) && values.settable;
  return false;
}

int bind_set_field(lua_State *L, const bind_family *f, bind_nearest *n) {
  void *object = bind_check(L, 1, f->class);
  const char *kind = f->kind(object);
  moon_option_info info;
  moon_option value;
  if (lua_type(L, 2) != LUA_TSTRING || !bind_find_option(L, f->family, kind, n->name, &info)) {
    bind_offer_options(L, n, f->family, kind);
    return luaL_error(L, "%s has no field '%s' that can be set%s", f->noun, n->name, bind_push_question(L, n));
  }
  if (!f->set || !may_be_set(L, f, kind, n->name))
    return luaL_error(L, "%s: option '%s' is fixed at construction", kind, n->name);
  if (info.kind == MOON_RANGE && lua_isnil(L, 3))
    value = (moon_option){.name = info.name, .kind = MOON_RANGE, .number = NAN, .upper = NAN};
  else
    bind_read_option(L, 3, kind, &info, &value);
  BIND_TRY(L, bind_ctx(L), f->set(object, &value));
  return 0;
}

/* ---- as text ---- */

static bool is_default(const moon_option *value, const moon_option_info *info) {
  switch (value->kind) {
    case MOON_TEXT: return strcmp(value->text ? value->text : "", info->text ? info->text : "") == 0;
    case MOON_RANGE: return isnan(value->number);
    case MOON_LAYER: return !value->layer;
    default: return value->number == info->number || (isnan(value->number) && isnan(info->number));
  }
}

static void add_value(lua_State *L, luaL_Buffer *text, const moon_option *value) {
  char buffer[128];
  switch (value->kind) {
    case MOON_NUMBER:
    case MOON_COUNT: snprintf(buffer, sizeof buffer, "%.14g", value->number); break;
    case MOON_FLAG: snprintf(buffer, sizeof buffer, "%s", value->number != 0 ? "true" : "false"); break;
    case MOON_TEXT: snprintf(buffer, sizeof buffer, "%s", value->text); break;
    case MOON_RANGE: snprintf(buffer, sizeof buffer, "{%.14g, %.14g}", value->number, value->upper); break;
    case MOON_LAYER:
      luaL_addstring(text, "to (");
      bind_push_text(L, &bind_layers, value->layer);
      luaL_addvalue(text);
      snprintf(buffer, sizeof buffer, ")");
      break;
  }
  luaL_addstring(text, buffer);
}

static bool is_named(const char *name, const char *other) { return other && strcmp(name, other) == 0; }

/* Consecutive positional counts are widths: 784->128. */
void bind_push_text(lua_State *L, const bind_family *f, const void *object) {
  const char *kind = f->kind(object);
  bool after_count = false;
  moon_option_info info;
  moon_option value;
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  luaL_addstring(&text, kind);
  for (size_t i = 0; moon_option_describe(bind_ctx(L), f->family, kind, i, &info); i++) {
    if (f->get(object, info.name, &value) != MOON_OK) continue;
    bool count = info.positional && info.kind == MOON_COUNT;
    if (!info.positional && !is_named(info.name, f->always) && is_default(&value, &info)) continue;
    luaL_addstring(&text, count && after_count ? "->" : " ");
    after_count = count;
    if (!info.positional && !is_named(info.name, f->bare)) {
      luaL_addstring(&text, info.name);
      luaL_addstring(&text, " ");
    }
    add_value(L, &text, &value);
  }
  luaL_pushresult(&text);
}

int bind_family_tostring(lua_State *L, const bind_family *f) {
  luaL_checkudata(L, 1, f->class);
  const void *object = bind_test(L, 1, f->class);
  if (object)
    bind_push_text(L, f, object);
  else
    lua_pushfstring(L, "%s (closed)", f->class);
  return 1;
}
