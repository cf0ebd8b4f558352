/* bind_csv.c - streams of rows of CSV files, for moonglass/data/csv.lua: it has checked the options. */
#include <limits.h>
#include <string.h>

#include "bind_args.h"
#include "bind_handle.h"
#include "bind_open.h"
#include "bind_texts.h"

static moon_csv *check_csv(lua_State *L) { return bind_check(L, 1, BIND_CSV); }

/* ---- the configuration ---- */

/* The string at an index, without zero bytes. */
static const char *check_text(lua_State *L, int index, const char *what) {
  if (lua_type(L, index) != LUA_TSTRING)
    luaL_error(L, "csv_open: %s is %s, expected a string", what, bind_shown(L, index));
  const char *text = lua_tostring(L, index);
  if (strlen(text) != lua_rawlen(L, index)) luaL_error(L, "csv_open: %s holds a zero byte, expected text", what);
  return text;
}

/* The texts of a field of the configuration at argument 2. They stay on the stack. */
static const char **field_texts(lua_State *L, const char *name, size_t *n) {
  lua_getfield(L, 2, name);
  return bind_read_texts(L, "csv_open", name, n);
}

static const char *field_text(lua_State *L, const char *name) {
  return lua_getfield(L, 2, name) == LUA_TNIL ? NULL : check_text(L, -1, name);
}

static char field_char(lua_State *L, const char *name) {
  const char *text = field_text(L, name);
  return text ? *text : 0;
}

/* core.csv_open(path, config) -> csv. config has the fields of moon_csv_config but follow; categories is a list of
** {column, list of texts or nil}. */
static int csv_open(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  const char *path = check_text(L, 1, "the path");
  moon_csv_config config = {.size = sizeof config};
  lua_getfield(L, 2, "header");
  config.header = (int)luaL_optinteger(L, -1, 0);
  config.delimiter = field_char(L, "delimiter");
  config.decimal = field_char(L, "decimal");
  config.label = field_text(L, "label");
  config.columns = field_texts(L, "columns", &config.column_count);
  config.ignore = field_texts(L, "ignore", &config.ignore_count);
  config.missing = field_texts(L, "missing", &config.missing_count);
  lua_getfield(L, 2, "categories");
  config.categories = bind_read_categories(L, "csv_open", &config.category_count);
  size_t before = moon_memory_used(ctx);
  moon_csv *csv = NULL;
  moon_status status;
  void **handle = bind_new(L, BIND_CSV);
  BIND_TWICE(L, status, moon_csv_open(ctx, &csv, path, &config));
  if (status != MOON_OK) return bind_file_result(L, ctx, status);
  *handle = csv;
  bind_weigh_growth(L, ctx, before);
  return 1;
}

/* ---- rows ---- */

static int rows_result(lua_State *L, moon_status status, size_t rows) {
  if (status != MOON_OK) return bind_file_result(L, bind_ctx(L), status);
  lua_pushinteger(L, (lua_Integer)rows);
  return 1;
}

/* core.csv_read(csv, x, labels) -> rows, from 0 to those of x */
static int csv_read(lua_State *L) {
  moon_csv *csv = check_csv(L);
  moon_tensor *x = bind_check_tensor(L, 2), *labels = lua_isnoneornil(L, 3) ? NULL : bind_check_tensor(L, 3);
  size_t rows = 0;
  moon_status status;
  BIND_TWICE(L, status, moon_csv_read(csv, x, labels, &rows));
  return rows_result(L, status, rows);
}

/* core.csv_skip(csv, n) -> rows that were skipped */
static int csv_skip(lua_State *L) {
  moon_csv *csv = check_csv(L);
  size_t n = (size_t)bind_whole(L, 2, "csv_skip", "number of rows", 0, 0, LUA_MAXINTEGER), rows = 0;
  moon_status status;
  BIND_TWICE(L, status, moon_csv_skip(csv, n, &rows));
  return rows_result(L, status, rows);
}

/* core.csv_most_rows(csv) -> how many rows the file has at most */
static int csv_most_rows(lua_State *L) {
  moon_csv *csv = check_csv(L);
  size_t rows = 0;
  moon_status status;
  BIND_TWICE(L, status, moon_csv_most_rows(csv, &rows));
  return rows_result(L, status, rows);
}

/* core.csv_tell(csv) -> offset, line of the next row */
static int csv_tell(lua_State *L) {
  moon_csv_place place = moon_csv_tell(check_csv(L));
  lua_pushinteger(L, (lua_Integer)place.offset);
  lua_pushinteger(L, (lua_Integer)place.line);
  return 2;
}

/* core.csv_seek(csv, offset, line) -> true */
static int csv_seek(lua_State *L) {
  moon_csv *csv = check_csv(L);
  moon_csv_place place = {(uint64_t)luaL_checkinteger(L, 2), (uint64_t)luaL_checkinteger(L, 3)};
  moon_status status;
  BIND_TWICE(L, status, moon_csv_seek(csv, &place));
  return bind_file_result(L, bind_ctx(L), status);
}

/* ---- what it has ---- */

/* core.csv_columns(csv) -> list of names */
static int csv_columns(lua_State *L) {
  const moon_csv *csv = check_csv(L);
  const size_t n = moon_csv_width(csv);
  lua_createtable(L, n < INT_MAX ? (int)n : 0, 0);
  for (size_t i = 0; i < n; i++) {
    lua_pushstring(L, moon_csv_column(csv, i));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* core.csv_categories(csv) -> {column = list of texts} */
static int csv_categories(lua_State *L) {
  size_t n;
  const moon_csv_category *categories = moon_csv_categories(check_csv(L), &n);
  bind_push_categories(L, categories, n);
  return 1;
}

/* core.csv_classes(csv) -> list of the names of classes; nil if labels are numbers */
static int csv_classes(lua_State *L) {
  size_t n;
  const char *const *classes = moon_csv_classes(check_csv(L), &n);
  if (!n) return 0;
  bind_push_texts(L, classes, n);
  return 1;
}

/* core.csv_state(csv) -> has it a header, missing cells so far */
static int csv_state(lua_State *L) {
  const moon_csv *csv = check_csv(L);
  lua_pushboolean(L, moon_csv_has_header(csv));
  lua_pushinteger(L, (lua_Integer)moon_csv_missing(csv));
  return 2;
}

static const bind_reg functions[] = {
    {"csv_open", csv_open, "path, config"},
    {"csv_read", csv_read, "csv, x, labels"},
    {"csv_skip", csv_skip, "csv, n"},
    {"csv_most_rows", csv_most_rows, "csv"},
    {"csv_tell", csv_tell, "csv"},
    {"csv_seek", csv_seek, "csv, offset, line"},
    {"csv_columns", csv_columns, "csv"},
    {"csv_categories", csv_categories, "csv"},
    {"csv_classes", csv_classes, "csv"},
    {"csv_state", csv_state, "csv"},
    {0},
};

static int csv_tostring(lua_State *L) {
  luaL_checkudata(L, 1, BIND_CSV);
  lua_pushliteral(L, BIND_CSV);
  return 1;
}

static int csv_index(lua_State *L) {
  (void)L;
  return 0;
}

void bind_open_csv(lua_State *L) {
  static const luaL_Reg meta[] = {{"__tostring", csv_tostring}, {NULL, NULL}};
  static const bind_reg none[] = {{0}};
  bind_new_class(L, BIND_CSV, meta, none, csv_index);
  if (bind_has_files(L)) bind_functions(L, functions);
}
