/* bind_dataset.c - the class of datasets. Its user value is the list {x, y, true if rows have weights}, with
** new handles: batches need their shapes. */
#include "bind_family.h"
#include "bind_open.h"
#include "bind_source.h"

enum { WEIGHTED = 3 };

/* list[i] = a new handle on the tensor or the source at index i; the list is on the top. */
static void keep(lua_State *L, int i) {
  if (bind_test_source(L, i))
    bind_push_source_again(L, i);
  else
    bind_push(L, BIND_TENSOR, bind_check_tensor(L, i));
  lua_rawseti(L, -2, i);
}

/* The source at an index; or one of the rows of the tensor there, which is the running function's. */
static moon_source *as_source(lua_State *L, moon_ctx *ctx, int index) {
  moon_source *s = bind_test_source(L, index);
  if (s || lua_isnil(L, index)) return s;
  BIND_TRY(L, ctx, moon_source_tensor(&s, bind_check_tensor(L, index)));
  return bind_adopt(L, BIND_SOURCE, s);
}

static moon_status make(lua_State *L, moon_ctx *ctx, moon_dataset **out) {
  moon_status status;
  if (!bind_test_source(L, 1) && !bind_test_source(L, 2)) {
    moon_tensor *x = bind_check_tensor(L, 1), *y = lua_isnil(L, 2) ? NULL : bind_check_tensor(L, 2);
    BIND_TWICE(L, status, moon_dataset_new(ctx, out, x, y));
  } else {
    moon_source *x = as_source(L, ctx, 1), *y = as_source(L, ctx, 2);
    BIND_TWICE(L, status, moon_dataset_of(ctx, out, x, y));
  }
  return status;
}

/*** moon.dataset(x, y)
** Rows to train on. The tensors are not copied. Rows of a source are gathered or read when a batch needs them.
** @param x moonglass.Tensor|moonglass.Source [rows x in], float32 or bytes
** @param y (moonglass.Tensor|moonglass.Source)? [rows x out], or class numbers [rows]; nil: x itself
** @return moonglass.Dataset data */
static int dataset_new(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  lua_settop(L, 2);
  lua_createtable(L, 3, 0); /* set_weights must not need memory after it has set them */
  keep(L, 1);
  if (!lua_isnil(L, 2)) keep(L, 2);
  size_t before = moon_memory_used(ctx);
  void **handle = bind_new(L, BIND_DATASET);
  moon_dataset *data = NULL;
  if (make(L, ctx, &data) != MOON_OK) return bind_raise(L, ctx);
  *handle = data;
  lua_pushvalue(L, 3);
  lua_setiuservalue(L, 4, 1);
  bind_weigh_growth(L, ctx, before);
  lua_settop(L, 4);
  return 1;
}

/* What a dataset knows of its x or y. */
typedef struct kept {
  int rank;
  size_t shape[2];
  moon_dtype dtype;
} kept;

/* x (which = 1) or y (2) of the dataset at argument 1; false if there is no y. */
static bool get_kept(lua_State *L, int which, kept *k) {
  lua_getiuservalue(L, 1, 1);
  lua_rawgeti(L, -1, which);
  const moon_source *s = bind_test_source(L, -1);
  const moon_tensor *t = s ? NULL : bind_test_tensor(L, -1);
  *k = (kept){2, {0, 0}, MOON_FLOAT32};
  if (s) {
    k->shape[0] = moon_source_rows(s);
    k->shape[1] = moon_source_width(s);
  } else if (t) {
    k->rank = moon_tensor_rank(t);
    k->dtype = moon_tensor_dtype(t);
    for (int i = 0; i < k->rank; i++) k->shape[i] = moon_tensor_shape(t)[i];
  }
  lua_pop(L, 2);
  return s || t;
}

/* Push a tensor for count such rows. It is float32, except that class numbers, and everything if `keep_type`, have
** their own type. */
static moon_tensor *push_rows_like(lua_State *L, const kept *k, size_t count, bool keep_type) {
  size_t shape[2] = {count, k->shape[1]};
  return bind_new_tensor(L, k->rank == 1 || keep_type ? k->dtype : MOON_FLOAT32, k->rank, shape);
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
  lua_settop(L, 4);
  const moon_dataset *data = bind_check_dataset(L, 1);
  size_t first, count;
  kept x, y;
  bool bytes = lua_toboolean(L, 4), target = get_kept(L, 2, &y);
  get_kept(L, 1, &x);
  bind_row_range(L, 2, "batch", x.shape[0], &first, &count);
  moon_tensor *bx = push_rows_like(L, &x, count, false);
  moon_tensor *by = target ? push_rows_like(L, &y, count, bytes) : NULL;
  BIND_TRY_READ(L, bind_ctx(L), true, moon_dataset_batch(data, bx, by, first, count));
  lua_settop(L, target ? 6 : 5);
  return target ? 2 : 1;
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

/*** Dataset:set_mask(mask)
** May cells be missing? If so, NaN is 0 in the input, and in the target it counts neither in the loss nor in its mean.
** @param mask boolean */
static int dataset_set_mask(lua_State *L) {
  moon_dataset *data = bind_check_dataset(L, 1);
  luaL_checktype(L, 2, LUA_TBOOLEAN);
  moon_dataset_set_mask(data, lua_toboolean(L, 2));
  return 0;
}

/*** Dataset:set_weights(weights)
** Give each row a weight. A step and an evaluation multiply a row's loss by it, and still divide by the number of rows;
** penalties are not weighted. The weights are copied.
** @param weights moonglass.Tensor? [rows] float32, finite and at least 0; nil: all are 1 */
static int dataset_set_weights(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  size_t before = moon_memory_used(ctx);
  moon_dataset *data = bind_check_dataset(L, 1);
  const moon_tensor *weights = lua_isnoneornil(L, 2) ? NULL : bind_check_tensor(L, 2);
  BIND_TRY(L, ctx, moon_dataset_set_weights(data, weights));
  lua_getiuservalue(L, 1, 1);
  if (weights)
    lua_pushboolean(L, true);
  else
    lua_pushnil(L);
  lua_rawseti(L, -2, WEIGHTED);
  bind_weigh_growth(L, ctx, before);
  return 0;
}

/*** Dataset:weights(first, count)
** The weights of rows in the current order, a copy.
** @param first integer the first row
** @param count integer the number of rows
** @return moonglass.Tensor? weights [count]; nil if none were set */
static int dataset_weights(lua_State *L) {
  const moon_dataset *data = bind_check_dataset(L, 1);
  size_t first, count;
  kept x;
  lua_settop(L, 3);
  get_kept(L, 1, &x);
  bind_row_range(L, 2, "weights", x.shape[0], &first, &count);
  lua_getiuservalue(L, 1, 1);
  if (lua_rawgeti(L, -1, WEIGHTED) == LUA_TNIL) return 1;
  lua_settop(L, 3);
  moon_tensor *w = bind_new_tensor(L, MOON_FLOAT32, 1, &count);
  BIND_TRY_READ(L, bind_ctx(L), true, moon_dataset_weights(data, w, first, count));
  lua_settop(L, 4);
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
  kept x;
  bind_check_dataset(L, 1);
  get_kept(L, 1, &x);
  lua_pushinteger(L, (lua_Integer)x.shape[0]);
  return 1;
}

static int dataset_tostring(lua_State *L) {
  luaL_checkudata(L, 1, BIND_DATASET);
  if (!bind_test(L, 1, BIND_DATASET)) {
    lua_pushliteral(L, BIND_DATASET " (closed)");
    return 1;
  }
  lua_settop(L, 1);
  kept x, y;
  get_kept(L, 1, &x);
  const char *xs = bind_push_shape(L, x.rank, x.shape);
  const char *ys = get_kept(L, 2, &y) ? bind_push_shape(L, y.rank, y.shape) : NULL;
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
    {"set_mask", dataset_set_mask, "mask"},
    {"set_weights", dataset_set_weights, "weights"},
    {"weights", dataset_weights, "first, count"},
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
