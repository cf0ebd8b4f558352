/* bind_columns.c - columns of a matrix, and the pieces of a tensor, as copies. Indices count from 1. */
#include "bind_tensor.h"

static const moon_tensor *check_matrix(lua_State *L, const char *name) {
  const moon_tensor *t = bind_check_tensor(L, 1);
  int rank = moon_tensor_rank(t);
  if (rank != 2)
    luaL_error(L, "%s: the tensor is %s, expected a matrix", name, bind_push_shape(L, rank, moon_tensor_shape(t)));
  return t;
}

/* Push the indices first..first+count-1. */
static size_t *push_range(lua_State *L, size_t first, size_t count) {
  size_t *indices = lua_newuserdatauv(L, count * sizeof *indices, 0);
  for (size_t k = 0; k < count; k++) indices[k] = first + k;
  return indices;
}

/*** Tensor:columns(i, j)
** Columns of a matrix, as a copy: those from i to j, both included, or those of a list, `t:columns{3, 1}`. Bytes stay
** bytes. (Rows lie together in memory, so `rows` gives a view; columns do not.)
** @param i integer|integer[]|moonglass.Tensor the first column; or column numbers from 1, in any order
** @param j integer? default i: the last column; columns(i, i - 1) has none
** @return moonglass.Tensor tensor [rows x count] */
static int tensor_columns(lua_State *L) {
  const moon_tensor *t = check_matrix(L, "columns");
  size_t rows = moon_tensor_shape(t)[0], count, *indices;
  lua_Integer n = (lua_Integer)moon_tensor_shape(t)[1];
  if (lua_type(L, 2) == LUA_TNUMBER) {
    bool alone = lua_isnoneornil(L, 3); /* only a range may be empty, and begin behind the last column */
    lua_Integer i = bind_whole(L, 2, "columns", "first column", 0, 1, alone ? n : n + 1);
    lua_Integer j = alone ? i : bind_whole(L, 3, "columns", "last column", 0, i - 1, n);
    count = (size_t)(j - i + 1);
    indices = push_range(L, (size_t)i - 1, count);
  } else {
    if (!lua_isnoneornil(L, 3))
      return luaL_error(L, "columns: the last column is %s, expected none after a list", bind_shown(L, 3));
    indices = bind_push_indices(L, "columns", "column", (size_t)n, &count);
  }
  moon_tensor *out = bind_new_tensor(L, moon_tensor_dtype(t), 2, (const size_t[]){rows, count});
  BIND_TRY(L, moon_tensor_ctx(out), moon_tensor_columns(out, t, indices, count));
  return 1;
}

/* The size of part k of n elements, from 0: of the list at argument 3, or of its number. */
static size_t size_of_part(lua_State *L, size_t k, size_t n) {
  if (lua_type(L, 3) == LUA_TNUMBER) {
    size_t each = (size_t)lua_tointeger(L, 3);
    return n - k * each < each ? n - k * each : each;
  }
  lua_rawgeti(L, 3, (lua_Integer)k + 1);
  size_t size = (size_t)bind_whole(L, -1, "split", "size", k < 1000000 ? (int)k + 1 : 0, 0, (lua_Integer)n);
  lua_pop(L, 1);
  return size;
}

static size_t count_parts(lua_State *L, size_t n) {
  if (lua_type(L, 3) == LUA_TNUMBER) {
    size_t each = (size_t)bind_whole(L, 3, "split", "size", 0, 1, LUA_MAXINTEGER);
    return n / each + (n % each != 0);
  }
  if (lua_type(L, 3) != LUA_TTABLE)
    luaL_error(L, "split: sizes is %s, expected a list of sizes, or one size for all", bind_shown(L, 3));
  return lua_rawlen(L, 3);
}

/*** Tensor:split(dim, sizes)
** The tensor cut into pieces along a dimension, as copies: the reverse of `moon.cat`. Bytes stay bytes.
** @param dim integer 1 to the rank
** @param sizes integer[]|integer the size of each piece, all of dim together; or one size for all but the last
** @return moonglass.Tensor[] pieces */
static int tensor_split(lua_State *L) {
  const moon_tensor *t = bind_check_tensor(L, 1);
  size_t shape[MOON_MAX_RANK];
  int rank = moon_tensor_rank(t);
  if (!rank) return luaL_error(L, "split: the tensor has rank 0, expected at least one dimension");
  int dim = (int)bind_whole(L, 2, "split", "dim", 0, 1, rank) - 1;
  for (int i = 0; i < rank; i++) shape[i] = moon_tensor_shape(t)[i];
  size_t n = shape[dim], count = count_parts(L, n);
  lua_settop(L, 3);
  moon_tensor **parts = lua_newuserdatauv(L, count * sizeof *parts, 0);
  lua_createtable(L, count < 1000000 ? (int)count : 0, 0);
  for (size_t k = 0; k < count; k++) {
    shape[dim] = size_of_part(L, k, n);
    parts[k] = bind_new_tensor(L, moon_tensor_dtype(t), rank, shape);
    lua_rawseti(L, 5, (lua_Integer)k + 1);
  }
  BIND_TRY(L, moon_tensor_ctx(t), moon_tensor_split(parts, count, t, dim));
  return 1;
}

const bind_reg bind_tensor_columns[] = {
    {"columns", tensor_columns, "i, j"}, {"split", tensor_split, "dim, sizes"}, {0}};
