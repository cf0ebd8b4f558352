/* bind_scaler.c - the class of scalers. Scripts make them with moon.scaler (models/scaler.lua), which gives them their
** rows. */
#include <string.h>

#include "bind_args.h"
#include "bind_family.h"
#include "bind_open.h"

/* core.new_scaler(method, width): a scaler without rows. */
static int scaler_new(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  const char *method = luaL_checkstring(L, 1);
  size_t width = (size_t)bind_whole(L, 2, "scaler", "width", 0, 1, UINT32_MAX), before = moon_memory_used(ctx);
  void **handle = bind_new(L, BIND_SCALER);
  moon_scaler *scaler = NULL;
  BIND_TRY(L, ctx, moon_scaler_new(ctx, &scaler, method, width));
  *handle = scaler;
  bind_weigh_growth(L, ctx, before);
  return 1;
}

/* core.scaler_add(scaler, x): count the rows of a tensor. */
static int scaler_add(lua_State *L) {
  moon_scaler *scaler = bind_check_scaler(L, 1);
  const moon_tensor *x = bind_check_tensor(L, 2);
  moon_ctx *ctx = bind_ctx(L);
  size_t before = moon_memory_used(ctx);
  BIND_TRY(L, ctx, moon_scaler_add(scaler, x));
  bind_weigh_growth(L, ctx, before);
  return 0;
}

/* core.scaler_finish(scaler) -> true if the same rows must be added once more. */
static int scaler_finish(lua_State *L) {
  moon_scaler *scaler = bind_check_scaler(L, 1);
  moon_ctx *ctx = bind_ctx(L);
  size_t before = moon_memory_used(ctx);
  bool again = false;
  BIND_TRY(L, ctx, moon_scaler_finish(scaler, &again));
  bind_weigh_growth(L, ctx, before);
  lua_pushboolean(L, again);
  return 1;
}

static int map_rows(lua_State *L, moon_status (*map)(const moon_scaler *, moon_tensor *, const moon_tensor *)) {
  const moon_scaler *scaler = bind_check_scaler(L, 1);
  const moon_tensor *in = bind_check_tensor(L, 2);
  moon_tensor *out = bind_new_tensor(L, MOON_FLOAT32, moon_tensor_rank(in), moon_tensor_shape(in));
  BIND_TRY(L, bind_ctx(L), map(scaler, out, in));
  return 1;
}

/*** Scaler:apply(x)
** The scaled rows: (x - offset) / scale, in double, then rounded to float32. NaN stay NaN. Of a source: a source, which
** scales what it reads.
** @param x moonglass.Tensor|moonglass.Source [rows x width], float32 or bytes, which count as value/255
** @return moonglass.Tensor|moonglass.Source z [rows x width] */
static int scaler_apply(lua_State *L) { return map_rows(L, moon_scaler_apply); }

/*** Scaler:invert(z)
** The rows in their own units again: z * scale + offset.
** @param z moonglass.Tensor|moonglass.Source [rows x width]
** @return moonglass.Tensor|moonglass.Source x [rows x width] */
static int scaler_invert(lua_State *L) { return map_rows(L, moon_scaler_invert); }

/* ---- fields ---- */

static void push_numbers(lua_State *L, const moon_scaler *scaler, const double *numbers) {
  size_t width = moon_scaler_width(scaler);
  lua_createtable(L, (int)width, 0);
  for (size_t j = 0; j < width; j++) {
    if (numbers)
      lua_pushnumber(L, numbers[j]);
    else
      lua_pushinteger(L, (lua_Integer)moon_scaler_count(scaler, j));
    lua_rawseti(L, -2, (lua_Integer)j + 1);
  }
}

static const char *const fields[] = {"method", "width", "count", "offset", "scale", "low", "high", NULL};

/* Push the field of that name; false if there is none, or it has no value yet. */
static bool push_field(lua_State *L, const moon_scaler *scaler, const char *name) {
  const double *(*const getters[])(const moon_scaler *) = {moon_scaler_offset, moon_scaler_scale, moon_scaler_low,
                                                           moon_scaler_high};
  enum { METHOD, WIDTH, COUNT, OFFSET };
  size_t i = 0;
  while (fields[i] && strcmp(fields[i], name) != 0) i++;
  if (!fields[i]) return false;
  if (i == METHOD)
    lua_pushstring(L, moon_scaler_method(scaler));
  else if (i == WIDTH)
    lua_pushinteger(L, (lua_Integer)moon_scaler_width(scaler));
  else if (i == COUNT || getters[i - OFFSET](scaler))
    push_numbers(L, scaler, i == COUNT ? NULL : getters[i - OFFSET](scaler));
  else
    return false;
  return true;
}

static int scaler_index(lua_State *L) {
  if (bind_method(L)) return 1;
  const moon_scaler *scaler = bind_check_scaler(L, 1);
  if (lua_type(L, 2) == LUA_TSTRING && push_field(L, scaler, lua_tostring(L, 2))) return 1;
  bind_nearest n = bind_key(L);
  for (size_t i = 0; fields[i]; i++) bind_offer(&n, fields[i]);
  return bind_no_field(L, "scaler", &n);
}

static int scaler_tostring(lua_State *L) {
  luaL_checkudata(L, 1, BIND_SCALER);
  const moon_scaler *scaler = bind_test(L, 1, BIND_SCALER);
  if (!scaler) {
    lua_pushliteral(L, BIND_SCALER " (closed)");
    return 1;
  }
  size_t width = moon_scaler_width(scaler);
  lua_pushfstring(L, "scaler %s, %I column%s%s", moon_scaler_method(scaler), (LUAI_UACINT)width, width == 1 ? "" : "s",
                  moon_scaler_offset(scaler) ? "" : ", not finished");
  return 1;
}

/*** @class moonglass.Scaler
** An offset and a scale for each column: z = (x - offset) / scale. `moon.scaler` makes it.
** @field method "standard"|"minmax"|"robust"
** @field width integer the number of columns
** @field offset number[] for each column; each access makes a new list
** @field scale number[] above 0; 1 for a constant column and for one of nothing but NaN
** @field low number[] the smallest number seen; NaN if there was none
** @field high number[] the largest number seen
** @field count integer[] how many numbers were there, without NaN */

static const bind_reg methods[] = {{"apply", scaler_apply, "x"}, {"invert", scaler_invert, "z"}, {0}};

static const luaL_Reg meta[] = {{"__tostring", scaler_tostring}, {NULL, NULL}};

static const bind_reg functions[] = {{"new_scaler", scaler_new, "method, width"},
                                     {"scaler_add", scaler_add, "scaler, x"},
                                     {"scaler_finish", scaler_finish, "scaler"},
                                     {0}};

void bind_open_scaler(lua_State *L) {
  bind_new_class(L, BIND_SCALER, meta, methods, scaler_index);
  bind_functions(L, functions);
}
