/* bind_index.c - elements, rows, shapes and copies of tensors. Indices count from 1. */
#include <limits.h>
#include <math.h>

#include "bind_tensor.h"

static const char *push_shape_of(lua_State *L, const moon_tensor *t) {
  return bind_push_shape(L, moon_tensor_rank(t), moon_tensor_shape(t));
}

/* The tensor at argument 1, which a function writes to. */
static moon_tensor *check_writable(lua_State *L, const char *name) {
  moon_tensor *t = bind_check_tensor(L, 1);
  if (moon_tensor_frozen(t))
    luaL_error(L, "%s: the tensor is read-only, others read it too; change a copy: t:clone()", name);
  return t;
}

/* ---- views ---- */

moon_tensor *bind_push_view(lua_State *L, moon_tensor *t, size_t first, int rank, const size_t *shape) {
  moon_tensor *view = NULL;
  void **handle = bind_new(L, BIND_TENSOR);
  BIND_TRY(L, moon_tensor_ctx(t), moon_tensor_view(&view, t, first, rank, shape));
  *handle = view;
  return bind_check_tensor(L, -1);
}

/* The number of elements in one row: all dimensions but the first. */
static size_t row_numel(const moon_tensor *t) {
  size_t n = 1;
  for (int i = 1; i < moon_tensor_rank(t); i++) n *= moon_tensor_shape(t)[i];
  return n;
}

static size_t length(lua_State *L, const moon_tensor *t) {
  if (!moon_tensor_rank(t)) luaL_error(L, "a tensor of rank 0 has no rows; get() reads its element");
  return moon_tensor_shape(t)[0];
}

static moon_tensor *push_row(lua_State *L, moon_tensor *t, size_t i) {
  return bind_push_view(L, t, i * row_numel(t), moon_tensor_rank(t) - 1, moon_tensor_shape(t) + 1);
}

/* The index at stack index 2, from 0: 0 to n - 1, or n if past_end allows one past the end. */
static size_t key_place(lua_State *L, size_t n, bool past_end) {
  int whole;
  lua_Integer key = lua_tointegerx(L, 2, &whole);
  if (!whole) luaL_error(L, "index is %s, expected a whole number", bind_shown(L, 2));
  if (key < 1 || (lua_Unsigned)key > (lua_Unsigned)n + past_end)
    luaL_error(L, "index %I is out of range 1..%I", (LUAI_UACINT)key, (LUAI_UACINT)n);
  return (size_t)key - 1;
}

static void push_shape_table(lua_State *L, const moon_tensor *t) {
  lua_createtable(L, moon_tensor_rank(t), 0);
  for (int i = 0; i < moon_tensor_rank(t); i++) {
    lua_pushinteger(L, (lua_Integer)moon_tensor_shape(t)[i]);
    lua_rawseti(L, -2, i + 1);
  }
}

/* A field, or a method. An unknown name raises, since a nil would cause an error later and elsewhere. */
static int index_name(lua_State *L, const moon_tensor *t) {
  lua_pushvalue(L, 2);
  if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL) return 1;
  lua_pushliteral(L, "shape");
  if (lua_rawequal(L, 2, -1)) return push_shape_table(L, t), 1;
  lua_pushliteral(L, "dtype");
  if (lua_rawequal(L, 2, -1)) {
    lua_pushstring(L, moon_tensor_dtype(t) == MOON_UINT8 ? "uint8" : "float32");
    return 1;
  }
  bind_nearest n = {.name = lua_tostring(L, 2)};
  bind_offer(&n, "shape");
  bind_offer(&n, "dtype");
  bind_offer_names(L, &n, lua_upvalueindex(2));
  return luaL_error(L, "a tensor has no field or method '%s'%s", n.name, bind_push_question(L, &n));
}

/* t[i]: a view of row i, or a number if the tensor has one dimension. One past the end gives nil, so that ipairs stops;
** any other index out of range raises. */
int bind_tensor_index(lua_State *L) {
  moon_tensor *t = bind_check_tensor(L, 1);
  int type = lua_type(L, 2);
  if (type == LUA_TSTRING) return index_name(L, t);
  if (type != LUA_TNUMBER)
    return luaL_error(L, "a tensor is indexed by numbers and names, not by a %s", luaL_typename(L, 2));
  size_t n = length(L, t), i = key_place(L, n, true);
  if (i == n)
    lua_pushnil(L);
  else if (moon_tensor_rank(t) == 1)
    lua_pushnumber(L, moon_tensor_get(t, i));
  else
    push_row(L, t, i);
  return 1;
}

/* t[i] = number fills a row; t[i] = tensor copies into it. */
int bind_tensor_newindex(lua_State *L) {
  moon_tensor *t = bind_check_tensor(L, 1);
  if (lua_type(L, 2) == LUA_TSTRING)
    return luaL_error(L, "a tensor has no field '%s' that can be set", lua_tostring(L, 2));
  if (lua_type(L, 2) != LUA_TNUMBER)
    return luaL_error(L, "a tensor is indexed by numbers and names, not by a %s", luaL_typename(L, 2));
  size_t i = key_place(L, length(L, t), false);
  check_writable(L, "t[i] = v");
  if (moon_tensor_rank(t) == 1) {
    moon_tensor_set(t, i, bind_number(L, 3, "t[i] = v", "value"));
    return 0;
  }
  moon_tensor *row = push_row(L, t, i);
  if (luaL_testudata(L, 3, BIND_TENSOR))
    BIND_TRY(L, moon_tensor_ctx(row), moon_tensor_copy(row, bind_check_tensor(L, 3)));
  else if (lua_type(L, 3) == LUA_TNUMBER)
    moon_tensor_fill(row, lua_tonumber(L, 3));
  else
    return luaL_error(L, "t[i] = v: value is %s, expected a tensor or a number", bind_shown(L, 3));
  return 0;
}

int bind_tensor_len(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)length(L, bind_check_tensor(L, 1)));
  return 1;
}

/* ---- single elements ---- */

/* The flat index of the element whose indices are the arguments from `first` on. */
static size_t flat_index(lua_State *L, const moon_tensor *t, const char *name, int first) {
  int rank = moon_tensor_rank(t), given = lua_gettop(L) - first + 1;
  size_t flat = 0;
  if (given != rank)
    luaL_error(L, "%s: %s takes %d indices, got %d", name, push_shape_of(L, t), rank, given < 0 ? 0 : given);
  for (int i = 0; i < rank; i++) {
    size_t n = moon_tensor_shape(t)[i];
    flat = flat * n + (size_t)bind_whole(L, first + i, name, "index", i + 1, 1, (lua_Integer)n) - 1;
  }
  return flat;
}

/*** Tensor:get(...)
** One element, by one index for each dimension.
** @param ... integer each from 1 to that dimension's size
** @return number value */
static int tensor_get(lua_State *L) {
  moon_tensor *t = bind_check_tensor(L, 1);
  lua_pushnumber(L, moon_tensor_get(t, flat_index(L, t, "get", 2)));
  return 1;
}

/*** Tensor:set(value, ...)
** Set one element.
** @param value number rounded and clamped to 0 to 255 for bytes
** @param ... integer one index for each dimension
** @return moonglass.Tensor self */
static int tensor_set(lua_State *L) {
  moon_tensor *t = check_writable(L, "set");
  double value = bind_number(L, 2, "set", "value");
  moon_tensor_set(t, flat_index(L, t, "set", 3), value);
  lua_settop(L, 1);
  return 1;
}

/*** Tensor:numel()
** The number of elements.
** @return integer n */
static int tensor_numel(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)moon_tensor_numel(bind_check_tensor(L, 1)));
  return 1;
}

/*** Tensor:rank()
** The number of dimensions, 0 to 4.
** @return integer rank */
static int tensor_rank(lua_State *L) {
  lua_pushinteger(L, moon_tensor_rank(bind_check_tensor(L, 1)));
  return 1;
}

/*** Tensor:size(dim)
** The size of one dimension.
** @param dim integer 1 to the rank
** @return integer size */
static int tensor_size(lua_State *L) {
  moon_tensor *t = bind_check_tensor(L, 1);
  lua_pushinteger(L, (lua_Integer)moon_tensor_shape(t)[bind_whole(L, 2, "size", "dim", 0, 1, moon_tensor_rank(t)) - 1]);
  return 1;
}

/* ---- shapes and rows ---- */

/* The shape of a reshape of n elements; one size may be -1, and is computed. False if the sizes do not give n. */
static bool solve_sizes(const lua_Integer *sizes, int rank, size_t n, size_t *shape) {
  size_t known = 1;
  int open = -1;
  for (int i = 0; i < rank; i++) {
    if (sizes[i] < 0 && open >= 0) return false;
    if (sizes[i] < 0) open = i;
    shape[i] = sizes[i] < 0 ? 1 : (size_t)sizes[i];
    if (__builtin_mul_overflow(known, shape[i], &known)) return false;
  }
  if (open < 0) return known == n;
  if (!known || n % known) return false;
  shape[open] = n / known;
  return true;
}

/*** Tensor:reshape(...)
** The same elements in another shape, as a view.
** @param ... integer|integer[] sizes, or a list of them, for the same number of elements; one may be -1, to be computed
** @return moonglass.Tensor view */
static int tensor_reshape(lua_State *L) {
  moon_tensor *t = bind_check_tensor(L, 1);
  lua_Integer sizes[MOON_MAX_RANK];
  size_t shape[MOON_MAX_RANK];
  int rank = bind_sizes(L, "reshape", 2, lua_gettop(L), -1, sizes);
  if (!solve_sizes(sizes, rank, moon_tensor_numel(t), shape)) {
    luaL_Buffer text;
    const char *from = push_shape_of(L, t);
    luaL_buffinit(L, &text);
    for (int i = 0; i < rank; i++) {
      if (i) luaL_addstring(&text, " x ");
      lua_pushinteger(L, sizes[i]);
      luaL_addvalue(&text);
    }
    luaL_pushresult(&text);
    return luaL_error(L, "reshape: %s has %I elements, which do not make [%s]", from, (LUAI_UACINT)moon_tensor_numel(t),
                      lua_tostring(L, -1));
  }
  bind_push_view(L, t, 0, rank, shape);
  return 1;
}

/*** Tensor:rows(i, j)
** Rows i to j, both included, as a view: it shares the elements.
** @param i integer the first row; rows(i, i - 1) is an empty view
** @param j integer? default i: the last row
** @return moonglass.Tensor view */
static int tensor_rows(lua_State *L) {
  moon_tensor *t = bind_check_tensor(L, 1);
  size_t shape[MOON_MAX_RANK];
  lua_Integer n = (lua_Integer)length(L, t);
  bool alone = lua_isnoneornil(L, 3); /* only a range may be empty, and begin behind the last row */
  lua_Integer i = bind_whole(L, 2, "rows", "first row", 0, 1, alone ? n : n + 1);
  lua_Integer j = alone ? i : bind_whole(L, 3, "rows", "last row", 0, i - 1, n);
  for (int d = 0; d < moon_tensor_rank(t); d++) shape[d] = moon_tensor_shape(t)[d];
  shape[0] = (size_t)(j - i + 1);
  bind_push_view(L, t, (size_t)(i - 1) * row_numel(t), moon_tensor_rank(t), shape);
  return 1;
}

/* Push the k-th number of argument 2: of the tensor `list`, or of a table. */
static void push_number(lua_State *L, const moon_tensor *list, size_t k) {
  if (list)
    lua_pushnumber(L, moon_tensor_get(list, k));
  else
    lua_rawgeti(L, 2, (lua_Integer)k + 1);
}

/* Refuse numbers in float32 that may have been rounded: those from 2^24 on, where there are so many rows. */
static void check_counted(lua_State *L, const char *name, const char *noun, const moon_tensor *list, size_t n) {
  const size_t counted = (size_t)1 << 24;
  for (size_t k = 0; n > counted && k < moon_tensor_numel(list); k++)
    if (moon_tensor_get(list, k) >= (double)counted)
      luaL_error(L, "%s: %s %I is %f, but float32 is exact only below %I; expected a list of numbers", name, noun,
                 (LUAI_UACINT)k + 1, (LUAI_UACNUMBER)moon_tensor_get(list, k), (LUAI_UACINT)counted);
}

size_t *bind_push_indices(lua_State *L, const char *name, const char *noun, size_t n, size_t *count) {
  moon_tensor *list = bind_test_tensor(L, 2);
  if (list ? moon_tensor_rank(list) != 1 : lua_type(L, 2) != LUA_TTABLE)
    luaL_error(L, "%s: %ss is %s, expected a list or a tensor of one dimension", name, noun,
               list ? push_shape_of(L, list) : bind_shown(L, 2));
  *count = list ? moon_tensor_numel(list) : lua_rawlen(L, 2);
  if (*count > SIZE_MAX / sizeof(size_t)) luaL_error(L, "%s: too many %ss", name, noun);
  if (list) check_counted(L, name, noun, list, n);
  size_t *indices = lua_newuserdatauv(L, *count * sizeof *indices, 0);
  for (size_t k = 0; k < *count; k++) {
    push_number(L, list, k);
    indices[k] = (size_t)bind_whole(L, -1, name, noun, k < INT_MAX ? (int)k + 1 : 0, 1, (lua_Integer)n) - 1;
    lua_pop(L, 1);
  }
  return indices;
}

/*** Tensor:index(rows)
** A copy of the rows with these numbers.
** @param rows integer[]|moonglass.Tensor row numbers from 1, a list or a tensor [k]; in any order, repeats allowed
** @return moonglass.Tensor tensor k rows */
static int tensor_index_rows(lua_State *L) {
  moon_tensor *t = bind_check_tensor(L, 1);
  size_t shape[MOON_MAX_RANK], n = length(L, t), count;
  size_t *rows = bind_push_indices(L, "index", "row", n, &count);
  for (int d = 0; d < moon_tensor_rank(t); d++) shape[d] = moon_tensor_shape(t)[d];
  shape[0] = count;
  moon_tensor *out = bind_new_tensor(L, moon_tensor_dtype(t), moon_tensor_rank(t), shape);
  BIND_TRY(L, moon_tensor_ctx(out), moon_tensor_gather(out, t, rows, count));
  return 1;
}

/* ---- copies ---- */

moon_tensor *bind_push_copy(lua_State *L, const moon_tensor *t, moon_dtype dtype) {
  moon_tensor *out = bind_new_tensor(L, dtype, moon_tensor_rank(t), moon_tensor_shape(t));
  BIND_TRY(L, moon_tensor_ctx(out), moon_tensor_copy(out, t));
  return out;
}

/*** Tensor:clone()
** A copy, which shares no elements.
** @return moonglass.Tensor tensor */
static int tensor_clone(lua_State *L) {
  const moon_tensor *t = bind_check_tensor(L, 1);
  bind_push_copy(L, t, moon_tensor_dtype(t));
  return 1;
}

/*** Tensor:float()
** A float32 copy by value: bytes become 0 to 255, not fractions.
** @return moonglass.Tensor tensor */
static int tensor_float(lua_State *L) {
  bind_push_copy(L, bind_check_tensor(L, 1), MOON_FLOAT32);
  return 1;
}

/*** Tensor:byte()
** A uint8 copy by value: rounded and clamped to 0 to 255.
** @return moonglass.Tensor tensor */
static int tensor_byte(lua_State *L) {
  bind_push_copy(L, bind_check_tensor(L, 1), MOON_UINT8);
  return 1;
}

/*** Tensor:fill_(value)
** Set all elements to one number, in place.
** @param value number
** @return moonglass.Tensor self */
static int tensor_fill(lua_State *L) {
  moon_tensor_fill(check_writable(L, "fill_"), bind_number(L, 2, "fill_", "value"));
  lua_settop(L, 1);
  return 1;
}

/*** Tensor:zero_()
** Set all elements to 0, in place.
** @return moonglass.Tensor self */
static int tensor_zero(lua_State *L) {
  moon_tensor_fill(check_writable(L, "zero_"), 0);
  lua_settop(L, 1);
  return 1;
}

/*** Tensor:copy_(source)
** Copy another tensor's elements into this one, by value: the element types may differ.
** @param source moonglass.Tensor of the same shape
** @return moonglass.Tensor self */
static int tensor_copy(lua_State *L) {
  moon_tensor *t = bind_check_tensor(L, 1);
  const moon_tensor *u = bind_check_tensor(L, 2);
  BIND_TRY(L, moon_tensor_ctx(t), moon_tensor_copy(t, u));
  lua_settop(L, 1);
  return 1;
}

/* Push the elements from `at` on as nested lists, from dimension dim on. */
static void push_list(lua_State *L, const moon_tensor *t, int dim, size_t at) {
  if (dim == moon_tensor_rank(t)) {
    lua_pushnumber(L, moon_tensor_get(t, at));
    return;
  }
  size_t n = moon_tensor_shape(t)[dim], inner = 1;
  for (int i = dim + 1; i < moon_tensor_rank(t); i++) inner *= moon_tensor_shape(t)[i];
  lua_createtable(L, n < INT_MAX ? (int)n : INT_MAX, 0);
  for (size_t i = 0; i < n; i++) {
    push_list(L, t, dim + 1, at + i * inner);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

/*** Tensor:totable()
** The elements as nested lists, one level per dimension; a number for rank 0.
** @return number|table list */
static int tensor_totable(lua_State *L) {
  push_list(L, bind_check_tensor(L, 1), 0, 0);
  return 1;
}

/*** Tensor:map(f)
** A float32 tensor of a function's results, one for each element in order.
** @param f fun(value: number): number
** @return moonglass.Tensor tensor of the same shape */
static int tensor_map(lua_State *L) {
  const moon_tensor *t = bind_check_tensor(L, 1);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  lua_settop(L, 2);
  bind_new_tensor(L, MOON_FLOAT32, moon_tensor_rank(t), moon_tensor_shape(t));
  size_t n = moon_tensor_numel(t);
  for (size_t i = 0; i < n; i++) {
    lua_pushvalue(L, 2);
    lua_pushnumber(L, moon_tensor_get(bind_check_tensor(L, 1), i));
    lua_call(L, 1, 1); /* ends the hold on both tensors */
    if (lua_type(L, -1) != LUA_TNUMBER)
      return luaL_error(L, "map: the function gave %s for element %I, expected a number", bind_shown(L, -1),
                        (LUAI_UACINT)i + 1);
    moon_tensor_set(bind_check_tensor(L, 3), i, lua_tonumber(L, -1));
    lua_pop(L, 1);
  }
  return 1;
}

const bind_reg bind_tensor_elements[] = {
    {"get", tensor_get, "..."},
    {"set", tensor_set, "..."},
    {"numel", tensor_numel, ""},
    {"rank", tensor_rank, ""},
    {"size", tensor_size, "dim"},
    {"rows", tensor_rows, "i, j"},
    {"reshape", tensor_reshape, "..."},
    {"index", tensor_index_rows, "rows"},
    {"clone", tensor_clone, ""},
    {"float", tensor_float, ""},
    {"byte", tensor_byte, ""},
    {"fill_", tensor_fill, "value"},
    {"zero_", tensor_zero, ""},
    {"copy_", tensor_copy, "source"},
    {"totable", tensor_totable, ""},
    {"map", tensor_map, "f"},
    {0},
};
