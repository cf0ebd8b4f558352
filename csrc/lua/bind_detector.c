/* bind_detector.c - the class of detectors. Scripts make them with moon.detector (models/detector/), which also goes
** over sources, block by block. The user value of a handle is the list of its nets' handles. */
#include <math.h>
#include <string.h>

#include "bind_archive.h"
#include "bind_args.h"
#include "bind_detector.h"
#include "bind_family.h"
#include "bind_open.h"
#include "bind_texts.h"

/* ---- making ---- */

/* The numbers of a list at the top, `count` of them, as C has them; NULL for nil. Leaves one value in its place. */
static const double *read_numbers(lua_State *L, const char *field, size_t count) {
  int list = lua_gettop(L);
  if (lua_isnil(L, list)) return NULL;
  if (lua_type(L, list) != LUA_TTABLE || lua_rawlen(L, list) != count)
    luaL_error(L, "detector: %s is %s, expected a list of %I numbers, one for each column", field,
               lua_type(L, list) == LUA_TTABLE ? lua_pushfstring(L, "a list of %I", (LUAI_UACINT)lua_rawlen(L, list))
                                               : bind_shown(L, list),
               (LUAI_UACINT)count);
  double *numbers = lua_newuserdatauv(L, count * sizeof *numbers + 1, 0);
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, list, (lua_Integer)i + 1);
    if (lua_type(L, -1) != LUA_TNUMBER)
      luaL_error(L, "detector: %s of column %I is %s, expected a number", field, (LUAI_UACINT)(i + 1),
                 bind_shown(L, -1));
    numbers[i] = lua_tonumber(L, -1);
    lua_pop(L, 1);
  }
  lua_replace(L, list);
  return numbers;
}

static const double *field_numbers(lua_State *L, const char *field, size_t count) {
  lua_getfield(L, 2, field);
  return read_numbers(L, field, count);
}

static double field_number(lua_State *L, const char *field) {
  lua_getfield(L, 2, field);
  double number = lua_tonumber(L, -1);
  lua_pop(L, 1);
  return number;
}

static const char *field_text(lua_State *L, const char *field) {
  lua_getfield(L, 2, field);
  return lua_tostring(L, -1);
}

/* The nets of the list at index 1, whose handles go into the table at index 3. */
static moon_net **read_nets(lua_State *L, size_t n) {
  moon_net **nets = lua_newuserdatauv(L, n * sizeof *nets + 1, 0);
  for (size_t i = 0; i < n; i++) {
    lua_rawgeti(L, 1, (lua_Integer)i + 1);
    nets[i] = bind_test(L, -1, BIND_NET);
    if (!nets[i]) luaL_error(L, "detector: net %I is %s, expected a net", (LUAI_UACINT)(i + 1), bind_shown(L, -1));
    lua_rawseti(L, 3, (lua_Integer)i + 1);
  }
  return nets;
}

static void read_categories(lua_State *L, moon_detector_config *c) {
  lua_getfield(L, 2, "categories");
  c->categories = bind_read_categories(L, "detector", &c->category_count);
}

static void read_columns(lua_State *L, moon_detector_config *c, size_t width) {
  size_t count;
  lua_getfield(L, 2, "columns");
  c->columns = bind_read_texts(L, "detector", "columns", &count);
  if (c->columns && count != width)
    luaL_error(L, "detector: columns has %I names, expected one for each of the %I columns", (LUAI_UACINT)count,
               (LUAI_UACINT)width);
}

/* core.new_detector(nets, fields) */
static int detector_new(lua_State *L) {
  enum { SLOTS = 40 };
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  luaL_checkstack(L, SLOTS, "detector");
  moon_ctx *ctx = bind_ctx(L);
  size_t n = (size_t)lua_rawlen(L, 1), before = moon_memory_used(ctx);
  lua_newtable(L);
  moon_detector_config c = {.size = sizeof c, .nets = read_nets(L, n), .net_count = n};
  size_t width = n ? moon_net_inputs(c.nets[0]) : 0;
  c.score = field_text(L, "score");
  c.missing = field_text(L, "missing");
  c.margin = field_number(L, "margin");
  c.offset = field_numbers(L, "offset", width);
  c.scale = field_numbers(L, "scale", width);
  c.spread = field_numbers(L, "spread", width);
  c.low = field_numbers(L, "low", width);
  c.high = field_numbers(L, "high", width);
  read_columns(L, &c, width);
  read_categories(L, &c);
  void **handle = bind_new(L, BIND_DETECTOR);
  moon_detector *d = NULL;
  BIND_TRY(L, ctx, moon_detector_new(ctx, &d, &c));
  *handle = d;
  bind_weigh_growth(L, ctx, before);
  lua_pushvalue(L, 3);
  lua_setiuservalue(L, -2, 1);
  return 1;
}

/* Give the detector on the top, which came from a file, handles of its nets. */
static void add_nets(lua_State *L, const moon_detector *d) {
  moon_detector_config c = {.size = sizeof c};
  moon_detector_describe(d, &c);
  lua_createtable(L, (int)c.net_count, 0);
  for (size_t i = 0; i < c.net_count; i++) {
    bind_push(L, BIND_NET, c.nets[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_setiuservalue(L, -2, 1);
}

/* A refused file's message begins with its path, as moon_net_load says it. */
static int refused_file(lua_State *L, moon_ctx *ctx, moon_status status, const char *path) {
  int count = bind_file_result(L, ctx, status);
  if (status != MOON_EFORMAT || !path) return count;
  lua_pushfstring(L, "'%s': %s", path, lua_tostring(L, -2));
  lua_replace(L, -3);
  return count;
}

int bind_load_archive(lua_State *L, const moon_archive *archive, const char *path, size_t before) {
  moon_ctx *ctx = bind_ctx(L);
  bool is_detector = moon_archive_has_detector(archive);
  void **handle = bind_new(L, is_detector ? BIND_DETECTOR : BIND_NET);
  moon_detector *d = NULL;
  moon_net *net = NULL;
  moon_status status;
  if (is_detector)
    BIND_TWICE(L, status, moon_detector_from_archive(ctx, &d, archive));
  else
    BIND_TWICE(L, status, moon_net_from_archive(ctx, &net, archive));
  if (status != MOON_OK) return refused_file(L, ctx, status, path);
  *handle = is_detector ? (void *)d : (void *)net;
  if (is_detector) add_nets(L, d);
  bind_weigh_growth(L, ctx, before);
  return 1;
}

/* ---- rows ---- */

typedef moon_status judge(moon_detector *d, moon_tensor *out, const moon_tensor *x);

static moon_status score(moon_detector *d, moon_tensor *out, const moon_tensor *x) {
  return moon_detector_score(d, out, x, 0);
}

static moon_status features(moon_detector *d, moon_tensor *out, const moon_tensor *x) {
  return moon_detector_features(d, out, x, 0);
}

static int judge_rows(lua_State *L, judge *f, bool matrix) {
  moon_detector *d = bind_check_detector(L, 1);
  const moon_tensor *x = bind_check_tensor(L, 2);
  moon_ctx *ctx = bind_ctx(L);
  size_t rows = moon_tensor_rank(x) == 2 ? moon_tensor_shape(x)[0] : 1, before = moon_memory_used(ctx);
  size_t shape[] = {rows, moon_detector_columns(d)};
  moon_tensor *out = bind_new_tensor(L, MOON_FLOAT32, matrix ? 2 : 1, shape);
  BIND_TRY(L, ctx, f(d, out, x));
  bind_weigh_growth(L, ctx, before);
  return 1;
}

/*** Detector:scores(x)
** How unlike the training data each row is: by the detector's `score`, the mean of the squared errors of its columns,
** the largest, or the mean of errors that are divided by each column's `spread`; with several nets the mean of theirs.
** NaN for a row that has nothing but NaN.
** @param x moonglass.Tensor|moonglass.Source [rows x width], not scaled; float32 or bytes, which count as value/255
** @return moonglass.Tensor scores [rows] */
static int detector_scores(lua_State *L) { return judge_rows(L, score, false); }

/*** Detector:features(x)
** Each column's error, of which the score is made: squared, in scaled units; 0 for a missing cell.
** @param x moonglass.Tensor|moonglass.Source [rows x width], not scaled
** @return moonglass.Tensor features [rows x width] */
static int detector_features(lua_State *L) { return judge_rows(L, features, true); }

/*** Detector:outside(x)
** How many cells of each row lie far outside the training data: by more than `margin` times its range. A net can
** rebuild such a row well, and give it a low score. Infinities are outside.
** @param x moonglass.Tensor|moonglass.Source [rows x width], not scaled
** @return moonglass.Tensor counts [rows] */
static int detector_outside(lua_State *L) { return judge_rows(L, moon_detector_outside, false); }

/*** Detector:alarms(x)
** 1 for each row whose score is above the threshold, or NaN, or that has a cell outside; else 0.
** @param x moonglass.Tensor|moonglass.Source [rows x width], not scaled
** @return moonglass.Tensor alarms [rows] */
static int detector_alarms(lua_State *L) { return judge_rows(L, moon_detector_alarms, false); }

static void push_reason(lua_State *L, const moon_reason *r) {
  const struct {
    const char *name;
    double number;
  } numbers[] = {{"value", r->value}, {"expected", r->expected}, {"share", r->share}};
  lua_createtable(L, 0, 6);
  lua_pushstring(L, r->column);
  lua_setfield(L, -2, "name");
  lua_pushinteger(L, (lua_Integer)r->index + 1);
  lua_setfield(L, -2, "index");
  lua_pushboolean(L, r->outside);
  lua_setfield(L, -2, "outside");
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    lua_pushnumber(L, numbers[i].number);
    lua_setfield(L, -2, numbers[i].name);
  }
}

/*** @class moonglass.Reason
** What a column has to do with a row's score.
** @field name string of the column
** @field index integer of the column, from 1
** @field value number as it came; NaN if it is missing
** @field expected number what the nets make of the row, in the same unit
** @field share number of the sum of all errors, 0 to 1
** @field outside boolean does it lie far outside the training data? */

/*** Detector:explain(row, count)
** Where a row's score comes from: its columns, first those far outside the training data, then the others, each by
** falling share.
** @param row moonglass.Tensor|number[] [width] or [1 x width], not scaled
** @param count integer? how many columns; all if not given
** @return moonglass.Reason[] reasons */
static int detector_explain(lua_State *L) {
  moon_detector *d = bind_check_detector(L, 1);
  const moon_tensor *x = bind_check_tensor(L, 2);
  lua_Integer width = (lua_Integer)moon_detector_columns(d), count = width;
  moon_ctx *ctx = bind_ctx(L);
  if (!lua_isnoneornil(L, 3)) count = bind_whole(L, 3, "explain", "count", 0, 1, width);
  moon_reason *reasons = lua_newuserdatauv(L, (size_t)count * sizeof *reasons, 0);
  BIND_TRY(L, ctx, moon_detector_explain(d, reasons, (size_t)count, x));
  lua_createtable(L, (int)count, 0);
  for (lua_Integer i = 0; i < count; i++) {
    push_reason(L, &reasons[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* ---- changing ---- */

/* core.detector_spread(detector, list or nil) */
static int set_spread(lua_State *L) {
  moon_detector *d = bind_check_detector(L, 1);
  lua_settop(L, 2);
  const double *spread = read_numbers(L, "spread", moon_detector_columns(d));
  BIND_TRY(L, bind_ctx(L), moon_detector_set_spread(d, spread));
  return 0;
}

/* core.detector_range(detector, low, high, margin): lists, or nil for both; margin 0 is the default */
static int set_range(lua_State *L) {
  moon_detector *d = bind_check_detector(L, 1);
  double margin = luaL_optnumber(L, 4, 0);
  lua_settop(L, 3);
  const double *high = read_numbers(L, "high", moon_detector_columns(d));
  lua_pushvalue(L, 2);
  const double *low = read_numbers(L, "low", moon_detector_columns(d));
  BIND_TRY(L, bind_ctx(L), moon_detector_set_range(d, low, high, margin));
  return 0;
}

/* core.detector_calibration(detector, quantile, rows, alarms) -> quantile, rows, alarms, after they have been set
** unless quantile is nil. Nothing if they are not known, as after the threshold has been set. */
static int calibration(lua_State *L) {
  moon_detector *d = bind_check_detector(L, 1);
  moon_detector_config c = {.size = sizeof c};
  if (!lua_isnoneornil(L, 2)) {
    double quantile = luaL_checknumber(L, 2);
    size_t rows = (size_t)bind_whole(L, 3, "detector", "rows", 0, 0, LUA_MAXINTEGER);
    size_t alarms = (size_t)bind_whole(L, 4, "detector", "alarms", 0, 0, LUA_MAXINTEGER);
    BIND_TRY(L, bind_ctx(L), moon_detector_set_calibration(d, quantile, rows, alarms));
  }
  moon_detector_describe(d, &c);
  if (!(c.quantile > 0)) return 0;
  lua_pushnumber(L, c.quantile);
  lua_pushinteger(L, (lua_Integer)c.rows);
  lua_pushinteger(L, (lua_Integer)c.alarms);
  return 3;
}

/* core.detector_text(detector, key, text) -> the text of the key, after it has been set unless it is nil */
static int detector_text(lua_State *L) {
  moon_detector *d = bind_check_detector(L, 1);
  const char *key = luaL_checkstring(L, 2), *text = luaL_optstring(L, 3, NULL);
  if (text) BIND_TRY(L, bind_ctx(L), moon_detector_set_text(d, key, text));
  lua_pushstring(L, moon_detector_text(d, key));
  return 1;
}

/* ---- fields ---- */

/* Push a copy of the list of the handles of its nets. */
static void push_nets(lua_State *L) {
  if (lua_getiuservalue(L, 1, 1) != LUA_TTABLE) return;
  lua_Integer n = (lua_Integer)lua_rawlen(L, -1);
  lua_createtable(L, (int)n, 0);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_rawgeti(L, -2, i);
    lua_rawseti(L, -2, i);
  }
}

static void push_numbers(lua_State *L, const double *numbers, size_t n) {
  if (!numbers) {
    lua_pushnil(L);
    return;
  }
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n; i++) {
    lua_pushnumber(L, numbers[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

static void push_columns(lua_State *L, const moon_detector *d) {
  size_t n = moon_detector_columns(d);
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n; i++) {
    lua_pushstring(L, moon_detector_column(d, i));
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

static void push_scaler(lua_State *L, const moon_detector_config *c, size_t width) {
  if (!c->offset) {
    lua_pushnil(L);
    return;
  }
  lua_createtable(L, 0, 2);
  push_numbers(L, c->offset, width);
  lua_setfield(L, -2, "offset");
  push_numbers(L, c->scale, width);
  lua_setfield(L, -2, "scale");
}

static void push_number(lua_State *L, double number, bool known) {
  if (known)
    lua_pushnumber(L, number);
  else
    lua_pushnil(L);
}

static const char *const fields[] = {"threshold", "columns",  "categories", "width",  "net", "nets",
                                     "scaler",    "score",    "missing",    "spread", "low", "high",
                                     "margin",    "quantile", "rows",       NULL};

/* Their places in the list. */
enum {
  THRESHOLD,
  COLUMNS,
  CATEGORIES,
  WIDTH,
  NET,
  NETS,
  SCALER,
  SCORE,
  MISSING,
  SPREAD,
  LOW,
  HIGH,
  MARGIN,
  QUANTILE,
  ROWS
};

/* Push the field of that name; nil if it has no value. False if there is none of that name. */
static bool push_field(lua_State *L, const moon_detector *d, const char *name) {
  moon_detector_config c = {.size = sizeof c};
  size_t i = 0, width = moon_detector_columns(d);
  while (fields[i] && strcmp(fields[i], name) != 0) i++;
  if (!fields[i]) return false;
  moon_detector_describe(d, &c);
  switch (i) {
    case THRESHOLD: push_number(L, moon_detector_threshold(d), !isnan(moon_detector_threshold(d))); break;
    case COLUMNS: push_columns(L, d); break;
    case CATEGORIES: bind_push_categories(L, c.categories, c.category_count); break;
    case WIDTH: lua_pushinteger(L, (lua_Integer)width); break;
    case NET: push_nets(L), lua_rawgeti(L, -1, 1); break;
    case NETS: push_nets(L); break;
    case SCALER: push_scaler(L, &c, width); break;
    case SCORE: lua_pushstring(L, c.score); break;
    case MISSING: lua_pushstring(L, c.missing); break;
    case SPREAD: push_numbers(L, c.spread, width); break;
    case LOW: push_numbers(L, c.low, width); break;
    case HIGH: push_numbers(L, c.high, width); break;
    case MARGIN: lua_pushnumber(L, c.margin); break;
    case QUANTILE: push_number(L, c.quantile, c.quantile > 0); break;
    case ROWS: c.rows ? lua_pushinteger(L, (lua_Integer)c.rows) : lua_pushnil(L); break;
    default: lua_pushnil(L); break;
  }
  return true;
}

static int detector_index(lua_State *L) {
  if (bind_method(L)) return 1;
  const moon_detector *d = bind_check_detector(L, 1);
  if (lua_type(L, 2) == LUA_TSTRING && push_field(L, d, lua_tostring(L, 2))) return 1;
  bind_nearest n = bind_key(L);
  for (size_t i = 0; fields[i]; i++) bind_offer(&n, fields[i]);
  return bind_no_field(L, "detector", &n);
}

static int detector_newindex(lua_State *L) {
  moon_detector *d = bind_check_detector(L, 1);
  if (lua_type(L, 2) != LUA_TSTRING || strcmp(lua_tostring(L, 2), "threshold") != 0)
    return luaL_error(L, "detector: %s cannot be set, only the threshold", bind_shown(L, 2));
  double threshold = lua_isnil(L, 3) ? (double)NAN : bind_number(L, 3, "detector", "threshold");
  BIND_TRY(L, bind_ctx(L), moon_detector_set_threshold(d, threshold));
  return 0;
}

/* "detector of 30 columns, 1 net, score mean, threshold 0.0123" */
static int detector_tostring(lua_State *L) {
  luaL_checkudata(L, 1, BIND_DETECTOR);
  const moon_detector *d = bind_test(L, 1, BIND_DETECTOR);
  if (!d) {
    lua_pushliteral(L, BIND_DETECTOR " (closed)");
    return 1;
  }
  moon_detector_config c = {.size = sizeof c};
  size_t width = moon_detector_columns(d);
  double threshold = moon_detector_threshold(d);
  moon_detector_describe(d, &c);
  if (isnan(threshold))
    lua_pushliteral(L, "no threshold");
  else
    lua_pushfstring(L, "threshold %f", (LUAI_UACNUMBER)threshold);
  lua_pushfstring(L, "detector of %I column%s, %I net%s, score %s, %s", (LUAI_UACINT)width, width == 1 ? "" : "s",
                  (LUAI_UACINT)c.net_count, c.net_count == 1 ? "" : "s", c.score, lua_tostring(L, -1));
  return 1;
}

/* ---- archives ---- */

/*** Detector:bytes()
** The bytes of the file that `save` writes. `moon.load_bytes` reads them.
** @return string bytes */
static int detector_bytes(lua_State *L) {
  const moon_detector *d = bind_check_detector(L, 1);
  moon_tensor *bytes = NULL;
  BIND_TRY(L, bind_ctx(L), moon_detector_to_bytes(d, &bytes));
  return bind_push_bytes(L, bytes);
}

static int detector_save(lua_State *L) {
  size_t length;
  const moon_detector *d = bind_check_detector(L, 1);
  const char *path = luaL_checklstring(L, 2, &length);
  if (strlen(path) != length) return luaL_argerror(L, 2, "the path holds a zero byte");
  moon_status status;
  BIND_TWICE(L, status, moon_detector_save(d, path));
  return bind_file_result(L, bind_ctx(L), status);
}

/*** @class moonglass.Detector
** Nets that tell rows unlike those they were trained on, with all that belongs to their data. `moon.detector` makes it.
** @field threshold number? rows with a higher score are alarms; it can be set
** @field columns string[] the names of the columns
** @field categories table<string, string[]> the columns that were texts, and their values
** @field width integer the number of columns
** @field net moonglass.Net the first net
** @field nets moonglass.Net[]
** @field scaler table? {offset = number[], scale = number[]}
** @field score "mean"|"max"|"scaled"
** @field missing "skip"|"fill"|"refuse"
** @field spread number[]? the usual error of each column
** @field low number[]? the smallest number of the training data
** @field high number[]? the largest one
** @field margin number in ranges
** @field quantile number? of the scores of `rows` rows, from which the threshold came
** @field rows integer? */

static const bind_reg methods[] = {{"scores", detector_scores, "x"},
                                   {"features", detector_features, "x"},
                                   {"outside", detector_outside, "x"},
                                   {"alarms", detector_alarms, "x"},
                                   {"explain", detector_explain, "row, count"},
                                   {"bytes", detector_bytes, ""},
                                   {0}};

static const bind_reg on_disk[] = {{"save", detector_save, "path"}, {0}};

static const luaL_Reg meta[] = {{"__tostring", detector_tostring}, {"__newindex", detector_newindex}, {NULL, NULL}};

static const bind_reg functions[] = {{"new_detector", detector_new, "nets, fields"},
                                     {"detector_spread", set_spread, "detector, spread"},
                                     {"detector_range", set_range, "detector, low, high, margin"},
                                     {"detector_calibration", calibration, "detector, quantile, rows, alarms"},
                                     {"detector_text", detector_text, "detector, key, text"},
                                     {0}};

void bind_open_detector(lua_State *L) {
  bind_new_class(L, BIND_DETECTOR, meta, methods, detector_index);
  bind_functions(L, functions);
  if (bind_has_files(L)) bind_more_methods(L, BIND_DETECTOR, on_disk);
}
