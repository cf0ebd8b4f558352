/* bind_tensor.c - the class of tensors: arithmetic, functions, reductions, products. One C function serves all
** operations of a kind: upvalue 2 is the engine's name of the operation, upvalue 3 a flag. */
#include <math.h>
#include <string.h>

#include "bind_open.h"
#include "bind_tensor.h"

static const char *operation(lua_State *L) { return lua_tostring(L, lua_upvalueindex(2)); }
static bool flag(lua_State *L) { return lua_toboolean(L, lua_upvalueindex(3)); }

/* ---- two operands ---- */

/* The tensor at an argument; a number is replaced on the stack by a tensor of one element. */
static moon_tensor *operand(lua_State *L, int arg, const char *name) {
  moon_tensor *t = bind_test_tensor(L, arg);
  if (t) return t;
  if (lua_type(L, arg) != LUA_TNUMBER) {
    if (!luaL_testudata(L, arg, BIND_TENSOR))
      luaL_error(L, "%s: operand %d is %s, expected a tensor or a number", name, arg, bind_shown(L, arg));
    return bind_check_tensor(L, arg);
  }
  moon_ctx *ctx = bind_ctx(L);
  void **handle = bind_new(L, BIND_TENSOR);
  BIND_TRY(L, ctx, moon_tensor_new(ctx, &t, MOON_FLOAT32, 0, NULL));
  *handle = t;
  moon_tensor_set(t, 0, lua_tonumber(L, arg));
  lua_replace(L, arg);
  return bind_check_tensor(L, arg);
}

/* Push a tensor for the result. Whether the shapes match, the engine checks. */
static moon_tensor *new_result(lua_State *L, const moon_tensor *const *operands, size_t count) {
  size_t shape[MOON_MAX_RANK];
  int rank = moon_tensor_result_shape(shape, operands, count);
  return bind_new_tensor(L, MOON_FLOAT32, rank, shape);
}

/* The alpha of t:add(u, alpha) = t + alpha u and t:sub(u, alpha) = t - alpha u; 1 for the others (flag unset). */
static double alpha(lua_State *L) {
  return flag(L) && !lua_isnoneornil(L, 3) ? bind_number(L, 3, operation(L), "alpha") : 1;
}

/* t:add(u), t + u: a new tensor. */
static int binary(lua_State *L) {
  double scale = alpha(L);
  moon_tensor *a = operand(L, 1, operation(L)), *b = operand(L, 2, operation(L));
  moon_tensor *out = new_result(L, (const moon_tensor *const[]){a, b}, 2);
  BIND_TRY(L, bind_ctx(L), moon_tensor_binary(out, operation(L), a, b, scale));
  return 1;
}

/* Results are float32, so a tensor of bytes cannot hold them. */
static void check_in_place(lua_State *L, const moon_tensor *t) {
  if (moon_tensor_dtype(t) == MOON_UINT8)
    luaL_error(L, "%s: the tensor is uint8, expected float32; t:float() is a float32 copy", operation(L));
}

/* t:add_(u): in place. */
static int binary_(lua_State *L) {
  double scale = alpha(L);
  moon_tensor *t = bind_check_tensor(L, 1);
  check_in_place(L, t);
  const moon_tensor *u = operand(L, 2, operation(L));
  BIND_TRY(L, bind_ctx(L), moon_tensor_binary(t, operation(L), t, u, scale));
  lua_settop(L, 1);
  return 1;
}

/*** Tensor:where(a, b)
** a where an element of this tensor is not 0, else b, element by element: `t:gt(0):where(t, 0)`. Shapes as for `add`.
** @param a moonglass.Tensor|number
** @param b moonglass.Tensor|number
** @return moonglass.Tensor tensor float32 */
static int tensor_where(lua_State *L) {
  const moon_tensor *operands[3] = {bind_check_tensor(L, 1)};
  for (int k = 1; k < 3; k++) operands[k] = operand(L, k + 1, "where");
  moon_tensor *out = new_result(L, operands, 3);
  BIND_TRY(L, bind_ctx(L), moon_tensor_where(out, operands[0], operands[1], operands[2]));
  return 1;
}

/*** Tensor:equal(other)
** Have both tensors the same shape and the same values? The operator == is the same. Bytes count by value.
** @param other any
** @return boolean same false if other is not a tensor */
static int tensor_equal(lua_State *L) {
  moon_tensor *a = bind_test_tensor(L, 1), *b = bind_test_tensor(L, 2);
  lua_pushboolean(L, a && b && moon_tensor_allclose(a, b, 0, 0));
  return 1;
}

/*** Tensor:allclose(other, rtol, atol)
** Is every |t - u| <= atol + rtol |u|? This is numpy's allclose. NaN is close to nothing.
** @param other moonglass.Tensor of the same shape
** @param rtol number? default 1e-5
** @param atol number? default 1e-8
** @return boolean close */
static int tensor_allclose(lua_State *L) {
  moon_tensor *a = bind_check_tensor(L, 1), *b = bind_check_tensor(L, 2);
  double rtol = lua_isnoneornil(L, 3) ? 1e-5 : bind_number(L, 3, "allclose", "rtol");
  double atol = lua_isnoneornil(L, 4) ? 1e-8 : bind_number(L, 4, "allclose", "atol");
  lua_pushboolean(L, moon_tensor_allclose(a, b, rtol, atol));
  return 1;
}

/* ---- one operand ---- */

/* Read the parameters of a function: pow takes an exponent, clamp two bounds, either of which may be nil. */
static void parameters(lua_State *L, const char *name, double *p, double *q) {
  *p = *q = 0;
  if (strcmp(name, "pow") == 0) {
    *p = bind_number(L, 2, "pow", "exponent");
  } else if (strcmp(name, "clamp") == 0) {
    *p = lua_isnoneornil(L, 2) ? -INFINITY : bind_number(L, 2, "clamp", "low");
    *q = lua_isnoneornil(L, 3) ? INFINITY : bind_number(L, 3, "clamp", "high");
    if (!(*p <= *q)) luaL_error(L, "clamp: low is %f and high is %f, expected the lower first", *p, *q);
  }
}

/* t:exp(): a new tensor; t:exp_() (flag set): in place. */
static int unary(lua_State *L) {
  double p, q;
  moon_tensor *t = bind_check_tensor(L, 1);
  parameters(L, operation(L), &p, &q);
  lua_settop(L, 1);
  if (flag(L)) check_in_place(L, t);
  moon_tensor *out = flag(L) ? t : bind_new_tensor(L, MOON_FLOAT32, moon_tensor_rank(t), moon_tensor_shape(t));
  BIND_TRY(L, bind_ctx(L), moon_tensor_unary(out, operation(L), t, p, q));
  return 1;
}

/* t ^ p, for a number p. */
static int tensor_pow(lua_State *L) {
  if (!luaL_testudata(L, 1, BIND_TENSOR) || lua_type(L, 2) != LUA_TNUMBER)
    return luaL_error(L, "pow: expected a tensor raised to a number, got %s ^ %s", bind_shown(L, 1), bind_shown(L, 2));
  return unary(L);
}

/* ---- reductions ---- */

static moon_tensor *reduce_along(lua_State *L, const moon_tensor *t, const char *name, int dim) {
  size_t shape[MOON_MAX_RANK];
  int rank = 0;
  for (int i = 0; i < moon_tensor_rank(t); i++)
    if (i != dim) shape[rank++] = moon_tensor_shape(t)[i];
  moon_tensor *out = bind_new_tensor(L, MOON_FLOAT32, rank, shape);
  BIND_TRY(L, bind_ctx(L), moon_tensor_reduce_dim(out, name, t, dim));
  return out;
}

/* t:sum(): a number; t:sum(dim): a tensor without that dimension, or a number if there was no other. argmax (flag set)
** counts from 1; its indices, at most 2^24, stay exact in float32. */
static int reduce(lua_State *L) {
  moon_tensor *t = bind_check_tensor(L, 1);
  const char *name = operation(L);
  int rank = moon_tensor_rank(t), dim = -1;
  if (!lua_isnoneornil(L, 2)) {
    if (!rank) return luaL_error(L, "%s: the tensor has rank 0, expected at least one dimension", name);
    dim = (int)bind_whole(L, 2, name, "dim", 0, 1, rank) - 1;
  }
  if (dim >= 0 && rank > 1) {
    moon_tensor *out = reduce_along(L, t, name, dim);
    float *y = moon_tensor_float(out);
    for (size_t i = 0; flag(L) && i < moon_tensor_numel(out); i++) y[i] += 1;
    return 1;
  }
  double value = 0;
  BIND_TRY(L, bind_ctx(L), moon_tensor_reduce(&value, name, t));
  if (flag(L))
    lua_pushinteger(L, (lua_Integer)value + 1);
  else
    lua_pushnumber(L, value);
  return 1;
}

/*** Tensor:topk(k, dim, largest)
** The k largest elements along a dimension, the largest first, and their indices.
** @param k integer 1 to the dimension's size
** @param dim integer? default the last dimension
** @param largest boolean? default true; false: the k smallest, the smallest first
** @return moonglass.Tensor values of t's shape, but k along dim
** @return moonglass.Tensor index of the same shape, from 1 */
static int tensor_topk(lua_State *L) {
  moon_tensor *t = bind_check_tensor(L, 1);
  size_t shape[MOON_MAX_RANK];
  int rank = moon_tensor_rank(t);
  if (!rank) return luaL_error(L, "topk: the tensor has rank 0, expected at least one dimension");
  int dim = lua_isnoneornil(L, 3) ? rank - 1 : (int)bind_whole(L, 3, "topk", "dim", 0, 1, rank) - 1;
  bool largest = lua_isnoneornil(L, 4) || lua_toboolean(L, 4);
  for (int i = 0; i < rank; i++) shape[i] = moon_tensor_shape(t)[i];
  shape[dim] = (size_t)bind_whole(L, 2, "topk", "k", 0, 1, (lua_Integer)shape[dim]);
  moon_tensor *values = bind_new_tensor(L, MOON_FLOAT32, rank, shape);
  moon_tensor *index = bind_new_tensor(L, MOON_FLOAT32, rank, shape);
  BIND_TRY(L, bind_ctx(L), moon_tensor_topk(values, index, t, shape[dim], dim, largest));
  float *y = moon_tensor_float(index);
  for (size_t i = 0; i < moon_tensor_numel(index); i++) y[i] += 1;
  return 2;
}

/* core.neighbours(x, q, k) -> index, distance, both [rows of q x k]: the k rows of x that are nearest to each row of q.
** The index counts from 1. */
static int tensor_neighbours(lua_State *L) {
  const moon_tensor *x = bind_check_tensor(L, 1), *q = bind_check_tensor(L, 2);
  size_t n = moon_tensor_rank(x) ? moon_tensor_shape(x)[0] : 0, m = moon_tensor_rank(q) ? moon_tensor_shape(q)[0] : 0;
  size_t k = (size_t)bind_whole(L, 3, "neighbours", "k", 0, 1, (lua_Integer)(n ? n : 1)), shape[] = {m, k};
  moon_tensor *index = bind_new_tensor(L, MOON_FLOAT32, 2, shape);
  moon_tensor *distance = bind_new_tensor(L, MOON_FLOAT32, 2, shape);
  BIND_TRY(L, bind_ctx(L), moon_tensor_neighbours(index, distance, x, q, k));
  float *y = moon_tensor_float(index);
  for (size_t i = 0; i < moon_tensor_numel(index); i++) y[i] += 1;
  return 2;
}

/* ---- matrices ---- */

/* Replace a vector on the stack by a matrix of one row or one column; a matrix stays. */
static moon_tensor *as_matrix(lua_State *L, int arg, bool column) {
  moon_tensor *t = bind_check_tensor(L, arg);
  if (moon_tensor_rank(t) != 1) return t;
  size_t n = moon_tensor_numel(t), shape[] = {column ? n : 1, column ? 1 : n};
  t = bind_push_view(L, t, 0, 2, shape);
  lua_replace(L, arg);
  return t;
}

/*** Tensor:matmul(other)
** The matrix product [m x k] by [k x n]. A vector counts as a row on the left and as a column on the right.
** @param other moonglass.Tensor [k x n] or [k]
** @return moonglass.Tensor|number product [m x n], without the dimension of a vector; a number for two vectors */
static int tensor_matmul(lua_State *L) {
  size_t shape[2], result[2];
  int rank = 0;
  bool left = moon_tensor_rank(bind_check_tensor(L, 1)) == 1, right = moon_tensor_rank(bind_check_tensor(L, 2)) == 1;
  moon_tensor *a = as_matrix(L, 1, false), *b = as_matrix(L, 2, true);
  shape[0] = moon_tensor_rank(a) == 2 ? moon_tensor_shape(a)[0] : 1;
  shape[1] = moon_tensor_rank(b) == 2 ? moon_tensor_shape(b)[1] : 1;
  moon_tensor *out = bind_new_tensor(L, MOON_FLOAT32, 2, shape);
  BIND_TRY(L, bind_ctx(L), moon_tensor_matmul(out, a, false, b, false, 1, 0));
  if (!left) result[rank++] = shape[0];
  if (!right) result[rank++] = shape[1];
  if (rank == 0)
    lua_pushnumber(L, moon_tensor_get(out, 0));
  else if (rank == 1)
    bind_push_view(L, out, 0, 1, result);
  return 1;
}

/*** Tensor:t()
** The transpose of a matrix, as a copy.
** @return moonglass.Tensor tensor [columns x rows] */
static int tensor_transpose(lua_State *L) {
  moon_tensor *t = bind_check_tensor(L, 1);
  bool matrix = moon_tensor_rank(t) == 2;
  const size_t *shape = moon_tensor_shape(t);
  if (!matrix)
    return luaL_error(L, "t: the tensor is %s, expected a matrix", bind_push_shape(L, moon_tensor_rank(t), shape));
  moon_tensor *out = bind_new_tensor(L, moon_tensor_dtype(t), 2, (const size_t[]){shape[1], shape[0]});
  BIND_TRY(L, bind_ctx(L), moon_tensor_transpose(out, t));
  return 1;
}

static int tensor_tostring(lua_State *L) {
  luaL_checkudata(L, 1, BIND_TENSOR);
  const moon_tensor *t = bind_test_tensor(L, 1);
  if (t)
    bind_push_tensor_text(L, t);
  else
    lua_pushliteral(L, BIND_TENSOR " (closed)");
  return 1;
}

/* In Lua, t < u is one boolean, so it cannot compare element-wise. */
static int tensor_compare(lua_State *L) {
  return luaL_error(L, "tensors are compared by methods, element by element: t:lt(u), t:le(u), t:gt(u), t:ge(u)");
}

/* ---- the class ---- */

/*** @class moonglass.Tensor
** A view of numbers in up to 4 dimensions, row-major: float32, or uint8 for stored images and labels. Bytes count by
** value in arithmetic, and as value/255 in nets. Operators are element-wise. The other operand is a number, a tensor of
** the same shape, a tensor of one element, or a row [c] or [1 x c] or a column [r x 1] against a matrix [r x c]; a
** column and a row [1 x c] make a matrix. `#t` is the first size. `t[i]` is a view of row
** i; in one dimension it is a number. `t[i] = v` fills the row with a number or copies a tensor into it. `t == u` is
** `t:equal(u)`. `tostring(t)` is at most a page of text, whatever the size.
** @field shape integer[] the sizes, as a new list
** @field dtype moonglass.Dtype the type of the elements
** @field [integer] moonglass.Tensor|number
** @operator add(moonglass.Tensor|number): moonglass.Tensor
** @operator sub(moonglass.Tensor|number): moonglass.Tensor
** @operator mul(moonglass.Tensor|number): moonglass.Tensor
** @operator div(moonglass.Tensor|number): moonglass.Tensor
** @operator pow(number): moonglass.Tensor
** @operator unm: moonglass.Tensor
** @operator len: integer */

/*** @alias moonglass.Dtype "float32"|"uint8" */

static const bind_reg methods[] = {
    {"equal", tensor_equal, "other"},
    {"allclose", tensor_allclose, "other, rtol, atol"},
    {"matmul", tensor_matmul, "other"},
    {"t", tensor_transpose, ""},
    {"topk", tensor_topk, "k, dim, largest"},
    {"where", tensor_where, "a, b"},
    {0},
};

static const luaL_Reg meta[] = {
    {"__eq", tensor_equal},
    {"__lt", tensor_compare},
    {"__le", tensor_compare},
    {"__len", bind_tensor_len},
    {"__newindex", bind_tensor_newindex},
    {"__tostring", tensor_tostring},
    {NULL, NULL},
};

/* An operation as a method, in place, and as an operator; name is the engine's. */
typedef struct entry {
  const char *method, *in_place, *operator, * name;
  bool flag;
} entry;

/*** Tensor:add(other, alpha)
** The element-wise sum: t + alpha u.
*** Tensor:sub(other, alpha)
** The element-wise difference: t - alpha u.
** @param other moonglass.Tensor|number of the same shape, of one element, or a row or a column of a matrix
** @param alpha number? default 1: the factor of other
** @return moonglass.Tensor tensor float32 */
/*** Tensor:mul(other)
** The element-wise product: t * u.
*** Tensor:div(other)
** The element-wise quotient: t / u.
*** Tensor:maximum(other)
** The larger of both elements, element-wise.
*** Tensor:minimum(other)
** The smaller of both elements, element-wise.
*** Tensor:fill_nan(other)
** The tensor, but other where an element is NaN: `t:fill_nan(0)`, or `t:fill_nan(t:nanmean(1))`, the means of columns.
*** Tensor:eq(other)
** 1 where an element is equal to the other's, else 0.
*** Tensor:ne(other)
** 1 where an element is not equal to the other's, else 0.
*** Tensor:lt(other)
** 1 where an element is less than the other's, else 0.
*** Tensor:le(other)
** 1 where an element is at most the other's, else 0.
*** Tensor:gt(other)
** 1 where an element is greater than the other's, else 0.
*** Tensor:ge(other)
** 1 where an element is at least the other's, else 0.
** @param other moonglass.Tensor|number of the same shape, of one element, or a row or a column of a matrix
** @return moonglass.Tensor tensor float32 */
static const entry binaries[] = {
    {"add", "add_", "__add", "add", true},
    {"sub", "sub_", "__sub", "sub", true},
    {"mul", "mul_", "__mul", "mul", false},
    {"div", "div_", "__div", "div", false},
    {"eq", NULL, NULL, "eq", false},
    {"ne", NULL, NULL, "ne", false},
    {"lt", NULL, NULL, "lt", false},
    {"le", NULL, NULL, "le", false},
    {"gt", NULL, NULL, "gt", false},
    {"ge", NULL, NULL, "ge", false},
    {"maximum", "maximum_", NULL, "max", false},
    {"minimum", "minimum_", NULL, "min", false},
    {"fill_nan", "fill_nan_", NULL, "fill_nan", false},
};

/*** Tensor:neg()
** The negative: -t.
*** Tensor:exp()
** e to the power of each element.
*** Tensor:log()
** The natural logarithm; -infinity at 0, NaN below.
*** Tensor:sqrt()
** The square root; NaN below 0.
*** Tensor:abs()
** The absolute value.
*** Tensor:sign()
** The sign: -1, 0 or 1.
*** Tensor:square()
** The square.
*** Tensor:floor()
** Rounded down to a whole number.
*** Tensor:isnan()
** 1 where an element is NaN, else 0.
** @return moonglass.Tensor tensor float32 */
/*** Tensor:clamp(low, high)
** Each element clamped to two bounds.
** @param low number? nil: no lower bound
** @param high number? nil: no upper bound; at least low
** @return moonglass.Tensor tensor float32 */
/*** Tensor:pow(exponent)
** Each element to the power of a number: t ^ p.
** @param exponent number
** @return moonglass.Tensor tensor float32 */
static const char *const functions[] = {"neg", "exp", "log", "sqrt", "abs", "sign", "square", "floor", "clamp", "pow"};

/*** Tensor:sum(dim)
** The sum, added in double precision and correct to the last place of float32. So are mean, var, std and norm.
*** Tensor:mean(dim)
** The mean.
*** Tensor:min(dim)
** The smallest element.
*** Tensor:max(dim)
** The largest element.
*** Tensor:var(dim)
** The variance, over n, not n - 1. The mean is subtracted before squaring, in double, so that values far from zero lose
** no digits and squares do not overflow.
*** Tensor:std(dim)
** The standard deviation, over n, as exact as `var`.
*** Tensor:norm(dim)
** The Euclidean norm. The squares are summed in double, so that none overflows.
*** Tensor:nanmean(dim)
** The mean of the elements that are not NaN; NaN if there are none. So are nanstd, nanmin and nanmax.
*** Tensor:nanstd(dim)
** The standard deviation of the elements that are not NaN, over their number.
*** Tensor:nanmin(dim)
** The smallest element that is not NaN.
*** Tensor:nanmax(dim)
** The largest element that is not NaN.
** @param dim integer? the dimension to reduce; nil: all elements
** @return number|moonglass.Tensor result a number; with dim, a tensor without that dimension if it has others */
/*** Tensor:argmax(dim)
** The index of the largest element, from 1. Of equal elements the first counts.
** @param dim integer? the dimension to reduce, of at most 2^24 elements; nil: all elements, in row-major order
** @return integer|moonglass.Tensor result a number; with dim, a tensor without that dimension if it has others */
static const char *const reductions[] = {"sum",  "mean",   "min",     "max",    "var",    "std",
                                         "norm", "argmax", "nanmean", "nanstd", "nanmin", "nanmax"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* table[key] = f; nothing if key is NULL. */
static void add(lua_State *L, int table, const char *key, const bind_reg *f, bool set) {
  if (!key) return;
  bind_push_function(L, f, true, set);
  lua_setfield(L, table, key);
}

/* Add the function as name and, in place, as name_. */
static void add_function(lua_State *L, int table, const char *name) {
  const char *takes = strcmp(name, "clamp") == 0 ? "low, high" : strcmp(name, "pow") == 0 ? "exponent" : "";
  const bind_reg f = {name, unary, takes};
  add(L, table, name, &f, false);
  add(L, table, lua_pushfstring(L, "%s_", name), &f, true);
  lua_pop(L, 1);
}

/* Operators take "...", since Lua calls them with more arguments than operands. */
static void add_operations(lua_State *L, int table, int metatable) {
  const char *name;
  for (size_t i = 0; i < COUNT(binaries); i++) {
    const entry *e = &binaries[i];
    const char *takes = e->flag ? "other, alpha" : "other";
    add(L, table, e->method, &(bind_reg){e->name, binary, takes}, e->flag);
    add(L, table, e->in_place, &(bind_reg){e->name, binary_, takes}, e->flag);
    add(L, metatable, e->operator, &(bind_reg){e->name, binary, "..."}, false);
  }
  for (size_t i = 0; i < COUNT(functions); i++) add_function(L, table, functions[i]);
  for (size_t i = 0; (name = moon_registered(moon_lua_ctx(L), MOON_ACTIVATIONS, i)) != NULL; i++)
    add_function(L, table, name);
  for (size_t i = 0; i < COUNT(reductions); i++)
    add(L, table, reductions[i], &(bind_reg){reductions[i], reduce, "dim"}, strcmp(reductions[i], "argmax") == 0);
  add(L, table, "isnan", &(bind_reg){"isnan", unary, ""}, false);
  add(L, metatable, "__unm", &(bind_reg){"neg", unary, "..."}, false);
  add(L, metatable, "__pow", &(bind_reg){"pow", tensor_pow, "..."}, false);
}

void bind_open_tensor(lua_State *L) {
  static const bind_reg searches[] = {{"neighbours", tensor_neighbours, "x, q, k"}, {0}};
  int core = lua_gettop(L);
  bind_functions(L, searches);
  bind_public(L, bind_tensor_makers);
  bind_new_class(L, BIND_TENSOR, meta, methods, bind_tensor_index);
  bind_more_methods(L, BIND_TENSOR, bind_tensor_elements);
  bind_more_methods(L, BIND_TENSOR, bind_tensor_columns);
  luaL_getmetatable(L, BIND_TENSOR);
  lua_getfield(L, core, "methods");
  lua_getfield(L, -1, BIND_TENSOR);
  add_operations(L, core + 3, core + 1);
  lua_settop(L, core);
}
