/* bind_source.c - the class of sources, and readers that are Lua functions.
**
** A reader is a userdata whose user value is the function. It is the user value of each handle of a source that reads
** by it, and the engine knows its address; the weak table in the registry leads from there to the userdata. So a
** function that refers to its own source does not keep it for ever. */
#include "bind_source.h"

#include <string.h>

#include "bind_args.h"
#include "bind_family.h"
#include "bind_open.h"

/* Registry keys: the table of readers by their addresses; the function that raises a foreign error again. */
static const char readers_key = 0, again_key = 0;

typedef struct reader {
  bind_home *home;
} reader;

/* A call of a reader. */
typedef struct bind_read {
  reader *reader;
  moon_tensor *rows;
  size_t first;
  bind_reading *reading;
} bind_read;

/* ---- calling a reader ---- */

/* Raise our own message, which is not the function's. */
static int refuse(lua_State *L, const bind_read *c, const char *got) {
  const size_t *shape = moon_tensor_shape(c->rows);
  c->reading->placeless = true;
  return luaL_error(L, "source: read(%I, %I) gave %s, expected a tensor %s of float32", (LUAI_UACINT)c->first + 1,
                    (LUAI_UACINT)shape[0], got, bind_push_shape(L, 2, shape));
}

/* Copy the result on the top. A source of width 1 may give [n], too. */
static void take_result(lua_State *L, const bind_read *c) {
  const moon_tensor *t = bind_test_unheld(L, -1, BIND_TENSOR);
  const size_t *wanted = moon_tensor_shape(c->rows), *given = t ? moon_tensor_shape(t) : NULL;
  if (!t) {
    refuse(L, c, bind_shown(L, -1));
    return;
  }
  int rank = moon_tensor_rank(t);
  bool fits = given[0] == wanted[0] && (rank == 1 ? wanted[1] == 1 : rank == 2 && given[1] == wanted[1]);
  const float *floats = moon_tensor_float(t);
  if (rank >= 1 && fits && floats)
    memcpy(moon_tensor_float(c->rows), floats, moon_tensor_bytes(t));
  else
    refuse(L, c, lua_pushfstring(L, "%s%s", bind_push_shape(L, rank, given), floats ? "" : " uint8"));
}

/* Protected: a light userdata, the bind_read. */
static int call_reader(lua_State *L) {
  const bind_read *c = lua_touserdata(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &readers_key);
  lua_rawgetp(L, -1, c->reader);
  lua_getiuservalue(L, -1, 1);
  lua_pushinteger(L, (lua_Integer)c->first + 1);
  lua_pushinteger(L, (lua_Integer)moon_tensor_shape(c->rows)[0]);
  lua_call(L, 2, 1); /* h->calling is set */
  take_result(L, c);
  return 0;
}

/* Is the error of a hook, or was it one before it was raised again? Between it and the reader's call. */
static bool is_foreign(lua_State *L) {
  lua_Debug ar;
  bool foreign = false;
  int top = lua_gettop(L);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &again_key);
  for (int level = 0; !foreign && lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "nf", &ar);
    foreign = strcmp(ar.namewhat, "hook") == 0 || (lua_isfunction(L, top + 1) && lua_rawequal(L, -1, top + 1));
    bool end = lua_tocfunction(L, -1) == call_reader;
    lua_pop(L, 1);
    if (end) break;
  }
  lua_settop(L, top);
  return foreign;
}

/* The message handler: adds to a text which rows were to be read. */
static int explain(lua_State *L) {
  bind_reading *reading = bind_find_home(L)->reading;
  const bind_read *c = reading->read;
  reading->foreign = is_foreign(L);
  if (reading->foreign || reading->placeless || lua_type(L, 1) != LUA_TSTRING) return 1;
  size_t n = moon_tensor_shape(c->rows)[0];
  lua_pushfstring(L, "%s (in read of a source, rows %I to %I)", lua_tostring(L, 1), (LUAI_UACINT)(c->first + 1),
                  (LUAI_UACINT)(c->first + n));
  return 1;
}

/* The reader that the engine calls. Whatever the function raises stays on the stack. */
static moon_status read_rows(void *ud, moon_tensor *rows, size_t first) {
  reader *r = ud;
  bind_home *h = r->home;
  bind_reading *reading = h->reading;
  if (!reading || !lua_checkstack(reading->L, LUA_MINSTACK)) return reading ? MOON_ENOMEM : MOON_ESTATE;
  lua_State *L = reading->L;
  bind_read call = {r, rows, first, reading};
  int top = lua_gettop(L);
  bool within = h->calling;
  lua_pushcfunction(L, explain);
  lua_pushcfunction(L, call_reader);
  lua_pushlightuserdata(L, &call);
  h->calling = true;
  reading->read = &call;
  int status = lua_pcall(L, 1, 0, top + 1); /* h->calling: what the caller holds stays held */
  reading->read = NULL;
  h->calling = within;
  lua_remove(L, top + 1);
  if (status == LUA_OK) return MOON_OK;
  reading->error = top + 1;
  reading->foreign |= status == LUA_ERRMEM;
  return status == LUA_ERRMEM ? MOON_ENOMEM : MOON_ESTATE;
}

int bind_raise_read(lua_State *L, moon_ctx *ctx, const bind_reading *reading) {
  if (!reading->error) return bind_raise(L, ctx);
  lua_pushvalue(L, reading->error);
  if (reading->foreign && lua_rawgetp(L, LUA_REGISTRYINDEX, &again_key) == LUA_TFUNCTION) {
    lua_pushvalue(L, reading->error);
    lua_call(L, 1, 0); /* ends our function */
  }
  lua_pushvalue(L, reading->error);
  if (reading->placeless) return luaL_error(L, "%s", lua_tostring(L, -1));
  return lua_error(L);
}

/* core.set_again(f): f(value) raises an error that must come out unchanged. */
static int core_set_again(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &again_key);
  return 0;
}

/* ---- making ---- */

/* Push a reader for the function at an index. */
static reader *push_reader(lua_State *L, int function) {
  reader *r = lua_newuserdatauv(L, sizeof *r, 1);
  *r = (reader){lua_touserdata(L, lua_upvalueindex(1))};
  lua_pushvalue(L, function);
  lua_setiuservalue(L, -2, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &readers_key);
  lua_pushvalue(L, -2);
  lua_rawsetp(L, -2, r);
  lua_pop(L, 1);
  return r;
}

/* core.source(rows, width, read, block) -> source; block 0: chosen here. */
static int core_source(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  lua_settop(L, 4);
  moon_source_config config = {.size = sizeof config, .read = read_rows};
  config.rows = (size_t)bind_whole(L, 1, "source", "rows", 0, 1, UINT32_MAX);
  config.width = (size_t)bind_whole(L, 2, "source", "width", 0, 1, UINT32_MAX);
  luaL_checktype(L, 3, LUA_TFUNCTION);
  config.block = lua_isnil(L, 4) ? 0 : (size_t)bind_whole(L, 4, "source", "block", 0, 0, UINT32_MAX);
  void **handle = bind_new(L, BIND_SOURCE);
  config.ud = push_reader(L, 3);
  moon_source *s = NULL;
  BIND_TRY(L, ctx, moon_source_new(ctx, &s, &config));
  *handle = s;
  lua_setiuservalue(L, -2, 1);
  return 1;
}

/*** Tensor:windows(n, step)
** The windows of n rows over a series, as a source: row k of it has the n * d elements from row (k - 1) * step + 1 on.
** They are gathered when they are needed, never copied as a whole. fit, evaluate, predict and others take them as rows.
** @param n integer rows of the series in a window
** @param step integer? default 1: rows from one window to the next
** @return moonglass.Source source of float32 rows [n * d]; bytes become value/255 */
static int tensor_windows(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  lua_settop(L, 3);
  moon_tensor *t = bind_check_tensor(L, 1);
  size_t n = (size_t)bind_whole(L, 2, "windows", "n", 0, 1, LUA_MAXINTEGER);
  size_t step = lua_isnil(L, 3) ? 1 : (size_t)bind_whole(L, 3, "windows", "step", 0, 1, LUA_MAXINTEGER);
  void **handle = bind_new(L, BIND_SOURCE);
  moon_source *s = NULL;
  BIND_TRY(L, ctx, moon_source_windows(&s, t, n, step));
  *handle = s;
  return 1;
}

moon_source *bind_push_source_again(lua_State *L, int index) {
  index = lua_absindex(L, index);
  moon_source *s = bind_check_source(L, index);
  bind_push(L, BIND_SOURCE, s);
  lua_getiuservalue(L, index, 1);
  lua_setiuservalue(L, -2, 1);
  return s;
}

/* ---- methods ---- */

/*** Source:batch(first, n)
** Copies of rows first to first + n - 1. They are read now, and not kept.
** @param first integer
** @param n integer
** @return moonglass.Tensor rows [n x width] float32 */
static int source_batch(lua_State *L) {
  moon_source *s = bind_check_source(L, 1);
  size_t first, n;
  bind_row_range(L, 2, "batch", moon_source_rows(s), &first, &n);
  moon_tensor *rows = bind_new_tensor(L, MOON_FLOAT32, 2, (size_t[]){n, moon_source_width(s)});
  BIND_TRY_READ(L, bind_ctx(L), true, moon_source_read(s, rows, first));
  lua_pushvalue(L, 4);
  return 1;
}

/*** Source:rows(i, j)
** The source of rows i to j, both included.
** @param i integer the first row
** @param j integer? default i: the last row
** @return moonglass.Source part */
static int source_rows(lua_State *L) {
  const moon_source *s = bind_check_source(L, 1);
  lua_Integer all = (lua_Integer)moon_source_rows(s);
  bool alone = lua_isnoneornil(L, 3); /* as of a tensor: one row */
  lua_Integer i = bind_whole(L, 2, "rows", "first row", 0, 1, all);
  lua_Integer j = alone ? i : bind_whole(L, 3, "rows", "last row", 0, i, all);
  void **handle = bind_new(L, BIND_SOURCE);
  moon_source *part = NULL;
  BIND_TRY(L, bind_ctx(L), moon_source_part(&part, s, (size_t)i - 1, (size_t)(j - i + 1)));
  *handle = part;
  lua_getiuservalue(L, 1, 1);
  lua_setiuservalue(L, -2, 1);
  return 1;
}

/*** Source:size(i)
** The number of rows (1), or their width (2).
** @param i integer
** @return integer size */
static int source_size(lua_State *L) {
  const moon_source *s = bind_check_source(L, 1);
  lua_Integer i = bind_whole(L, 2, "size", "dimension", 0, 1, 2);
  lua_pushinteger(L, (lua_Integer)(i == 1 ? moon_source_rows(s) : moon_source_width(s)));
  return 1;
}

static int source_len(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)moon_source_rows(bind_check_source(L, 1)));
  return 1;
}

static int source_tostring(lua_State *L) {
  luaL_checkudata(L, 1, BIND_SOURCE);
  const moon_source *s = bind_test(L, 1, BIND_SOURCE);
  if (s) {
    lua_pushfstring(L, "source %s", bind_push_shape(L, 2, (size_t[]){moon_source_rows(s), moon_source_width(s)}));
  } else {
    lua_pushliteral(L, BIND_SOURCE " (closed)");
  }
  return 1;
}

/* Fields: shape, a list, and dtype. */
static int source_index(lua_State *L) {
  if (bind_method(L)) return 1;
  bind_nearest n = bind_key(L);
  const moon_source *s = bind_check_source(L, 1);
  if (strcmp(n.name, "dtype") == 0) return lua_pushliteral(L, "float32"), 1;
  if (strcmp(n.name, "shape") == 0) {
    lua_createtable(L, 2, 0);
    lua_pushinteger(L, (lua_Integer)moon_source_rows(s));
    lua_rawseti(L, -2, 1);
    lua_pushinteger(L, (lua_Integer)moon_source_width(s));
    lua_rawseti(L, -2, 2);
    return 1;
  }
  bind_offer(&n, "dtype");
  bind_offer(&n, "shape");
  return bind_no_field(L, "source", &n);
}

/*** @class moonglass.Source
** Rows that are gathered or read when they are needed: windows over a series (`t:windows(n, step)`), or what a function
** reads (`moon.source{...}`). `#s` is the number of rows. fit, evaluate, predict, encode, reconstruct and errors take
** it in place of a tensor, for x and for targets.
** @field shape integer[] {rows, width}
** @field dtype "float32"
** @operator len: integer */

static const bind_reg methods[] = {
    {"batch", source_batch, "first, n"},
    {"rows", source_rows, "i, j"},
    {"size", source_size, "i"},
    {0},
};

static const luaL_Reg meta[] = {{"__len", source_len}, {"__tostring", source_tostring}, {NULL, NULL}};

static const bind_reg functions[] = {
    {"source", core_source, "rows, width, read, block"},
    {"set_again", core_set_again, "f"},
    {0},
};

static const bind_reg of_tensors[] = {{"windows", tensor_windows, "n, step"}, {0}};

void bind_open_source(lua_State *L) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &readers_key);
  bind_new_class(L, BIND_SOURCE, meta, methods, source_index);
  bind_more_methods(L, BIND_TENSOR, of_tensors);
  bind_functions(L, functions);
}
