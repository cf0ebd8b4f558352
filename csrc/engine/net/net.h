/* net.h - a net: a stack of layers, and the buffers of a batch on its way through them. */
#ifndef MOONI_NET_H
#define MOONI_NET_H

#include "../layers/layer.h"

struct mooni_part;
struct mooni_meter;
struct mooni_ranks;
struct mooni_link;

/* A place in the net: its layer's input, output and scratch. */
typedef struct mooni_place {
  size_t in, out;
  const float *x;                 /* [rows x in] */
  float *y, *scratch;             /* [rows x out], [rows x scratch_width] */
  float *made;                    /* y's buffer in the arena; y may be the caller's buffer instead */
  size_t scratch_width;           /* floats of scratch for each row */
  size_t param[MOONI_MAX_PARAMS]; /* index of each parameter in the net's list */
  unsigned accumulate;            /* see mooni_pass */
  size_t spare;                   /* index of the gradient buffer that is spare during its forward */
  bool again;                     /* the same layer has an earlier place, too */
  uint64_t seed;                  /* added to the layer's seed: each place has its own noise */
  float *sums;                    /* over the whole batch, of all ranks (layer.h); NULL: no sums. Only with ranks */
  float *kept;                    /* [class->kept], or NULL */
} mooni_place;

/* One thing to do with each part of a batch (run.c). Stages of the same phase follow each other without a meeting. */
typedef struct mooni_stage {
  void (*run)(struct mooni_part *p, const struct mooni_stage *s);
  size_t layer, gradient; /* gradient: for backward, the index of the buffer that has dy */
  size_t phase;
  mooni_round round; /* for sums */
  bool alone;        /* for the calling thread, in a phase of its own */
} mooni_stage;

/* What the layers have planned last, in parts of so many rows. */
typedef struct mooni_planned {
  size_t rows, parts;
  size_t trainable; /* the first layer that is trained: those behind it need the gradient of their input */
  bool by_rows, backward, dx;
} mooni_planned;

enum { MOONI_STAGES_OF_LAYER = 15, MOONI_STAGES_OF_NET = 7 };

struct moon_net {
  size_t refs;
  moon_ctx *ctx;
  moon_layer **layers;
  mooni_place *places;
  struct mooni_link *links;      /* branches.h; NULL: no branches */
  mooni_stage *stages;           /* of the present batch */
  moon_tensor **values, **grads; /* the parameters, each once, the last layer's first */
  unsigned *uses;                /* how often each parameter is used */
  bool *trained;                 /* is it trained in the present batch? Set by mooni_find_trained */
  size_t count, param_count, param_floats, inputs, outputs, encoder;
  size_t trainable;      /* the first layer with a parameter that is trained; count if none is */
  size_t trained_floats; /* of the parameters that are trained */
  bool frozen;           /* other contexts use the parameters too: they cannot be trained */
  moon_net *half[2];     /* encoder and decoder, made when first needed */

  float *arena; /* input, targets, weights, and each place's y and scratch, for `rows` rows of width `in` */
  size_t rows, in;
  float *input, *target, *weights; /* in the arena; weights: of the rows */
  float *gradient[2];              /* allocated at the first backward: for each part [rows x widest] */
  size_t gradient_rows, gradient_parts, widest;
  float *part_grads; /* by rows: a set of the parameters' gradients for each part but the first, one behind the other */
  size_t part_grad_sets;
  double *squares; /* the sums of squares of the gradients' blocks (clip.h), one behind the other; made when needed */

  mooni_planned planned;
  struct mooni_ranks *ranks;       /* ranks.h; NULL: this process is the only one */
  struct mooni_ranks *spare_ranks; /* what a reducer that is gone has left for the next one */

  struct mooni_meter *meter; /* meter.h; NULL: no measures */

  uint64_t draw;       /* training forwards so far */
  size_t forward_rows; /* of the forward whose results are in the places; 0: none */
  bool training;
  double penalty;
};

/* See which parameters are trained: the owner of each decides. Once, where a batch begins: an option that is set while
** it runs holds for the next one. */
void mooni_find_trained(moon_net *net);

/* Follow a width through the layers into the places. */
moon_status mooni_set_widths(moon_net *net, size_t in);

/* The width of the output for rows of width in. */
moon_status mooni_net_width(const moon_net *net, size_t *out, size_t in);

/* Put "in layer 2 (dense 784->128): " before the message of a failure. */
moon_status mooni_in_layer(const moon_net *net, size_t i, moon_status status);

/* MOON_ESHAPE unless x is [rows x inputs], and unless y is [rows x width] float32. what begins the message. */
moon_status mooni_check_input(const moon_net *net, const moon_tensor *x, const char *what);
moon_status mooni_check_output(const moon_net *net, const moon_tensor *y, size_t rows, size_t width, const char *what);

#endif
