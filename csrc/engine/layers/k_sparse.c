/* k_sparse.c - k-sparse codes (Makhzani and Frey 2013, arXiv 1312.5663): the k largest elements of a row pass, the
** others become 0, in training and in inference. Of equal elements the first ones pass. The gradient passes where the
** element did. In inference alpha k elements pass, alpha >= 1: the paper found that this makes better features. scratch
** [rows x in] holds dy/dx. */
#include <math.h>
#include <stddef.h>

#include "../core/ctx.h"
#include "../kernels/table.h"
#include "layer.h"

typedef struct k_sparse {
  moon_layer base;
  size_t k;
  double alpha;
} k_sparse;

/*** moon.k_sparse(k, options)
** The k largest elements of a row pass, and the others become 0 (Makhzani and Frey 2013). Of equal elements the first
** pass. Rows have at least k elements. */
static const mooni_option_spec options[] = {
    {.name = "k",
     .kind = MOON_COUNT,
     .flags = MOONI_POSITIONAL | MOONI_REQUIRED,
     .offset = offsetof(k_sparse, k),
     .low = 1,
     .high = 1e9,
     .help = "how many elements of a row pass, the largest; the others become 0"},
    {.name = "alpha",
     .kind = MOON_NUMBER,
     .offset = offsetof(k_sparse, alpha),
     .number = 1,
     .low = 1,
     .high = INFINITY,
     .help = "in inference alpha times k elements pass, rounded, at most all"},
    {0}};

static size_t least(const moon_layer *layer) { return ((const k_sparse *)layer)->k; }

static size_t scratch(const moon_layer *layer, size_t in) {
  (void)layer;
  return in;
}

static size_t kept(const k_sparse *s, size_t width, bool training) {
  double n = training ? (double)s->k : round(s->alpha * (double)s->k);
  return n < (double)width ? (size_t)n : width;
}

/* y [rows x width] = the k largest elements of each row of x, else 0. */
static void forward(const moon_layer *layer, const mooni_pass *pass) {
  size_t width = pass->in, k = kept((const k_sparse *)layer, width, pass->training);
  mooni_span rows = mooni_own_rows(pass);
  for (size_t at = rows.from * width; at < rows.to * width; at += width)
    layer->ctx->k->keep_largest(pass->y + at, pass->scratch + at, pass->x + at, width, k);
}

/* torch.nn has no such module, but its stack needs one at this place. */
const mooni_layer_class mooni_k_sparse = {.name = "k_sparse",
                                          .size = sizeof(k_sparse),
                                          .options = options,
                                          .least = least,
                                          .scratch = scratch,
                                          .forward = forward,
                                          .backward = mooni_layer_backward_mask,
                                          .torch_modules = 1};
