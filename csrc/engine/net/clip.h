/* clip.h - gradient clipping, as in Keras: clip_value cuts each element, clip_norm scales the gradient of each
** parameter down to that norm, global_clip_norm those of all parameters together. What a layer shows as its gradient
** stays as it is. */
#ifndef MOONI_CLIP_H
#define MOONI_CLIP_H

#include "optim.h"

/* Then no gradient is used before all are complete. */
static inline bool mooni_clips_by_norm(const moon_optim *opt) {
  return opt->clip_norm > 0 || opt->global_clip_norm > 0;
}

/* MOON_ERANGE if more than one of the three is set. */
moon_status mooni_clip_check(const moon_optim *opt);

/* Squares are added up in blocks of so many elements. */
enum { MOONI_CLIP_BLOCK = 1024 };
static inline size_t mooni_clip_blocks(size_t n) { return (n + MOONI_CLIP_BLOCK - 1) / MOONI_CLIP_BLOCK; }

/* The sum of squares of n elements: finite if they are. */
double mooni_clip_squares(const moon_ctx *ctx, const float *grad, size_t n);

/* The factor of a parameter's gradient: 1, or less if a norm is too large. own: the sum of its squares; all: of all
** parameters', which is finite. */
float mooni_clip_factor(const moon_optim *opt, double own, double all);

/* As class->update of the patch, with what becomes of the gradient: it is clipped in strips on the stack. */
void mooni_clip_update(const moon_optim *opt, float *w, float *const *slots, const float *grad, mooni_patch patch,
                       float factor);

#endif
