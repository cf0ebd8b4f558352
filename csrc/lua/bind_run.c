/* bind_run.c - running nets: forward and backward, predictions, training steps. A step makes nothing that Lua has to
** collect. */
#include <string.h>

#include "bind_args.h"
#include "bind_reduce.h"
#include "bind_run.h"

/* ---- options of predict and errors ---- */

/* The option batch_size in the table at index 3; 0: not given, the engine chooses. */
static size_t batch_option(lua_State *L, const char *name) {
  if (lua_isnoneornil(L, 3)) return 0;
  if (!lua_istable(L, 3)) luaL_error(L, "%s: options is %s, expected {batch_size = n}", name, bind_shown(L, 3));
  lua_Integer batch = 0;
  for (lua_pushnil(L); lua_next(L, 3); lua_pop(L, 1)) {
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : bind_shown(L, -2);
    if (strcmp(key, "batch_size") != 0) bind_unknown(L, name, "option", key, (const char *const[]){"batch_size", NULL});
    batch = bind_whole(L, -1, name, "batch_size", 0, 1, LUA_MAXINTEGER);
  }
  return (size_t)batch;
}

/* ---- running ---- */

/* The width of the output for rows of width in; 0 if the net does not take that width, an error that the engine will
** report. */
static size_t output_width(const moon_net *net, size_t in) {
  const moon_layer *layer;
  size_t width = moon_net_outputs(net);
  if (width) return width;
  width = in;
  for (size_t i = 0; (layer = moon_net_layer(net, i)) != NULL; i++)
    if (moon_layer_width(layer, &width, width) != MOON_OK) return 0;
  return width;
}

/* The shape of net(x); no rows if x is no matrix, an error that the engine will report. */
static void result_shape(lua_State *L, const char *name, const moon_net *net, const moon_tensor *x, size_t shape[2]) {
  const size_t *given = moon_tensor_shape(x);
  bool matrix = moon_tensor_rank(x) == 2;
  if (moon_tensor_rank(x) == 1)
    luaL_error(L, "%s: input is %s, expected a matrix; one row is x:reshape(1, -1)", name,
               bind_push_shape(L, 1, given));
  shape[0] = matrix ? given[0] : 0;
  shape[1] = matrix ? output_width(net, given[1]) : 0;
}

int bind_forward(lua_State *L, int net_index, int x_index, bool training) {
  moon_net *net = bind_check_net(L, net_index);
  const moon_tensor *x = bind_check_tensor(L, x_index);
  size_t shape[2], before = moon_memory_used(bind_ctx(L));
  result_shape(L, "forward", net, x, shape);
  moon_tensor *y = bind_new_tensor(L, MOON_FLOAT32, 2, shape);
  BIND_TRY(L, bind_ctx(L), moon_net_forward(net, y, x, training));
  bind_weigh_growth(L, bind_ctx(L), before + moon_tensor_bytes(y));
  return 1;
}

int bind_backward(lua_State *L, int net_index, int dy_index) {
  moon_net *net = bind_check_net(L, net_index);
  const moon_tensor *dy = bind_check_tensor(L, dy_index);
  const size_t *given = moon_tensor_shape(dy);
  bool matrix = moon_tensor_rank(dy) == 2;
  size_t inputs = moon_net_inputs(net), before = moon_memory_used(bind_ctx(L));
  size_t shape[2] = {matrix ? given[0] : 0, inputs || !matrix ? inputs : given[1]};
  moon_tensor *dx = bind_new_tensor(L, MOON_FLOAT32, 2, shape);
  BIND_TRY(L, bind_ctx(L), moon_net_backward(net, dx, dy));
  bind_weigh_growth(L, bind_ctx(L), before + moon_tensor_bytes(dx));
  return 1;
}

/*** Net:forward(x, training)
** The outputs for one batch. The net keeps what `backward` needs.
** @param x moonglass.Tensor [rows x in]
** @param training boolean? default false: with true, noise and dropout are active
** @return moonglass.Tensor y [rows x out] */
static int net_forward(lua_State *L) {
  lua_settop(L, 3);
  return bind_forward(L, 1, 2, lua_toboolean(L, 3));
}

/*** Net:backward(dy)
** The gradient on the input of the last `forward`. The parameters' gradients are set.
** @param dy moonglass.Tensor [rows x out]: the gradient on the output
** @return moonglass.Tensor dx [rows x in] */
static int net_backward(lua_State *L) {
  lua_settop(L, 2);
  return bind_backward(L, 1, 2);
}

typedef moon_status run_fn(moon_net *net, moon_tensor *result, const moon_tensor *x, size_t batch);

/* Run the rows of a source, as many at a time as x has. The results do not depend on that. */
static moon_status run_rows(moon_net *net, moon_tensor *result, moon_source *rows, moon_tensor *x, run_fn *run) {
  size_t all = moon_source_rows(rows), size = moon_tensor_shape(x)[0], width = moon_tensor_shape(x)[1];
  int rank = moon_tensor_rank(result);
  size_t out = rank == 2 ? moon_tensor_shape(result)[1] : 1;
  moon_status status = MOON_OK;
  for (size_t first = 0, n; status == MOON_OK && first < all; first += n) {
    n = all - first < size ? all - first : size;
    moon_tensor *part = NULL, *some = NULL;
    status = moon_tensor_view(&part, x, 0, 2, (size_t[]){n, width});
    if (status == MOON_OK) status = moon_tensor_view(&some, result, first * out, rank, (size_t[]){n, out});
    if (status == MOON_OK) status = moon_source_read(rows, part, first);
    if (status == MOON_OK) status = run(net, some, part, 0);
    moon_tensor_release(part);
    moon_tensor_release(some);
  }
  return status;
}

/* How many rows of a source to read at a time. */
static size_t rows_at_a_time(const moon_source *rows, size_t batch) {
  enum { BYTES = 4 << 20 };
  size_t width = moon_source_width(rows), most = moon_source_rows(rows);
  if (!batch) batch = BYTES / sizeof(float) / width + 1;
  return batch < most ? batch : most;
}

/* run_all for a source. */
static int run_source(lua_State *L, const char *name, int rank, run_fn *run) {
  moon_ctx *ctx = bind_ctx(L);
  moon_net *net = bind_check_net(L, 1);
  moon_source *rows = bind_check_source(L, 2);
  size_t width = moon_source_width(rows), inputs = moon_net_inputs(net), before = moon_memory_used(ctx);
  if (inputs && inputs != width)
    luaL_error(L, "%s: input is %s, expected [rows x %I]", name,
               bind_push_shape(L, 2, (size_t[]){moon_source_rows(rows), width}), (LUAI_UACINT)inputs);
  size_t batch = rows_at_a_time(rows, batch_option(L, name));
  moon_tensor *x = bind_new_tensor(L, MOON_FLOAT32, 2, (size_t[]){batch, width});
  moon_tensor *result = bind_new_tensor(L, MOON_FLOAT32, rank,
                                        (size_t[]){moon_source_rows(rows), output_width(net, width)});
  int place = lua_gettop(L);
  BIND_TRY_READ(L, ctx, true, run_rows(net, result, rows, x, run));
  bind_weigh_growth(L, ctx, before + moon_tensor_bytes(result));
  lua_pushvalue(L, place);
  return 1;
}

/* Push the result of `run` for all rows of x, a tensor of `rank` dimensions: [n x out] or [n]. */
static int run_all(lua_State *L, const char *name, int rank, run_fn *run) {
  if (bind_test_source(L, 2)) return run_source(L, name, rank, run);
  moon_net *net = bind_check_net(L, 1);
  const moon_tensor *x = bind_check_tensor(L, 2);
  size_t shape[2], before = moon_memory_used(bind_ctx(L));
  result_shape(L, name, net, x, shape);
  size_t batch = batch_option(L, name);
  moon_tensor *result = bind_new_tensor(L, MOON_FLOAT32, rank, shape);
  BIND_TRY(L, bind_ctx(L), run(net, result, x, batch));
  bind_weigh_growth(L, bind_ctx(L), before + moon_tensor_bytes(result));
  return 1;
}

/*** Net:predict(x, options)
** The outputs for the rows of x, in inference.
** @param x moonglass.Tensor|moonglass.Source [rows x in]; for a single row x:reshape(1, -1)
** @param options moonglass.BatchOptions?
** @return moonglass.Tensor y [rows x out] */
static int net_predict(lua_State *L) { return run_all(L, "predict", 2, moon_net_predict); }

/*** Net:errors(x, options)
** The reconstruction error of each row: the mean squared difference of output and input.
** @param x moonglass.Tensor|moonglass.Source [rows x in], as wide as the output
** @param options moonglass.BatchOptions?
** @return moonglass.Tensor errors [rows] */
static int net_errors(lua_State *L) { return run_all(L, "errors", 1, moon_net_errors); }

/* The end of a function that has made an objective. */
static int push_objective(lua_State *L, moon_ctx *ctx, size_t before, double objective) {
  bind_weigh_growth(L, ctx, before);
  lua_pushnumber(L, objective);
  return 1;
}

/* net:step(x, y, loss, opt) -> number; y nil: the target is x */
static int net_step(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  size_t before = moon_memory_used(ctx);
  double objective = 0;
  moon_net *net = bind_check_net(L, 1);
  const moon_tensor *x = bind_check_tensor(L, 2), *y = lua_isnil(L, 3) ? NULL : bind_check_tensor(L, 3);
  const moon_loss *loss = bind_check_loss(L, 4);
  moon_optim *opt = bind_check_optim(L, 5);
  BIND_TRY_TOGETHER(L, ctx, net, moon_net_step(net, &objective, x, y, loss, opt));
  return push_objective(L, ctx, before, objective);
}

/* net:step_rows(dataset, first, count, loss, opt) -> number */
static int net_step_rows(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  size_t before = moon_memory_used(ctx);
  double objective = 0;
  moon_net *net = bind_check_net(L, 1);
  const moon_dataset *data = bind_check_dataset(L, 2);
  size_t first, count;
  bind_row_range(L, 3, "step_rows", moon_dataset_rows(data), &first, &count);
  const moon_loss *loss = bind_check_loss(L, 5);
  moon_optim *opt = bind_check_optim(L, 6);
  BIND_TRY_TOGETHER(L, ctx, net, moon_net_step_rows(net, &objective, data, first, count, loss, opt));
  return push_objective(L, ctx, before, objective);
}

/* net:evaluate_rows(dataset, loss, batch) -> number; batch nil: 32 */
static int net_evaluate_rows(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  size_t before = moon_memory_used(ctx);
  double objective = 0;
  moon_net *net = bind_check_net(L, 1);
  const moon_dataset *data = bind_check_dataset(L, 2);
  const moon_loss *loss = bind_check_loss(L, 3);
  lua_Integer batch = 0;
  if (!lua_isnoneornil(L, 4)) batch = bind_whole(L, 4, "evaluate_rows", "batch", 0, 1, LUA_MAXINTEGER);
  BIND_TRY_TOGETHER(L, ctx, net, moon_net_evaluate(net, &objective, data, loss, (size_t)batch));
  return push_objective(L, ctx, before, objective);
}

/*** Net:plan(rows, loss, optimizer)
** Allocate the memory for batches of this size now, so that a step allocates none.
** @param rows integer rows of a batch
** @param loss moonglass.Loss?
** @param optimizer moonglass.Optimizer? */
static int net_plan(lua_State *L) {
  moon_ctx *ctx = bind_ctx(L);
  size_t before = moon_memory_used(ctx);
  moon_net *net = bind_check_net(L, 1);
  lua_Integer rows = bind_whole(L, 2, "plan", "number of rows", 0, 1, LUA_MAXINTEGER);
  const moon_loss *loss = lua_isnoneornil(L, 3) ? NULL : bind_check_loss(L, 3);
  moon_optim *opt = lua_isnoneornil(L, 4) ? NULL : bind_check_optim(L, 4);
  BIND_TRY(L, ctx, moon_net_plan(net, (size_t)rows, 0, loss, opt));
  bind_weigh_growth(L, ctx, before);
  return 0;
}

const bind_reg bind_run_methods[] = {
    {"forward", net_forward, "x, training"},
    {"backward", net_backward, "dy"},
    {"predict", net_predict, "x, options"},
    {"errors", net_errors, "x, options"},
    {"step", net_step, "x, y, loss, optimizer"},
    {"step_rows", net_step_rows, "data, first, count, loss, optimizer"},
    {"evaluate_rows", net_evaluate_rows, "data, loss, batch"},
    {"plan", net_plan, "rows, loss, optimizer"},
    {0},
};
