/* moonglass.h - the public C interface of Moonglass, an engine for autoencoders.
**
** Read it in this order: context, tensors, layers, losses, optimisers, nets, sources and data, files, detectors.
** What holds for every function:
**
** - A function that can fail returns a moon_status. If it fails, it has written no output and changed no object, and
**   moon_error(ctx) says what was expected and what came.
** - Arguments come in this order: the object or context of the call, outputs, const inputs, sizes and options.
** - Objects are reference counted. What a CONSTRUCTOR returns belongs to the caller, who releases it with _release.
**   _retain adds a reference and returns its argument. _release accepts NULL, and frees with the last reference. An
**   object keeps alive whatever it needs (its context too), so objects may be released in any order.
** - What a getter returns (a text, a tensor, a context) is not retained unless it says so.
** - A context and all its objects are used by one thread at a time; the host sees to that. Different contexts share
**   nothing, except as moon_net_share says, and need no locks. Only moon_interrupt may be called by another thread.
** - All objects of a call belong to one context, unless it says otherwise. Pointers are not NULL unless it says so.
** - Outputs must not overlap inputs, unless it says so.
** - After a fork the child has everything except the workers, which it starts again when it needs them.
** - Indices count from 0. Matrices are row-major: [rows x columns]. Numbers are float32 unless it says otherwise.
** - No function prints, exits or raises a signal, and there is no writable global state.
** - The engine computes in its own floating-point mode (round to nearest, no traps) and restores the host's afterwards,
**   so results do not depend on the host's mode. Texts in files do not depend on the locale.
** - A call uses at most 64 KB of the caller's stack; predicting with weights that are not tied, at most 32 KB. */
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

/* Marks the functions that the library exports. */
#if defined(__GNUC__)
#define MOON_API __attribute__((visibility("default")))
#else
#define MOON_API
#endif

/* How a call ended. New values are only ever added at the end. */
typedef enum moon_status {
  MOON_OK = 0,    /* success */
  MOON_ENOMEM,    /* the allocator or the memory limit refused */
  MOON_ESHAPE,    /* a shape or a width does not match */
  MOON_ETYPE,     /* the wrong element type, or an object of the wrong kind */
  MOON_ERANGE,    /* a number, a name or an index that is not allowed */
  MOON_EIO,       /* the system could not read or write a file */
  MOON_EFORMAT,   /* the content of a file is invalid */
  MOON_ESTATE,    /* not possible in this state, e.g. backward before forward */
  MOON_EINTERRUPT /* moon_interrupt was called; the last complete step is kept */
} moon_status;

/* The objects; all are opaque. */
typedef struct moon_ctx moon_ctx;           /* what its objects have in common: memory, threads, error text */
typedef struct moon_tensor moon_tensor;     /* numbers in a shape */
typedef struct moon_layer moon_layer;       /* a function of rows, with parameters or without */
typedef struct moon_loss moon_loss;         /* how far a prediction is from its target */
typedef struct moon_optim moon_optim;       /* changes parameters by their gradients */
typedef struct moon_net moon_net;           /* a stack of layers */
typedef struct moon_dataset moon_dataset;   /* rows to train on, in some order */
typedef struct moon_scaler moon_scaler;     /* an offset and a scale for each column */
typedef struct moon_detector moon_detector; /* nets that tell unusual rows, and what belongs to their data */
typedef struct moon_source moon_source;     /* rows that are gathered or read when a batch needs them */
typedef struct moon_archive moon_archive;   /* named tensors and texts: the content of a file */
typedef struct moon_csv moon_csv;           /* rows of numbers in a text file, read one after the other */

/* ---- Context -------------------------------------------------------------------------------------------------- */

/* An allocator, as Lua's lua_Alloc: nsize 0 frees ptr (osize bytes) and returns NULL; ptr NULL allocates nsize bytes;
** otherwise it resizes. It returns NULL if there is no memory. */
typedef void *(*moon_alloc_fn)(void *ud, void *ptr, size_t osize, size_t nsize);

/* Receives one line of text for a person to read, without a newline. */
typedef void (*moon_log_fn)(void *ud, const char *message);

/* How a context is made. Zero is the default of every field: moon_config c = {0}. */
typedef struct moon_config {
  moon_alloc_fn alloc; /* NULL: malloc, realloc, free. Only the context's thread calls it, with alloc_ud */
  void *alloc_ud;      /* alloc's first argument */
  size_t memory_limit; /* in bytes; 0: none. moon_memory_used says what counts */
  int threads;         /* that work on a batch, including the caller's: 1 to 256; 0: one */
  uint64_t seed;       /* of the random stream */
  moon_log_fn log;     /* NULL: silent. Only the context's thread calls it, with log_ud */
  void *log_ud;        /* log's first argument */
} moon_config;

/* CONSTRUCTOR: a context, and its references. config is copied; NULL: all defaults. This is the only function whose
** error has no text. The last release, of the context or of its last object, ends its workers.
** Fails with MOON_ENOMEM, MOON_ERANGE (threads). */
MOON_API moon_status moon_ctx_new(moon_ctx **ctx, const moon_config *config);
MOON_API moon_ctx *moon_ctx_retain(moon_ctx *ctx);
MOON_API void moon_ctx_release(moon_ctx *ctx);

/* METHOD: the message of the last call that failed. Never NULL; valid until the next failure. */
MOON_API const char *moon_error(const moon_ctx *ctx);

/* METHOD: the name of a status: "ok", "out of memory", "shape", ... A static text. */
MOON_API const char *moon_status_name(moon_status status);

/* METHOD: bytes that the context's objects hold now, the most they ever held, and the limit (0: none). A limit below
** what is held only stops further allocation.
** Not counted: the context itself, data that a tensor wraps or maps, shared weights (moon_net_share), BLIS's buffers,
** the workers' stacks, and what is used while the header of a file is written. BLIS's buffers stay with the process and
** serve all contexts: up to 7 MB for each thread that was in a product of BLIS's while others were; moon_net_plan
** allocates them. */
MOON_API size_t moon_memory_used(const moon_ctx *ctx);
MOON_API size_t moon_memory_peak(const moon_ctx *ctx);
MOON_API size_t moon_memory_limit(const moon_ctx *ctx);
MOON_API void moon_set_memory_limit(moon_ctx *ctx, size_t bytes);

/* METHOD: restart the context's random stream. What follows (filled tensors, initialised layers, trained nets) is
** repeated bit for bit, on the same machine with the same number of threads. */
MOON_API void moon_seed(moon_ctx *ctx, uint64_t seed);

/* METHOD: the next 64 bits of the context's random stream, e.g. to seed another stream. */
MOON_API uint64_t moon_random(moon_ctx *ctx);

/* METHOD: the number of threads that work on a batch, including the caller's, from the next call on: 1 to 256. The
** first call that has enough work starts them; if it cannot, it fails with MOON_ESTATE. Fails with MOON_ERANGE. */
MOON_API moon_status moon_set_threads(moon_ctx *ctx, int threads);
MOON_API int moon_threads(const moon_ctx *ctx);

/* METHOD, which any thread or signal handler may call while the context exists: make the running call, or the next one,
** return MOON_EINTERRUPT before its next batch: step, forward, evaluate, predict, encode, decode, errors or
** moon_dataset_batch. Several requests interrupt one call. moon_clear_interrupt drops a pending request. */
MOON_API void moon_interrupt(moon_ctx *ctx);
MOON_API void moon_clear_interrupt(moon_ctx *ctx);

/* Which code runs on this machine; the texts are static. */
typedef struct moon_build {
  const char *version;     /* of Moonglass */
  const char *blis;        /* version of BLIS */
  const char *blis_config; /* its kernels, e.g. "haswell", "skx"; "generic": slow; "unknown": see below */
  const char *simd;        /* of our own kernels: "avx512", "avx2", "base" */
} moon_build;

/* METHOD: which code runs on this machine.
** No environment variable changes results. But a BLIS that is a shared library ends the process if BLIS_ARCH_TYPE has a
** value that it does not know. So while that variable is set, blis_config is "unknown", and calls that need a product
** of BLIS's fail with MOON_ESTATE. A BLIS that is linked in (libblis.a) reads no environment. */
MOON_API void moon_build_info(const moon_ctx *ctx, moon_build *info);

/* The MOON_VERSION of the library, which may be newer than the header. A static text. */
MOON_API const char *moon_version(void);

/* ---- Tensors --------------------------------------------------------------------------------------------------
** A tensor is a view (element type, shape, offset) of reference-counted storage, always contiguous and row-major. The
** caller makes the tensors for results, with the shapes given here. */

/* The largest number of dimensions. */
#define MOON_MAX_RANK 4

/* Element types. */
typedef enum moon_dtype {
  MOON_FLOAT32 = 0, /* float */
  MOON_UINT8 = 1    /* uint8_t: stored images and labels */
} moon_dtype;

/* CONSTRUCTOR: a tensor of zeros. rank is 0 (one element) to MOON_MAX_RANK; a dimension may be 0.
** Fails with MOON_ESHAPE (rank, or more elements than memory can address), MOON_ENOMEM. */
MOON_API moon_status moon_tensor_new(moon_ctx *ctx, moon_tensor **out, moon_dtype dtype, int rank, const size_t *shape);

/* CONSTRUCTOR: a tensor on the caller's buffer, which is not copied. The context's thread calls release(ud) (release
** may be NULL) when the last view is released. On failure it is not called, and data remains the caller's.
** Fails with MOON_ERANGE (data is NULL, or not aligned for its type), MOON_ESHAPE, MOON_ETYPE, MOON_ENOMEM. */
MOON_API moon_status moon_tensor_wrap(moon_ctx *ctx, moon_tensor **out, moon_dtype dtype, int rank, const size_t *shape,
                                      void *data, void (*release)(void *ud), void *ud);

/* CONSTRUCTOR: a view of t's elements from element `first` on, in another shape, on the same storage. Rows i..j-1 of
** t [n x d] are (i * d, {j - i, d}); a reshape is (0, shape).
** Fails with MOON_ESHAPE (it reaches past t's end), MOON_ENOMEM. */
MOON_API moon_status moon_tensor_view(moon_tensor **out, moon_tensor *t, size_t first, int rank, const size_t *shape);

/* METHOD: add a reference; drop one. The storage is freed with its last view. */
MOON_API moon_tensor *moon_tensor_retain(moon_tensor *t);
MOON_API void moon_tensor_release(moon_tensor *t);

/* METHOD: its properties. numel: the number of elements; bytes: their size. */
MOON_API moon_ctx *moon_tensor_ctx(const moon_tensor *t);
MOON_API moon_dtype moon_tensor_dtype(const moon_tensor *t);
MOON_API int moon_tensor_rank(const moon_tensor *t);
MOON_API const size_t *moon_tensor_shape(const moon_tensor *t); /* rank entries, valid as long as t */
MOON_API size_t moon_tensor_numel(const moon_tensor *t);
MOON_API size_t moon_tensor_bytes(const moon_tensor *t);
MOON_API bool moon_tensor_same_shape(const moon_tensor *a, const moon_tensor *b);

/* METHOD: is t read-only? That is a parameter, or a view of one, that other contexts read too (moon_net_share), and
** what was frozen. Such a tensor must not be written to: as the output of a call it fails with MOON_ESTATE. */
MOON_API bool moon_tensor_frozen(const moon_tensor *t);

/* METHOD: make t, and all views of its storage, read-only for good. For data that a host hands to scripts: one buffer
** may be wrapped in many contexts, and no script changes it. Not for parameters of a net, which training writes to. */
MOON_API void moon_tensor_freeze(moon_tensor *t);

/* METHOD: a pointer to the elements, valid as long as t. _float and _byte return NULL for the other element type. */
MOON_API void *moon_tensor_data(const moon_tensor *t);
MOON_API float *moon_tensor_float(const moon_tensor *t);
MOON_API uint8_t *moon_tensor_byte(const moon_tensor *t);

/* METHOD: read or write one element by its flat index, which is not checked. A byte is rounded and clamped to
** 0..255. */
MOON_API double moon_tensor_get(const moon_tensor *t, size_t index);
MOON_API void moon_tensor_set(moon_tensor *t, size_t index, double value);

/* METHOD: set every element to value, as moon_tensor_set does. */
MOON_API void moon_tensor_fill(moon_tensor *t, double value);

/* METHOD: dst = src, of equal shape. The element type is converted by value: bytes become 0..255, floats are rounded
** and clamped to bytes. The two may overlap. Fails with MOON_ESHAPE. */
MOON_API moon_status moon_tensor_copy(moon_tensor *dst, const moon_tensor *src);

/* METHOD: fill a float32 tensor from the context's random stream: uniform in [a, b), or normal. Fails with
** MOON_ETYPE. */
MOON_API moon_status moon_tensor_uniform(moon_tensor *t, double a, double b);
MOON_API moon_status moon_tensor_normal(moon_tensor *t, double mean, double deviation);

/* METHOD: fill t [n], float32, with first, first + 1, ... in random order. n is at most 2^24, since larger whole
** numbers are not exact in float32. Fails with MOON_ETYPE, MOON_ESHAPE. */
MOON_API moon_status moon_tensor_permutation(moon_tensor *t, double first);

/* Element-wise function by name: out = f(a). out is float32 and of a's shape; it may be a itself.
**   neg exp log sqrt abs sign square floor, clamp (to [p, q]), pow (exponent p), isnan (1 or 0), and every
**   activation.
** Fails with MOON_ERANGE (unknown name), MOON_ESHAPE, MOON_ETYPE. */
MOON_API moon_status moon_tensor_unary(moon_tensor *out, const char *name, const moon_tensor *a, double p, double q);

/* Element-wise operation by name: out = a op alpha b. The names are
**   add sub mul div eq ne lt le gt ge max min, and fill_nan: a, but alpha b where a is NaN. Comparisons give 1 or 0.
** An operand may have one element, be a row [c] or [1 x c] where the result is [... x c], or a column [... x 1] where
** the result is [... x c]. out is float32, of the shape that moon_tensor_result_shape tells; it may be an operand of
** that shape. Bytes count by value.
** Fails with MOON_ERANGE (unknown name), MOON_ESHAPE, MOON_ETYPE. */
MOON_API moon_status moon_tensor_binary(moon_tensor *out, const char *name, const moon_tensor *a, const moon_tensor *b,
                                        double alpha);

/* Element-wise choice: out = a where condition is not 0, else b. Shapes, out and bytes as in moon_tensor_binary. Fails
** with MOON_ESHAPE, MOON_ETYPE. */
MOON_API moon_status moon_tensor_where(moon_tensor *out, const moon_tensor *condition, const moon_tensor *a,
                                       const moon_tensor *b);

/* The shape of the result of moon_tensor_binary and _where, into shape [MOON_MAX_RANK]; returns its rank. A column
** [r x 1] and a row [1 x c] make [r x c]. If the shapes do not fit, it is some shape; the operation tells. */
MOON_API int moon_tensor_result_shape(size_t *shape, const moon_tensor *const *operands, size_t count);

/* Reduction by name, of all elements: sum mean min max var std norm argmax. var divides by n, as numpy does. argmax
** counts from 0, and is the first of equal elements. Sums are accumulated in double; var and std subtract the mean
** first. nanmean nanstd nanmin nanmax skip NaN; of nothing but NaN they are NaN. Fails with MOON_ESHAPE (no elements,
** except for sum and norm), MOON_ERANGE (unknown name). */
MOON_API moon_status moon_tensor_reduce(double *value, const char *name, const moon_tensor *a);

/* The same along dimension dim, from 0: out is float32, of a's shape without that dimension. argmax takes at most 2^24
** elements along dim, since larger indices are not exact in float32.
** Fails with MOON_ERANGE (dim, unknown name, argmax of too many), MOON_ESHAPE, MOON_ETYPE. */
MOON_API moon_status moon_tensor_reduce_dim(moon_tensor *out, const char *name, const moon_tensor *a, int dim);

/* The k largest elements along dimension dim, in descending order, or the k smallest in ascending order. Equal elements
** are ordered by index; NaN counts as larger than any number. values and index (from 0) are float32, of a's shape with
** k in dimension dim, which may have at most 2^24 elements.
** Fails with MOON_ERANGE (dim, k, too many elements), MOON_ESHAPE, MOON_ETYPE. */
MOON_API moon_status moon_tensor_topk(moon_tensor *values, moon_tensor *index, const moon_tensor *a, size_t k, int dim,
                                      bool largest);

/* For each row of q [m x width] the k nearest rows of x [n x width] by Euclidean distance, the nearest first; rows at
** equal distance are ordered by index. Both may be float32 or bytes, which count as value/255. index (from 0) and
** distance are float32 [m x k]. The distances that decide are sums of squared differences in double, exact for bytes,
** so the neighbours are right wherever the data lie. x may have at most 2^24 rows.
** Fails with MOON_ERANGE (k, NaN or infinity, too many rows), MOON_ESHAPE, MOON_ETYPE, MOON_ENOMEM. */
MOON_API moon_status moon_tensor_neighbours(moon_tensor *index, moon_tensor *distance, const moon_tensor *x,
                                            const moon_tensor *q, size_t k);

/* out [m x n] = alpha op(a) op(b) + beta out, all float32. op(a) is a [m x k], or with ta the transpose of a [k x m];
** op(b) is b [k x n], or with tb the transpose of b [n x k]. Fails with MOON_ESHAPE, MOON_ETYPE, MOON_ENOMEM. */
MOON_API moon_status moon_tensor_matmul(moon_tensor *out, const moon_tensor *a, bool ta, const moon_tensor *b, bool tb,
                                        double alpha, double beta);

/* out [n x m] = the transpose of a [m x n], of the same element type. Fails with MOON_ESHAPE, MOON_ETYPE. */
MOON_API moon_status moon_tensor_transpose(moon_tensor *out, const moon_tensor *a);

/* Eigenvalues of a symmetric matrix a [n x n] into values [n], ascending, and eigenvectors into vectors [n x n]: each
** row v is a unit vector with a v = value v. Only the lower triangle of a is read, diagonal included; vectors may be a
** itself. Computed in double and rounded at the end: the error of an eigenvalue is at most its last place plus 1e-13 of
** the largest. Time grows with n^3; scratch memory is 16 n^2 bytes plus 1.2 KB times n.
** Fails with MOON_ESHAPE (not square, or more than 32766 rows), MOON_ETYPE, MOON_ERANGE (NaN or infinity),
** MOON_ENOMEM. */
MOON_API moon_status moon_tensor_eigh(moon_tensor *values, moon_tensor *vectors, const moon_tensor *a);

/* out [count x ...] = the rows index[0..count-1] of a [n x ...], of the same element type. Fails with MOON_ERANGE (a
** row past the end), MOON_ESHAPE, MOON_ETYPE. */
MOON_API moon_status moon_tensor_gather(moon_tensor *out, const moon_tensor *a, const size_t *index, size_t count);

/* out = the parts, concatenated along dimension dim (from 0), all of one element type. Fails with MOON_ESHAPE,
** MOON_ETYPE, MOON_ERANGE (dim). */
MOON_API moon_status moon_tensor_cat(moon_tensor *out, const moon_tensor *const *parts, size_t count, int dim);

/* The reverse: a, cut along dimension dim (from 0) into copies, of a's element type. In dim the sizes of the parts add
** up to a's. Fails with MOON_ESHAPE, MOON_ETYPE, MOON_ERANGE (dim). */
MOON_API moon_status moon_tensor_split(moon_tensor *const *parts, size_t count, const moon_tensor *a, int dim);

/* out [n x count] = the columns index[0..count-1] of a [n x width], of the same element type. Fails with MOON_ERANGE (a
** column past the end), MOON_ESHAPE, MOON_ETYPE. */
MOON_API moon_status moon_tensor_columns(moon_tensor *out, const moon_tensor *a, const size_t *index, size_t count);

/* Are the shapes equal, and |a - b| <= atol + rtol |b| for every element? NaN is close to nothing. */
MOON_API bool moon_tensor_allclose(const moon_tensor *a, const moon_tensor *b, double rtol, double atol);

/* ---- What is registered, and its options -----------------------------------------------------------------------
** Layers, losses, optimisers, activations and initialisers are found by name. Their options are named values. */

/* What is registered by name. */
typedef enum moon_family {
  MOON_LAYERS,      /* moon_layer_new */
  MOON_LOSSES,      /* moon_loss_new */
  MOON_OPTIMS,      /* moon_optim_new */
  MOON_ACTIVATIONS, /* the dense layer's option activation; moon_tensor_unary */
  MOON_INITS        /* the dense layer's option init */
} moon_family;

/* The kind of a value, and the fields of moon_option that hold it. */
typedef enum moon_option_kind {
  MOON_NUMBER, /* number */
  MOON_COUNT,  /* number, a whole one */
  MOON_FLAG,   /* number, 0 or 1 */
  MOON_TEXT,   /* text */
  MOON_RANGE,  /* number and upper: two numbers */
  MOON_LAYER   /* layer */
} moon_option_kind;

/* A value. Only the fields that its kind names are read. A constructor accepts each of the three number kinds for the
** others; any other mismatch fails with MOON_ETYPE. Texts are copied, layers retained. */
typedef struct moon_option {
  const char *name;      /* as moon_option_describe returns it */
  moon_option_kind kind; /* of the value */
  double number;         /* of MOON_NUMBER, MOON_COUNT, MOON_FLAG; the lower one of MOON_RANGE */
  double upper;          /* of MOON_RANGE */
  const char *text;      /* of MOON_TEXT */
  moon_layer *layer;     /* of MOON_LAYER */
} moon_option;

/* The description of an option. Texts are static. */
typedef struct moon_option_info {
  const char *name;      /* as in moon_option */
  moon_option_kind kind; /* what it wants */
  bool positional;       /* may be given by position, in the order of the list */
  bool required;         /* has no default */
  double number;         /* the default (NaN: none) */
  double upper;          /* of MOON_RANGE */
  const char *text;      /* the default of a text, or NULL */
  const char *help;      /* one line */
} moon_option_info;

/* The i-th registered name of a family, a static text; NULL past the last. Activations and initialisers are:
** made by make reference: kinds ActivationName
**   linear, relu, sigmoid, tanh, softplus, elu, leaky_relu, selu, gelu, silu, softmax
** end
** made by make reference: kinds InitName
**   glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_normal, uniform, normal, zeros, ones
** end */
MOON_API const char *moon_registered(const moon_ctx *ctx, moon_family family, size_t i);

/* The distance of a mistyped name from a known one, for messages that ask "did you mean": the number of letters to
** change, insert, delete or swap with the next one, ignoring case. 0 also if other libraries say `name` for `known`
** ("learning_rate" for "lr"). SIZE_MAX (not near) if that is more than a third of the letters, unless `known` begins
** with `name`. */
MOON_API size_t moon_name_distance(const char *name, const char *known);

/* Describe the i-th option of layer, loss or optimiser `name`; false past the last or for an unknown name. */
MOON_API bool moon_option_describe(const moon_ctx *ctx, moon_family family, const char *name, size_t i,
                                   moon_option_info *info);

/* Which values an option takes. Fields are only ever added, at the end. */
typedef struct moon_option_values {
  size_t size;                /* sizeof(moon_option_values), set by the caller: moon_option_values v = {sizeof v} */
  double low;                 /* lower bound of a MOON_NUMBER or MOON_COUNT; infinite: no bound */
  double high;                /* upper bound, in the same way */
  bool open_low;              /* low itself is not allowed */
  bool open_high;             /* high itself is not allowed */
  bool settable;              /* may change after construction: moon_layer_set, moon_optim_set */
  const char *const *choices; /* the allowed texts, NULL at the end; NULL: `family` tells, or any text is allowed */
  int family;                 /* a moon_family, whose registered names are the allowed texts; -1: none */
} moon_option_values;

/* Say which values that option takes; false past the last or for an unknown name. Texts are static. */
MOON_API bool moon_option_allows(const moon_ctx *ctx, moon_family family, const char *name, size_t i,
                                 moon_option_values *values);

/* ---- Layers --------------------------------------------------------------------------------------------------- */

/* CONSTRUCTOR: a layer by its registered kind. The kinds and their options:
** made by make reference: kinds LayerName
**   dense             in, out, activation, bias, init, name, activity_l1, activity_reduction, kl_weight, kl_target,
**                     contractive, weight_l1, weight_l2, tied, trainable, bias_init, negative_slope, alpha
**   activation        activation, negative_slope, alpha
**   dropout           p
**   gaussian_noise    sigma, clip
**   masking_noise     p
**   salt_pepper_noise p
**   k_sparse          k, alpha
**   gaussian_code     k, beta
**   batch_norm        n, momentum, eps, trainable
**   layer_norm        n, eps, trainable
** end
** Two more kinds tell how the layers around them hang together, and mean something in a net only: `branch` (back)
** begins the next branch with the input that the `back` layers before it begin with; `join` (heads) puts the outputs of
** so many branches side by side. A, branch, B, branch, C, join 3: three branches, each of any layers or none. A net has
** all of them, or none.
** Parameters are initialised from the context's random stream. Fails with MOON_ERANGE (unknown kind or option, value
** not allowed; the message lists the known ones), MOON_ETYPE, MOON_ESHAPE or MOON_ESTATE (tied), MOON_ENOMEM. */
MOON_API moon_status moon_layer_new(moon_ctx *ctx, moon_layer **out, const char *kind, const moon_option *options,
                                    size_t count);
MOON_API moon_layer *moon_layer_retain(moon_layer *layer);
MOON_API void moon_layer_release(moon_layer *layer);

/* METHOD: its context; its registered kind (a static text). */
MOON_API moon_ctx *moon_layer_ctx(const moon_layer *layer);
MOON_API const char *moon_layer_kind(const moon_layer *layer);

/* METHOD: how many modules the layer is in torch.nn.Sequential, by which the tensors of an archive are named: 0 for
** noise that PyTorch does not have, 2 for a dense layer with an activation, else 1. */
MOON_API size_t moon_layer_modules(const moon_layer *layer);

/* METHOD: *out = the width of the output for rows of width in. Fails with MOON_ESHAPE if the layer does not take it. */
MOON_API moon_status moon_layer_width(const moon_layer *layer, size_t *out, size_t in);

/* METHOD: the current value of an option. Its text is valid as long as the layer. Fails with MOON_ERANGE (unknown
** name). */
MOON_API moon_status moon_layer_get(const moon_layer *layer, const char *name, moon_option *value);

/* METHOD: set an option; the next step has it. Which ones may be set, moon_option_allows says: "trainable", the
** strengths of noise, the factors of penalties. It is checked as at construction. Fails with MOON_ERANGE (unknown name,
** value not allowed), MOON_ETYPE, MOON_ESTATE (fixed at construction); then nothing has changed. A MOON_RANGE of two
** NaN: not given. Ranks (moon_net_set_reducer) must set the same. */
MOON_API moon_status moon_layer_set(moon_layer *layer, const moon_option *value);

/* A parameter of a layer, or a buffer: state that no optimiser sees, such as a running mean. Buffers come last. */
typedef struct moon_parameter {
  const char *name;   /* "weight", "bias" */
  moon_tensor *value; /* dense: weight [in x out], bias [out]. Not retained; valid as long as the layer */
  moon_tensor *grad;  /* of the same shape: the gradient from the last backward. NULL: a buffer */
  bool shared;        /* belongs to another layer (tied weights), with which it is updated */
} moon_parameter;

/* METHOD: the layer's i-th parameter; false past the last. */
MOON_API bool moon_layer_parameter(const moon_layer *layer, size_t i, moon_parameter *parameter);

/* METHOD: does a step train the layer's i-th parameter? false: it is frozen ("trainable" of the layer that owns it is
** false), a buffer, or past the last. */
MOON_API bool moon_layer_trains(const moon_layer *layer, size_t i);

/* ---- Losses --------------------------------------------------------------------------------------------------- */

/* CONSTRUCTOR: a loss by its registered kind, or by Keras's name of it. The kinds and their options:
** made by make reference: kinds LossName
**   mse               reduction
**   mae               reduction
**   bce               reduction, from_logits, label_smoothing
**   cross_entropy     from_logits, label_smoothing
**   huber             reduction, delta
**   mean_squared_error, mean_absolute_error, binary_crossentropy, categorical_crossentropy,
**   sparse_categorical_crossentropy
** end
** Fails with MOON_ERANGE (unknown kind or option, value not allowed), MOON_ENOMEM. */
MOON_API moon_status moon_loss_new(moon_ctx *ctx, moon_loss **out, const char *kind, const moon_option *options,
                                   size_t count);
MOON_API moon_loss *moon_loss_retain(moon_loss *loss);

/* A head: some columns of the outputs, their loss, and its weight in the sum. */
typedef struct moon_head {
  const char *name; /* for messages and figures */
  moon_loss *loss;  /* of these columns */
  size_t columns;   /* at least 1 */
  double weight;    /* at least 0 */
} moon_head;

/* CONSTRUCTOR: a loss of kind "heads": the sum of the losses of 1 to 32 heads, which have the columns of the outputs
** one after the other. It retains their losses, copies their names, and has no options. Targets have the columns of the
** outputs, or one column of class numbers for each head that takes them and has more than one column; bytes count as
** each head's loss counts them. Fails with MOON_ERANGE (how many; a name that is missing, too long or there twice; no
** columns; a weight), MOON_ETYPE (a loss that is NULL, of heads itself, or of another context), MOON_ENOMEM. */
MOON_API moon_status moon_loss_heads(moon_ctx *ctx, moon_loss **out, const moon_head *heads, size_t count);

/* METHOD: the i-th head of such a loss, as long as the loss lives; false past the last, and for other losses. */
MOON_API bool moon_loss_head(const moon_loss *loss, size_t i, moon_head *head);
MOON_API void moon_loss_release(moon_loss *loss);

/* METHOD: its context; its registered kind (a static text); the value of an option, whose text is valid as long as the
** loss. get fails with MOON_ERANGE (unknown name). */
MOON_API moon_ctx *moon_loss_ctx(const moon_loss *loss);
MOON_API const char *moon_loss_kind(const moon_loss *loss);
MOON_API moon_status moon_loss_get(const moon_loss *loss, const char *name, moon_option *value);

/* METHOD: *value = loss(prediction [n x k], target), and the gradient with respect to the prediction into grad [n x k];
** either may be NULL. prediction and grad are float32.
** target is [n x k], float32 or bytes, which count as value/255, for cross_entropy as they are. cross_entropy also
** takes class numbers [n] or [n x 1], from 0.
** Fails with MOON_ESHAPE, MOON_ETYPE, MOON_ERANGE (no such class), MOON_ENOMEM (bytes and classes need scratch
** memory). */
MOON_API moon_status moon_loss_apply(const moon_loss *loss, double *value, moon_tensor *grad,
                                     const moon_tensor *prediction, const moon_tensor *target);

/* METHOD: the same with a weight for each row, [n] float32, finite and at least 0: its terms and their gradients are
** multiplied by it, and divided as before, by the number of rows. weights NULL: all are 1. Fails with
** MOON_ESHAPE (the weights, too), MOON_ETYPE, MOON_ERANGE (the weights, too), MOON_ENOMEM, as moon_loss_apply does. */
MOON_API moon_status moon_loss_apply_rows(const moon_loss *loss, double *value, moon_tensor *grad,
                                          const moon_tensor *prediction, const moon_tensor *target,
                                          const moon_tensor *weights);

/* ---- Optimisers ----------------------------------------------------------------------------------------------- */

/* CONSTRUCTOR: an optimiser by its registered kind. The kinds and their options:
** made by make reference: kinds OptimizerName
**   adam              lr, beta1, beta2, eps, weight_decay, clip_value, clip_norm, global_clip_norm
**   sgd               lr, momentum, nesterov, weight_decay, clip_value, clip_norm, global_clip_norm
**   rmsprop           lr, rho, momentum, eps, centered, weight_decay, clip_value, clip_norm, global_clip_norm
**   adagrad           lr, initial_accumulator, eps, weight_decay, clip_value, clip_norm, global_clip_norm
**   adamw             lr, beta1, beta2, eps, weight_decay, clip_value, clip_norm, global_clip_norm
**   adamax            lr, beta1, beta2, eps, weight_decay, clip_value, clip_norm, global_clip_norm
**   nadam             lr, beta1, beta2, eps, weight_decay, clip_value, clip_norm, global_clip_norm
**   adadelta          lr, rho, eps, weight_decay, clip_value, clip_norm, global_clip_norm
** end
** Fails with MOON_ERANGE (unknown kind or option, value not allowed), MOON_ENOMEM. */
MOON_API moon_status moon_optim_new(moon_ctx *ctx, moon_optim **out, const char *kind, const moon_option *options,
                                    size_t count);
MOON_API moon_optim *moon_optim_retain(moon_optim *opt);
MOON_API void moon_optim_release(moon_optim *opt);

/* METHOD: its context; its registered kind (a static text); get and set the value of an option. Which ones may be set
** between steps, moon_option_allows says. Fails with MOON_ERANGE (unknown name, value not allowed), MOON_ESTATE (fixed
** at construction). */
MOON_API moon_ctx *moon_optim_ctx(const moon_optim *opt);
MOON_API const char *moon_optim_kind(const moon_optim *opt);
MOON_API moon_status moon_optim_get(const moon_optim *opt, const char *name, moon_option *value);
MOON_API moon_status moon_optim_set(moon_optim *opt, const moon_option *value);

/* METHOD: update count parameters: value[i] by grad[i], both float32 and of the same shape. The moments of a parameter
** belong to its storage; the first step makes them. With clip_norm or global_clip_norm nothing is changed, and no step
** counted, where a norm is not finite. Fails with MOON_ESHAPE, MOON_ETYPE, MOON_ENOMEM. */
MOON_API moon_status moon_optim_step(moon_optim *opt, moon_tensor *const *value, moon_tensor *const *grad,
                                     size_t count);

/* METHOD: the number of updates so far; set it to resume a training. */
MOON_API uint64_t moon_optim_steps(const moon_optim *opt);
MOON_API void moon_optim_set_steps(moon_optim *opt, uint64_t steps);

/* METHOD: has it the moments of this parameter? Those of a frozen one are made by the first step that trains it. */
MOON_API bool moon_optim_has(const moon_optim *opt, const moon_tensor *value);

/* METHOD: the moment in a slot (from 0) that belongs to the parameter `value`, made if there is none yet. name ("m",
** "v", ...) is static; the tensor has value's shape and is not retained.
** Fails with MOON_ERANGE (past the last slot), MOON_ETYPE, MOON_ENOMEM. */
MOON_API moon_status moon_optim_moment(moon_optim *opt, moon_tensor *value, size_t slot, const char **name,
                                       moon_tensor **moment);

/* ---- Nets ------------------------------------------------------------------------------------------------------ */

/* CONSTRUCTOR: a stack of layers, which are retained. A layer may be used in several nets, or twice in one. Fails with
** MOON_ESHAPE (widths do not match; the message names the layer), MOON_ERANGE (no layers, or branches without a join),
** MOON_ETYPE (a layer of
** another context), MOON_ENOMEM. */
MOON_API moon_status moon_net_new(moon_ctx *ctx, moon_net **out, moon_layer *const *layers, size_t count);

/* CONSTRUCTOR: layers first..first+count-1 as another net of the same context. It uses the same parameters, which may
** be trained through either net, but has its own buffers. Fails with MOON_ERANGE, MOON_ENOMEM. */
MOON_API moon_status moon_net_slice(const moon_net *net, moon_net **out, size_t first, size_t count);

/* CONSTRUCTOR: an independent copy of the net in the same context, with its own layers, weights and gradients. A layer
** that is used in several places, and tied weights, are so in the copy. The copy's noise layers continue as those of
** the net would. A copy of a net from moon_net_share can be trained. Fails with MOON_ENOMEM. */
MOON_API moon_status moon_net_clone(const moon_net *net, moon_net **out);

/* CONSTRUCTOR: a copy for inference in which batch_norm layers are folded: into the linear dense layer before, with the
** activation layer behind, or else into the dense layer behind. Dropout and noise may stand in between. One stays where
** there is no such layer, where a branch or the end of the encoder lies in between, and where the layer is tied or used
** twice. The outputs are the net's to rounding; the penalties are those of the new weights. Fails with MOON_ENOMEM. */
MOON_API moon_status moon_net_fold(const moon_net *net, moon_net **out);
MOON_API moon_net *moon_net_retain(moon_net *net);
MOON_API void moon_net_release(moon_net *net);

/* METHOD: its context; the number of layers; the i-th layer, NULL past the last. */
MOON_API moon_ctx *moon_net_ctx(const moon_net *net);
MOON_API size_t moon_net_count(const moon_net *net);
MOON_API moon_layer *moon_net_layer(const moon_net *net, size_t i);

/* CONSTRUCTOR: a net of context ctx with the layers and current weights of net, for predicting in another thread at the
** same time: a share.
** The weights are copied once, with malloc, outside the memory that contexts count. All shares of a net, and shares of
** those, read that copy as long as the net's weights do not change; a share that is made later gets a new copy. So the
** net may be trained or released while others predict. Each share has its own buffers.
** A share cannot be trained. step, backward, plan with an optimiser, and every other call that returns a status and
** would write to its parameters, fail with MOON_ESTATE; moon_tensor_set and moon_tensor_fill do nothing; writing
** through moon_tensor_data changes what the others read, and must not be done. The gradients of its parameters are
** zeros, and must not be written either. Save, slice, encode, evaluate and forward (in training mode too) work.
** Threads: an ordinary net and ctx must both belong to the calling thread. A share may be the `net` of this call in any
** thread, in several at once, while its own thread predicts; meanwhile nobody may release or seed it. Each share is
** released by its context's thread, in any order; the last one frees the copy.
** Fails with MOON_ENOMEM, with the message in ctx. */
MOON_API moon_status moon_net_share(const moon_net *net, moon_ctx *ctx, moon_net **out);

/* METHOD: the width of the input, of the output; 0: any width (a net without dense layers). */
MOON_API size_t moon_net_inputs(const moon_net *net);
MOON_API size_t moon_net_outputs(const moon_net *net);

/* METHOD: how many layers are the encoder of an autoencoder; 0: the net is none. Saved with the net. set fails with
** MOON_ERANGE. */
MOON_API size_t moon_net_encoder(const moon_net *net);
MOON_API moon_status moon_net_set_encoder(moon_net *net, size_t layers);

/* METHOD: the width of an autoencoder's code, its encoder's output; 0: the net is none, or takes any width. */
MOON_API size_t moon_net_code(const moon_net *net);

/* METHOD: restart the random streams of the noise layers: the same seed and the same steps give the same noise. */
MOON_API void moon_net_seed(moon_net *net, uint64_t seed);

/* METHOD: allocate now all the memory that batches of `rows` rows of width in (0: the net's own) need, including BLIS's
** buffers and the optimiser's moments, so that no later call of this size runs out of memory. loss and opt may be NULL.
** The other methods call it themselves.
** Fails, as does everything that runs a batch, with MOON_ENOMEM, MOON_ESHAPE, MOON_ESTATE (workers cannot start). */
MOON_API moon_status moon_net_plan(moon_net *net, size_t rows, size_t in, const moon_loss *loss, moon_optim *opt);

/* METHOD: y [n x out] = net(x [n x in]). training: with noise and dropout. x may be bytes, which count as value/255; y
** is float32. The net keeps what backward needs until its next call. Fails with MOON_ESHAPE, MOON_ENOMEM,
** MOON_EINTERRUPT. */
MOON_API moon_status moon_net_forward(moon_net *net, moon_tensor *y, const moon_tensor *x, bool training);

/* METHOD: from dy [n x out], the gradient with respect to the output of the last forward, compute the gradient of every
** parameter (penalties included) and, unless dx is NULL, that of the input, dx [n x in]; all float32. Fails with
** MOON_ESTATE (no forward before it), MOON_ESHAPE, MOON_ENOMEM. */
MOON_API moon_status moon_net_backward(moon_net *net, moon_tensor *dx, const moon_tensor *dy);

/* METHOD: the sum of the penalties in the last forward. */
MOON_API double moon_net_penalty(const moon_net *net);

/* METHOD: y [n x out] = net(x [n x in]) in inference mode, batch rows at a time (0: the engine chooses). x is float32
** or bytes, y float32. Both are used in place, without a copy (bytes are converted batch by batch), so a host may pass
** its own buffers (moon_tensor_wrap). Allocates nothing once planned.
** Fails with MOON_ESHAPE, MOON_ENOMEM, MOON_EINTERRUPT (y is partly written). */
MOON_API moon_status moon_net_predict(moon_net *net, moon_tensor *y, const moon_tensor *x, size_t batch);

/* METHOD: the same with one half of an autoencoder: code [n x c] = encoder(x [n x in]), y [n x out] = decoder(code
** [n x c]), where c is moon_net_code(net). Each half gets its own buffers in its first call. Fails with MOON_ESTATE (no
** encoder: moon_net_set_encoder), and as predict does. */
MOON_API moon_status moon_net_encode(moon_net *net, moon_tensor *code, const moon_tensor *x, size_t batch);
MOON_API moon_status moon_net_decode(moon_net *net, moon_tensor *y, const moon_tensor *code, size_t batch);

/* METHOD: one training step on a batch x [n x in] with target y [n x out] (NULL: the target is x). *objective is the
** loss plus penalties, before the update; it may be NULL. x and y may be bytes, which count as value/255; for
** cross_entropy y counts as it is, and may be class numbers [n]. Allocates nothing once planned.
** A step that fails changes no weight. A step whose objective is NaN or infinite changes nothing (no weight, no moment,
** not the number of steps) and returns MOON_OK. Fails with MOON_ESHAPE, MOON_ERANGE (no such class), MOON_ENOMEM,
** MOON_EINTERRUPT, MOON_ESTATE (a net from moon_net_share), and with a reducer as moon_net_set_reducer says. */
MOON_API moon_status moon_net_step(moon_net *net, double *objective, const moon_tensor *x, const moon_tensor *y,
                                   const moon_loss *loss, moon_optim *opt);

/* METHOD: the same on rows first..first+count-1 of the dataset's current order. Fails with MOON_ERANGE (past the end,
** or no rows), MOON_ESTATE (shards, but no reducer), and as step does. */
MOON_API moon_status moon_net_step_rows(moon_net *net, double *objective, const moon_dataset *data, size_t first,
                                        size_t count, const moon_loss *loss, moon_optim *opt);

/* METHOD: *objective over all rows of data, penalties included, batch rows at a time (0: 32): the mean over the
** batches, weighted by their rows. Fails with MOON_ESHAPE, MOON_ERANGE, MOON_ENOMEM, MOON_EINTERRUPT, MOON_ESTATE
** (shards, but no reducer), and with a reducer as moon_net_set_reducer says. */
MOON_API moon_status moon_net_evaluate(moon_net *net, double *objective, const moon_dataset *data,
                                       const moon_loss *loss, size_t batch);

/* METHOD: from now on each batch of step, step_rows and evaluate adds a figure of its outputs to sums, beside the
** objective, and before the update; it changes nothing else. kind:
**   "accuracy": the fraction of rows whose largest output is that of their class; of a single output, that is on the
**     right side of 0.5 (logits: of 0)
**   "binary_accuracy": the same of every output by itself
**   "loss": the value of `loss`, which may be another one than that of the batch, and must not need other targets
**   "data", "penalty": the objective without its penalties, and these
**   "kl": the divergence of the codes of layers gaussian_code, summed over the code, without their factors beta
**   "head 0", "head_accuracy 0", and so on: the value of one head of a loss of heads (moon_loss_heads), without its
**     weight, and the accuracy within its columns
** loss is retained; for the other kinds it is NULL. With a mask missing cells do not count. With a reducer each rank
** counts its own rows. A step whose objective is not finite does not count. A batch takes memory for three copies of
** its outputs. Fails with MOON_ERANGE (kind, or loss missing), MOON_ETYPE (a loss of another context), MOON_ENOMEM.
** The batch fails with MOON_ESHAPE (the loss needs other targets), MOON_ESTATE (a mask, and a loss of whole rows). */
MOON_API moon_status moon_net_add_measure(moon_net *net, const char *kind, moon_loss *loss);

/* METHOD: the i-th measure, from 0: *sum / *weight is its mean over the batches since it was added. The weight is the
** number of rows; with a mask, of cells, for what is a mean over cells. Fails with MOON_ERANGE. */
MOON_API moon_status moon_net_measured(const moon_net *net, size_t i, double *sum, double *weight);

/* METHOD: no measures from now on. */
MOON_API void moon_net_drop_measures(moon_net *net);

/* METHOD: errors [n] float32: for each row the mean over the features of (net(x) - x)^2, in inference mode; x and batch
** as in predict. Fails with MOON_ESHAPE (input and output have different widths), MOON_ENOMEM, MOON_EINTERRUPT (errors
** is partly written). */
MOON_API moon_status moon_net_errors(moon_net *net, moon_tensor *errors, const moon_tensor *x, size_t batch);

/* How several processes train one net. Each of them, a rank, has a net with the same layers and the same weights, and
** the same optimiser. reduce sums values[0..n-1] over all ranks, in place, and leaves the same bits in each; it is
** called in the same order, and with the same n, in every rank: at most the number of the net's parameters + ranks + 8.
** ud is its first argument. If it returns another status than MOON_OK, it must do so in every rank: otherwise the
** others wait for this one in the next sum, for ever. */
typedef struct moon_reducer {
  size_t size;                                              /* sizeof(moon_reducer), set by the caller */
  size_t rank;                                              /* this process, from 0 */
  size_t ranks;                                             /* how many processes there are */
  moon_status (*reduce)(void *ud, float *values, size_t n); /* sum over all ranks */
  void *ud; /* reduce's first argument; it must live as long as the net has the reducer */
} moon_reducer;

/* METHOD: from now on step, step_rows and evaluate are made by all ranks together, each with its call: the rows that
** they are given are the whole batch, the same in every rank, of which each rank computes some. Objective, gradients
** and weights are those of the whole batch: the same bits in every rank, and those of one process except for the order
** of sums. The noise of a row depends on its place in the batch, not on the rank. A step reduces once, and once more
** for each layer with kl_weight and for a mask; evaluate once, and once more for each of these and batch. The calling
** thread does it. All other methods stay local; after a step moon_net_penalty is that of the whole batch. NULL: no
** reducer. reducer is copied. The memory for it is allocated here: a float for each parameter. The net keeps that
** until it is released: a later reducer of as many ranks takes it over, so to take the reducer away and to give it
** again allocates nothing. A rank that cannot compute its rows takes part in the sums all the same, so that nobody
** waits for it. It returns its own status. The others return MOON_ESTATE, with a message that names the rank, or
** MOON_EINTERRUPT if that rank was interrupted. If the rows of all ranks are not those of the batch, all return
** MOON_ESTATE. If reduce fails, its status is returned. Whatever fails, no rank changes anything. Fails with
** MOON_ERANGE (size, rank, ranks or reduce), MOON_ENOMEM. */
MOON_API moon_status moon_net_set_reducer(moon_net *net, const moon_reducer *reducer);

/* ---- Sources ---------------------------------------------------------------------------------------------------
** Rows that memory does not hold at once: windows over a series, or what a function of the host reads, from a file, a
** data base or a formula. moon_dataset_of makes a dataset of them. */

/* How rows are read. Zero is the default of block, release and ud. read fills rows [n x width] float32 with rows
** first..first+n-1, which are in one block: n is at most block, and first / block is the same for all of them. The
** same rows must come each time. Only the thread that trains calls it. It may use its context: also moon_net_step,
** on the net that is trained, but not the dataset that it reads for. A status other than MOON_OK, with the message
** of the last call that failed in it, ends the call that needs the rows. */
typedef struct moon_source_config {
  size_t size;  /* sizeof(moon_source_config), set by the caller */
  size_t rows;  /* how many there are, at least 1 and fewer than 2^32 */
  size_t width; /* elements of each */
  size_t block; /* rows that are read at a time; 0: as many as 2 MB hold */
  moon_status (*read)(void *ud, moon_tensor *rows, size_t first); /* see above */
  void (*release)(void *ud); /* called once, when the source and its parts are gone; NULL: nothing */
  void *ud;                  /* first argument of read and release */
} moon_source_config;

/* CONSTRUCTOR: rows that config's read gives; config is copied. After a failure release is not called.
** Fails with MOON_ERANGE (size, rows, width, block or read), MOON_ENOMEM. */
MOON_API moon_status moon_source_new(moon_ctx *ctx, moon_source **out, const moon_source_config *config);

/* CONSTRUCTOR: windows of n times over a series t [times x width] or [times], a window each `step` times: row k has the
** n * width elements of times k * step to k * step + n - 1. They are gathered from t, which is retained, when they are
** needed. Fails with MOON_ESHAPE, MOON_ERANGE (n or step), MOON_ENOMEM. */
MOON_API moon_status moon_source_windows(moon_source **out, moon_tensor *t, size_t n, size_t step);

/* CONSTRUCTOR: the rows of a tensor [rows x width], or class numbers [rows], beside another source. t is retained.
** Fails with MOON_ESHAPE, MOON_ENOMEM. */
MOON_API moon_status moon_source_tensor(moon_source **out, moon_tensor *t);

/* CONSTRUCTOR: rows first..first+count-1 of s, which is retained as far as it is needed.
** Fails with MOON_ERANGE, MOON_ENOMEM. */
MOON_API moon_status moon_source_part(moon_source **out, const moon_source *s, size_t first, size_t count);
MOON_API moon_source *moon_source_retain(moon_source *s);
MOON_API void moon_source_release(moon_source *s);

/* METHOD: the number of rows, and of the elements of each. */
MOON_API size_t moon_source_rows(const moon_source *s);
MOON_API size_t moon_source_width(const moon_source *s);

/* METHOD: rows [n x width] float32 = rows first..first+n-1 of s; bytes become value/255. They are read now, and not
** kept. Fails with MOON_ESHAPE, MOON_ERANGE, MOON_ESTATE (rows is read-only), MOON_EINTERRUPT, and as the reader does:
** then some of rows may be set. */
MOON_API moon_status moon_source_read(moon_source *s, moon_tensor *rows, size_t first);

/* ---- Data ------------------------------------------------------------------------------------------------------ */

/* CONSTRUCTOR: rows x [n x in] with targets y: [n x k], class numbers [n], or NULL: x itself. Both are retained, not
** copied. Bytes become value/255 when a batch is gathered. Fails with MOON_ESHAPE (no rows, or not as many in y as in
** x), MOON_ENOMEM. */
MOON_API moon_status moon_dataset_new(moon_ctx *ctx, moon_dataset **out, moon_tensor *x, moon_tensor *y);

/* CONSTRUCTOR: the same of sources, for rows that memory need not hold at once: y has as many rows as x, or is NULL. If
** rows are read, batch, step_rows and evaluate read them, block by block, in the thread that calls; then the order of
** moon_dataset_shuffle is one of blocks, and one of the rows in the 2 to 16 blocks that are in memory together (32 MB,
** if they fit), and each row comes once. Otherwise it is that of moon_dataset_new. If a reader fails, these calls fail
** as it does, and change nothing. Fails with MOON_ESHAPE (not as many rows in y as in x), MOON_ENOMEM. */
MOON_API moon_status moon_dataset_of(moon_ctx *ctx, moon_dataset **out, moon_source *x, moon_source *y);
MOON_API moon_dataset *moon_dataset_retain(moon_dataset *data);
MOON_API void moon_dataset_release(moon_dataset *data);

/* METHOD: the number of rows. */
MOON_API size_t moon_dataset_rows(const moon_dataset *data);

/* METHOD: put the rows in a random order, which depends on seed and epoch only; put them back in the tensors' order. */
MOON_API void moon_dataset_shuffle(moon_dataset *data, uint64_t seed, uint64_t epoch);
MOON_API void moon_dataset_unshuffle(moon_dataset *data);

/* METHOD: copy rows first..first+count-1 of the current order into x [count x in] and y, which may be NULL: [count x
** k], or class numbers [count] in their own element type. Into float32, bytes become value/255, except in targets that
** are all 0 or 1, such as one-hot rows. Into bytes, bytes are copied as they are, for moon_loss_apply.
** Fails with MOON_ESHAPE, MOON_ERANGE, MOON_EINTERRUPT, MOON_ESTATE (x or y is a parameter of a net from
** moon_net_share). */
MOON_API moon_status moon_dataset_batch(const moon_dataset *data, moon_tensor *x, moon_tensor *y, size_t first,
                                        size_t count);

/* METHOD: may cells be missing? If so, NaN is a cell that is missing, in steps and evaluations on this dataset: it is 0
** in the input, and in the target (x itself, or y) it counts neither in the loss nor in the number of elements of a
** mean; a batch of nothing else has the loss 0. Then the loss is one of single cells: with cross_entropy, step and
** evaluate fail with MOON_ESTATE. moon_dataset_batch gives NaN as it is. At first no cell may be missing. */
MOON_API void moon_dataset_set_mask(moon_dataset *data, bool mask);

/* METHOD: give each row a weight, in steps and evaluations on this dataset: w is [rows] float32, each finite and at
** least 0, and is copied. NULL: all are 1, as at first. A row's terms of the loss, and their gradients, are multiplied
** by its weight, and divided as before: by the number of rows, not by the sum of the weights. Penalties are not
** weighted. With moon_dataset_set_shards the weights are of this rank's own rows.
** Fails with MOON_ESHAPE, MOON_ERANGE (names the row), MOON_ENOMEM, MOON_ESTATE (a reader of its rows runs). */
MOON_API moon_status moon_dataset_set_weights(moon_dataset *data, const moon_tensor *w);

/* METHOD: copy the weights of rows first..first+count-1 of the current order into w, [count] float32; 1 if the dataset
** has none. Fails with MOON_ESHAPE, MOON_ERANGE, MOON_ESTATE, and as a reader fails. */
MOON_API moon_status moon_dataset_weights(const moon_dataset *data, moon_tensor *w, size_t first, size_t count);

/* METHOD: the dataset holds this rank's own rows, and the other ranks hold others: rows[r] in rank r, `ranks` numbers,
** which are copied. Then moon_dataset_rows is their sum; step_rows and evaluate, of a net with a reducer, count the
** rows of all, and take from each rank a part that is proportional to its rows, in its own order. batch, shuffle and
** unshuffle are for the own rows. NULL: the dataset holds all rows, as at first.
** Fails with MOON_ERANGE (a rank without rows; no rank has as many as this dataset; 2^32 rows or more), MOON_ENOMEM. */
MOON_API moon_status moon_dataset_set_shards(moon_dataset *data, const size_t *rows, size_t ranks);

/* CONSTRUCTOR: the content of an IDX file, plain or gzipped. Bytes stay bytes; other element types become float32.
** A plain file of 1 MB or more of bytes is mapped, not copied: it may be larger than memory, and does not count as
** memory held. Writing to the tensor never changes the file. The file may be deleted or replaced meanwhile. But if
** another process writes into it, the tensor changes; if one truncates it, reading the missing part raises SIGBUS: copy
** the tensor if that can happen. Training on a file of 256 MB or more keeps the rows out of the resident set (Linux).
** Fails with MOON_EIO, MOON_EFORMAT, MOON_ENOMEM. */
MOON_API moon_status moon_idx_load(moon_ctx *ctx, moon_tensor **out, const char *path);

/* CONSTRUCTOR: the array of an NPY file, numpy's format: versions 1 to 3, up to 4 dimensions, either order of bytes and
** of indices. Unsigned bytes (u1) stay bytes. b1, i1, i2, i4, i8, u2, u4, u8, f2, f4 and f8 become float32: doubles are
** rounded, and whole numbers beyond 2^24. Complex numbers, texts, dates, records and Python objects are refused.
** Little-endian float32, or bytes, of 1 MB or more in C's order are mapped, not copied, as moon_idx_load does. Fails
** with MOON_EIO, MOON_EFORMAT, MOON_ENOMEM. */
MOON_API moon_status moon_npy_load(moon_ctx *ctx, moon_tensor **out, const char *path);

/* FUNCTION: write a tensor as NPY of version 1.0: float32 as '<f4', bytes as '|u1', in C's order, as moon_file_write
** does. Fails with MOON_EIO, MOON_ENOMEM. */
MOON_API moon_status moon_npy_save(const moon_tensor *t, const char *path);

/* ---- CSV -------------------------------------------------------------------------------------------------------
** Rows of numbers from a text, plain or gzipped, in the memory of a buffer (256 KB, more if a line is longer):
**
**   moon_csv *csv;
**   moon_csv_config config = {.size = sizeof config, .label = "fault"};
**   status = moon_csv_open(ctx, &csv, "sensors.csv", &config);
**   while ((status = moon_csv_read(csv, x, labels, &rows)) == MOON_OK && rows > 0) ...
**
** The text is CSV as RFC 4180 has it: a cell in quotes may hold delimiters, line breaks and quotes, each as two. Lines
** end with a line feed, with a carriage return before it or not; the last one need not. UTF-8's byte order mark is
** skipped, and so are blanks around a cell and blank lines at the end. Numbers are rounded correctly to double, then to
** float32; the locale does not matter. A cell that is no number, or one that could be two, is an error. */

/* A column whose texts become columns of 0 and 1, one for each text, named "column=text". A row whose text is not among
** them, or is missing, has zeros. */
typedef struct moon_csv_category {
  const char *column;        /* its name or number */
  const char *const *values; /* [count]; NULL: all that the column has, in the order of their appearance. For this the
                             ** file is read twice */
  size_t count;              /* of values */
} moon_csv_category;

/* How a file is read. Zero is the default of every field but size. All is copied. */
typedef struct moon_csv_config {
  size_t size;    /* sizeof(moon_csv_config) */
  int header;     /* 1: the first line has names; -1: it is a row; 0: it has names if a cell in it is neither number nor
                     ** missing, unless the second line has texts in the very same columns */
  char delimiter; /* 0: a tab, else ';', else ',', else '|', whichever the first line has */
  char decimal;   /* '.' or ','; 0: '.' with delimiter ',', else as in the first number that has either */
  bool follow;    /* the file may grow: a last line without a line break is not a row yet, and behind the end reading
                     ** goes on when there is more */
  const char *const *columns; /* which, in this order, by name or by number ("1", "2", ...); NULL: all but the label */
  size_t column_count;        /* of columns */
  const char *const *ignore;  /* if columns is NULL: those that are left out, too, such as times and notes */
  size_t ignore_count;        /* of ignore */
  const char *label;          /* a column of labels: numbers, or texts, which become class numbers from 0. NULL: none */
  const char *const *missing; /* texts of cells that have no number; NULL: "", "NA", "nan", "?". "nan": in any case */
  size_t missing_count;       /* of missing */
  const moon_csv_category *categories; /* of the label's column: the names of its classes, others are an error */
  size_t category_count;               /* of categories */
} moon_csv_config;

/* CONSTRUCTOR: open a file; "-" is the standard input, which is not closed. config NULL: all defaults. The first line
** is read (of a pipe: waited for), sometimes the second. Fails with MOON_EIO, MOON_EFORMAT (also if there is no such
** column), MOON_ERANGE (config), MOON_ESTATE (categories without values from the standard input), MOON_ENOMEM. */
MOON_API moon_status moon_csv_open(moon_ctx *ctx, moon_csv **out, const char *path, const moon_csv_config *config);
MOON_API moon_csv *moon_csv_retain(moon_csv *csv);
MOON_API void moon_csv_close(moon_csv *csv);

/* METHOD: read rows into x [n x width] float32, and their labels into labels [n] float32 (NULL: not wanted). Cells that
** are missing are NaN. *rows is how many were read: n; fewer at the end of the file, or of what a pipe has at hand; 0
** when no more rows will come (follow: not yet). It waits only for a first row. If a row is bad, those before it are
** read, and the next call fails with MOON_EFORMAT: its message names line, column, what was found and what was
** expected. The call after that goes on behind the bad row. What follows the last row in x is undefined.
** moon_interrupt ends it.
** skip goes past n rows without reading their cells.
** Fails with MOON_EFORMAT, MOON_EIO, MOON_ESHAPE, MOON_ETYPE, MOON_ESTATE (no column of labels; a result that is
** read-only), MOON_EINTERRUPT, MOON_ENOMEM. */
MOON_API moon_status moon_csv_read(moon_csv *csv, moon_tensor *x, moon_tensor *labels, size_t *rows);
MOON_API moon_status moon_csv_skip(moon_csv *csv, size_t n, size_t *rows);

/* METHOD: from now on moon_csv_read also writes the line, from 1, where row i begins into lines[i], which is the host's
** and has room for the rows of every x. NULL: no more. */
MOON_API void moon_csv_set_lines(moon_csv *csv, size_t *lines);

/* METHOD: how many rows the whole file has at most: its lines. It reads the file without parsing it, beside what csv
** reads. Fails with MOON_ESTATE (the standard input), MOON_EIO, MOON_EFORMAT (gzip), MOON_ENOMEM. */
MOON_API moon_status moon_csv_most_rows(moon_csv *csv, size_t *rows);

/* A place in a file, between two rows. */
typedef struct moon_csv_place {
  uint64_t offset; /* bytes from the beginning */
  uint64_t line;   /* of the next row, from 1 */
} moon_csv_place;

/* METHOD: where the next row begins; go there again. seek fails with MOON_ESTATE (standard input, gzip),
** MOON_EIO (also if the file has been written since it was opened, unless it is followed). */
MOON_API moon_csv_place moon_csv_tell(const moon_csv *csv);
MOON_API moon_status moon_csv_seek(moon_csv *csv, const moon_csv_place *place);

/* METHOD: numbers in a row; the name of each ("5" where the file has none); NULL beyond the last. */
MOON_API size_t moon_csv_width(const moon_csv *csv);
MOON_API const char *moon_csv_column(const moon_csv *csv, size_t i);

/* METHOD: the name of column i of the file, wanted or not; NULL beyond the last. */
MOON_API const char *moon_csv_field(const moon_csv *csv, size_t i);

/* METHOD: the line, from 1, where the last row that was read, or the bad one, begins; whether the first line has names;
** how many cells of the rows so far were missing. */
MOON_API size_t moon_csv_line(const moon_csv *csv);
MOON_API bool moon_csv_has_header(const moon_csv *csv);
MOON_API size_t moon_csv_missing(const moon_csv *csv);

/* METHOD: the categorical columns with their texts, to be given when another file is read; the names of the classes
** that labels have had so far, none if they are numbers. Valid until the next call that reads. */
MOON_API const moon_csv_category *moon_csv_categories(const moon_csv *csv, size_t *count);
MOON_API const char *const *moon_csv_classes(const moon_csv *csv, size_t *count);

/* ---- Pictures --------------------------------------------------------------------------------------------------- */

/* CONSTRUCTOR: a PNG as a byte tensor [height x width] (grey) or [height x width x c], c being 2 (grey and alpha), 3
** (RGB) or 4 (RGBA). Palettes and 16-bit channels become 8-bit channels. Fails with MOON_EIO, MOON_EFORMAT,
** MOON_ENOMEM. */
MOON_API moon_status moon_png_read(moon_ctx *ctx, moon_tensor **out, const char *path);
MOON_API moon_status moon_png_decode(moon_ctx *ctx, moon_tensor **out, const void *bytes, size_t size);

/* Write [height x width] or [height x width x 1..4] as a PNG: bytes as they are, float32 as 255 times the value,
** rounded and clamped. The file appears complete or not at all. encode is a CONSTRUCTOR of a byte tensor [size]. Fails
** with MOON_ESHAPE, MOON_EIO, MOON_ENOMEM. */
MOON_API moon_status moon_png_write(const moon_tensor *image, const char *path);
MOON_API moon_status moon_png_encode(const moon_tensor *image, moon_tensor **bytes);

/* FUNCTION: *kind = which format a file seems to have, by its first bytes: "PNG", "JPEG", "GIF", "TIFF", "BMP", "WebP"
** and so on; NULL if it has none that is known. The name is static. Fails with MOON_EIO. */
MOON_API moon_status moon_picture_kind(moon_ctx *ctx, const char **kind, const char *path);

/* FUNCTION: y [h x w] (grey) or [h x w x 3] (RGB) = a picture [H x W] or [H x W x 1..4], as moon_png_read returns it,
** at another size: each pixel is the average of the area that it covers, rounded. Transparent pixels lie on white; grey
** is 0.299 R + 0.587 G + 0.114 B (Rec. 601). invert: 255 minus that. Both are bytes, and share none. Fails with
** MOON_ESHAPE (other shapes or types, or no pixels), MOON_ESTATE (y is frozen), MOON_ENOMEM. */
MOON_API moon_status moon_picture_resize(moon_tensor *y, const moon_tensor *picture, bool invert);

/* ---- Any file --------------------------------------------------------------------------------------------------- */

/* A part of the content of a file. */
typedef struct moon_bytes {
  const void *data; /* the caller's; NULL only if size is 0 */
  size_t size;      /* in bytes */
} moon_bytes;

/* FUNCTION: write a file that consists of these parts, one after the other. The file appears complete or not at all,
** and survives a power failure from then on: it writes a temporary in the same folder (".name.xxxxxx.moonglass"), calls
** fsync, renames it, and calls fsync on the folder. On failure the old file stays and the temporary is removed. If the
** process is killed, the next write of the same path removes its temporary.
** The new file gets the permissions of the one that it replaces, and its owner and group as far as the process may set
** them (if not the group, the new group gets the rights of all others); access lists, extended attributes and hard
** links are not kept. Only the owner may read the temporary. A file that replaces none follows the umask. Through a
** symbolic link the file that it leads to is written, and the link stays. Beyond RLIMIT_FSIZE the system ends a process
** that does not ignore SIGXFSZ. Fails with MOON_EIO, MOON_ENOMEM. */
MOON_API moon_status moon_file_write(moon_ctx *ctx, const char *path, const moon_bytes *parts, size_t count);

/* FUNCTION: keep older versions of a file that is about to be written: path.1 becomes the current file, path.2 the
** former path.1, and so on up to path.<keep - 1>. path itself stays: path.1 is a hard link, or a copy if links are not
** possible. For a symbolic link, versions of its file are kept beside the link. Nothing happens if path does not exist,
** or is path.1 already. keep is 1 (nothing to do) to 10. Fails with MOON_ERANGE (keep), MOON_EIO, MOON_ENOMEM. */
MOON_API moon_status moon_file_rotate(moon_ctx *ctx, const char *path, int keep);

/* CONSTRUCTOR: the names in a folder but "." and "..", sorted by their bytes, as bytes [size]: each with a zero byte
** behind it. Fails with MOON_EIO, MOON_ENOMEM. */
MOON_API moon_status moon_folder_list(moon_ctx *ctx, moon_tensor **names, const char *path);

/* ---- Files of tensors -------------------------------------------------------------------------------------------
** An archive is a list of named tensors and of text entries in memory: the content of one safetensors file. */

/* CONSTRUCTOR: an empty archive; the content of a file, or of its bytes in memory. F32 and U8 keep their type; F16,
** BF16, F64, I64, I32, I16, I8, U16, U32, U64 and BOOL become float32. Nothing in a file is trusted. Fails with
** MOON_EIO (load), MOON_EFORMAT, MOON_ENOMEM.
** map is load, but tensors of 1 MB or more of F32 or U8 are mapped, not copied, as moon_idx_load does. Their checksums,
** if there are any, are compared when they are mapped: that reads the file once, piece by piece. */
MOON_API moon_status moon_archive_new(moon_ctx *ctx, moon_archive **out);
MOON_API moon_status moon_archive_load(moon_ctx *ctx, moon_archive **out, const char *path);
MOON_API moon_status moon_archive_map(moon_ctx *ctx, moon_archive **out, const char *path);
MOON_API moon_status moon_archive_decode(moon_ctx *ctx, moon_archive **out, const void *bytes, size_t size);
MOON_API moon_archive *moon_archive_retain(moon_archive *archive);
MOON_API void moon_archive_release(moon_archive *archive);

/* METHOD: write the archive, as moon_file_write does. The header has a field "crc32" for each tensor; if a byte of the
** tensor, its description or the texts has changed, load fails with MOON_EFORMAT. Files without that field load too,
** and other readers ignore it. encode, a CONSTRUCTOR of a byte tensor [size], makes the same bytes and opens no file.
** Fails with MOON_EIO (save), MOON_ERANGE (names and texts beyond 100 MB), MOON_ENOMEM. */
MOON_API moon_status moon_archive_save(const moon_archive *archive, const char *path);
MOON_API moon_status moon_archive_encode(const moon_archive *archive, moon_tensor **bytes);

/* METHOD: add a tensor (retained, not copied); set a text entry (copied). Fails with MOON_ERANGE (there is a tensor of
** that name, or a text is not UTF-8), MOON_ENOMEM. */
MOON_API moon_status moon_archive_add(moon_archive *archive, const char *name, moon_tensor *t);
MOON_API moon_status moon_archive_set(moon_archive *archive, const char *key, const char *text);

/* METHOD: the i-th tensor or entry, false past the last; the one of a name, NULL if there is none. Nothing is
** retained. */
MOON_API bool moon_archive_tensor(const moon_archive *archive, size_t i, const char **name, moon_tensor **t);
MOON_API bool moon_archive_entry(const moon_archive *archive, size_t i, const char **key, const char **text);
MOON_API moon_tensor *moon_archive_find(const moon_archive *archive, const char *name);
MOON_API const char *moon_archive_text(const moon_archive *archive, const char *key);

/* METHOD: copy a net into an archive: weights [out x in], named as torch.nn.Sequential names them, and the architecture
** as JSON in the text entry "moonglass". CONSTRUCTOR: the net of an archive. to fails with MOON_ERANGE (there is a
** tensor of that name, or a text is not UTF-8), MOON_ENOMEM; from with MOON_EFORMAT, MOON_ENOMEM. */
MOON_API moon_status moon_net_to_archive(const moon_net *net, moon_archive *archive);
MOON_API moon_status moon_net_from_archive(moon_ctx *ctx, moon_net **out, const moon_archive *archive);

/* METHOD, CONSTRUCTOR: the same to and from a file, or its bytes; they fail as both steps do. */
MOON_API moon_status moon_net_save(const moon_net *net, const char *path);
MOON_API moon_status moon_net_load(moon_ctx *ctx, moon_net **out, const char *path);
MOON_API moon_status moon_net_to_bytes(const moon_net *net, moon_tensor **bytes);
MOON_API moon_status moon_net_from_bytes(moon_ctx *ctx, moon_net **out, const void *bytes, size_t size);

/* ---- Scaling ----------------------------------------------------------------------------------------------------
** Columns of different sizes are brought to one: z = (x - offset) / scale, in double, then rounded to float32. */

/* CONSTRUCTOR: a scaler for rows of width columns, without numbers yet. It gets them from rows:
**   "standard" offset: the mean; scale: the standard deviation, over n
**   "minmax"   offset: the minimum; scale: maximum - minimum. So the rows seen become 0 to 1
**   "robust"   offset: the median; scale: the interquartile range / 1.349, which is the deviation of normal numbers.
**              Where both quartiles are equal: the deviation
** NaN are missing numbers, and not counted. A constant column has the scale 1; a column of nothing but NaN has the
** offset 0 and the scale 1. Sums are in double, of deviations from the first number: exact also far from zero. Fails
** with MOON_ERANGE (unknown method), MOON_ESHAPE (width is 0), MOON_ENOMEM. */
MOON_API moon_status moon_scaler_new(moon_ctx *ctx, moon_scaler **out, const char *method, size_t width);
MOON_API moon_scaler *moon_scaler_retain(moon_scaler *scaler);
MOON_API void moon_scaler_release(moon_scaler *scaler);

/* METHOD: count the rows x [n x width], float32 or bytes, which count as value/255. Rows may come in blocks of any
** sizes; the result has the same bits. Fails with MOON_ESHAPE, MOON_ERANGE (an infinity: the message names the row,
** from 1 on through all blocks, and the column), MOON_ESTATE (finished), MOON_ENOMEM, MOON_EINTERRUPT. */
MOON_API moon_status moon_scaler_add(moon_scaler *scaler, const moon_tensor *x);

/* METHOD: all rows have come. *again is true after the first pass of "robust", which needs two: add the same rows once
** more, in any order, and call this again. No rows are kept meanwhile: exact quantiles take 0.5 to 3 MB for each
** column, or 12 bytes for each row if that is less. Otherwise the scaler can now be used, and takes no more rows.
** Fails with MOON_ESTATE (no rows; finished; other rows in the second pass), MOON_ENOMEM. */
MOON_API moon_status moon_scaler_finish(moon_scaler *scaler, bool *again);

/* METHOD: its method, a static text, and its width. */
MOON_API const char *moon_scaler_method(const moon_scaler *scaler);
MOON_API size_t moon_scaler_width(const moon_scaler *scaler);

/* METHOD: [width] numbers, valid as long as the scaler; NULL before it is finished. low and high are the smallest and
** the largest number seen, NaN if there was none. count: how many numbers a column has had, without NaN. */
MOON_API const double *moon_scaler_offset(const moon_scaler *scaler);
MOON_API const double *moon_scaler_scale(const moon_scaler *scaler);
MOON_API const double *moon_scaler_low(const moon_scaler *scaler);
MOON_API const double *moon_scaler_high(const moon_scaler *scaler);
MOON_API size_t moon_scaler_count(const moon_scaler *scaler, size_t column);

/* METHOD: z = (x - offset) * (1 / scale), of x [n x width], float32 or bytes; x = z * scale + offset, of z float32.
** In double, then rounded. NaN stay NaN. The output is float32 and may be the input. Fail with MOON_ESTATE (not
** finished; the output is frozen), MOON_ESHAPE, MOON_ETYPE. */
MOON_API moon_status moon_scaler_apply(const moon_scaler *scaler, moon_tensor *z, const moon_tensor *x);
MOON_API moon_status moon_scaler_invert(const moon_scaler *scaler, moon_tensor *x, const moon_tensor *z);

/* ---- Detectors --------------------------------------------------------------------------------------------------
** A detector tells rows that are unlike those it was trained on: an autoencoder rebuilds them badly. It is a net, or
** several, with all that belongs to its data: the scaling, the names of the columns, the threshold. It takes rows as
** they come, unscaled, and is one file.
** Of column c of a row the nets see z = (x - offset[c]) * (1 / scale[c]), computed in double and rounded to float;
** bytes count as value/255 before. A cell that is NaN is missing: the nets see 0 there, and by default it does not
** count. A cell whose z is infinite has an infinite error. The error of a cell is (net(z) - z)^2, with several nets
** their mean. An error that is not a number, because a net's output is not, counts as infinite.
** The bits do not depend on how the rows come in calls, nor on the number of threads. */

/* What a detector is made of. Zero is the default of every field but size and nets: moon_detector_config c =
** {sizeof c}. Lists of numbers have an entry for each column. Fields are only ever added, at the end. */
typedef struct moon_detector_config {
  size_t size;                         /* sizeof(moon_detector_config), set by the caller */
  moon_net *const *nets;               /* whose outputs are as wide as their inputs, the width of the rows; retained */
  size_t net_count;                    /* 1 to 100 */
  const char *score;                   /* of a row's errors: "mean" (NULL), "max", or "scaled": the mean of each error
                                          divided by its spread */
  const double *offset;                /* NULL: zeros */
  const double *scale;                 /* above 0; NULL: ones */
  const double *spread;                /* the usual error of each column, above 0; NULL: not known yet */
  const double *low;                   /* the smallest number of the training data, NaN: not known; NULL: none known */
  const double *high;                  /* the largest one, given if low is */
  double margin;                       /* in ranges (high - low): a number is outside if it is farther than that from
                                          them; 0: 3 */
  const char *missing;                 /* what a NaN is: "skip" (NULL): not counted; "fill": the offset, counted;
                                          "refuse": an error */
  const char *const *columns;          /* names, each different, UTF-8; NULL: "1", "2", ... */
  const moon_csv_category *categories; /* the columns that were texts */
  size_t category_count;               /* of categories */
  double quantile;                     /* of the scores of `rows` rows, from which the threshold came; 0: not known */
  size_t rows;                         /* that were held out for the threshold */
  size_t alarms;                       /* how many of these rows are alarms */
} moon_detector_config;

/* CONSTRUCTOR: a detector. Everything but the nets is copied; the nets may be trained further. It has no threshold.
** Fails with MOON_ERANGE (the message names the field), MOON_ESHAPE (widths), MOON_ETYPE (another context's net),
** MOON_ENOMEM. */
MOON_API moon_status moon_detector_new(moon_ctx *ctx, moon_detector **out, const moon_detector_config *config);
MOON_API moon_detector *moon_detector_retain(moon_detector *d);
MOON_API void moon_detector_release(moon_detector *d);

/* CONSTRUCTOR: a detector of context ctx with what d has now, for scoring in another thread at the same time. Its nets
** are shares: all that moon_net_share says holds, with d as the net. Fails with MOON_ENOMEM, with the message in
** ctx. */
MOON_API moon_status moon_detector_share(const moon_detector *d, moon_ctx *ctx, moon_detector **out);

/* METHOD: its context; the number of columns; the name of one, NULL past the last. */
MOON_API moon_ctx *moon_detector_ctx(const moon_detector *d);
MOON_API size_t moon_detector_columns(const moon_detector *d);
MOON_API const char *moon_detector_column(const moon_detector *d, size_t i);

/* METHOD: fill *config, whose field size is set, with what the detector is made of; valid until it is changed. */
MOON_API void moon_detector_describe(const moon_detector *d, moon_detector_config *config);

/* METHOD: the threshold: a row with a higher score is an alarm. NaN: none. set forgets quantile, rows and alarms,
** which set_calibration sets (0: not known). They fail with MOON_ERANGE (infinite; a quantile that is not 0 to below 1;
** more alarms than rows). */
MOON_API double moon_detector_threshold(const moon_detector *d);
MOON_API moon_status moon_detector_set_threshold(moon_detector *d, double threshold);
MOON_API moon_status moon_detector_set_calibration(moon_detector *d, double quantile, size_t rows, size_t alarms);

/* METHOD: change spread; low, high and margin. As in moon_detector_config. Fails with MOON_ERANGE as moon_detector_new
** does, and then nothing is changed. */
MOON_API moon_status moon_detector_set_spread(moon_detector *d, const double *spread);
MOON_API moon_status moon_detector_set_range(moon_detector *d, const double *low, const double *high, double margin);

/* METHOD: texts that belong to the detector and are saved with it, as in an archive; of a host's choice. set copies the
** text. Fails with MOON_ERANGE (not UTF-8, or a key that belongs to the format), MOON_ENOMEM. */
MOON_API const char *moon_detector_text(const moon_detector *d, const char *key);
MOON_API moon_status moon_detector_set_text(moon_detector *d, const char *key, const char *text);

/* METHOD: for each row of x [n x width], float32 or bytes, into float32; batch: rows at a time in each worker, at most
** 128 (0: the engine chooses):
**   score     scores [n]: the mean over the nets of "mean", "max" or "scaled" of the errors of the cells that are not
**             missing; NaN for a row that has none
**   features  features [n x width]: the errors, with "scaled" divided by spread; 0 where a cell is missing
**   outside   counts [n]: how many cells are outside the range of the training data, infinite ones included: a net can
**             rebuild what lies far away (Bouman and Heskes, 2025)
**   alarms    alarms [n]: 1 where the score is above the threshold or NaN, or a cell is outside; else 0
** Allocate nothing once they have seen as many rows. Fail with MOON_ESHAPE, MOON_ENOMEM, MOON_ERANGE (a missing cell,
** if they are refused: the message names row and column), MOON_EINTERRUPT (the output is partly written), MOON_ESTATE
** ("scaled" without spread; alarms without a threshold; a frozen output; workers cannot start). */
MOON_API moon_status moon_detector_score(moon_detector *d, moon_tensor *scores, const moon_tensor *x, size_t batch);
MOON_API moon_status moon_detector_features(moon_detector *d, moon_tensor *features, const moon_tensor *x,
                                            size_t batch);
MOON_API moon_status moon_detector_outside(moon_detector *d, moon_tensor *counts, const moon_tensor *x);
MOON_API moon_status moon_detector_alarms(moon_detector *d, moon_tensor *alarms, const moon_tensor *x);

/* What a column has to do with a row's score. */
typedef struct moon_reason {
  const char *column; /* its name, valid as long as the detector */
  size_t index;       /* of the column */
  double value;       /* as it came, NaN: missing */
  double expected;    /* what the nets make of it, in the same unit; their mean */
  double share;       /* of the sum of all errors, 0 to 1; infinite errors share alone */
  bool outside;       /* the range of the training data */
} moon_reason;

/* METHOD: the first `count` (1 to width) columns of row x [width] or [1 x width]: those outside, then the others, each
** by falling share. Fails with MOON_ERANGE (count), and as features does. */
MOON_API moon_status moon_detector_explain(moon_detector *d, moon_reason *reasons, size_t count, const moon_tensor *x);

/* METHOD: write one safetensors file, as moon_archive_save does: the net as moon_net_save writes it, and the text entry
** "moonglass.detector" in JSON. So PyTorch and moon_net_load take the file of one net as that of the net. With several,
** tensors and the texts "moonglass" are numbered: "0.0.weight", "1.0.weight"; "moonglass.0", "moonglass.1".
** CONSTRUCTOR: the detector of such a file, or of its bytes; a file of a plain net makes one without scaling and
** threshold. Fail with MOON_EIO (save, load), MOON_EFORMAT (the message names the field), MOON_ENOMEM. */
MOON_API moon_status moon_detector_save(const moon_detector *d, const char *path);
MOON_API moon_status moon_detector_to_bytes(const moon_detector *d, moon_tensor **bytes);
MOON_API moon_status moon_detector_load(moon_ctx *ctx, moon_detector **out, const char *path);
MOON_API moon_status moon_detector_from_bytes(moon_ctx *ctx, moon_detector **out, const void *bytes, size_t size);

/* CONSTRUCTOR: open a CSV file for the detector: moon_csv_read then gives its columns, found by name, in its order,
** with its categories. Other columns are passed over; moon_csv_field tells which the file has. A detector without names
** takes all columns as they come. Fails as moon_csv_open does; MOON_EFORMAT names a column that is missing. */
MOON_API moon_status moon_detector_open_csv(const moon_detector *d, moon_csv **out, const char *path);

/* METHOD: is there a detector's entry in the archive? CONSTRUCTOR: the detector of an archive; METHOD: copy it into
** one. They fail with MOON_EFORMAT, MOON_ENOMEM, as the functions above. */
MOON_API bool moon_archive_has_detector(const moon_archive *archive);
MOON_API moon_status moon_detector_from_archive(moon_ctx *ctx, moon_detector **out, const moon_archive *archive);
MOON_API moon_status moon_detector_to_archive(const moon_detector *d, moon_archive *archive);

#ifdef __cplusplus
}
#endif
#endif
