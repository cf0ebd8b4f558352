/* clip.c - gradient clipping: norms, and updates by what is left of a gradient. */
#include "clip.h"

#include <math.h>

#include "../core/ctx.h"
#include "../core/error.h"
#include "../core/memory.h"
#include "../kernels/table.h"

moon_status mooni_clip_check(const moon_optim *opt) {
  static const char *const names[] = {"clip_value", "clip_norm", "global_clip_norm"};
  double values[] = {opt->clip_value, opt->clip_norm, opt->global_clip_norm};
  const char *first = NULL;
  for (size_t i = 0; i < MOONI_COUNT(values); i++) {
    if (values[i] == 0) continue;
    if (first)
      return mooni_fail(opt->ctx, MOON_ERANGE,
                        "%s: %s and %s are set, expected at most one of clip_value, clip_norm and global_clip_norm: "
                        "set the others to 0",
                        opt->class->name, first, names[i]);
    first = names[i];
  }
  return MOON_OK;
}

/* The kernel adds floats: the square of a large one may be infinite, which the square of a double is not. */
double mooni_clip_squares(const moon_ctx *ctx, const float *grad, size_t n) {
  double sum = ctx->k->sum_squares(grad, n);
  if (isfinite(sum)) return sum;
  sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)grad[i] * (double)grad[i];
  return sum;
}

float mooni_clip_factor(const moon_optim *opt, double own, double all) {
  double most = opt->clip_norm > 0 ? opt->clip_norm : opt->global_clip_norm;
  double norm = sqrt(opt->clip_norm > 0 ? own : all);
  return norm > most ? (float)(most / norm) : 1;
}

enum { STRIP = 512 };

void mooni_clip_update(const moon_optim *opt, float *w, float *const *slots, const float *grad, mooni_patch p,
                       float factor) {
  float strip[STRIP], limit = opt->clip_value > 0 ? (float)opt->clip_value : INFINITY;
  for (size_t r = 0; r < p.rows; r++)
    for (size_t from = 0; from < p.width; from += STRIP) {
      size_t n = p.width - from < STRIP ? p.width - from : STRIP, at = r * p.stride + from;
      float *moments[MOONI_MAX_SLOTS];
      for (size_t i = 0; i < MOONI_MAX_SLOTS; i++) moments[i] = slots[i] ? slots[i] + at : NULL;
      opt->ctx->k->clip(strip, grad + at, n, factor, limit);
      opt->class->update(opt, w + at, moments, strip, 1, n, n);
    }
}
