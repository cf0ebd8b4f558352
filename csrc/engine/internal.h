/* internal.h - what the engine's files share and the world does not see. Everything here begins with mooni_. */
#ifndef MOONI_INTERNAL_H
#define MOONI_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "../moonglass.h"

#define MOONI_TRY(call)                     \
  do {                                      \
    moon_status status_ = (call);           \
    if (status_ != MOON_OK) return status_; \
  } while (0)

/* float32 has every whole number up to this one: so far go row numbers. */
#define MOONI_COUNTED ((size_t)1 << 24)

#define MOONI_COUNT(array) (sizeof(array) / sizeof(array)[0])

/* ---- ctx.c: context, memory, errors ---- */

typedef struct mooni_kernels mooni_kernels;
typedef struct mooni_warm mooni_warm;

/* A random stream: 16 interleaved xoshiro128++ generators, so that a vector unit draws 16 numbers at once. */
enum { MOONI_LANES = 16 };
typedef struct mooni_rng {
  uint32_t s[4][MOONI_LANES];
  uint32_t out[MOONI_LANES]; /* drawn, not yet given out: the last `left` of them */
  uint32_t left;
} mooni_rng;

struct moon_ctx {
  size_t refs;
  moon_alloc_fn alloc;
  void *alloc_ud;
  size_t used, peak, limit;
  int threads;
  moon_log_fn log;
  void *log_ud;
  atomic_bool interrupted;
  const mooni_kernels *k;  /* the kernels for this CPU */
  mooni_warm *warm;        /* gemm.c: shapes that BLIS has run already */
  struct mooni_pool *pool; /* pool.c: NULL until it is wanted */
  mooni_rng rng;
  char error[1024];
};

/* 64-byte aligned memory, counted against the context; mooni_alloc leaves it unset, mooni_calloc zeroes it and
** checks count * size. NULL when refused: mooni_nomem then sets the message. free takes NULL. */
void *mooni_alloc(moon_ctx *ctx, size_t bytes);
void *mooni_calloc(moon_ctx *ctx, size_t count, size_t size);
void mooni_free(moon_ctx *ctx, void *p);
char *mooni_strdup(moon_ctx *ctx, const char *text);

/* Would malloc give so many bytes now? For libraries that take them from there and do not bear a refusal. */
bool mooni_malloc_has(size_t bytes);

/* Set the context's message and give the status back. mooni_prepend puts "text: " before the present message. */
moon_status mooni_fail(moon_ctx *ctx, moon_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
moon_status mooni_nomem(moon_ctx *ctx, size_t bytes);

/* MOON_EINTERRUPT, once, if someone has asked for it: before a batch begins. */
moon_status mooni_interrupted(moon_ctx *ctx);
moon_status mooni_prepend(moon_ctx *ctx, moon_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* "[2 x 3]" into a buffer of MOONI_SHAPE_TEXT bytes, which it returns. */
enum { MOONI_SHAPE_TEXT = 128 };
char *mooni_shape_text(char *buffer, int rank, const size_t *shape);
char *mooni_tensor_text(char *buffer, const moon_tensor *t); /* "[2 x 3] uint8"; float32 is not said */

/* a * b into *out unless it overflows. */
static inline bool mooni_mul(size_t *out, size_t a, size_t b) { return !__builtin_mul_overflow(a, b, out); }

/* ---- tensor.c ---- */

typedef struct mooni_map mooni_map;
typedef struct mooni_frozen mooni_frozen;
typedef struct mooni_storage {
  size_t refs;
  moon_ctx *ctx;
  void *data;
  size_t bytes;
  void (*release)(void *ud);
  void *ud;
  mooni_map *map;       /* a large file whose rows are better read than touched: mooni_map_gather; else NULL */
  mooni_frozen *frozen; /* data is this one's, which other contexts read: nobody writes to it. Else NULL */
} mooni_storage;

struct moon_tensor {
  size_t refs;
  mooni_storage *storage;
  size_t offset; /* bytes */
  moon_dtype dtype;
  int rank;
  size_t shape[MOON_MAX_RANK];
  size_t numel;
};

moon_status mooni_want_float(const moon_tensor *t, const char *what); /* MOON_ETYPE unless float32 */
const char *mooni_dtype_name(moon_dtype dtype);
moon_status mooni_want_writable(const moon_tensor *t, const char *what); /* share.c: MOON_ESTATE if it is frozen */

/* Rows of t as a matrix: rank 0 and 1 are one column a row; else shape[0] rows of all the rest. */
size_t mooni_rows(const moon_tensor *t);
size_t mooni_width(const moon_tensor *t);

/* ---- pool.c: worker threads ----
** A job has phases, and each phase the same number of parts. Any worker may compute any part of a phase, alone, once
** all parts of the phase before it have been computed. Threads start with the first plan that wants them and end with
** the context, or when another number is set. */

typedef struct mooni_pool mooni_pool;

typedef void mooni_job(void *arg, size_t phase, size_t part); /* both from 0 */

/* Have `count` workers, the caller included. MOON_ESTATE if the system gives no more threads. */
moon_status mooni_pool_plan(moon_ctx *ctx, size_t count);
void mooni_pool_run(moon_ctx *ctx, size_t parts, size_t phases, mooni_job *job,
                    void *arg); /* parts: 1, or as planned */
void mooni_pool_stop(moon_ctx *ctx);

/* A thread that no signal comes to; its stack has so many bytes, 0: as many as the system gives. Not 0: an errno. */
int mooni_start_thread(pthread_t *thread, size_t stack, void *(*run)(void *), void *arg);

/* ---- rng.c ---- */

void mooni_rng_seed(mooni_rng *rng, uint64_t seed, uint64_t stream); /* any pair gives an independent stream */
uint32_t mooni_rng_u32(mooni_rng *rng);
uint64_t mooni_rng_u64(mooni_rng *rng);
uint32_t mooni_rng_below(mooni_rng *rng, uint32_t n); /* uniform in 0..n-1, n > 0 */
void mooni_rng_shuffle(mooni_rng *rng, uint32_t *order, size_t n);

static inline uint32_t mooni_rotl(uint32_t x, int k) { return (x << k) | (x >> (32 - k)); }

/* The next number of every lane. */
static inline void mooni_rng_block(mooni_rng *rng, uint32_t out[MOONI_LANES]) {
  uint32_t(*s)[MOONI_LANES] = rng->s;
  for (size_t l = 0; l < MOONI_LANES; l++) {
    uint32_t s0 = s[0][l], s1 = s[1][l], s2 = s[2][l] ^ s0, s3 = s[3][l] ^ s1;
    out[l] = mooni_rotl(s0 + s[3][l], 7) + s0;
    s[1][l] = s1 ^ s2;
    s[0][l] = s0 ^ s3;
    s[2][l] = s2 ^ (s1 << 9);
    s[3][l] = mooni_rotl(s3, 11);
  }
}

/* ---- gemm.c: the only file that sees blis.h ---- */

/* A matrix in memory: element (i, j) at p[i * rs + j * cs]. sparse: whole rows or columns may be 0, and a product may
** leave them out, which changes no bit unless they meet an infinity or a NaN. */
typedef struct mooni_mat {
  float *p;
  size_t rs, cs;
  bool sparse;
} mooni_mat;

/* c [m x n] = alpha a [m x k] b [k x n] + beta c. Never fails at a shape that mooni_gemm_plan has let pass. */
void mooni_gemm(const moon_ctx *ctx, size_t m, size_t n, size_t k, float alpha, mooni_mat a, mooni_mat b, float beta,
                mooni_mat c);

/* The same by BLIS, whatever the CPU. */
void mooni_gemm_blis(size_t m, size_t n, size_t k, float alpha, mooni_mat a, mooni_mat b, float beta, mooni_mat c);

/* Make BLIS hold all that this call will need, so that it cannot abort the process for want of memory: for so many
** callers at once. Only the strides of a, b and c are looked at. */
moon_status mooni_gemm_plan(moon_ctx *ctx, size_t callers, size_t m, size_t n, size_t k, mooni_mat a, mooni_mat b,
                            mooni_mat c);

/* Products to be planned, gathered from layers; the first failure stays. */
typedef struct mooni_plan {
  moon_ctx *ctx;
  size_t callers;
  moon_status status;
} mooni_plan;
void mooni_plan_gemm(mooni_plan *plan, size_t m, size_t n, size_t k, mooni_mat a, mooni_mat b, mooni_mat c);
void mooni_gemm_forget(moon_ctx *ctx);
const char *mooni_blis_version(void);
const char *mooni_blis_config(void);

/* ---- option.c: named options of everything that is registered ---- */

enum {
  MOONI_POSITIONAL = 1, /* may be given by place */
  MOONI_REQUIRED = 2,
  MOONI_SETTABLE = 4,  /* may change after construction */
  MOONI_OPEN_LOW = 8,  /* the lowest value itself is not allowed */
  MOONI_OPEN_HIGH = 16 /* nor the highest */
};
enum { MOONI_TEXT = 64 }; /* bytes of a text option, its end included */

/* One option: where it lives in the object, its default, and what is allowed. By kind the field is a double, size_t,
** bool, char[MOONI_TEXT], double[2] (NaN: not given) or moon_layer *. A text may be limited to `choices`. */
typedef struct mooni_option_spec {
  const char *name;
  moon_option_kind kind;
  unsigned flags;
  size_t offset;
  double number, low, high;   /* default and bounds of a number */
  const char *text;           /* default of a text */
  const char *const *choices; /* NULL at the end; or NULL for any text */
  moon_family names;          /* a text is a registered name of this family; 0: it is none */
  const char *help;
} mooni_option_spec;

/* Fill the object's options from defaults and the given ones. `what` begins the messages: "adam". */
moon_status mooni_options_init(moon_ctx *ctx, void *object, const char *what, const mooni_option_spec *spec,
                               const moon_option *options, size_t count);
moon_status mooni_options_get(moon_ctx *ctx, const void *object, const char *what, const mooni_option_spec *spec,
                              const char *name, moon_option *value);
moon_status mooni_options_set(moon_ctx *ctx, void *object, const char *what, const mooni_option_spec *spec,
                              const moon_option *value);

/* "unknown <what> 'name'; did you mean 'nearest'? (known: a, b, c)" as MOON_ERANGE; names are asked for by index until
** NULL. Without the question if none is near. */
moon_status mooni_unknown(moon_ctx *ctx, const char *what, const char *name, const char *(*at)(const void *, size_t),
                          const void *list);

/* ---- activations: act.c, compiled once for each instruction set ---- */

/* Matrices here are [rows x width], a row beginning `stride` floats behind the one before it.
** forward: y holds z without its bias; it becomes act(z + bias). bias may be NULL. If needs_z the derivative wants z
** itself, which is kept in z (else z is NULL).
** backward: dy becomes dz = dy * act'(z). Rowwise ones (softmax) see a row as a whole.
** slopes: act'(z) and act''(z) of n elements. NULL for rowwise ones. */
typedef struct mooni_act {
  const char *name;
  bool needs_z, rowwise;
  bool unit; /* its outputs lie in [0, 1] */
  void (*forward)(float *y, float *z, const float *bias, size_t rows, size_t width, size_t stride);
  void (*backward)(float *dy, const float *y, const float *z, size_t rows, size_t width, size_t stride);
  void (*slopes)(float *first, float *second, const float *y, const float *z, size_t n);
} mooni_act;

/* ---- losses: loss*.c ---- */

/* A batch of targets as the kernels see it: floats [rows x width], or class numbers [rows]. */
typedef struct mooni_target {
  const float *values; /* NULL for classes */
  const uint32_t *classes;
  size_t stride; /* of the values' rows */
} mooni_target;

typedef struct mooni_loss_class {
  const char *name;
  const char *aliases[3]; /* Keras's names, NULL at the end */
  size_t size;            /* of the object, a moon_loss first */
  const mooni_option_spec *options;
  const char *fuses;  /* the activation that it can take over when that comes last, or NULL */
  bool takes_classes; /* class numbers as targets */
  bool rowwise;       /* looks at a row of the prediction as a whole */
  /* scale times the loss, summed over p [rows x width], or, with logits, over fuses(p); its gradient on p into grad
  ** unless NULL. Rows of p and grad begin `stride` floats apart. */
  double (*apply)(const moon_loss *loss, float *grad, const float *p, mooni_target t, size_t rows, size_t width,
                  size_t stride, double scale, bool logits);
} mooni_loss_class;

struct moon_loss {
  size_t refs;
  moon_ctx *ctx;
  const mooni_loss_class *class;
  char reduction[MOONI_TEXT]; /* "mean", "batchmean", "sum"; set by the classes that have the option */
  bool from_logits;           /* likewise */
};

/* What the sum over the elements is multiplied by: 1/(rows * width), 1/rows or 1, by the loss's reduction. */
double mooni_loss_scale(const moon_loss *loss, size_t rows, size_t width);

/* Does the loss take activation `name` over? */
bool mooni_loss_fuses(const moon_loss *loss, const char *name);

/* Check the classes of a float or byte tensor and widen them; MOON_ERANGE, MOON_ETYPE name the culprit. */
moon_status mooni_classes(uint32_t *out, const moon_tensor *t, const uint32_t *order, size_t first, size_t count,
                          size_t classes);

/* Are these targets class numbers for a prediction of this width? Then [n] or [n x 1]. */
bool mooni_are_classes(const moon_loss *loss, const moon_tensor *t, size_t width);

/* What a byte of a target is divided by: 255 for pixels, 1 where the loss speaks of classes. */
float mooni_target_scale(const moon_loss *loss);

/* ---- optimisers: optim*.c ---- */

enum { MOONI_MAX_SLOTS = 3 };

typedef struct mooni_optim_class {
  const char *name;
  size_t size;
  const mooni_option_spec *options;
  const char *slot_names[MOONI_MAX_SLOTS];
  size_t (*slots)(const moon_optim *opt);                   /* how many of them the options call for */
  double (*slot_start)(const moon_optim *opt, size_t slot); /* NULL: 0 */
  /* Constants of update number t (from 1) into opt->rate; once before the segments. */
  void (*prepare)(moon_optim *opt, uint64_t t);
  /* One pass over w [rows x width], its moments s and its gradient g, rows beginning `stride` floats apart. */
  void (*update)(const moon_optim *opt, float *w, float *const *s, const float *g, size_t rows, size_t width,
                 size_t stride);
} mooni_optim_class;

typedef struct mooni_segment {
  moon_tensor *value; /* retained, so that its address cannot come back as another tensor's */
  moon_tensor *slot[MOONI_MAX_SLOTS];
} mooni_segment;

struct moon_optim {
  size_t refs;
  moon_ctx *ctx;
  const mooni_optim_class *class;
  uint64_t steps;
  mooni_segment *segments;
  size_t count, room;
  double lr, weight_decay; /* every optimiser has these two */
  double rate[4];          /* set by prepare */
};

/* Make the moments of these values, so that a later step allocates nothing. */
moon_status mooni_optim_reserve(moon_optim *opt, moon_tensor *const *value, size_t count);

/* The segment of these elements, looked for first at place `hint`; NULL if there is none. */
mooni_segment *mooni_optim_segment(const moon_optim *opt, const moon_tensor *value, size_t hint);

/* Begin update number steps + 1; then update rows x width elements of a segment from `at` on. */
void mooni_optim_begin(moon_optim *opt);
void mooni_optim_update(const moon_optim *opt, const mooni_segment *s, const float *grad, size_t at, size_t rows,
                        size_t width, size_t stride);

/* ---- layers: layer.c for what is common, dense.c noise.c ... for each ---- */

typedef struct mooni_param {
  size_t refs;
  const char *name;
  moon_tensor *value, *grad;
  mooni_frozen *frozen; /* share.c: a copy of value as it was when it was last shared, or NULL */
} mooni_param;

enum { MOONI_MAX_PARAMS = 4 };

typedef struct mooni_pass mooni_pass;

/* A part of one batch on its way through one layer. The work is divided in one of two ways. By rows: each part's rows
** are a batch of their own, `part` being 0 of 1, with gradients of their own that are summed up later. By columns: each
** part has the whole batch, and a layer does a share of the columns, or of the rows, of its input and of its output
** (mooni_share; takes_columns, gives_columns). Between two layers all parts meet, none going on before all have come
** there, unless both sides are the same columns. Buffers are the net's. */
struct mooni_pass {
  size_t rows, in, out;
  size_t batch; /* rows of the whole batch: what means are over */
  size_t first; /* the number, in the whole batch, of the first row here; a multiple of MOONI_ROW_GRAIN */
  size_t part, parts;
  const float *x;        /* [rows x in] */
  float *y;              /* [rows x out] */
  float *dy;             /* [rows x out]; backward may spoil it */
  float *dx;             /* [rows x in], or NULL: not wanted */
  bool x_apart, y_apart; /* how x and dx, and y, dy and work, lie in memory: mooni_part_of. Only a layer that takes, or
                         ** gives, columns will meet it */
  float *spare;          /* in a forward by columns: a buffer for each part, `step` >= rows x out floats apart */
  size_t step;
  float *work;
  float *grad[MOONI_MAX_PARAMS]; /* where the gradient of each parameter goes */
  unsigned accumulate; /* bit i: add to the gradient of parameter i, for a use before this one has written it */
  bool weights;  /* answers for what is of the weights alone, which counts once a layer and batch: their penalty */
  bool training; /* not inference; for forward */
  uint64_t seed, draw; /* of this place, and the number of this training forward: both choose the noise */
  bool logits;         /* the loss takes the activation over: leave it out, forward and backward */
  /* NULL, or to be called for every element of a parameter, once its gradient is whole and its value not needed any
  ** more in this step: rows x width elements of parameter i from `at` on are then updated. */
  void (*ready)(const mooni_pass *pass, size_t i, size_t at, size_t rows, size_t width, size_t stride);
  const void *job;
  size_t layer; /* the place in the net: for ready */
};

enum { MOONI_ROW_GRAIN = 8, MOONI_COLUMN_GRAIN = 16 };

/* Part `part` of `parts` equal shares of n, cut at multiples of grain: *from up to *to. */
void mooni_share(size_t n, size_t grain, size_t part, size_t parts, size_t *from, size_t *to);

/* Where a part's share of the columns (MOONI_COLUMN_GRAIN) of a matrix [rows x width] at p lies: element (r, c) at
** p[r * stride + c], c counted from the matrix's first column. Apart: the columns of each part lie together, by rows,
** one part's behind the other's, so that no core's prefetcher comes upon lines that another is writing. */
typedef struct mooni_view {
  float *p;
  size_t stride, from, to; /* the columns */
} mooni_view;
mooni_view mooni_part_of(const float *p, size_t rows, size_t width, bool apart, size_t part, size_t parts);

typedef struct mooni_layer_class {
  const char *name;
  size_t size; /* of the object, a moon_layer first */
  const mooni_option_spec *options;
  bool training_only; /* passes x through untouched unless training */
  /* Divided by columns, a part reads x and writes dx only in its share (MOONI_COLUMN_GRAIN) of the inputs; writes y and
  ** reads dy only in its share of the outputs (NULL: no). Else it is its share of the rows (MOONI_ROW_GRAIN). */
  bool takes_columns;
  bool (*gives_columns)(const moon_layer *layer);
  moon_status (*init)(moon_layer *layer);             /* options are set; make the parameters. NULL: nothing to do */
  void (*finish)(moon_layer *layer);                  /* NULL: nothing of its own to release */
  size_t (*inputs)(const moon_layer *layer);          /* the one width it takes; NULL: any, and out = in */
  size_t (*outputs)(const moon_layer *layer);         /* goes with inputs */
  size_t (*least)(const moon_layer *layer);           /* the least width it takes, if it takes any; NULL: 1 */
  size_t (*work)(const moon_layer *layer, size_t in); /* floats of scratch a row; NULL: none */
  /* Tell of every product that forward, or backward (dx: with the input's gradient), makes of these rows as part `part`
  ** of `parts`, so that they cannot fail. NULL: they never do. */
  void (*plan_forward)(const moon_layer *layer, mooni_plan *plan, size_t rows, size_t part, size_t parts);
  void (*plan_backward)(const moon_layer *layer, mooni_plan *plan, size_t rows, size_t part, size_t parts, bool dx);
  const char *(*activation)(const moon_layer *layer); /* the activation that ends it, if a loss may take that over */
  /* Forward is made of two halves, and so is backward: divided by columns, all parts meet between them. */
  void (*forward)(const moon_layer *layer, const mooni_pass *pass);
  void (*complete)(const moon_layer *layer, const mooni_pass *pass); /* the second half of forward; NULL: no need */
  void (*derive)(const moon_layer *layer, const mooni_pass *pass);   /* the first half of backward; NULL: no need */
  void (*backward)(moon_layer *layer, const mooni_pass *pass);
  double (*penalty)(const moon_layer *layer, const mooni_pass *pass); /* once y is whole; NULL: none */
  bool (*whole_batch)(const moon_layer *layer); /* its penalty wants all rows: not divided by rows. NULL: no */
  int torch_modules; /* how many places it takes in torch.nn.Sequential; -1: ask activation (dense: 1 or 2) */
} mooni_layer_class;

struct moon_layer {
  size_t refs;
  moon_ctx *ctx;
  const mooni_layer_class *class;
  mooni_param *params[MOONI_MAX_PARAMS];
  bool borrowed[MOONI_MAX_PARAMS]; /* another layer's parameter (tied) */
  size_t param_count;
  uint64_t seed;   /* of its noise */
  uint64_t places; /* in nets so far: each has noise of its own */
};

/* Put into the layer: a parameter without its tensors, NULL when refused; one of zeros with its gradient; another's. */
mooni_param *mooni_layer_new_param(moon_layer *layer, const char *name);
moon_status mooni_layer_add_param(moon_layer *layer, const char *name, int rank, const size_t *shape);
moon_status mooni_layer_share_param(moon_layer *layer, mooni_param *param);

/* share.c: let go of a frozen value, in any thread. Takes NULL. */
void mooni_frozen_release(mooni_frozen *f);

/* "dense 784->128", "dropout": for messages. */
enum { MOONI_LAYER_TEXT = 160 };
char *mooni_layer_text(char *buffer, const moon_layer *layer);

/* ---- kernels/table.c, compiled once for each instruction set ---- */

typedef struct mooni_unary {
  const char *name;
  void (*apply)(float *y, const float *x, size_t n, float p, float q);
} mooni_unary;

/* y[i] = a[i * as] (op) alpha * b[i * bs], as and bs being 0 or 1. */
typedef struct mooni_binary {
  const char *name;
  void (*apply)(float *y, const float *a, size_t as, const float *b, size_t bs, size_t n, float alpha);
} mooni_binary;

/* eigen.c: vectors in panels of so many columns, and side by side. Rows `row` and the next become c times the one less
** s times the other, and s times the one and c times the other. */
enum { MOONI_EIGEN_WIDTH = 64, MOONI_EIGEN_LANES = 32 };
typedef struct mooni_rotation {
  size_t row;
  double c, s;
} mooni_rotation;

/* neighbours.c: of row j only products of offset + half[j] - slope root[j] and more can belong to a neighbour. */
typedef struct mooni_reach {
  double offset, slope;
  const double *half, *root;
} mooni_reach;

/* Everything that is compiled for one instruction set. Lists end with NULL, tables with a NULL name. */
struct mooni_kernels {
  const char *isa;
  const mooni_act *activations;
  const mooni_unary *unary;
  const mooni_binary *binary;
  const mooni_loss_class *const *losses;
  const mooni_optim_class *const *optims;
  /* product.c: what mooni_gemm does, for any a, a b with contiguous rows or columns, a c with contiguous rows. NULL:
  ** none */
  void (*product)(size_t m, size_t n, size_t k, float alpha, mooni_mat a, mooni_mat b, float beta, mooni_mat c);
  /* vmath.c */
  void (*from_bytes)(float *y, const uint8_t *x, size_t n, float scale);   /* x / scale */
  void (*add)(float *y, const float *x, size_t n);                         /* y += x */
  void (*axpy)(float *y, float a, const float *x, size_t n);               /* y += a x */
  void (*mul)(float *y, const float *x, size_t n);                         /* y *= x */
  void (*add_product)(float *y, const float *a, const float *b, size_t n); /* y += a b; a may be b */
  double (*sum_abs)(const float *x, size_t n);
  double (*sum_squares)(const float *x, size_t n);
  double (*sum_squared_difference)(const float *x, const float *y, size_t n);
  void (*column_sums)(float *y, const float *x, size_t rows, size_t width, size_t stride, bool accumulate);
  void (*add_sign)(float *y, float a, const float *x, size_t n); /* y += a sign(x), sign(0) = 0 */
  /* largest.c: y = x where that is among the k largest of n (of equals, those of lower index; NaN is larger than any),
  ** else 0; mask, 1 or 0, says where. 1 <= k <= n */
  void (*keep_largest)(float *y, float *mask, const float *x, size_t n, size_t k);
  /* kernels/neighbours.c: the sum of (x - y)^2; the first j from `from` on that is within reach, or n */
  double (*squared_distance)(const float *x, const float *y, size_t n);
  size_t (*next_near)(const float *product, const mooni_reach *r, size_t from, size_t n);
  /* kernels/eigen.c */
  void (*eigen_reduce)(double *a, size_t n, size_t stride, const double *v, const double *q, const double *u,
                       double *p);
  void (*eigen_rotate)(double *z, const mooni_rotation *rotation, size_t count);
  void (*eigen_reflect)(double *z, const double *v, size_t n, double scale);
  /* kernels/random.c: whole blocks of MOONI_LANES draws */
  void (*uniform)(mooni_rng *rng, float *y, size_t n, float low, float high);
  void (*normal)(mooni_rng *rng, float *y, size_t n, float mean, float deviation);
  /* noise on a batch: y from x; mask (may be NULL) gets dy/dx */
  void (*noise_gaussian)(mooni_rng *rng, float *y, float *mask, const float *x, size_t n, float sigma, float low,
                         float high);
  void (*noise_masking)(mooni_rng *rng, float *y, float *mask, const float *x, size_t n, float p, float keep);
  void (*noise_salt_pepper)(mooni_rng *rng, float *y, float *mask, const float *x, size_t n, float p);
};

extern const mooni_kernels mooni_kernels_base;
#if defined(__x86_64__)
extern const mooni_kernels mooni_kernels_avx2, mooni_kernels_avx512;
#endif

/* The layer classes, ended by NULL (layers are the same for every instruction set). */
extern const mooni_layer_class *const mooni_layers[];

/* nearest.c: does name stand for `known`, as swish does for silu? Upper and lower case, _ and - make no difference. */
bool mooni_names(const char *name, const char *known);

/* registry.c: by name (or alias), NULL if unknown; and the message about one that is. */
const mooni_act *mooni_find_act(const moon_ctx *ctx, const char *name);
const mooni_layer_class *mooni_find_layer(const char *name);
const mooni_loss_class *mooni_find_loss(const moon_ctx *ctx, const char *name);
const mooni_optim_class *mooni_find_optim(const moon_ctx *ctx, const char *name);
moon_status mooni_unregistered(moon_ctx *ctx, moon_family family, const char *name);

/* init.c: the initialisers by name, "glorot_uniform" ...; w [fan_in x fan_out]. */
const char *mooni_find_init(const char *name); /* its registered name; NULL if there is none */
void mooni_init_fill(moon_ctx *ctx, moon_tensor *w, const char *name);
const char *mooni_init_name(size_t i);

/* ---- dataset.c ---- */

struct moon_dataset {
  size_t refs;
  moon_ctx *ctx;
  moon_tensor *x, *y; /* y NULL: x is the target */
  size_t rows;
  uint32_t *order;    /* NULL: the tensors' own order */
  float target_scale; /* for moon_dataset_batch: what bytes of y, a matrix, are divided by */
};

/* dst [count x width] = rows order[first..] of x (order NULL: rows first..), bytes divided by scale; of each row only
** the columns that dst is a view of. */
void mooni_gather(moon_ctx *ctx, mooni_view dst, const moon_tensor *x, const uint32_t *order, size_t first,
                  size_t count, float scale);

/* ---- map.c ---- */

/* What mooni_gather does, for a tensor on a large mapped file: without making it resident. False, with nothing done,
** for any other tensor. Any number of workers may gather at once. */
bool mooni_map_gather(mooni_view dst, const moon_tensor *x, const uint32_t *order, size_t first, size_t count,
                      float scale);

/* ---- file.c ---- */

/* A whole file that appears at once: written beside the target, synced, renamed on commit. It has the mode, and if
** possible the owner, of the file that it replaces; a link to that stays. abort after a failure (or
** instead of commit) leaves nothing behind; what a killed process leaves, the next commit of the same path removes. */
typedef struct mooni_writer {
  moon_ctx *ctx;
  int fd, lock;           /* lock: the temporary once more, for its lock */
  char *path, *temporary; /* path: of the file itself, behind all links */
  const char *like;       /* the caller's: whose mode to take, if not path's. Or NULL */
} mooni_writer;

moon_status mooni_writer_open(mooni_writer *w, moon_ctx *ctx, const char *path);
moon_status mooni_writer_write(mooni_writer *w, const void *bytes, size_t size);
moon_status mooni_writer_commit(mooni_writer *w);
void mooni_writer_abort(mooni_writer *w);

/* "cannot read 'path': reason" as MOON_EIO, from errno. */
moon_status mooni_io_error(moon_ctx *ctx, const char *doing, const char *path, int error);

#endif
