/* net.h - what net.c (a net as a stack of layers) and run.c (a batch through it) share. */
#ifndef MOONI_NET_H
#define MOONI_NET_H

#include "../internal.h"

/* What the net keeps for one layer: the input it saw, its output, its scratch. */
typedef struct slot {
  size_t in, out;
  const float *x;
  float *y, *work;
  float *made;                    /* y's place in the arena; y may be the caller's buffer instead */
  size_t work_width;              /* floats of work a row */
  size_t param[MOONI_MAX_PARAMS]; /* place of each parameter in the net's list */
  unsigned accumulate;            /* see mooni_pass */
  bool again;                     /* the same layer stands before this place, too */
  uint64_t seed;                  /* added to the layer's: each place has noise of its own */
} slot;

/* One thing to do with each part of a batch: run.c has the functions. Stages of the same phase follow each other
** without a look at other parts. */
struct mooni_part;
typedef struct mooni_stage mooni_stage;
typedef void mooni_stage_fn(const struct mooni_part *p, const mooni_stage *s);
struct mooni_stage {
  mooni_stage_fn *run;
  size_t layer, gradient; /* of backward: the number of the buffer that has dy */
  size_t phase;
};

enum { STAGES_OF_LAYER = 5, STAGES_OF_NET = 3 };

struct moon_net {
  size_t refs;
  moon_ctx *ctx;
  moon_layer **layers;
  slot *slots;
  mooni_stage *stages;           /* of the present batch */
  moon_tensor **values, **grads; /* the parameters, each once, the last layer's first */
  unsigned *uses;                /* how often each is used */
  size_t count, param_count, param_floats, inputs, outputs, encoder;
  size_t trainable;  /* the first layer that has a parameter; count if none has */
  bool frozen;       /* parameters are other contexts' as well: not to be trained */
  moon_net *half[2]; /* encoder and decoder, made when they are first wanted */

  float *arena; /* input, targets, and each layer's y and work, for `rows` rows of width `in` */
  size_t rows, in;
  float *input, *target; /* in the arena */
  float *gradient[2];    /* allocated apart, at the first backward: for each part [rows x widest] */
  size_t gradient_rows, gradient_parts, widest;
  float *part_grads; /* by rows: the parameters' gradients of each part but the first, one set behind the other */
  size_t part_grad_sets;

  uint64_t draw;       /* training forwards so far */
  size_t forward_rows; /* of the forward whose results are in the slots; 0: none */
  bool training;
  double penalty;
};

/* Follow a width through the layers into the slots. */
moon_status mooni_set_widths(moon_net *net, size_t in);

/* Put "in layer 2 (dense 784->128): " before the message of a failure. */
moon_status mooni_in_layer(const moon_net *net, size_t i, moon_status status);

/* How a batch is divided among workers. */
typedef enum mooni_split { MOONI_SERIAL, MOONI_BY_COLUMNS, MOONI_BY_ROWS } mooni_split;

/* The cost rule; params and widths are a net's numbers of parameters and of inputs and outputs of all layers. */
mooni_split mooni_choose_split(size_t rows, size_t params, size_t widths, size_t threads, bool training);

#endif
