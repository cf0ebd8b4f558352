/* bind_make.c - the functions that make tensors. Sizes are numbers or one table of numbers; a table of options at the
** end may give the element type: zeros(2, 3), zeros(t.shape), zeros(2, 3, {dtype = "uint8"}), zeros{2, 3, dtype =
** "uint8"}. */
#include <math.h>
#include <string.h>

#include "bind_tensor.h"

typedef struct form {
  moon_dtype dtype;
  int rank;
  size_t shape[MOON_MAX_RANK];
} form;

/* ---- reading arguments ---- */

static moon_dtype read_dtype(lua_State *L, const char *name) {
  const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : luaL_typename(L, -1);
  if (strcmp(text, "float32") == 0) return MOON_FLOAT32;
  if (strcmp(text, "uint8") == 0) return MOON_UINT8;
  bind_unknown(L, name, "dtype", text, (const char *const[]){"float32", "uint8", NULL});
  return MOON_FLOAT32;
}

/* Read the options in a table, which may be a list as well. */
static moon_dtype read_options(lua_State *L, const char *name, int index) {
  moon_dtype dtype = MOON_FLOAT32;
  lua_pushnil(L);
  while (lua_next(L, index)) {
    if (lua_type(L, -2) == LUA_TSTRING) {
      const char *key = lua_tostring(L, -2);
      if (strcmp(key, "dtype") != 0) bind_unknown(L, name, "option", key, (const char *const[]){"dtype", NULL});
      dtype = read_dtype(L, name);
    }
    lua_pop(L, 1);
  }
  return dtype;
}

/* Does the table at an index have named values only? An empty table is a list. */
static bool is_options(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TTABLE || lua_rawlen(L, index)) return false;
  lua_pushnil(L);
  if (!lua_next(L, index)) return false;
  lua_pop(L, 2);
  return true;
}

/* Remove the table of options from the end of the arguments, if there is one. */
static moon_dtype take_options(lua_State *L, const char *name) {
  int last = lua_gettop(L);
  if (!last || !is_options(L, last)) return MOON_FLOAT32;
  moon_dtype dtype = read_options(L, name, last);
  lua_settop(L, last - 1);
  return dtype;
}

static void read_form(lua_State *L, const char *name, int first, form *f) {
  lua_Integer sizes[MOON_MAX_RANK];
  f->dtype = take_options(L, name);
  int last = lua_gettop(L);
  if (last == first && lua_type(L, first) == LUA_TTABLE) {
    moon_dtype dtype = read_options(L, name, first);
    if (dtype != MOON_FLOAT32) f->dtype = dtype;
  }
  f->rank = bind_sizes(L, name, first, last, 0, sizes);
  for (int i = 0; i < f->rank; i++) f->shape[i] = (size_t)sizes[i];
}

static moon_tensor *new_form(lua_State *L, const char *name, int first) {
  form f;
  read_form(L, name, first, &f);
  return bind_new_tensor(L, f.dtype, f.rank, f.shape);
}

static moon_tensor *new_list(lua_State *L, moon_dtype dtype, size_t n) { return bind_new_tensor(L, dtype, 1, &n); }

/* ---- tensor(list): numbers in lists of lists ---- */

/* The shape of nested lists, by the first element of each. */
static void measure_list(lua_State *L, int index, form *f) {
  f->rank = 0;
  lua_pushvalue(L, index);
  while (lua_type(L, -1) == LUA_TTABLE) {
    if (f->rank == MOON_MAX_RANK)
      luaL_error(L, "tensor: the lists are nested more than %d deep, expected at most %d dimensions", MOON_MAX_RANK,
                 MOON_MAX_RANK);
    f->shape[f->rank++] = lua_rawlen(L, -1);
    lua_rawgeti(L, -1, 1);
    lua_remove(L, -2);
  }
  lua_pop(L, 1);
}

typedef struct filling {
  moon_tensor *t;
  const form *f;
  float *floats; /* NULL for bytes */
  size_t at;     /* elements written */
  size_t place[MOON_MAX_RANK];
} filling;

/* Raise "tensor: element [2][1] is ..., expected ..." for the value on the top. */
static void misplaced(lua_State *L, const filling *g, int depth) {
  char place[MOON_MAX_RANK * 24] = "";
  for (int i = 0; i < depth; i++) {
    size_t used = strlen(place);
    lua_pushfstring(L, "[%I]", (LUAI_UACINT)g->place[i]);
    strncat(place, lua_tostring(L, -1), sizeof place - used - 1);
    lua_pop(L, 1);
  }
  if (depth == g->f->rank)
    luaL_error(L, "tensor: element %s is %s, expected a number", place, bind_shown(L, -1));
  else if (lua_type(L, -1) != LUA_TTABLE)
    luaL_error(L, "tensor: element %s is %s, expected a list of %I", place, bind_shown(L, -1),
               (LUAI_UACINT)g->f->shape[depth]);
  else
    luaL_error(L, "tensor: list %s has length %I, expected %I", place, (LUAI_UACINT)lua_rawlen(L, -1),
               (LUAI_UACINT)g->f->shape[depth]);
}

/* Write the value on the top: a number at full depth, above that a list. */
static void fill_from(lua_State *L, filling *g, int depth) {
  if (depth == g->f->rank) {
    if (lua_type(L, -1) != LUA_TNUMBER) misplaced(L, g, depth);
    if (g->floats)
      g->floats[g->at++] = (float)lua_tonumber(L, -1);
    else
      moon_tensor_set(g->t, g->at++, lua_tonumber(L, -1));
    return;
  }
  if (lua_type(L, -1) != LUA_TTABLE || lua_rawlen(L, -1) != g->f->shape[depth]) misplaced(L, g, depth);
  for (size_t i = 1; i <= g->f->shape[depth]; i++) {
    g->place[depth] = i;
    lua_rawgeti(L, -1, (lua_Integer)i);
    fill_from(L, g, depth + 1);
    lua_pop(L, 1);
  }
}

/*** @class moonglass.TensorOptions
** Options of the functions that make tensors.
** @field dtype moonglass.Dtype? default "float32": the type of the elements */

/*** moon.tensor(list, options)
** A tensor of the given numbers, or a copy of a tensor.
** @param list number|table|moonglass.Tensor a number (rank 0), nested lists of numbers, or a tensor
** @param options moonglass.TensorOptions? a copy keeps the element type unless dtype is given
** @return moonglass.Tensor tensor of the lists' shape */
static int make_tensor(lua_State *L) {
  form f = {MOON_FLOAT32, 0, {0}};
  bool typed = !lua_isnoneornil(L, 2);
  if (typed) {
    if (lua_type(L, 2) != LUA_TTABLE)
      return luaL_error(L, "tensor: argument 2 is %s, expected options, as in tensor({1, 2}, {dtype = \"uint8\"})",
                        bind_shown(L, 2));
    f.dtype = read_options(L, "tensor", 2);
  }
  if (luaL_testudata(L, 1, BIND_TENSOR)) {
    const moon_tensor *t = bind_check_tensor(L, 1);
    bind_push_copy(L, t, typed ? f.dtype : moon_tensor_dtype(t));
    return 1;
  }
  int type = lua_type(L, 1);
  if (type != LUA_TTABLE && type != LUA_TNUMBER)
    return luaL_error(L, "tensor: argument 1 is %s, expected a number, a list or a tensor", bind_shown(L, 1));
  if (type == LUA_TTABLE) {
    lua_pushstring(L, "dtype");
    if (lua_rawget(L, 1) != LUA_TNIL) f.dtype = read_dtype(L, "tensor");
    lua_pop(L, 1);
  }
  measure_list(L, 1, &f);
  filling g = {bind_new_tensor(L, f.dtype, f.rank, f.shape), &f, NULL, 0, {0}};
  g.floats = moon_tensor_float(g.t);
  lua_pushvalue(L, 1);
  fill_from(L, &g, 0);
  lua_pop(L, 1);
  return 1;
}

/* ---- filled ---- */

/*** moon.zeros(...)
** Zeros: `moon.zeros(2, 3)`, `moon.zeros(t.shape)`, `moon.zeros(2, 3, {dtype = "uint8"})`.
** @param ... integer|integer[]|moonglass.TensorOptions 1 to 4 sizes of at least 0, or a list of them; then options
** @return moonglass.Tensor tensor */
static int make_zeros(lua_State *L) {
  new_form(L, "zeros", 1);
  return 1;
}

/*** moon.ones(...)
** Ones. Sizes and options are those of `moon.zeros`.
** @param ... integer|integer[]|moonglass.TensorOptions sizes, then options
** @return moonglass.Tensor tensor */
static int make_ones(lua_State *L) {
  moon_tensor_fill(new_form(L, "ones", 1), 1);
  return 1;
}

/*** moon.full(value, ...)
** The same number everywhere. Sizes and options are those of `moon.zeros`.
** @param value number rounded and clamped to 0 to 255 for bytes
** @param ... integer|integer[]|moonglass.TensorOptions sizes, then options
** @return moonglass.Tensor tensor */
static int make_full(lua_State *L) {
  double value = bind_number(L, 1, "full", "value");
  moon_tensor_fill(new_form(L, "full", 2), value);
  return 1;
}

static double finite_number(lua_State *L, int index, const char *name, const char *noun) {
  double value = bind_number(L, index, name, noun);
  if (!isfinite(value)) luaL_error(L, "%s: %s is %s, expected a finite number", name, noun, bind_shown(L, index));
  return value;
}

/* How many of the first `most` numbers a + i step are before b, all rounded to float32. */
static size_t count_before(double a, double b, double step, size_t most) {
  size_t low = 0, high = most;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    float x = (float)(a + (double)middle * step);
    if (step > 0 ? x < (float)b : x > (float)b)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/*** moon.arange(a, b, step, options)
** Evenly spaced numbers from a up to, but not including, b. `moon.arange(b)` starts at 0. Element i, counted from 0, is
** a + i * step, computed in double and rounded to float32. An element that rounds to b is left out, so 1 to 1.3 by 0.1
** has 3 elements (4 in numpy). `moon.linspace` takes the number of elements instead. float32 holds every whole number
** up to 2^24.
** @param a number the first element
** @param b number the end, which is not included
** @param step number? default 1: not 0
** @param options moonglass.TensorOptions?
** @return moonglass.Tensor tensor [n], empty if the step leads away from b
** @overload fun(b: number): moonglass.Tensor */
static int make_arange(lua_State *L) {
  moon_dtype dtype = take_options(L, "arange");
  bool alone = lua_isnoneornil(L, 2);
  double a = alone ? 0 : finite_number(L, 1, "arange", "start");
  double b = finite_number(L, alone ? 1 : 2, "arange", "end");
  double step = lua_isnoneornil(L, 3) ? 1 : finite_number(L, 3, "arange", "step");
  if (step == 0) return luaL_error(L, "arange: step is 0, expected a number other than 0");
  double count = ceil((b - a) / step);
  if (!(count < 9007199254740992.0)) return luaL_error(L, "arange: %f elements are more than memory can hold", count);
  size_t n = count > 0 ? count_before(a, b, step, (size_t)count) : 0;
  moon_tensor *t = new_list(L, dtype, n);
  for (size_t i = 0; i < n; i++) moon_tensor_set(t, i, a + (double)i * step);
  return 1;
}

/*** moon.linspace(a, b, n, options)
** n evenly spaced numbers from a to b, both included.
** @param a number the first element
** @param b number the last element
** @param n integer at least 0
** @param options moonglass.TensorOptions?
** @return moonglass.Tensor tensor [n] */
static int make_linspace(lua_State *L) {
  moon_dtype dtype = take_options(L, "linspace");
  double a = finite_number(L, 1, "linspace", "start"), b = finite_number(L, 2, "linspace", "end");
  size_t n = (size_t)bind_whole(L, 3, "linspace", "count", 0, 0, LUA_MAXINTEGER);
  moon_tensor *t = new_list(L, dtype, n);
  for (size_t i = 0; i + 1 < n; i++) moon_tensor_set(t, i, a + (b - a) * ((double)i / (double)(n - 1)));
  if (n) moon_tensor_set(t, n - 1, n > 1 ? b : a);
  return 1;
}

/*** moon.eye(n, options)
** The identity matrix.
** @param n integer the number of rows and of columns
** @param options moonglass.TensorOptions?
** @return moonglass.Tensor tensor [n x n] */
static int make_eye(lua_State *L) {
  moon_dtype dtype = take_options(L, "eye");
  size_t n = (size_t)bind_whole(L, 1, "eye", "size", 0, 0, LUA_MAXINTEGER);
  moon_tensor *t = bind_new_tensor(L, dtype, 2, (const size_t[]){n, n});
  for (size_t i = 0; i < n; i++) moon_tensor_set(t, i * (n + 1), 1);
  return 1;
}

/* ---- random: from the context's stream ---- */

static moon_tensor *new_random(lua_State *L, const char *name) {
  form f;
  read_form(L, name, 1, &f);
  if (f.dtype != MOON_FLOAT32)
    luaL_error(L, "%s: dtype is uint8, expected float32; t:byte() converts the result", name);
  return bind_new_tensor(L, f.dtype, f.rank, f.shape);
}

/*** moon.rand(...)
** Uniform draws from [0, 1), from the stream that `moon.seed` restarts.
** @param ... integer|integer[] sizes, as for `moon.zeros`
** @return moonglass.Tensor tensor */
static int make_rand(lua_State *L) {
  moon_tensor *t = new_random(L, "rand");
  BIND_TRY(L, bind_ctx(L), moon_tensor_uniform(t, 0, 1));
  return 1;
}

/*** moon.randn(...)
** Normal draws of mean 0 and deviation 1, from the stream that `moon.seed` restarts.
** @param ... integer|integer[] sizes, as for `moon.zeros`
** @return moonglass.Tensor tensor */
static int make_randn(lua_State *L) {
  moon_tensor *t = new_random(L, "randn");
  BIND_TRY(L, bind_ctx(L), moon_tensor_normal(t, 0, 1));
  return 1;
}

/*** moon.randperm(n)
** The numbers 1 to n in random order, from the stream that `moon.seed` restarts.
** @param n integer 0 to 2^24
** @return moonglass.Tensor tensor [n] */
static int make_randperm(lua_State *L) {
  size_t n = (size_t)bind_whole(L, 1, "randperm", "count", 0, 0, 1 << 24);
  moon_tensor *t = new_list(L, MOON_FLOAT32, n);
  BIND_TRY(L, bind_ctx(L), moon_tensor_permutation(t, 1));
  return 1;
}

/* ---- cat ---- */

/* Read the tensors of the list at argument 1 into parts. */
static void read_parts(lua_State *L, const moon_tensor **parts, size_t count) {
  for (size_t i = 0; i < count; i++) {
    lua_rawgeti(L, 1, (lua_Integer)i + 1);
    parts[i] = bind_test_tensor(L, -1);
    if (!parts[i]) luaL_error(L, "cat: part %I is %s, expected a tensor", (LUAI_UACINT)i + 1, bind_shown(L, -1));
    lua_pop(L, 1);
  }
}

/*** moon.cat(list, dim)
** Tensors joined along a dimension. Their other sizes and their element types must be equal.
** @param list moonglass.Tensor[] at least one, none of rank 0
** @param dim integer? default 1
** @return moonglass.Tensor tensor */
static int make_cat(lua_State *L) {
  form f;
  if (lua_type(L, 1) != LUA_TTABLE)
    return luaL_error(L, "cat: got %s, expected a list of tensors: cat({a, b}, dim)", bind_shown(L, 1));
  lua_settop(L, 2);
  size_t count = lua_rawlen(L, 1);
  if (!count) return luaL_error(L, "cat: the list is empty, expected at least one tensor");
  const moon_tensor **parts = lua_newuserdatauv(L, count * sizeof *parts, 0);
  read_parts(L, parts, count);
  f.dtype = moon_tensor_dtype(parts[0]);
  f.rank = moon_tensor_rank(parts[0]);
  if (!f.rank) return luaL_error(L, "cat: the tensors have rank 0, expected at least one dimension");
  memcpy(f.shape, moon_tensor_shape(parts[0]), sizeof *f.shape * (size_t)f.rank);
  int dim = lua_isnoneornil(L, 2) ? 0 : (int)bind_whole(L, 2, "cat", "dim", 0, 1, f.rank) - 1;
  for (size_t i = 1; i < count; i++)
    if (moon_tensor_rank(parts[i]) == f.rank) f.shape[dim] += moon_tensor_shape(parts[i])[dim];
  moon_tensor *out = bind_new_tensor(L, f.dtype, f.rank, f.shape);
  BIND_TRY(L, bind_ctx(L), moon_tensor_cat(out, parts, count, dim));
  return 1;
}

/* ---- eigh ---- */

/*** moon.eigh(t)
** Eigenvalues and eigenvectors of a symmetric matrix, computed in double. Only the triangle on and below the diagonal
** is read.
** @param t moonglass.Tensor [n x n], finite, n at most 32766
** @return moonglass.Tensor values [n], ascending
** @return moonglass.Tensor vectors [n x n], one eigenvector per row, each of length 1 */
static int make_eigh(lua_State *L) {
  const moon_tensor *t = bind_check_tensor(L, 1);
  const size_t *shape = moon_tensor_shape(t);
  size_t n = moon_tensor_rank(t) == 2 && shape[0] == shape[1] ? shape[0] : 0;
  moon_tensor *values = new_list(L, MOON_FLOAT32, n);
  moon_tensor *vectors = bind_new_tensor(L, MOON_FLOAT32, 2, (const size_t[]){n, n});
  BIND_TRY(L, bind_ctx(L), moon_tensor_eigh(values, vectors, t));
  return 2;
}

const bind_reg bind_tensor_makers[] = {
    {"tensor", make_tensor, "list, options"},
    {"zeros", make_zeros, "..."},
    {"ones", make_ones, "..."},
    {"full", make_full, "..."},
    {"arange", make_arange, "a, b, step, options"},
    {"eye", make_eye, "n, options"},
    {"rand", make_rand, "..."},
    {"randn", make_randn, "..."},
    {"linspace", make_linspace, "a, b, n, options"},
    {"randperm", make_randperm, "n"},
    {"cat", make_cat, "list, dim"},
    {"eigh", make_eigh, "t"},
    {"print_options", bind_print_options, "options"},
    {0},
};
