/* layer.h - what a layer is: parameters, a class of functions, and the pass that they work on. */
#ifndef MOONI_LAYER_H
#define MOONI_LAYER_H

#include <stddef.h>

#include "../core/gemm.h"
#include "../core/option.h"
#include "../core/parts.h"
#include "../core/rng.h"

typedef struct mooni_param {
  size_t refs;
  const char *name;
  const moon_layer *owner; /* for which it was made. A layer that is tied to it keeps it alive */
  moon_tensor *value;
  moon_tensor *grad;           /* NULL: a buffer, state that no optimiser sees, such as a running mean */
  struct mooni_frozen *frozen; /* a copy of value as it was when last shared (moon_net_share), or NULL */
} mooni_param;

enum { MOONI_MAX_PARAMS = 4, MOONI_MAX_BUFFERS = 4 };

/* What is summed over all rows of a batch for a layer: its inputs, their deviations from the mean, its outputs; before
** its backward, their gradients. Each of these needs the sums before it. */
typedef enum mooni_round { MOONI_OF_X, MOONI_OF_DEVIATIONS, MOONI_OF_Y, MOONI_OF_DY, MOONI_ROUNDS } mooni_round;

/* One part of a batch in one layer. A batch is divided in one of two ways. By rows: each part is a batch by itself
** (part 0 of 1) with its own gradients, which are added up later. By columns: each part sees the whole batch and
** computes some columns, or rows, of the layer's input and output (takes_columns, gives_columns). By columns all parts
** meet between two layers, unless both sides divide the same columns. The net owns the buffers. */
typedef struct mooni_pass mooni_pass;
struct mooni_pass {
  size_t rows, in, out;
  size_t batch; /* rows of the whole batch, those of other ranks included: means are over these */
  size_t first; /* index of the first row here in the whole batch; a multiple of MOONI_ROW_GRAIN */
  size_t part, parts;
  bool follows;          /* another rank counts what counts once for a batch */
  float *sums;           /* of all rounds, over the whole batch, one behind the other; NULL: all its rows are here */
  float *kept;           /* [class->kept], or NULL */
  const float *x;        /* [rows x in] */
  float *y;              /* [rows x out] */
  float *dy;             /* [rows x out]; backward may overwrite it */
  float *dx;             /* [rows x in], or NULL: not needed */
  bool centred;          /* the columns of dy add up to 0: the layer above subtracts their means */
  bool x_apart, y_apart; /* the layout (mooni_columns_of) of x and dx, and of y, dy and scratch. True only for layers
                         ** that take, or give, columns */
  float *spare;          /* forward by columns: one buffer for each part, `step` >= rows x out floats apart */
  size_t step;
  float *scratch;                /* [rows x class->scratch] */
  float *grad[MOONI_MAX_PARAMS]; /* where the gradient of each parameter goes; NULL: it is frozen */
  unsigned accumulate;           /* bit i: add to parameter i's gradient instead of overwriting it; an earlier use in
                                 ** this backward has written it */
  bool weights;                  /* this part computes the weight-only penalties: they count once per layer and batch */
  bool training;                 /* false: inference; for forward */
  uint64_t seed, draw; /* of this place in the net, and the number of this training forward: they choose the noise */
  bool logits;         /* the loss takes over the activation: leave it out, forward and backward */
  /* NULL, or to be called for every element of parameter i, once its gradient is complete and its value is no longer
  ** needed in this step. It updates them. */
  void (*ready)(const mooni_pass *pass, size_t i, mooni_patch patch);
  const void *job; /* for ready */
  size_t layer;    /* for ready: the place in the net */
};

/* A layer is a function of rows, or tells how the layers around it hang together (branches.c); then it has no
** functions. */
typedef enum mooni_role { MOONI_FUNCTION, MOONI_BRANCH, MOONI_JOIN } mooni_role;

typedef struct mooni_layer_class {
  const char *name;
  mooni_role role;
  size_t size; /* of the object, which begins with a moon_layer */
  const mooni_option_spec *options;
  bool training_only; /* y = x unless training */
  /* By columns: takes_columns says that a part reads x and writes dx only in its span of the inputs; gives_columns that
  ** it writes y and reads dy only in its span of the outputs (NULL: no). Spans are cut at MOONI_COLUMN_GRAIN. Without
  ** these a part works on its span of the rows (MOONI_ROW_GRAIN). */
  bool takes_columns;
  bool (*gives_columns)(const moon_layer *layer);
  moon_status (*init)(moon_layer *layer);     /* options are set; make the parameters. NULL: nothing to do */
  moon_status (*check)(moon_layer *layer);    /* what options mean together, when one is set. NULL: nothing */
  void (*finish)(moon_layer *layer);          /* NULL: nothing to release */
  size_t (*inputs)(const moon_layer *layer);  /* the input width; NULL: any, and out = in */
  size_t (*outputs)(const moon_layer *layer); /* the output width; goes with inputs */
  size_t (*least)(const moon_layer *layer);   /* where any width goes: the smallest one; NULL: 1 */
  size_t (*scratch)(const moon_layer *layer, size_t in); /* floats of scratch for each row; NULL: none */
  size_t (*kept)(const moon_layer *layer);               /* floats that it keeps for a training batch; NULL: none */
  /* Announce every product that forward, or backward (dx: with the input's gradient), makes of these rows as part
  ** `part` of `parts`, so that none can fail. NULL: there are none. */
  void (*plan_forward)(const moon_layer *layer, mooni_plan *plan, size_t rows, size_t part, size_t parts);
  void (*plan_backward)(const moon_layer *layer, mooni_plan *plan, size_t rows, size_t part, size_t parts, bool dx);
  const char *(*activation)(const moon_layer *layer); /* the last thing it does, if a loss may take that over */
  /* Forward has two halves, and so has backward: by columns, all parts meet between them. */
  void (*forward)(const moon_layer *layer, const mooni_pass *pass);
  void (*complete)(const moon_layer *layer, const mooni_pass *pass); /* second half of forward; NULL: none */
  void (*derive)(const moon_layer *layer, const mooni_pass *pass);   /* first half of backward; NULL: none */
  void (*backward)(moon_layer *layer, const mooni_pass *pass);
  double (*penalty)(const moon_layer *layer, const mooni_pass *pass); /* once y is complete; NULL: none */
  /* The sum over these rows that the measure "kl" shows, without the penalty's factor. NULL: none. */
  double (*divergence)(const moon_layer *layer, const float *x, size_t rows);
  /* Does it, or its penalty, need all rows of the batch, in training or without? Then never by rows. NULL: no */
  bool (*whole_batch)(const moon_layer *layer, bool training);
  /* If such a batch is divided among ranks: how many sums over all its rows a round has at most; put into pass->sums,
  ** at the round's place, those of the part's columns over the rows here. The engine then adds up all ranks. While
  ** whole_batch says no it does not. In MOONI_OF_DY also set the gradients of parameters that are such sums, over the
  ** rows here. NULL: none. */
  size_t (*sums)(const moon_layer *layer, mooni_round round);
  void (*sum)(const moon_layer *layer, const mooni_pass *pass, mooni_round round);
  bool centres; /* when whole_batch, the columns of its dx add up to 0 */
  /* The training batch counts: its objective is finite, or it was a forward alone. Update the buffers, in the part's
  ** columns. Goes with whole_batch; with pass->sums there may be no rows here. NULL: nothing to do. */
  void (*settle)(moon_layer *layer, const mooni_pass *pass);
  int torch_modules; /* how many modules it is in torch.nn.Sequential; -1: 1, and 1 more for an activation */
} mooni_layer_class;

struct moon_layer {
  size_t refs;
  moon_ctx *ctx;
  const mooni_layer_class *class;
  mooni_param *params[MOONI_MAX_PARAMS + MOONI_MAX_BUFFERS]; /* buffers come behind the parameters */
  bool borrowed[MOONI_MAX_PARAMS];                           /* another layer's parameter (tied) */
  size_t param_count, buffer_count;
  bool trainable;  /* false: its parameters are frozen. An option of the kinds that have parameters */
  uint64_t seed;   /* of its noise */
  uint64_t placed; /* how often it was put into a net: each place has its own noise */
};

/* The layer classes, NULL at the end. */
extern const mooni_layer_class *const mooni_layers[];

/* The option of every kind that has parameters. */
#define MOONI_TRAINABLE_OPTION                                                                                   \
  {                                                                                                              \
    .name = "trainable", .kind = MOON_FLAG, .flags = MOONI_SETTABLE | MOONI_ADDED,                               \
    .offset = offsetof(moon_layer, trainable), .number = 1,                                                      \
    .help = "false: the layer is frozen: steps compute no gradient of its parameters and leave them as they are" \
  }

/* Of a branch: how many layers it goes back; of a join: how many branches it joins. */
size_t mooni_structure_count(const moon_layer *layer);

/* Add a parameter without tensors (NULL when out of memory); one of zeros, with its gradient; another layer's; a buffer
** of zeros. Buffers are added last: the first param_count of layer->params are parameters. */
mooni_param *mooni_layer_new_param(moon_layer *layer, const char *name, bool buffer);
moon_status mooni_layer_add_param(moon_layer *layer, const char *name, int rank, const size_t *shape);
moon_status mooni_layer_tie_param(moon_layer *layer, mooni_param *param);
moon_status mooni_layer_add_buffer(moon_layer *layer, const char *name, int rank, const size_t *shape);

/* Parameters and buffers. */
static inline size_t mooni_layer_tensors(const moon_layer *layer) { return layer->param_count + layer->buffer_count; }

/* How many sums a round has. */
size_t mooni_layer_sums(const moon_layer *layer, mooni_round round);

/* The part's rows, for layers that work on whole rows. */
static inline mooni_span mooni_own_rows(const mooni_pass *pass) {
  return mooni_span_of(pass->rows, MOONI_ROW_GRAIN, pass->part, pass->parts);
}

/* The random stream for the MOONI_ROW_GRAIN rows from row r of the pass on. It is chosen by the seed of the layer's
** place in the net, the number of the draw, and the rows' place in the batch. So a run makes the same noise however it
** is stopped and resumed, and whoever computes which rows. */
mooni_rng mooni_noise_stream(const mooni_pass *pass, size_t r);

/* Backward of a layer that kept dy/dx [rows x in] in its scratch: dx = dy * scratch. */
void mooni_layer_backward_mask(moon_layer *layer, const mooni_pass *pass);

/* "dense 784->128", "dropout": for messages. */
enum { MOONI_LAYER_TEXT = 160 };
char *mooni_layer_text(char *buffer, const moon_layer *layer);

#endif
