/* moonglass.h - the public C interface of Moonglass, an engine for autoencoders.
**
** Read it in order: context, tensors, layers, losses, optimisers, nets, data, files.
** Conventions that hold for every entry:
**
** - A function that can fail returns a moon_status. On failure no output is written, no object has changed, and
**   moon_error(ctx) tells in words what was expected and what came.
** - Outputs come first (after the object or context that a call belongs to), const inputs next, sizes and options last.
** - Objects are reference counted. What a CONSTRUCTOR gives belongs to the caller, who gives it back with _release.
**   _retain counts one more and gives its argument back; _release takes NULL, and frees with the last reference.
**   An object keeps alive all that it needs (its context too), so objects may be released in any order.
** - What a getter gives (a text, a tensor, a context) is not retained unless it says so.
** - A context and all its objects belong to one thread at a time: the host sees to it that no two are in calls on the
**   same context at once. Different contexts share nothing but what moon_net_share says, and need no locks. Only
**   moon_interrupt may be called from elsewhere.
** - All objects of a call belong to one context, unless it says otherwise. Pointers are not NULL unless it says so.
** - What a call writes may not overlap what it reads, unless it says so.
** - After a fork the child has all that the parent had, but the workers, which it starts anew when it needs them.
** - Indices count from 0. Matrices are row-major: [rows x columns]. Numbers are float32 unless said.
** - Nothing here prints, exits, raises a signal or keeps writable global state.
** - The floating-point mode is the host's: the engine computes in one of its own (round to nearest, no traps), so that
**   the results do not depend on it, and puts the host's back. Texts in files do not depend on the locale either.
** - A call takes no more than 64 KB of the caller's stack, one that predicts with weights that are not tied no more
** than
**   32 KB.
*/
#ifndef MOONGLASS_H
#define MOONGLASS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header: major.minor.patch. */
#define MOON_VERSION "0.1.0"

/* Before each entry: it is exported. */
#if defined(__GNUC__)
#define MOON_API __attribute__((visibility("default")))
#else
#define MOON_API
#endif

/* How a call ended. Numbers are only ever added, at the end. */
typedef enum moon_status {
  MOON_OK = 0,    /* it did what it was asked for */
  MOON_ENOMEM,    /* the allocator or the memory limit refused */
  MOON_ESHAPE,    /* a shape or a width does not fit */
  MOON_ETYPE,     /* an element type or an object of the wrong kind */
  MOON_ERANGE,    /* a number, a name or an index that is not allowed */
  MOON_EIO,       /* the system could not read or write a file */
  MOON_EFORMAT,   /* a file's content is not what it should be */
  MOON_ESTATE,    /* the call makes no sense now, e.g. backward before forward */
  MOON_EINTERRUPT /* moon_interrupt was called; the last whole step stands */
} moon_status;

/* The objects; what is in them is nobody's business. */
typedef struct moon_ctx moon_ctx;         /* what all others of it have in common: memory, threads, error text */
typedef struct moon_tensor moon_tensor;   /* numbers in a shape */
typedef struct moon_layer moon_layer;     /* a function of rows, with parameters or without */
typedef struct moon_loss moon_loss;       /* how far a prediction is from its target */
typedef struct moon_optim moon_optim;     /* changes parameters by their gradients */
typedef struct moon_net moon_net;         /* layers, one behind the other */
typedef struct moon_dataset moon_dataset; /* rows to train on, in some order */
typedef struct moon_archive moon_archive; /* named tensors and texts: a file in memory */

/* ---- Context -------------------------------------------------------------------------------------------------- */

/* An allocator with the meaning of Lua's lua_Alloc: nsize 0 frees ptr (osize bytes) and returns NULL; ptr NULL
** allocates; else resizes. It returns NULL when it cannot. */
typedef void *(*moon_alloc_fn)(void *ud, void *ptr, size_t osize, size_t nsize);

/* Receives one line of text, without a newline, that a person may want to see. */
typedef void (*moon_log_fn)(void *ud, const char *message);

/* How a context is made. Zero is every field's default: moon_config c = {0}. */
typedef struct moon_config {
  moon_alloc_fn alloc; /* NULL: malloc, realloc, free. Called by the context's thread only, with alloc_ud */
  void *alloc_ud;      /* alloc's first argument */
  size_t memory_limit; /* bytes; 0: none. See moon_memory_used for what counts */
  int threads;         /* that work on a batch, the caller's included: 1 to 256; 0: one */
  uint64_t seed;       /* of the random stream */
  moon_log_fn log;     /* NULL: silent. Called by the context's thread only, with log_ud */
  void *log_ud;        /* log's first argument */
} moon_config;

/* CONSTRUCTOR, and its references: a context; config (copied) NULL takes every default. The only entry whose error has
** no text. MOON_ENOMEM, MOON_ERANGE (threads). The last release, of the context or of its last object, ends its
** workers. */
MOON_API moon_status moon_ctx_new(moon_ctx **ctx, const moon_config *config);
MOON_API moon_ctx *moon_ctx_retain(moon_ctx *ctx);
MOON_API void moon_ctx_release(moon_ctx *ctx);

/* METHOD: what went wrong in the last call that failed. Never NULL; valid until the next failure. */
MOON_API const char *moon_error(const moon_ctx *ctx);

/* METHOD: the status as a word: "ok", "out of memory", "shape", ... Static. */
MOON_API const char *moon_status_name(moon_status status);

/* METHOD: bytes that the context's objects hold now, the most they ever held, and the limit (0: none).
** A limit below what is held now only stops further allocation. Not counted: the context itself, what a tensor wraps
** or maps, shared weights (moon_net_share), BLIS's buffers, the stacks of the workers, and what is made while the
** header of a file is written. BLIS's buffers stay with the process, for all contexts: one for each thread that
** has been in a product of BLIS's at once with others, of up to 7 MB; moon_net_plan takes them. */
MOON_API size_t moon_memory_used(const moon_ctx *ctx);
MOON_API size_t moon_memory_peak(const moon_ctx *ctx);
MOON_API size_t moon_memory_limit(const moon_ctx *ctx);
MOON_API void moon_set_memory_limit(moon_ctx *ctx, size_t bytes);

/* METHOD: restart the context's random stream. Tensors filled, layers initialised and nets trained after it repeat
** bit for bit on the same machine with the same number of threads. */
MOON_API void moon_seed(moon_ctx *ctx, uint64_t seed);

/* METHOD: the next 64 bits of the context's stream: a seed for a stream of one's own. */
MOON_API uint64_t moon_random(moon_ctx *ctx);

/* METHOD: threads that work on a batch, the caller's included, for the calls to come: 1 to 256. MOON_ERANGE. They
** start with the first call that has work enough for them; one that cannot start them gives MOON_ESTATE. */
MOON_API moon_status moon_set_threads(moon_ctx *ctx, int threads);
MOON_API int moon_threads(const moon_ctx *ctx);

/* METHOD, any thread or signal handler, as long as the context lives: the running (or else the next) step, forward,
** evaluate, predict, encode, decode, errors or moon_dataset_batch returns MOON_EINTERRUPT before its next batch, once
** for however many requests. moon_clear_interrupt forgets a request that nothing has answered. */
MOON_API void moon_interrupt(moon_ctx *ctx);
MOON_API void moon_clear_interrupt(moon_ctx *ctx);

/* What runs here; the texts are static. */
typedef struct moon_build {
  const char *version;     /* of Moonglass */
  const char *blis;        /* version of BLIS */
  const char *blis_config; /* its kernels, e.g. "haswell", "skx"; "generic" is slow; "unknown": it cannot be asked */
  const char *simd;        /* of our own kernels: "avx512", "avx2", "base" */
} moon_build;

/* METHOD: what runs here. The texts are static.
** No variable of the environment changes what is computed. But a BLIS that is a shared library ends the process over a
** BLIS_ARCH_TYPE that it does not know: so, while that is set, blis_config is "unknown", and calls that need a product
** of it give MOON_ESTATE. Linked in (libblis.a), BLIS sees no environment. */
MOON_API void moon_build_info(const moon_ctx *ctx, moon_build *info);

/* The library's MOON_VERSION, which may be newer than the header's. Static. */
MOON_API const char *moon_version(void);

/* ---- Tensors --------------------------------------------------------------------------------------------------
** A tensor is a view (element type, shape, offset) on counted storage; always contiguous, row-major. The result of a
** function is a tensor that the caller has made, of the shape that is said here. */

/* The most dimensions that a tensor has. */
#define MOON_MAX_RANK 4

/* Element types. */
typedef enum moon_dtype {
  MOON_FLOAT32 = 0, /* float */
  MOON_UINT8 = 1    /* uint8_t: stored images and labels */
} moon_dtype;

/* CONSTRUCTOR: a tensor of zeros. rank 0 to MOON_MAX_RANK (rank 0: one element); a dimension may be 0.
** MOON_ESHAPE (rank, or more elements than memory can address), MOON_ENOMEM. */
MOON_API moon_status moon_tensor_new(moon_ctx *ctx, moon_tensor **out, moon_dtype dtype, int rank, const size_t *shape);

/* CONSTRUCTOR: a tensor on the caller's own buffer, which is not copied. release (may be NULL) is called with ud when
** the last view is gone, by the context's thread. On failure it is not called: data is still the caller's.
** MOON_ERANGE (data is NULL, or not aligned for its type), MOON_ESHAPE, MOON_ETYPE, MOON_ENOMEM. */
MOON_API moon_status moon_tensor_wrap(moon_ctx *ctx, moon_tensor **out, moon_dtype dtype, int rank, const size_t *shape,
                                      void *data, void (*release)(void *ud), void *ud);

/* CONSTRUCTOR: a view of t's elements from `first` on (counted in elements), of another shape. Shares storage.
** MOON_ESHAPE if it reaches past t's end, MOON_ENOMEM. Rows i..j-1 of [n x d] are (i * d, {j - i, d}); a reshape is
** (0, shape). */
MOON_API moon_status moon_tensor_view(moon_tensor **out, moon_tensor *t, size_t first, int rank, const size_t *shape);

/* METHOD: one reference more, one less. The storage goes with its last view. */
MOON_API moon_tensor *moon_tensor_retain(moon_tensor *t);
MOON_API void moon_tensor_release(moon_tensor *t);

/* METHOD: what the tensor is. numel: its elements; bytes: what they take. */
MOON_API moon_ctx *moon_tensor_ctx(const moon_tensor *t);
MOON_API moon_dtype moon_tensor_dtype(const moon_tensor *t);
MOON_API int moon_tensor_rank(const moon_tensor *t);
MOON_API const size_t *moon_tensor_shape(const moon_tensor *t); /* rank entries, valid as long as t */
MOON_API size_t moon_tensor_numel(const moon_tensor *t);
MOON_API size_t moon_tensor_bytes(const moon_tensor *t);
MOON_API bool moon_tensor_same_shape(const moon_tensor *a, const moon_tensor *b);

/* METHOD: is t a parameter, or a view of one, that other contexts read too (moon_net_share)? Then it is not to be
** written to: as the result of a call it is MOON_ESTATE. */
MOON_API bool moon_tensor_frozen(const moon_tensor *t);

/* METHOD: the elements themselves, valid as long as t. _float and _byte give NULL for the other element type. */
MOON_API void *moon_tensor_data(const moon_tensor *t);
MOON_API float *moon_tensor_float(const moon_tensor *t);
MOON_API uint8_t *moon_tensor_byte(const moon_tensor *t);

/* METHOD: one element by its flat index, which the caller has checked. Writing a byte rounds and clamps to 0..255. */
MOON_API double moon_tensor_get(const moon_tensor *t, size_t index);
MOON_API void moon_tensor_set(moon_tensor *t, size_t index, double value);

/* METHOD: every element = value; bytes as by moon_tensor_set. */
MOON_API void moon_tensor_fill(moon_tensor *t, double value);

/* METHOD: dst = src, converting the element type by value (bytes stay 0..255; floats round and clamp).
** MOON_ESHAPE unless the shapes are equal. The two may overlap. */
MOON_API moon_status moon_tensor_copy(moon_tensor *dst, const moon_tensor *src);

/* METHOD: fill with draws from the context's stream: uniform in [a, b), or normal with mean a and deviation b.
** MOON_ETYPE unless float32. */
MOON_API moon_status moon_tensor_uniform(moon_tensor *t, double a, double b);
MOON_API moon_status moon_tensor_normal(moon_tensor *t, double mean, double deviation);

/* METHOD: a random order of first, first + 1, ... MOON_ETYPE unless float32, MOON_ESHAPE unless rank 1 and at most
** 2^24 elements (float32 counts no further). */
MOON_API moon_status moon_tensor_permutation(moon_tensor *t, double first);

/* Element-wise functions by name: out = f(a). out has a's shape, is float32, and may be a itself.
**   neg exp log sqrt abs sign square floor, clamp (to [p, q]), pow (exponent p), and every activation.
** MOON_ERANGE for an unknown name, MOON_ESHAPE, MOON_ETYPE. */
MOON_API moon_status moon_tensor_unary(moon_tensor *out, const char *name, const moon_tensor *a, double p, double q);

/* Element-wise out = a (op) b by name: add sub mul div eq ne lt le gt ge max min, the comparisons giving 1 or 0.
** One operand may have one element, or be a row [c] (or [1 x c]) against the other's [... x c]; out has the larger
** operand's shape, is float32, and may be an operand of that shape. Byte operands count by value.
** alpha scales b first (add: out = a + alpha b). MOON_ERANGE, MOON_ESHAPE, MOON_ETYPE. */
MOON_API moon_status moon_tensor_binary(moon_tensor *out, const char *name, const moon_tensor *a, const moon_tensor *b,
                                        double alpha);

/* Reductions by name: sum mean min max var std norm argmax (var over n, as numpy's; argmax counts from 0, the first
** of equals). All elements into *value; sums, and squares, are kept in double, those of var and std of what is left of
** the elements without their mean. MOON_ESHAPE when there are none (but sum and norm),
** MOON_ERANGE for an unknown name. */
MOON_API moon_status moon_tensor_reduce(double *value, const char *name, const moon_tensor *a);

/* The same along one dimension, counted from 0: out is float32 and has a's shape without dimension dim.
** MOON_ERANGE (dim, an unknown name, or argmax of more than 2^24 elements: float32 counts no further), MOON_ESHAPE,
** MOON_ETYPE. */
MOON_API moon_status moon_tensor_reduce_dim(moon_tensor *out, const char *name, const moon_tensor *a, int dim);

/* The k largest along one dimension, or the k smallest, the best first; equals come by their index, and NaN counts as
** larger than any number. values and index, which counts from 0, are float32 and have a's shape, but k for dim.
** MOON_ERANGE (dim, k, or more than 2^24 elements along dim: float32 counts no further), MOON_ESHAPE, MOON_ETYPE. */
MOON_API moon_status moon_tensor_topk(moon_tensor *values, moon_tensor *index, const moon_tensor *a, size_t k, int dim,
                                      bool largest);

/* For each row of q [m x width] the k nearest rows of x [n x width], the nearest first, by Euclidean distance; equally
** near ones by their number. Both float32 or bytes, which count as value/255. index, which counts from 0, and distance
** are float32 [m x k]. The distances that decide are of the elements as they are, added up in double, so that the
** neighbours are the true ones wherever the data lie; between bytes they are exact. MOON_ERANGE (k, NaN or infinity, or
** more than 2^24 rows of x: float32 counts no further), MOON_ESHAPE, MOON_ETYPE, MOON_ENOMEM. */
MOON_API moon_status moon_tensor_neighbours(moon_tensor *index, moon_tensor *distance, const moon_tensor *x,
                                            const moon_tensor *q, size_t k);

/* out [m x n] = alpha op(a) op(b) + beta out, op(a) being a [m x k] or, with ta, a [k x m] transposed; float32.
** out must not overlap a or b. MOON_ESHAPE, MOON_ETYPE, MOON_ENOMEM. */
MOON_API moon_status moon_tensor_matmul(moon_tensor *out, const moon_tensor *a, bool ta, const moon_tensor *b, bool tb,
                                        double alpha, double beta);

/* out [n x m] = a [m x n] transposed, of a's element type, and not overlapping it. MOON_ESHAPE, MOON_ETYPE. */
MOON_API moon_status moon_tensor_transpose(moon_tensor *out, const moon_tensor *a);

/* The eigenvalues of a symmetric matrix a [n x n] into values [n], ascending, and its eigenvectors into vectors
** [n x n]: each row v a unit vector with a v = value v. Only the triangle on and below a's diagonal is looked at;
** vectors may be a itself. Computed in double, and rounded at the end: an eigenvalue is off by no more than its own
** last place and 1e-13 of the largest. The work grows with n^3; meanwhile it holds 16 n^2 bytes and 1.2 KB times n.
** MOON_ESHAPE (not square, or more than 32766 rows), MOON_ETYPE, MOON_ERANGE (NaN or infinity), MOON_ENOMEM. */
MOON_API moon_status moon_tensor_eigh(moon_tensor *values, moon_tensor *vectors, const moon_tensor *a);

/* out [count x ...] = the rows index[0..count-1] of a [n x ...]; same element type. MOON_ERANGE for a row past the end,
** MOON_ESHAPE, MOON_ETYPE. */
MOON_API moon_status moon_tensor_gather(moon_tensor *out, const moon_tensor *a, const size_t *index, size_t count);

/* out = the count parts one after the other along dim (from 0); all of one element type. MOON_ESHAPE, MOON_ETYPE,
** MOON_ERANGE (dim). */
MOON_API moon_status moon_tensor_cat(moon_tensor *out, const moon_tensor *const *parts, size_t count, int dim);

/* Is every |a - b| <= atol + rtol |b|, the shapes being equal? NaN is close to nothing. */
MOON_API bool moon_tensor_allclose(const moon_tensor *a, const moon_tensor *b, double rtol, double atol);

/* ---- What is registered, and its options -----------------------------------------------------------------------
** Layers, losses, optimisers, activations and initialisers are found by name. Their options are named values. */

/* What a name is looked for among. */
typedef enum moon_family {
  MOON_LAYERS,      /* moon_layer_new */
  MOON_LOSSES,      /* moon_loss_new */
  MOON_OPTIMS,      /* moon_optim_new */
  MOON_ACTIVATIONS, /* the dense layer's option activation; moon_tensor_unary */
  MOON_INITS        /* the dense layer's option init */
} moon_family;

/* What a value is, and the fields of moon_option that it is in. */
typedef enum moon_option_kind {
  MOON_NUMBER, /* number */
  MOON_COUNT,  /* number, a whole one */
  MOON_FLAG,   /* number, 0 or 1 */
  MOON_TEXT,   /* text */
  MOON_RANGE,  /* number and upper: two numbers */
  MOON_LAYER   /* layer */
} moon_option_kind;

/* A value: of the fields those count that its kind names; the others are not looked at. Given to a constructor, any of
** the three number kinds will do for another (else a value of the wrong kind is MOON_ETYPE); texts are copied, layers
** retained. */
typedef struct moon_option {
  const char *name;      /* as moon_option_describe gives it */
  moon_option_kind kind; /* of the value */
  double number;         /* of MOON_NUMBER, MOON_COUNT, MOON_FLAG; the lower one of MOON_RANGE */
  double upper;          /* of MOON_RANGE */
  const char *text;      /* of MOON_TEXT */
  moon_layer *layer;     /* of MOON_LAYER */
} moon_option;

/* What is known of an option. Texts are static. */
typedef struct moon_option_info {
  const char *name;      /* as it is given */
  moon_option_kind kind; /* what it wants */
  bool positional;       /* may be given by place, in the order of the list */
  bool required;         /* has no default */
  double number;         /* the default (NaN: none) */
  double upper;          /* of MOON_RANGE */
  const char *text;      /* the default of a text, or NULL */
  const char *help;      /* one line */
} moon_option_info;

/* The i-th registered name of a family, or NULL past the last. Static text. The activations and the initialisers:
** made by make reference: kinds ActivationName
**   linear, relu, sigmoid, tanh, softplus, elu, leaky_relu, selu, gelu, silu, softmax
** end
** made by make reference: kinds InitName
**   glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_normal, uniform, normal, zeros
** end */
MOON_API const char *moon_registered(const moon_ctx *ctx, moon_family family, size_t i);

/* For messages that ask "did you mean": how many letters of `name` are to be changed, put in, left out or swapped with
** their neighbour to make `known` of it, upper and lower case being the same; 0, too, if other libraries have `name`
** for it ("learning_rate" for "lr"). SIZE_MAX if more than a third are, which is not near, unless `known` begins with
** `name`. */
MOON_API size_t moon_name_distance(const char *name, const char *known);

/* The i-th option of layer, loss or optimiser `name`; false past the last or for an unknown name. Static texts. */
MOON_API bool moon_option_describe(const moon_ctx *ctx, moon_family family, const char *name, size_t i,
                                   moon_option_info *info);

/* Which values an option takes. Fields are only ever added, at the end. */
typedef struct moon_option_values {
  size_t size;                /* sizeof(moon_option_values), set by the caller: moon_option_values v = {sizeof v} */
  double low;                 /* lower bound of a MOON_NUMBER or MOON_COUNT; infinite: no bound */
  double high;                /* upper bound, in the same way */
  bool open_low;              /* low itself is not allowed */
  bool open_high;             /* high itself is not allowed */
  bool settable;              /* may change after construction: moon_optim_set */
  const char *const *choices; /* the allowed texts, NULL at the end; NULL: `family` tells, or any text is allowed */
  int family;                 /* a moon_family, whose registered names are the allowed texts; -1: none */
} moon_option_values;

/* The values that the i-th option of layer, loss or optimiser `name` takes; false past the last or for an unknown name.
** Static texts. */
MOON_API bool moon_option_allows(const moon_ctx *ctx, moon_family family, const char *name, size_t i,
                                 moon_option_values *values);

/* ---- Layers --------------------------------------------------------------------------------------------------- */

/* CONSTRUCTOR: a layer by its registered kind. The kinds and their options:
** made by make reference: kinds LayerName
**   dense             in, out, activation, bias, init, name, activity_l1, activity_reduction, kl_weight, kl_target,
**                     contractive, weight_l2, tied
**   activation        activation
**   dropout           p
**   gaussian_noise    sigma, clip
**   masking_noise     p
**   salt_pepper_noise p
**   k_sparse          k, alpha
** end
** Parameters are initialised from the context's stream. MOON_ERANGE names an unknown kind, option or value and lists
** the known ones; MOON_ENOMEM. */
MOON_API moon_status moon_layer_new(moon_ctx *ctx, moon_layer **out, const char *kind, const moon_option *options,
                                    size_t count);
MOON_API moon_layer *moon_layer_retain(moon_layer *layer);
MOON_API void moon_layer_release(moon_layer *layer);

/* METHOD: its context; its registered kind, a static text. */
MOON_API moon_ctx *moon_layer_ctx(const moon_layer *layer);
MOON_API const char *moon_layer_kind(const moon_layer *layer);

/* METHOD: the width that the layer gives for rows of width in; MOON_ESHAPE if it does not take that width. */
MOON_API moon_status moon_layer_width(const moon_layer *layer, size_t *out, size_t in);

/* METHOD: an option's present value (texts valid as long as the layer). MOON_ERANGE for an unknown name. */
MOON_API moon_status moon_layer_get(const moon_layer *layer, const char *name, moon_option *value);

/* One of a layer's parameters, as moon_layer_parameter shows it. */
typedef struct moon_parameter {
  const char *name;   /* "weight", "bias" */
  moon_tensor *value; /* dense: weight [in x out], bias [out]. Not retained; lives as long as the layer. */
  moon_tensor *grad;  /* of the same shape: the gradient of the last backward */
  bool shared;        /* belongs to another layer (tied weights): seen, and updated once only, with its owner */
} moon_parameter;

/* METHOD: the layer's i-th parameter; false past the last. */
MOON_API bool moon_layer_parameter(const moon_layer *layer, size_t i, moon_parameter *parameter);

/* ---- Losses --------------------------------------------------------------------------------------------------- */

/* CONSTRUCTOR: a loss by its registered kind, or by one of Keras's longer names. The kinds and their options:
** made by make reference: kinds LossName
**   mse               reduction
**   mae               reduction
**   bce               reduction, from_logits
**   cross_entropy     from_logits
**   huber             reduction, delta
**   mean_squared_error, mean_absolute_error, binary_crossentropy, categorical_crossentropy,
**   sparse_categorical_crossentropy
** end
** MOON_ERANGE names an unknown kind, option or value; MOON_ENOMEM. */
MOON_API moon_status moon_loss_new(moon_ctx *ctx, moon_loss **out, const char *kind, const moon_option *options,
                                   size_t count);
MOON_API moon_loss *moon_loss_retain(moon_loss *loss);
MOON_API void moon_loss_release(moon_loss *loss);

/* METHOD: its context; its registered kind, a static text; an option's value (texts valid as long as the loss),
** MOON_ERANGE for an unknown name. */
MOON_API moon_ctx *moon_loss_ctx(const moon_loss *loss);
MOON_API const char *moon_loss_kind(const moon_loss *loss);
MOON_API moon_status moon_loss_get(const moon_loss *loss, const char *name, moon_option *value);

/* METHOD: *value (may be NULL) = loss(prediction [n x k] float32, target), and its gradient on the prediction into
** grad [n x k] float32 unless NULL.
** target is [n x k], float32 or bytes. Bytes count as value/255, but for cross_entropy as they are. cross_entropy also
** takes class numbers [n] or [n x 1], from 0.
** MOON_ESHAPE, MOON_ETYPE, MOON_ERANGE (a class that does not exist), MOON_ENOMEM (targets that are bytes or classes
** need scratch). */
MOON_API moon_status moon_loss_apply(const moon_loss *loss, double *value, moon_tensor *grad,
                                     const moon_tensor *prediction, const moon_tensor *target);

/* ---- Optimisers ----------------------------------------------------------------------------------------------- */

/* CONSTRUCTOR: an optimiser by its registered kind. The kinds and their options:
** made by make reference: kinds OptimizerName
**   adam              lr, beta1, beta2, eps, weight_decay
**   sgd               lr, momentum, nesterov, weight_decay
**   rmsprop           lr, rho, momentum, eps, centered, weight_decay
**   adagrad           lr, initial_accumulator, eps, weight_decay
** end
** MOON_ERANGE names an unknown kind, option or value; MOON_ENOMEM. */
MOON_API moon_status moon_optim_new(moon_ctx *ctx, moon_optim **out, const char *kind, const moon_option *options,
                                    size_t count);
MOON_API moon_optim *moon_optim_retain(moon_optim *opt);
MOON_API void moon_optim_release(moon_optim *opt);

/* METHOD: its context; its registered kind, a static text; an option's value, and a new value (lr and weight_decay
** among others may change between steps). MOON_ERANGE names an unknown option, or one that is fixed, or a value. */
MOON_API moon_ctx *moon_optim_ctx(const moon_optim *opt);
MOON_API const char *moon_optim_kind(const moon_optim *opt);
MOON_API moon_status moon_optim_get(const moon_optim *opt, const char *name, moon_option *value);
MOON_API moon_status moon_optim_set(moon_optim *opt, const moon_option *value);

/* METHOD: one update of count segments; value[i] and grad[i] are float32 of the same shape. The moments of a segment
** belong to the storage of its value: the first step with it makes them. MOON_ESHAPE, MOON_ETYPE, MOON_ENOMEM. */
MOON_API moon_status moon_optim_step(moon_optim *opt, moon_tensor *const *value, moon_tensor *const *grad,
                                     size_t count);

/* METHOD: how many updates were made; settable, for a resume. */
MOON_API uint64_t moon_optim_steps(const moon_optim *opt);
MOON_API void moon_optim_set_steps(moon_optim *opt, uint64_t steps);

/* METHOD: the slot-th moment ("m", "v", ...) kept for value, made if there is none yet: name is static, the tensor is
** not retained and has value's shape. MOON_ERANGE past the last slot, MOON_ETYPE, MOON_ENOMEM. */
MOON_API moon_status moon_optim_moment(moon_optim *opt, moon_tensor *value, size_t slot, const char **name,
                                       moon_tensor **moment);

/* ---- Nets ------------------------------------------------------------------------------------------------------ */

/* CONSTRUCTOR: a stack of layers, which it retains. A layer may stand in several nets, or twice in one.
** MOON_ESHAPE, naming the layer, if the widths do not fit; MOON_ERANGE for no layers; MOON_ETYPE for a layer of another
** context; MOON_ENOMEM. */
MOON_API moon_status moon_net_new(moon_ctx *ctx, moon_net **out, moon_layer *const *layers, size_t count);

/* CONSTRUCTOR: layers first..first+count-1 as a net of their own, of the same context, sharing the parameters, which
** may be trained through either. Its buffers are its own. MOON_ERANGE, MOON_ENOMEM. */
MOON_API moon_status moon_net_slice(const moon_net *net, moon_net **out, size_t first, size_t count);

/* CONSTRUCTOR: a copy of the net, of the same context, with layers, weights and gradients of its own: nothing that is
** done to one of them changes the other. Layers that stand in several places, and tied weights, do so in the copy,
** which has the noise that net would have next. A copy of a share can be trained. MOON_ENOMEM. */
MOON_API moon_status moon_net_clone(const moon_net *net, moon_net **out);
MOON_API moon_net *moon_net_retain(moon_net *net);
MOON_API void moon_net_release(moon_net *net);

/* METHOD: its context; how many layers it has; the i-th of them, NULL past the last. */
MOON_API moon_ctx *moon_net_ctx(const moon_net *net);
MOON_API size_t moon_net_count(const moon_net *net);
MOON_API moon_layer *moon_net_layer(const moon_net *net, size_t i);

/* CONSTRUCTOR: a net of context ctx with net's layers and present weights, for predicting in another thread at the
** same time. The weights are copied once, by malloc, outside the memory that contexts count: all nets shared from this
** one, and from those, read that copy as long as net's weights stay as they are; a share made after they have changed
** gets a new copy. So net may be trained, or released, while others predict. Buffers are each share's own.
** A share cannot be trained: step, backward, plan with an optimiser, and whatever else would write into its parameters
** and gives a status, are MOON_ESTATE; moon_tensor_set and _fill do nothing; whoever writes through moon_tensor_data
** writes under the others' eyes. Its parameters' gradients are zeros, and as little to be written to. Save, slice,
** encode, evaluate and forward, with training too, work as ever.
** Threads: an ordinary net and ctx must both be this thread's for the call. A share may serve as net in any thread,
** several at once, while its own thread predicts; nobody may release or seed it meanwhile. Each share is released by
** the thread that its context belongs to, in any order; the last one, wherever it is, frees the copy.
** MOON_ENOMEM, whose text is ctx's. */
MOON_API moon_status moon_net_share(const moon_net *net, moon_ctx *ctx, moon_net **out);

/* METHOD: widths of the input and the output; 0 where any width does (a net without dense layers). */
MOON_API size_t moon_net_inputs(const moon_net *net);
MOON_API size_t moon_net_outputs(const moon_net *net);

/* METHOD: how many of the layers make the encoder of an autoencoder (0: not one). Saved with the net. MOON_ERANGE. */
MOON_API size_t moon_net_encoder(const moon_net *net);
MOON_API moon_status moon_net_set_encoder(moon_net *net, size_t layers);

/* METHOD: width of an autoencoder's code, the encoder's output; 0 if the net is none, or takes any width. */
MOON_API size_t moon_net_code(const moon_net *net);

/* METHOD: restart the streams of the noise layers: the same seed and the same steps draw the same noise. */
MOON_API void moon_net_seed(moon_net *net, uint64_t seed);

/* METHOD: take, now, all the memory that batches of `rows` rows of width in (0: the net's own) will need, BLIS's
** buffers and the optimiser's moments included, so that no later call at this size can run out of it. loss and opt
** may be NULL. The other methods plan by themselves; this one is for those who want to know beforehand.
** MOON_ENOMEM, MOON_ESHAPE; MOON_ESTATE if workers cannot be started. So it is with all that runs a batch. */
MOON_API moon_status moon_net_plan(moon_net *net, size_t rows, size_t in, const moon_loss *loss, moon_optim *opt);

/* METHOD: y [n x out] = net(x [n x in]). training turns noise and dropout on. x may hold bytes, which count as
** value/255; y is float32. What backward needs is kept in the net until its next call. MOON_ESHAPE, MOON_ENOMEM,
** MOON_EINTERRUPT. */
MOON_API moon_status moon_net_forward(moon_net *net, moon_tensor *y, const moon_tensor *x, bool training);

/* METHOD: from dy [n x out], the gradient on the last forward's output, write every parameter's gradient (penalties
** added) and, unless dx is NULL, dx [n x in]; all float32. MOON_ESTATE without a forward before it, MOON_ESHAPE,
** MOON_ENOMEM. */
MOON_API moon_status moon_net_backward(moon_net *net, moon_tensor *dx, const moon_tensor *dy);

/* METHOD: the penalties (activity, weights) of the last forward. */
MOON_API double moon_net_penalty(const moon_net *net);

/* METHOD: y [n x out] float32 = net(x [n x in], float32 or bytes) in inference mode, batch rows at a time (0: a good
** number of its own). The rows of x and y are used where they are, without a copy (bytes are widened batch by batch):
** so wrapped buffers of the host (moon_tensor_wrap) go in and out as they are. Allocates nothing once planned.
** MOON_ESHAPE, MOON_ENOMEM; MOON_EINTERRUPT leaves y partly written. */
MOON_API moon_status moon_net_predict(moon_net *net, moon_tensor *y, const moon_tensor *x, size_t batch);

/* METHOD: the same with the two halves of an autoencoder: code [n x c] = encoder(x [n x in]), y [n x out] =
** decoder(code [n x c]), c being moon_net_code(net). Each half has buffers of its own from its first call on.
** MOON_ESTATE without an encoder (moon_net_set_encoder), and what predict gives. */
MOON_API moon_status moon_net_encode(moon_net *net, moon_tensor *code, const moon_tensor *x, size_t batch);
MOON_API moon_status moon_net_decode(moon_net *net, moon_tensor *y, const moon_tensor *code, size_t batch);

/* METHOD: one training step on a batch; *objective (loss and penalties, before the update) may be NULL.
** x [n x in] and y (NULL: the target is x) [n x out] may hold bytes, which count as value/255; but in y, for
** cross_entropy, as they are. y may be class numbers [n] for cross_entropy. Allocates nothing once planned. On any
** failure no weight has changed; nor has one, or a moment or the count of steps, when the objective is not a finite
** number, which is MOON_OK. MOON_ESHAPE, MOON_ERANGE (a class that does not exist), MOON_ENOMEM, MOON_EINTERRUPT;
** MOON_ESTATE for a share (moon_net_share). */
MOON_API moon_status moon_net_step(moon_net *net, double *objective, const moon_tensor *x, const moon_tensor *y,
                                   const moon_loss *loss, moon_optim *opt);

/* METHOD: the same on rows first..first+count-1 of the dataset's present order. MOON_ERANGE past its end, or for no
** rows, and what step gives. */
MOON_API moon_status moon_net_step_rows(moon_net *net, double *objective, const moon_dataset *data, size_t first,
                                        size_t count, const moon_loss *loss, moon_optim *opt);

/* METHOD: *objective over all rows of data, penalties included, in batches (0: 32): the mean of the batches weighted
** by their rows. MOON_ESHAPE, MOON_ERANGE, MOON_ENOMEM; MOON_EINTERRUPT, with nothing written. */
MOON_API moon_status moon_net_evaluate(moon_net *net, double *objective, const moon_dataset *data,
                                       const moon_loss *loss, size_t batch);

/* METHOD: errors [n] float32 = mean over the features of (net(x) - x)^2, row by row, in inference mode; x and batch as
** in predict. MOON_ESHAPE unless the net gives back the width that it takes; MOON_ENOMEM; MOON_EINTERRUPT leaves errors
** partly written. */
MOON_API moon_status moon_net_errors(moon_net *net, moon_tensor *errors, const moon_tensor *x, size_t batch);

/* ---- Data ------------------------------------------------------------------------------------------------------ */

/* CONSTRUCTOR: rows x [n x in] with targets y (NULL: x itself): [n x k], or class numbers [n]. Both are retained, not
** copied; bytes count as value/255 when a batch is gathered. MOON_ESHAPE, naming both, unless the rows agree and
** there is at least one. */
MOON_API moon_status moon_dataset_new(moon_ctx *ctx, moon_dataset **out, moon_tensor *x, moon_tensor *y);
MOON_API moon_dataset *moon_dataset_retain(moon_dataset *data);
MOON_API void moon_dataset_release(moon_dataset *data);

/* METHOD: how many rows it has. */
MOON_API size_t moon_dataset_rows(const moon_dataset *data);

/* METHOD: a new order of the rows, which depends on seed and epoch alone; and back to the order of the tensors. */
MOON_API void moon_dataset_shuffle(moon_dataset *data, uint64_t seed, uint64_t epoch);
MOON_API void moon_dataset_unshuffle(moon_dataset *data);

/* METHOD: copy rows first..first+count-1 of the present order: x [count x in] float32; y [count x k] float32, or
** class numbers [count] of their own element type. Bytes become value/255; but where all of y's are 0 or 1, as one-hot
** rows are, they stay that. An x or y of bytes gets them as they are, for moon_loss_apply to read. y may be NULL.
** MOON_ESHAPE, MOON_ERANGE, MOON_EINTERRUPT; MOON_ESTATE for parameters of a share as x or y. */
MOON_API moon_status moon_dataset_batch(const moon_dataset *data, moon_tensor *x, moon_tensor *y, size_t first,
                                        size_t count);

/* CONSTRUCTOR: an IDX file, plain or gzipped. Bytes stay bytes; other element types become float32.
** A plain file of bytes, of 1 MB or more, is mapped, not copied: it may be larger than memory, and does not count as
** memory held. Writing to the tensor changes this process's pages, never the file, which may be deleted or replaced by
** another of its name. Whoever writes into it changes the tensor; whoever cuts it short makes the process get a SIGBUS
** when it touches what is gone: copy what is not safe from that. Training on a file of 256 MB or more leaves the rows
** out of the resident set (Linux). MOON_EIO, MOON_EFORMAT, MOON_ENOMEM. */
MOON_API moon_status moon_idx_load(moon_ctx *ctx, moon_tensor **out, const char *path);

/* CONSTRUCTOR: a PNG as bytes [h x w] (grey) or [h x w x c] (c 2: grey and alpha, 3: RGB, 4: RGBA); palettes and
** 16-bit channels become 8-bit ones. MOON_EIO, MOON_EFORMAT, MOON_ENOMEM. */
MOON_API moon_status moon_png_read(moon_ctx *ctx, moon_tensor **out, const char *path);
MOON_API moon_status moon_png_decode(moon_ctx *ctx, moon_tensor **out, const void *bytes, size_t size);

/* Write [h x w] or [h x w x 1..4] as a PNG: bytes as they are, float32 as value x 255, rounded and clamped. The file
** appears whole or not at all. encode: CONSTRUCTOR of a byte tensor [size]. MOON_ESHAPE, MOON_EIO, MOON_ENOMEM. */
MOON_API moon_status moon_png_write(const moon_tensor *image, const char *path);
MOON_API moon_status moon_png_encode(const moon_tensor *image, moon_tensor **bytes);

/* ---- Any file --------------------------------------------------------------------------------------------------- */

/* A part of a file's content. */
typedef struct moon_bytes {
  const void *data; /* the caller's, NULL only if there are none */
  size_t size;      /* in bytes */
} moon_bytes;

/* FUNCTION: write a file of these parts, one after the other. The file appears whole or not at all, and outlives a
** power cut from then on: a temporary beside it (".name.xxxxxx.moonglass"), fsync, rename, fsync of the folder. On
** failure what was there stays, and the temporary is removed; that of a process that was killed is removed by the next
** write of the same path.
**   A file that is replaced hands on its permissions, and its owner and group as far as the process may give them (if
** the group cannot stay, the new file's group gets the rights of all others only); its access lists, extended
** attributes and further hard links are not kept. Until then only its owner may read the temporary. A new file follows
** the umask. A symbolic link stays: the file that it leads to is replaced, or made where it leads nowhere. Past its
** limit on the size of files (RLIMIT_FSIZE) the system ends a process that does not ignore SIGXFSZ. MOON_EIO,
** MOON_ENOMEM. */
MOON_API moon_status moon_file_write(moon_ctx *ctx, const char *path, const moon_bytes *parts, size_t count);

/* FUNCTION: before path is written anew: let path.1 be what path is, path.2 what path.1 was, up to path.<keep - 1>.
** path itself stays: path.1 is a hard link, or a copy where there can be none. Of a symbolic link the file is kept,
** beside the link. Nothing happens if path is path.1 already, or is not there. keep: 1 (nothing to do) to 10, else
** MOON_ERANGE. MOON_EIO, MOON_ENOMEM. */
MOON_API moon_status moon_file_rotate(moon_ctx *ctx, const char *path, int keep);

/* ---- Files of tensors -------------------------------------------------------------------------------------------
** An archive is a list of named tensors and of text entries, held in memory: one safetensors file. */

/* CONSTRUCTOR: an empty archive; or the content of a file. F32 and U8 are taken as they are; F16, BF16, F64, I64, I32,
** I16, I8, U16, U32, U64 and BOOL become float32. Files are treated as hostile. MOON_EIO, MOON_EFORMAT, MOON_ENOMEM. */
MOON_API moon_status moon_archive_new(moon_ctx *ctx, moon_archive **out);
MOON_API moon_status moon_archive_load(moon_ctx *ctx, moon_archive **out, const char *path);
MOON_API moon_archive *moon_archive_retain(moon_archive *archive);
MOON_API void moon_archive_release(moon_archive *archive);

/* METHOD: write it, as moon_file_write does. Each tensor has a field "crc32" in the header, by which load notices that
** a byte of it, of its description or of the texts has changed: MOON_EFORMAT. Files without it load as well, and other
** readers pass over it. MOON_EIO, MOON_ENOMEM. */
MOON_API moon_status moon_archive_save(const moon_archive *archive, const char *path);

/* METHOD: add a tensor (retained, not copied) or set a text entry (copied). MOON_ERANGE for a tensor's name that is
** there already, or a text that is not UTF-8; MOON_ENOMEM. */
MOON_API moon_status moon_archive_add(moon_archive *archive, const char *name, moon_tensor *t);
MOON_API moon_status moon_archive_set(moon_archive *archive, const char *key, const char *text);

/* METHOD: by place, false past the last; or by name, NULL if there is none. Nothing is retained. */
MOON_API bool moon_archive_tensor(const moon_archive *archive, size_t i, const char **name, moon_tensor **t);
MOON_API bool moon_archive_entry(const moon_archive *archive, size_t i, const char **key, const char **text);
MOON_API moon_tensor *moon_archive_find(const moon_archive *archive, const char *name);
MOON_API const char *moon_archive_text(const moon_archive *archive, const char *key);

/* METHOD: put a net (weights [out x in], named as torch.nn.Sequential names the same stack; the architecture as JSON
** in the text entry "moonglass") into an archive, by copy; CONSTRUCTOR: make the net of an archive. to: MOON_ERANGE (a
** tensor of that name is there, or a text is not UTF-8), MOON_ENOMEM. from: MOON_EFORMAT, MOON_ENOMEM. */
MOON_API moon_status moon_net_to_archive(const moon_net *net, moon_archive *archive);
MOON_API moon_status moon_net_from_archive(moon_ctx *ctx, moon_net **out, const moon_archive *archive);

/* METHOD, CONSTRUCTOR: the two steps in one, with the statuses of both. */
MOON_API moon_status moon_net_save(const moon_net *net, const char *path);
MOON_API moon_status moon_net_load(moon_ctx *ctx, moon_net **out, const char *path);

#ifdef __cplusplus
}
#endif
#endif
