/* names.c - which names mean the same (swish and silu), and "did you mean": how far a name is from a known one. */
#include "names.h"

#include <ctype.h>
#include <string.h>

#include "error.h"
#include "memory.h"

enum { LONGEST = 48 }; /* names have at most so many letters */

static char lower(char c) { return (char)tolower((unsigned char)c); }

static unsigned char least(unsigned char a, unsigned char b) { return a < b ? a : b; }

/* Edit distance with transpositions (optimal string alignment, Damerau 1964, CACM 7). cost[i][j]: from a's first i
** letters to b's first j. Only three rows are kept. */
static size_t edits(const char *a, size_t m, const char *b, size_t n) {
  unsigned char cost[3][LONGEST + 1];
  for (size_t j = 0; j <= n; j++) cost[0][j] = (unsigned char)j;
  for (size_t i = 1; i <= m; i++) {
    unsigned char *row = cost[i % 3], *above = cost[(i + 2) % 3], *two_above = cost[(i + 1) % 3];
    row[0] = (unsigned char)i;
    for (size_t j = 1; j <= n; j++) {
      char x = lower(a[i - 1]), y = lower(b[j - 1]);
      row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (x != y));
      if (i > 1 && j > 1 && x == lower(b[j - 2]) && y == lower(a[i - 2])) row[j] = least(row[j], two_above[j - 2] + 1);
    }
  }
  return cost[m % 3][n];
}

/* Is a the beginning of b? At least three letters: fewer match by chance. */
static bool abbreviates(const char *a, size_t m, const char *b) {
  for (size_t i = 0; i < m; i++)
    if (lower(a[i]) != lower(b[i])) return false;
  return m >= 3;
}

/* ---- other libraries' names ---- */

/* What Keras, PyTorch, scikit-learn or numpy call something that has another name here. In lower case, without _ and
** -. */
typedef struct synonym {
  const char *theirs, *ours;
} synonym;

/* The same thing under another name: accepted everywhere. */
static const synonym same_things[] = {
    {"swish", "silu"},
    {"identity", "linear"},
    {"logistic", "sigmoid"},
    {"xavieruniform", "glorot_uniform"},
    {"xaviernormal", "glorot_normal"},
    {"kaiminguniform", "he_uniform"},
    {"kaimingnormal", "he_normal"},
    {"mseloss", "mse"},
    {"l1loss", "mae"},
    {"bceloss", "bce"},
    {"huberloss", "huber"},
};

/* What may be meant: "did you mean" in messages. */
static const synonym near_things[] = {
    {"learningrate", "lr"},
    {"stepsize", "lr"},
    {"stepsize", "every"},
    {"gamma", "factor"},
    {"drop", "factor"},
    {"decayrate", "factor"},
    {"tmax", "epochs"},
    {"etamin", "lr_min"},
    {"warmupepochs", "warmup"},
    {"epsilon", "min_delta"},
    {"threshold", "min_delta"},
    {"tol", "min_delta"},
    {"tolerance", "min_delta"},
    {"metric", "monitor"},
    {"maxtokeep", "keep"},
    {"valdata", "validation"},
    {"valsplit", "validation_split"},
    {"maxval", "peak"},
    {"datarange", "peak"},
    {"logits", "from_logits"},
    {"smoothing", "label_smoothing"},
    {"beta", "delta"},
    {"eta", "lr"},
    {"rate", "lr"},
    {"rate", "p"},
    {"epsilon", "eps"},
    {"stddev", "sigma"},
    {"std", "sigma"},
    {"freeze", "trainable"},
    {"frozen", "trainable"},
    {"requiresgrad", "trainable"},
    {"prob", "p"},
    {"l2", "weight_l2"},
    {"kernelregularizer", "weight_l2"},
    {"l1", "activity_l1"},
    {"activityregularizer", "activity_l1"},
    {"kernelinitializer", "init"},
    {"biasinitializer", "bias_init"},
    {"slope", "negative_slope"},
    {"maxnorm", "global_clip_norm"},
    {"initializer", "init"},
    {"usebias", "bias"},
    {"units", "out"},
    {"outfeatures", "out"},
    {"outputs", "out"},
    {"infeatures", "in"},
    {"inputdim", "in"},
    {"inputshape", "in"},
    {"inputsize", "in"},
    {"inputdim", "input"},
    {"inputshape", "input"},
    {"inputsize", "input"},
    {"units", "hidden"},
    {"latentdim", "code"},
    {"latentdim", "hidden"},
    {"encodingdim", "hidden"},
    {"latent", "hidden"},
    {"hiddendim", "hidden"},
    {"hiddensize", "hidden"},
    {"infeatures", "input"},
    {"outputactivation", "output"},
    {"bottleneck", "hidden"},
    {"encodingdim", "code"},
    {"bottleneck", "code"},
    {"batchsize", "batch_size"},
    {"numepochs", "epochs"},
    {"nepochs", "epochs"},
    {"nbepoch", "epochs"},
    {"maxepochs", "epochs"},
    {"maxiter", "epochs"},
    {"niter", "epochs"},
    {"startepoch", "initial_epoch"},
    {"validationdata", "validation"},
    {"criterion", "loss"},
    {"lossfn", "loss"},
    {"objective", "loss"},
    {"optim", "optimizer"},
    {"workers", "threads"},
    {"numworkers", "threads"},
    {"njobs", "threads"},
    {"randomstate", "seed"},
    {"randomseed", "seed"},
    {"restorebestweights", "restore_best"},
    {"savebestonly", "best"},
    {"period", "every"},
    {"savefreq", "every"},
    {"minlr", "lr_min"},
    {"nneighbors", "k"},
    {"neighbors", "k"},
    {"ncomponents", "atoms"},
    {"alpha", "l1"},
    {"alpha", "rho"},
    {"tieweights", "tied"},
    {"linear", "dense"},
    {"crossentropyloss", "cross_entropy"},
    {"nllloss", "cross_entropy"},
    {"bcewithlogitsloss", "bce"},
    {"smoothl1loss", "huber"},
    {"smoothl1", "huber"},
    {"l1", "mae"},
    {"nll", "cross_entropy"},
    {"logloss", "bce"},
    {"bcewithlogits", "bce"},
    {"lrelu", "leaky_relu"},
    {"xavier", "glorot_uniform"},
    {"kaiming", "he_normal"},
    {"randomnormal", "normal"},
    {"randomuniform", "uniform"},
    {"kernel", "weight"},
    {"weights", "weight"},
    {"view", "reshape"},
    {"transpose", "t"},
    {"mm", "matmul"},
    {"dot", "matmul"},
    {"tolist", "totable"},
    {"numpy", "totable"},
    {"clip", "clamp"},
    {"concat", "cat"},
    {"concatenate", "cat"},
    {"stack", "cat"},
    {"ndim", "rank"},
    {"nelement", "numel"},
    {"train", "fit"},
    {"compile", "fit"},
    {"transform", "encode"},
    {"statedict", "parameters"},
    {"getweights", "parameters"},
    {"saveweights", "save"},
    {"loadweights", "load"},
    {"predictproba", "scores"},
    {"score", "accuracy"},
    {"manualseed", "seed"},
    {"learningrate", "optimizer"},
    {"lr", "optimizer"},
    {"patience", "callbacks"},
    {"earlystopping", "callbacks"},
    {"contamination", "quantile"},
    {"percentile", "quantile"},
    {"nestimators", "ensemble"},
    {"nets", "ensemble"},
    {"decisionfunction", "scores"},
    {"scoresamples", "scores"},
    {"predict", "alarms"},
    {"partialfit", "update"},
    {"transform", "apply"},
    {"inversetransform", "invert"},
    {"featurenames", "columns"},
    {"usecols", "columns"},
    {"exclude", "ignore"},
    {"drop", "ignore"},
    {"sep", "delimiter"},
    {"navalues", "missing"},
    {"nrows", "rows"},
    {"chunksize", "stream"},
    {"targetsize", "size"},
    {"grayscale", "gray"},
    {"fillna", "fill_nan"},
    {"nantonum", "fill_nan"},
    {"isna", "isnan"},
    {"unfold", "windows"},
};

/* Only letters and digits count: MSE, LeakyReLU and he-normal are mse, leaky_relu and he_normal. */
static char skip_to_letter(const char **at) {
  while (**at == '_' || **at == '-' || **at == ' ') ++*at;
  return lower(**at);
}

static bool same_letters(const char *a, const char *b) {
  for (;; a++, b++) {
    char x = skip_to_letter(&a), y = skip_to_letter(&b);
    if (x != y) return false;
    if (!x) return true;
  }
}

static bool listed(const synonym *list, size_t count, const char *name, const char *known) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(list[i].ours, known) == 0 && same_letters(list[i].theirs, name)) return true;
  return false;
}

bool mooni_names(const char *name, const char *known) {
  return *name && (same_letters(name, known) || listed(same_things, MOONI_COUNT(same_things), name, known));
}

size_t moon_name_distance(const char *a, const char *b) {
  if (mooni_names(a, b) || listed(near_things, MOONI_COUNT(near_things), a, b)) return 0;
  size_t m = strlen(a), n = strlen(b), longer = m > n ? m : n;
  if (longer > LONGEST) return SIZE_MAX;
  size_t distance = edits(a, m, b, n);
  if (distance < longer && distance <= (longer < 6 ? 1 : longer / 3)) return distance;
  return abbreviates(a, m, b) ? LONGEST : SIZE_MAX;
}

moon_status mooni_unknown(moon_ctx *ctx, const char *what, const char *name, const char *(*at)(const void *, size_t),
                          const void *list) {
  const char *known, *nearest = NULL;
  size_t least = SIZE_MAX;
  for (size_t i = 0; (known = at(list, i)) != NULL; i++) {
    size_t distance = moon_name_distance(name, known);
    if (distance < least) least = distance, nearest = known;
  }
  mooni_fail(ctx, MOON_ERANGE, "unknown %s '%.100s'%s%s%s (known: ", what, name, nearest ? "; did you mean '" : "",
             nearest ? nearest : "", nearest ? "'?" : "");
  for (size_t i = 0; (known = at(list, i)) != NULL; i++) {
    if (i) mooni_append(ctx, ", ");
    mooni_append(ctx, known);
  }
  mooni_append(ctx, ")");
  return MOON_ERANGE;
}
