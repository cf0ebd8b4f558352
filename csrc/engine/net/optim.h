/* optim.h - optimisers. The formulas are in kernels/adam.c, sgd.c, ... */
#ifndef MOONI_OPTIM_H
#define MOONI_OPTIM_H

#include "../core/option.h"
#include "../core/parts.h"

enum { MOONI_MAX_SLOTS = 3 };

typedef struct mooni_optim_class {
  const char *name;
  size_t size; /* of the object, which begins with a moon_optim */
  const mooni_option_spec *options;
  const char *slot_names[MOONI_MAX_SLOTS];                  /* of the moments */
  size_t (*slots)(const moon_optim *opt);                   /* how many moments these options need */
  double (*slot_start)(const moon_optim *opt, size_t slot); /* NULL: 0 */
  /* Put the constants of update number t (from 1) into opt->rate; called once, before the updates. */
  void (*prepare)(moon_optim *opt, uint64_t t);
  /* One pass over weights w [rows x width], their moments s[i] and their gradient g, rows `stride` floats apart. */
  void (*update)(const moon_optim *opt, float *w, float *const *s, const float *g, size_t rows, size_t width,
                 size_t stride);
} mooni_optim_class;

/* A parameter with its moments. */
typedef struct mooni_segment {
  moon_tensor *value; /* retained, so that no other tensor can get its address */
  moon_tensor *slot[MOONI_MAX_SLOTS];
} mooni_segment;

struct moon_optim {
  size_t refs;
  moon_ctx *ctx;
  const mooni_optim_class *class;
  uint64_t steps;
  mooni_segment *segments;
  size_t count, room;
  /* Every optimiser has these. At most one of the last three is not 0 (clip.h). */
  double lr, weight_decay, clip_value, clip_norm, global_clip_norm;
  double rate[4]; /* set by prepare */
};

/* Allocate the moments of these parameters, so that a later step allocates nothing. wanted: of which; NULL: of all. */
moon_status mooni_optim_reserve(moon_optim *opt, moon_tensor *const *value, const bool *wanted, size_t count);

/* The segment of this parameter, first looked for at index `hint`; NULL if there is none. */
mooni_segment *mooni_optim_segment(const moon_optim *opt, const moon_tensor *value, size_t hint);

/* Begin update number steps + 1; then update patches of the segments. factor: of the gradient (clip.h). */
void mooni_optim_begin(moon_optim *opt);
void mooni_optim_update(const moon_optim *opt, const mooni_segment *s, const float *grad, mooni_patch patch,
                        float factor);

#endif
