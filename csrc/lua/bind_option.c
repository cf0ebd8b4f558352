/* bind_option.c - options between Lua and the engine. What there is comes from the registry, so that whatever is
** registered has its constructor, its fields and its text here without a line of its own. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bind_object.h"
#include "bind_tensor.h"

/* ---- one value ---- */

static const char *const expected[] = {"a number", "a whole number",          "true or false",
                                       "a string", "two numbers {low, high}", "a layer"};

static bool read_range(lua_State *L, int index, moon_option *o) {
  if (lua_type(L, index) != LUA_TTABLE || lua_rawlen(L, index) != 2) return false;
  bool numbers = lua_rawgeti(L, index, 1) == LUA_TNUMBER;
  numbers = lua_rawgeti(L, index, 2) == LUA_TNUMBER && numbers;
  o->number = lua_tonumber(L, -2);
  o->upper = lua_tonumber(L, -1);
  lua_pop(L, 2);
  return numbers;
}

/* False if the type is wrong. Numbers in strings and strings in numbers are not taken. */
static bool read_value(lua_State *L, int index, moon_option *o) {
  int type = lua_type(L, index);
  switch (o->kind) {
    case MOON_NUMBER:
    case MOON_COUNT: o->number = lua_tonumber(L, index); return type == LUA_TNUMBER;
    case MOON_FLAG: o->number = lua_toboolean(L, index); return type == LUA_TBOOLEAN;
    case MOON_TEXT: o->text = type == LUA_TSTRING ? lua_tostring(L, index) : NULL; return o->text != NULL;
    case MOON_RANGE: return read_range(L, index, o);
    case MOON_LAYER: o->layer = bind_test(L, index, BIND_LAYER); return o->layer != NULL;
  }
  return false;
}

void bind_read_option(lua_State *L, int index, const char *name, const moon_option_info *info, moon_option *option) {
  *option = (moon_option){.name = info->name, .kind = info->kind};
  if (!read_value(L, index, option)) {
    bool closed = info->kind == MOON_LAYER && luaL_testudata(L, index, BIND_LAYER);
    luaL_error(L, "%s: %s is %s, expected %s", name, info->name, closed ? "a closed layer" : bind_shown(L, index),
               expected[info->kind]);
  }
  if (option->text && strlen(option->text) != lua_rawlen(L, index))
    luaL_error(L, "%s: option '%s' holds a zero byte", name, info->name);
}

void bind_push_option(lua_State *L, const moon_option *option) {
  switch (option->kind) {
    case MOON_NUMBER: lua_pushnumber(L, option->number); return;
    case MOON_COUNT: lua_pushinteger(L, (lua_Integer)option->number); return;
    case MOON_FLAG: lua_pushboolean(L, option->number != 0); return;
    case MOON_TEXT:
      if (!option->text || !*option->text) break;
      lua_pushstring(L, option->text);
      return;
    case MOON_RANGE:
      if (isnan(option->number)) break;
      lua_createtable(L, 2, 0);
      lua_pushnumber(L, option->number);
      lua_rawseti(L, -2, 1);
      lua_pushnumber(L, option->upper);
      lua_rawseti(L, -2, 2);
      return;
    case MOON_LAYER:
      if (!option->layer) break;
      bind_push_layer(L, option->layer);
      return;
  }
  lua_pushnil(L); /* not given */
}

/* ---- a constructor's arguments ---- */

bool bind_find_option(lua_State *L, moon_family family, const char *name, const char *option, moon_option_info *info) {
  for (size_t i = 0; moon_option_describe(bind_ctx(L), family, name, i, info); i++)
    if (strcmp(info->name, option) == 0) return true;
  return false;
}

/* Push "in, out, activation": the options by name, or only those that have a place. */
static const char *push_names(lua_State *L, moon_family family, const char *name, bool positional) {
  moon_option_info info;
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  bool first = true;
  for (size_t i = 0; moon_option_describe(bind_ctx(L), family, name, i, &info); i++) {
    if (positional && !info.positional) continue;
    if (!first) luaL_addstring(&text, ", ");
    luaL_addstring(&text, info.name);
    first = false;
  }
  if (first) luaL_addstring(&text, "none");
  luaL_pushresult(&text);
  return lua_tostring(L, -1);
}

static void check_names(lua_State *L, int named, moon_family family, const char *name) {
  moon_option_info info;
  for (lua_pushnil(L); lua_next(L, named); lua_pop(L, 1)) {
    bool text = lua_type(L, -2) == LUA_TSTRING;
    const char *key = text ? lua_tostring(L, -2) : bind_shown(L, -2);
    if (text && bind_find_option(L, family, name, key, &info)) continue;
    if (!text)
      luaL_error(L, "%s: the value at [%s] has no name, expected options by name (known: %s)", name, key,
                 push_names(L, family, name, false));
    bind_nearest n = {.name = key};
    bind_offer_options(L, &n, family, name);
    luaL_error(L, "%s: unknown option '%s'%s (known: %s)", name, key, bind_push_question(L, &n),
               push_names(L, family, name, false));
  }
}

/* Push the value of an option, whichever way it was given, and give its index; 0, with nothing pushed, if it was not.
** The value stays on the stack, which keeps its text alive. */
static int find_value(lua_State *L, const moon_option_info *info, const char *name, int argument, int named) {
  bool by_place = argument && !lua_isnil(L, argument);
  if (named) {
    lua_pushstring(L, info->name);
    if (lua_rawget(L, named) != LUA_TNIL) {
      if (by_place) luaL_error(L, "%s: option '%s' is given twice, by its place and by its name", name, info->name);
      return lua_gettop(L);
    }
    lua_pop(L, 1);
  }
  if (!by_place) return 0;
  lua_pushvalue(L, argument);
  return lua_gettop(L);
}

/* The last argument is the table of named options if it is a table: nothing with a place is one. */
size_t bind_options(lua_State *L, int first, moon_family family, const char *name, moon_option *options) {
  int last = lua_gettop(L), next = first, named = 0;
  size_t count = 0;
  moon_option_info info;
  if (!moon_option_describe(bind_ctx(L), family, name, 0, &info)) return 0; /* the engine names an unknown kind */
  luaL_checkstack(L, BIND_MAX_OPTIONS + LUA_MINSTACK, name);
  while (last >= first && lua_isnil(L, last)) last--;
  if (last >= first && lua_istable(L, last)) named = last--;
  if (named) check_names(L, named, family, name);
  for (size_t i = 0; i < BIND_MAX_OPTIONS && moon_option_describe(bind_ctx(L), family, name, i, &info); i++) {
    int argument = info.positional && next <= last ? next++ : 0;
    int value = find_value(L, &info, name, argument, named);
    if (value) bind_read_option(L, value, name, &info, &options[count++]);
  }
  if (next <= last && lua_istable(L, next))
    luaL_error(L, "%s: argument %d is a table, expected it to be the last: the table of named options", name,
               next - first + 1);
  if (next <= last) {
    const char *got = bind_shown(L, next), *by_place = push_names(L, family, name, true);
    bool none = strcmp(by_place, "none") == 0;
    luaL_error(L, "%s: argument %d is %s, expected a table of named options (%s: %s)", name, next - first + 1, got,
               none ? "known" : "by place", none ? push_names(L, family, name, false) : by_place);
  }
  return count;
}

/* ---- constructors ---- */

void bind_constructors(lua_State *L, const bind_described *d, lua_CFunction f) {
  const char *name;
  bind_push_function(L, &(bind_reg){d->noun, f, "..."}, false, false);
  lua_setfield(L, -2, d->noun);
  for (size_t i = 0; (name = moon_registered(moon_lua_ctx(L), d->family, i)) != NULL; i++) {
    bind_push_function(L, &(bind_reg){name, f, "..."}, false, true);
    lua_setfield(L, -2, name);
  }
}

/* core.dense(...) has its kind as upvalue 2, and is flagged; core.layer("dense", ...) is not. */
int bind_construct(lua_State *L, const bind_described *d) {
  moon_ctx *ctx = bind_ctx(L);
  const char *kind = lua_toboolean(L, lua_upvalueindex(3)) ? lua_tostring(L, lua_upvalueindex(2)) : NULL;
  int first = 1;
  if (!kind) {
    if (lua_type(L, 1) != LUA_TSTRING)
      return luaL_error(L, "%s: name is %s, expected a string", d->noun, bind_shown(L, 1));
    kind = lua_tostring(L, 1);
    first = 2;
  }
  moon_option options[BIND_MAX_OPTIONS];
  size_t count = bind_options(L, first, d->family, kind, options), before = moon_memory_used(ctx);
  void **handle = bind_new(L, d->class);
  void *object = NULL;
  BIND_TRY(L, ctx, d->make(ctx, &object, kind, options, count));
  *handle = object;
  bind_weigh_growth(L, ctx, before);
  return 1;
}

void bind_weigh_growth(lua_State *L, moon_ctx *ctx, size_t before) {
  size_t now = moon_memory_used(ctx);
  if (now > before) bind_weigh(L, now - before);
}

/* ---- fields ---- */

bool bind_method(lua_State *L) {
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL) return true;
  lua_pop(L, 1);
  return false;
}

bool bind_option_field(lua_State *L, const bind_described *d) {
  const void *object = bind_check(L, 1, d->class);
  moon_option_info info;
  if (lua_type(L, 2) != LUA_TSTRING || !bind_find_option(L, d->family, d->kind(object), lua_tostring(L, 2), &info))
    return false;
  moon_option value;
  BIND_TRY(L, bind_ctx(L), d->get(object, info.name, &value));
  bind_push_option(L, &value);
  return true;
}

bind_nearest bind_key(lua_State *L) {
  return (bind_nearest){.name = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : bind_shown(L, 2)};
}

void bind_offer_options(lua_State *L, bind_nearest *n, moon_family family, const char *name) {
  moon_option_info info;
  for (size_t i = 0; moon_option_describe(bind_ctx(L), family, name, i, &info); i++) bind_offer(n, info.name);
}

int bind_no_field(lua_State *L, const char *noun, bind_nearest *n) {
  if (lua_type(L, 2) == LUA_TSTRING && strncmp(n->name, "__", 2) == 0) return 0;
  bind_offer_names(L, n, lua_upvalueindex(2));
  return luaL_error(L, "%s has no field or method '%s'%s", noun, n->name, bind_push_question(L, n));
}

int bind_no_option_field(lua_State *L, const bind_described *d, bind_nearest *n) {
  bind_offer_options(L, n, d->family, d->kind(bind_check(L, 1, d->class)));
  return bind_no_field(L, d->noun, n);
}

int bind_fixed_field(lua_State *L, const bind_described *d, bind_nearest *n) {
  const char *kind = d->kind(bind_check(L, 1, d->class));
  moon_option_info info;
  if (bind_find_option(L, d->family, kind, n->name, &info))
    return luaL_error(L, "%s: option '%s' is fixed at construction", kind, n->name);
  bind_offer_options(L, n, d->family, kind);
  return luaL_error(L, "%s has no field '%s' that can be set%s", d->noun, n->name, bind_push_question(L, n));
}

/* ---- in words ---- */

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
      bind_push_layer_text(L, value->layer);
      luaL_addvalue(text);
      snprintf(buffer, sizeof buffer, ")");
      break;
  }
  luaL_addstring(text, buffer);
}

static bool is_named(const char *name, const char *other) { return other && strcmp(name, other) == 0; }

/* Counts that follow one another by place are widths: 784->128. */
void bind_push_text(lua_State *L, const bind_described *d, const void *object) {
  const char *kind = d->kind(object);
  bool after_count = false;
  moon_option_info info;
  moon_option value;
  luaL_Buffer text;
  luaL_buffinit(L, &text);
  luaL_addstring(&text, kind);
  for (size_t i = 0; moon_option_describe(bind_ctx(L), d->family, kind, i, &info); i++) {
    if (d->get(object, info.name, &value) != MOON_OK) continue;
    bool count = info.positional && info.kind == MOON_COUNT;
    if (!info.positional && !is_named(info.name, d->always) && is_default(&value, &info)) continue;
    luaL_addstring(&text, count && after_count ? "->" : " ");
    after_count = count;
    if (!info.positional && !is_named(info.name, d->bare)) {
      luaL_addstring(&text, info.name);
      luaL_addstring(&text, " ");
    }
    add_value(L, &text, &value);
  }
  luaL_pushresult(&text);
}

int bind_described_tostring(lua_State *L, const bind_described *d) {
  luaL_checkudata(L, 1, d->class);
  const void *object = bind_test(L, 1, d->class);
  if (object)
    bind_push_text(L, d, object);
  else
    lua_pushfstring(L, "%s (closed)", d->class);
  return 1;
}
