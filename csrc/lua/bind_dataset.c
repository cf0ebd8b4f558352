/* bind_dataset.c - the class of datasets. The user value of a handle is the list {x, y}, with new handles: batches need
** their shapes. */
#include "bind_family.h"
#include "bind_open.h"

/* list[i] = a new handle on the tensor; the list is on the top. */
static void keep(lua_State *L, int i, moon_tensor *t) {
  bind_push(L, BIND_TENSOR, t);
  lua_rawseti(L, -2, i);
}

/*** moon.dataset(x, y)
** Rows to train on. The tensors are not copied.
** @param x moonglass.Tensor [rows x in], float32 or bytes
** @param y moonglass.Tensor? [rows x out], or class numbers [rows]; nil: x itself
** @return moonglass.Dataset data */
static int dataset_new(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  lua_settop(L, 2);
  moon_tensor *x = bind_check_tensor(L, 1), *y = lua_isnil(L, 2) ? NULL : bind_check_tensor(L, 2);
  lua_createtable(L, 2, 0);
  keep(L, 1, x);
  if (y) keep(L, 2, y);
  size_t before = moon_memory_used(ctx);
  void **handle = bind_new(L, BIND_DATASET);
  moon_dataset *data = NULL;
  BIND_TRY(L, ctx, moon_dataset_new(ctx, &data, x, y));
  *handle = data;
  lua_pushvalue(L, 3);
  lua_setiuservalue(L, 4, 1);
  bind_weigh_growth(L, ctx, before);
  return 1;
}

/* Push x (which = 1) or y (2) of the dataset at argument 1; NULL if there is no y. */
static moon_tensor *push_kept(lua_State *L, int which) {
  lua_getiuservalue(L, 1, 1);
  lua_rawgeti(L, -1, which);
  lua_remove(L, -2);
  return bind_test_tensor(L, -1);
}

/* Push a tensor for count rows of t. It is float32, except that class numbers, and everything if `keep_type`, have t's
** type. */
static moon_tensor *push_rows_like(lua_State *L, const moon_tensor *t, size_t count, bool keep_type) {
  bool classes = moon_tensor_rank(t) == 1;
  size_t shape[2] = {count, classes ? 0 : moon_tensor_shape(t)[1]};
  return bind_new_tensor(L, classes || keep_type ? moon_tensor_dtype(t) : MOON_FLOAT32, moon_tensor_rank(t), shape);
}

/*** Dataset:batch(first, count, bytes)
** Copies of rows in the current order, as float32. Bytes become value/255. Class numbers are kept, and so are targets
** of bytes that are all 0 or 1, such as one-hot rows.
** @param first integer the first row
** @param count integer the number of rows
** @param bytes boolean? default false; true: the bytes of y stay bytes, for a loss to read
** @return moonglass.Tensor x [count x in]
** @return moonglass.Tensor? y nil if the target is x */
static int dataset_batch(lua_State *L) {
  const moon_dataset *data = bind_check_dataset(L, 1);
  size_t first, count;
  bool bytes = lua_toboolean(L, 4);
  const moon_tensor *x = push_kept(L, 1), *y = push_kept(L, 2);
  bind_row_range(L, 2, "batch", moon_tensor_shape(x)[0], &first, &count);
  moon_tensor *bx = push_rows_like(L, x, count, false);
  moon_tensor *by = y ? push_rows_like(L, y, count, bytes) : NULL;
  BIND_TRY(L, bind_ctx(L), moon_dataset_batch(data, bx, by, first, count));
  return y ? 2 : 1;
}

/*** Dataset:shuffle(seed, epoch)
** Put the rows in a new random order, which depends on these two numbers only.
** @param seed integer
** @param epoch integer? default 0 */
static int dataset_shuffle(lua_State *L) {
  moon_dataset *data = bind_check_dataset(L, 1);
  moon_dataset_shuffle(data, (uint64_t)luaL_checkinteger(L, 2), (uint64_t)luaL_optinteger(L, 3, 0));
  return 0;
}

/*** Dataset:unshuffle()
** Put the rows back in the order of the tensors. */
static int dataset_unshuffle(lua_State *L) {
  moon_dataset_unshuffle(bind_check_dataset(L, 1));
  return 0;
}

/*** Dataset:rows()
** The number of rows.
** @return integer rows */
static int dataset_rows(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)moon_dataset_rows(bind_check_dataset(L, 1)));
  return 1;
}

/*** Dataset:set_shards(rows)
** Of several processes that train one net, each has rows of its own. The tensors here hold those of this one. Then
** `#data` is the number of all rows, and a step takes from each process a part that is proportional to its rows.
** @param rows integer[]? how many rows each process has, in the order of the ranks; nil: the tensors hold all rows */
static int dataset_set_shards(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  lua_settop(L, 2);
  moon_dataset *data = bind_check_dataset(L, 1);
  if (!lua_isnil(L, 2)) luaL_checktype(L, 2, LUA_TTABLE);
  size_t ranks = lua_isnil(L, 2) ? 0 : (size_t)lua_rawlen(L, 2), before = moon_memory_used(ctx);
  size_t *rows = lua_newuserdatauv(L, ranks * sizeof *rows + 1, 0);
  for (size_t i = 0; i < ranks; i++, lua_pop(L, 1)) {
    lua_rawgeti(L, 2, (lua_Integer)i + 1);
    rows[i] = (size_t)bind_whole(L, -1, "set_shards", "number of rows", (int)i + 1, 1, UINT32_MAX);
  }
  BIND_TRY(L, ctx, moon_dataset_set_shards(data, lua_isnil(L, 2) ? NULL : rows, ranks));
  bind_weigh_growth(L, ctx, before);
  return 0;
}

/*** Dataset:own_rows()
** The number of rows that the tensors hold: fewer than `#data` after `set_shards`.
** @return integer rows */
static int dataset_own_rows(lua_State *L) {
  bind_check_dataset(L, 1);
  lua_pushinteger(L, (lua_Integer)moon_tensor_shape(push_kept(L, 1))[0]);
  return 1;
}

static int dataset_tostring(lua_State *L) {
  luaL_checkudata(L, 1, BIND_DATASET);
  if (!bind_test(L, 1, BIND_DATASET)) {
    lua_pushliteral(L, BIND_DATASET " (closed)");
    return 1;
  }
  lua_settop(L, 1);
  const moon_tensor *x = push_kept(L, 1), *y = push_kept(L, 2);
  const char *xs = bind_push_shape(L, moon_tensor_rank(x), moon_tensor_shape(x));
  const char *ys = y ? bind_push_shape(L, moon_tensor_rank(y), moon_tensor_shape(y)) : NULL;
  lua_pushfstring(L, ys ? "dataset x %s, y %s" : "dataset x %s", xs, ys);
  return 1;
}

static int dataset_index(lua_State *L) {
  if (bind_method(L)) return 1;
  bind_nearest n = bind_key(L);
  return bind_no_field(L, "dataset", &n);
}

/*** @class moonglass.Dataset
** Rows with their targets, in an order. `#data` is the number of rows.
** @operator len: integer */

static const bind_reg methods[] = {
    {"batch", dataset_batch, "first, count, bytes"},
    {"rows", dataset_rows, ""},
    {"own_rows", dataset_own_rows, ""},
    {"set_shards", dataset_set_shards, "rows"},
    {"shuffle", dataset_shuffle, "seed, epoch"},
    {"unshuffle", dataset_unshuffle, ""},
    {0},
};

static const luaL_Reg meta[] = {{"__len", dataset_rows}, {"__tostring", dataset_tostring}, {NULL, NULL}};

static const bind_reg functions[] = {
    {"dataset", dataset_new, "x, y"},
    {0},
};

void bind_open_dataset(lua_State *L) {
  bind_new_class(L, BIND_DATASET, meta, methods, dataset_index);
  bind_public(L, functions);
}
