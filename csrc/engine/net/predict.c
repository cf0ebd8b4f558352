/* predict.c - inference: predict, encode, decode, errors. */
#include <string.h>

#include "../core/ctx.h"
#include "../core/error.h"
#include "../core/fpmode.h"
#include "../core/tensor.h"
#include "../kernels/table.h"
#include "run.h"

/* Sees the input x [rows x in] and the output y of one batch, whose first row is row `first`. */
typedef void take_fn(const moon_net *net, moon_tensor *result, const float *x, const float *y, size_t first,
                     size_t rows);

/* Run x [n x width] through the net in batches. y [n x out] gets the outputs unless it is NULL; `take`, unless NULL,
** sees each batch. */
static moon_status infer(moon_net *net, float *y, moon_tensor *result, const moon_tensor *x, size_t size,
                         take_fn *take) {
  MOONI_IEEE;
  enum { GOOD_BATCH = 256 };
  size_t n = x->shape[0], width = x->shape[1];
  if (!size) size = GOOD_BATCH * (size_t)net->ctx->threads;
  if (size > n) size = n;
  /* Rows of windows are not one behind the other; those of a large file are read, and not made resident. */
  const float *floats = x->step || x->storage->map ? NULL : moon_tensor_float(x);
  for (size_t first = 0; first < n; first += size) {
    size_t rows = n - first < size ? n - first : size;
    mooni_selection from = {.x = x, .first = first, .count = rows};
    mooni_batch b = {.net = net, .rows = rows, .gather = floats ? NULL : &from, .forward = true};
    MOONI_TRY(mooni_interrupted(net->ctx));
    MOONI_TRY(mooni_plan_forward(net, &b.split, rows, width, false, false));
    net->forward_rows = 0; /* the places may point into x */
    const float *in = floats ? floats + first * width : net->input;
    float *out = mooni_connect(net, in, y ? y + first * net->places[net->count - 1].out : NULL, false);
    mooni_run(&b);
    if (take) take(net, result, in, out, first, rows);
    /* A net of nothing but noise has no output buffer: its output is its input. */
    if (y && out == in) memcpy(y + first * width, in, rows * width * sizeof(float));
  }
  return MOON_OK;
}

static moon_status predict(moon_net *net, moon_tensor *y, const moon_tensor *x, size_t batch_rows, const char *what) {
  size_t out;
  MOONI_TRY(mooni_check_input(net, x, what));
  MOONI_TRY(mooni_net_width(net, &out, x->shape[1]));
  MOONI_TRY(mooni_check_output(net, y, x->shape[0], out, what));
  MOONI_TRY(mooni_want_writable(y, what));
  return infer(net, moon_tensor_float(y), NULL, x, batch_rows, NULL);
}

moon_status moon_net_predict(moon_net *net, moon_tensor *y, const moon_tensor *x, size_t batch_rows) {
  return predict(net, y, x, batch_rows, "predict");
}

/* Make the encoder (0) or the decoder (1) a net: the same layers with other buffers. */
static moon_status want_half(moon_net *net, size_t which, const char *what) {
  size_t layers = net->encoder;
  if (!layers)
    return mooni_fail(net->ctx, MOON_ESTATE, "%s: the net is not an autoencoder (moon_net_set_encoder)", what);
  if (net->half[which]) return MOON_OK;
  return moon_net_slice(net, &net->half[which], which ? layers : 0, which ? net->count - layers : layers);
}

moon_status moon_net_encode(moon_net *net, moon_tensor *code, const moon_tensor *x, size_t batch_rows) {
  MOONI_TRY(want_half(net, 0, "encode"));
  return predict(net->half[0], code, x, batch_rows, "encode");
}

moon_status moon_net_decode(moon_net *net, moon_tensor *y, const moon_tensor *code, size_t batch_rows) {
  MOONI_TRY(want_half(net, 1, "decode"));
  return predict(net->half[1], y, code, batch_rows, "decode");
}

static void take_errors(const moon_net *net, moon_tensor *result, const float *x, const float *y, size_t first,
                        size_t rows) {
  float *errors = moon_tensor_float(result) + first;
  for (size_t r = 0; r < rows; r++)
    errors[r] = (float)(net->ctx->k->sum_squared_difference(x + r * net->in, y + r * net->in, net->in) /
                        (double)net->in);
}

moon_status moon_net_errors(moon_net *net, moon_tensor *errors, const moon_tensor *x, size_t batch_rows) {
  size_t out;
  char text[MOONI_SHAPE_TEXT];
  MOONI_TRY(mooni_check_input(net, x, "errors"));
  MOONI_TRY(mooni_net_width(net, &out, x->shape[1]));
  if (out != x->shape[1])
    return mooni_fail(net->ctx, MOON_ESHAPE,
                      "errors: the net turns rows of %zu into rows of %zu, expected the same width", x->shape[1], out);
  if (errors->rank != 1 || errors->shape[0] != x->shape[0] || errors->dtype != MOON_FLOAT32)
    return mooni_fail(net->ctx, MOON_ESHAPE, "errors: result is %s, expected [%zu] float32",
                      mooni_tensor_text(text, errors), x->shape[0]);
  MOONI_TRY(mooni_want_writable(errors, "errors"));
  return infer(net, NULL, errors, x, batch_rows, take_errors);
}
