/* bind_registry.c - what is registered in the engine, told to Lua: the names, the options of each, and the name that
** was probably meant. */
#include <math.h>

#include "bind_function.h"
#include "bind_open.h"
#include "bind_option.h"

static moon_family check_family(lua_State *L) {
  static const char *const families[] = {"layers", "losses", "optimizers", "activations", "inits", NULL};
  return (moon_family)luaL_checkoption(L, 1, NULL, families);
}

/* Push the list of the names that are registered in a family. */
static void push_registered(lua_State *L, moon_family family) {
  const char *name;
  lua_newtable(L);
  for (size_t i = 0; (name = moon_registered(bind_ctx(L), family, i)) != NULL; i++) {
    lua_pushstring(L, name);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

/*** @alias moonglass.Family "layers"|"losses"|"optimizers"|"activations"|"inits" */

/*** moon.registered(family)
** The registered names of a family, as `moon.layer`, `moon.loss`, `moon.optimizer` and options take them.
** @param family moonglass.Family
** @return string[] names */
static int registered(lua_State *L) {
  push_registered(L, check_family(L));
  return 1;
}

/* Push the texts that an option may be: a list, or nil if any text is allowed. */
static void push_choices(lua_State *L, const moon_option_values *values) {
  if (values->choices) {
    lua_newtable(L);
    for (int i = 0; values->choices[i]; i++) {
      lua_pushstring(L, values->choices[i]);
      lua_rawseti(L, -2, i + 1);
    }
  } else if (values->family >= 0) {
    push_registered(L, (moon_family)values->family);
  } else {
    lua_pushnil(L);
  }
}

/* field = number in the table on the top; no field if it is infinite. */
static void set_bound(lua_State *L, const char *field, double number, moon_option_kind kind) {
  if (isinf(number)) return;
  if (kind == MOON_COUNT)
    lua_pushinteger(L, (lua_Integer)number);
  else
    lua_pushnumber(L, number);
  lua_setfield(L, -2, field);
}

static void set_flag(lua_State *L, const char *field, bool flag) {
  lua_pushboolean(L, flag);
  lua_setfield(L, -2, field);
}

static void push_option_info(lua_State *L, const moon_option_info *info, const moon_option_values *values) {
  static const char *const kinds[] = {"number", "count", "flag", "text", "range", "layer"};
  lua_createtable(L, 0, 13);
  lua_pushstring(L, info->name);
  lua_setfield(L, -2, "name");
  lua_pushstring(L, kinds[info->kind]);
  lua_setfield(L, -2, "kind");
  lua_pushstring(L, info->help);
  lua_setfield(L, -2, "help");
  if (!info->required) {
    bind_push_option(L, &(moon_option){.kind = info->kind, .number = info->number, .text = info->text});
    lua_setfield(L, -2, "default");
  }
  set_bound(L, "low", values->low, info->kind);
  set_bound(L, "high", values->high, info->kind);
  push_choices(L, values);
  lua_setfield(L, -2, "choices");
  set_flag(L, "open_low", values->open_low);
  set_flag(L, "open_high", values->open_high);
  set_flag(L, "settable", values->settable);
  set_flag(L, "positional", info->positional);
  set_flag(L, "required", info->required);
}

/* core.options("layers", "dense") -> the options of a layer, a loss or an optimiser, in their order: a list of
**   name        "kl_target"
**   kind        "number", "count" (a whole number), "flag" (a boolean), "text", "range" ({low, high}) or "layer"
**   help        one line: what it does. It says neither default nor bounds: those follow
**   default     as Lua gives it; nil: there is none, or it is required
**   low, high   bounds of a number or count; nil: none
**   open_low, open_high   true: the bound itself is not allowed
**   choices     the texts that are allowed, a list; nil: any text, or it is no text
**   settable    true: it may be set after construction, opt.lr = 0.1
**   positional  true: it may be given by position, in the order of this list
**   required    true: it must be given
** An unknown name has no options. */
static int options(lua_State *L) {
  moon_family family = check_family(L);
  const char *name = luaL_checkstring(L, 2);
  moon_option_info info;
  moon_option_values values = {.size = sizeof values};
  lua_newtable(L);
  for (size_t i = 0; moon_option_describe(bind_ctx(L), family, name, i, &info); i++) {
    moon_option_allows(bind_ctx(L), family, name, i, &values);
    push_option_info(L, &info, &values);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* core.nearest(name, names) -> "; did you mean 'x'?", or "" if none is near. names is a list, or a table by name. */
static int nearest(lua_State *L) {
  bind_nearest n = {.name = luaL_checkstring(L, 1)};
  luaL_checktype(L, 2, LUA_TTABLE);
  bind_offer_names(L, &n, 2);
  bind_push_question(L, &n);
  return 1;
}

static const bind_reg public_functions[] = {{"registered", registered, "family"}, {0}};

static const bind_reg private_functions[] = {
    {"nearest", nearest, "name, names"},
    {"options", options, "family, name"},
    {0},
};

void bind_open_registry(lua_State *L) {
  bind_public(L, public_functions);
  bind_functions(L, private_functions);
}
