/* optim.c - what all optimisers have in common: options, and the moments of each parameter. The formulas are in
** kernels/adam.c, sgd.c, ... */
#include "optim.h"

#include <math.h>
#include <string.h>

#include "../core/error.h"
#include "../core/fpmode.h"
#include "../core/memory.h"
#include "../core/registry.h"
#include "../core/tensor.h"
#include "clip.h"

moon_status moon_optim_new(moon_ctx *ctx, moon_optim **out, const char *kind, const moon_option *options,
                           size_t count) {
  const mooni_optim_class *class = mooni_find_optim(ctx, kind);
  if (!class) return mooni_unregistered(ctx, MOON_OPTIMS, kind);
  void *object;
  MOONI_TRY(mooni_options_new(ctx, &object, class->size, class->name, class->options, options, count));
  moon_optim *opt = object;
  opt->refs = 1;
  opt->ctx = ctx;
  opt->class = class;
  moon_status status = mooni_clip_check(opt);
  if (status != MOON_OK) return mooni_free(ctx, opt), status;
  moon_ctx_retain(ctx);
  *out = opt;
  return MOON_OK;
}

moon_optim *moon_optim_retain(moon_optim *opt) {
  opt->refs++;
  return opt;
}

static void segment_release(mooni_segment *s) {
  for (size_t i = 0; i < MOONI_MAX_SLOTS; i++) moon_tensor_release(s->slot[i]);
  moon_tensor_release(s->value);
}

void moon_optim_release(moon_optim *opt) {
  if (!opt || --opt->refs) return;
  moon_ctx *ctx = opt->ctx;
  for (size_t i = 0; i < opt->count; i++) segment_release(&opt->segments[i]);
  mooni_free(ctx, opt->segments);
  mooni_free(ctx, opt);
  moon_ctx_release(ctx);
}

moon_ctx *moon_optim_ctx(const moon_optim *opt) { return opt->ctx; }
const char *moon_optim_kind(const moon_optim *opt) { return opt->class->name; }

moon_status moon_optim_get(const moon_optim *opt, const char *name, moon_option *value) {
  return mooni_options_get(opt->ctx, opt, opt->class->name, opt->class->options, name, value);
}

moon_status moon_optim_set(moon_optim *opt, const moon_option *value) {
  moon_option before;
  MOONI_TRY(moon_optim_get(opt, value->name, &before));
  MOONI_TRY(mooni_options_set(opt->ctx, opt, opt->class->name, opt->class->options, value));
  moon_status status = mooni_clip_check(opt);
  if (status != MOON_OK) mooni_options_set(opt->ctx, opt, opt->class->name, opt->class->options, &before);
  return status;
}

uint64_t moon_optim_steps(const moon_optim *opt) { return opt->steps; }
void moon_optim_set_steps(moon_optim *opt, uint64_t steps) { opt->steps = steps; }

mooni_segment *mooni_optim_segment(const moon_optim *opt, const moon_tensor *value, size_t hint) {
  const void *data = moon_tensor_data(value);
  for (size_t i = 0; i < opt->count; i++) {
    mooni_segment *s = &opt->segments[(hint + i) % opt->count];
    if (moon_tensor_data(s->value) == data && s->value->numel == value->numel) return s;
  }
  return NULL;
}

static moon_status make_segment(moon_optim *opt, moon_tensor *value) {
  const mooni_optim_class *class = opt->class;
  mooni_segment s = {.value = value};
  for (size_t i = 0; i < class->slots(opt); i++) {
    moon_status status = moon_tensor_new(opt->ctx, &s.slot[i], MOON_FLOAT32, value->rank, value->shape);
    if (status != MOON_OK) {
      while (i--) moon_tensor_release(s.slot[i]);
      return status;
    }
    if (class->slot_start) moon_tensor_fill(s.slot[i], class->slot_start(opt, i));
  }
  moon_tensor_retain(value);
  opt->segments[opt->count++] = s;
  return MOON_OK;
}

static moon_status grow(moon_optim *opt, size_t room) {
  if (room <= opt->room) return MOON_OK;
  if (room < 2 * opt->room) room = 2 * opt->room;
  mooni_segment *segments = mooni_calloc(opt->ctx, room, sizeof *segments);
  if (!segments) return mooni_nomem(opt->ctx, room * sizeof *segments);
  if (opt->count) memcpy(segments, opt->segments, opt->count * sizeof *segments);
  mooni_free(opt->ctx, opt->segments);
  opt->segments = segments;
  opt->room = room;
  return MOON_OK;
}

moon_status mooni_optim_reserve(moon_optim *opt, moon_tensor *const *value, const bool *wanted, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (wanted && !wanted[i]) continue;
    MOONI_TRY(mooni_want_writable(value[i], opt->class->name));
    if (mooni_optim_segment(opt, value[i], i)) continue;
    MOONI_TRY(grow(opt, opt->count + 1));
    MOONI_TRY(make_segment(opt, value[i]));
  }
  return MOON_OK;
}

static moon_status check(const moon_optim *opt, moon_tensor *const *value, moon_tensor *const *grad, size_t count) {
  for (size_t i = 0; i < count; i++) {
    char v[MOONI_SHAPE_TEXT], g[MOONI_SHAPE_TEXT];
    if (value[i]->dtype != MOON_FLOAT32 || grad[i]->dtype != MOON_FLOAT32)
      return mooni_fail(opt->ctx, MOON_ETYPE, "%s: parameter %zu: expected float32 tensors", opt->class->name, i + 1);
    if (!moon_tensor_same_shape(value[i], grad[i]))
      return mooni_fail(opt->ctx, MOON_ESHAPE, "%s: parameter %zu is %s, but its gradient is %s", opt->class->name,
                        i + 1, mooni_tensor_text(v, value[i]), mooni_tensor_text(g, grad[i]));
  }
  return MOON_OK;
}

void mooni_optim_begin(moon_optim *opt) {
  if (opt->steps < UINT64_MAX) opt->steps++; /* a file may hold any number */
  opt->class->prepare(opt, opt->steps);
}

void mooni_optim_update(const moon_optim *opt, const mooni_segment *s, const float *grad, mooni_patch p, float factor) {
  float *slots[MOONI_MAX_SLOTS] = {NULL};
  for (size_t j = 0; j < MOONI_MAX_SLOTS; j++)
    if (s->slot[j]) slots[j] = moon_tensor_float(s->slot[j]) + p.at;
  float *w = moon_tensor_float(s->value) + p.at;
  if (opt->clip_value > 0 || factor < 1)
    mooni_clip_update(opt, w, slots, grad + p.at, p, factor);
  else
    opt->class->update(opt, w, slots, grad + p.at, p.rows, p.width, p.stride);
}

static double squares(const moon_optim *opt, const moon_tensor *grad) {
  return mooni_clip_squares(opt->ctx, moon_tensor_float(grad), grad->numel);
}

moon_status moon_optim_step(moon_optim *opt, moon_tensor *const *value, moon_tensor *const *grad, size_t count) {
  MOONI_FLUSHING;
  MOONI_TRY(check(opt, value, grad, count));
  MOONI_TRY(mooni_optim_reserve(opt, value, NULL, count));
  bool norm = mooni_clips_by_norm(opt);
  double all = 0;
  for (size_t i = 0; norm && i < count; i++) all += squares(opt, grad[i]);
  if (!isfinite(all)) return MOON_OK;
  mooni_optim_begin(opt);
  for (size_t i = 0; i < count; i++) {
    size_t n = value[i]->numel;
    float factor = norm ? mooni_clip_factor(opt, squares(opt, grad[i]), all) : 1;
    mooni_optim_update(opt, mooni_optim_segment(opt, value[i], i), moon_tensor_float(grad[i]),
                       (mooni_patch){0, 1, n, n}, factor);
  }
  return MOON_OK;
}

bool moon_optim_has(const moon_optim *opt, const moon_tensor *value) {
  return mooni_optim_segment(opt, value, 0) != NULL;
}

moon_status moon_optim_moment(moon_optim *opt, moon_tensor *value, size_t slot, const char **name,
                              moon_tensor **moment) {
  size_t slots = opt->class->slots(opt);
  if (slot >= slots)
    return mooni_fail(opt->ctx, MOON_ERANGE, "%s keeps %zu moments, there is no number %zu", opt->class->name, slots,
                      slot + 1);
  MOONI_TRY(mooni_want_float(value, opt->class->name));
  MOONI_TRY(mooni_optim_reserve(opt, &value, NULL, 1));
  *name = opt->class->slot_names[slot];
  *moment = mooni_optim_segment(opt, value, 0)->slot[slot];
  return MOON_OK;
}
