/* meter.c - figures of batches beside the objective. Each is a sum over the batches, of a mean times what it is a mean
** of: rows, or with a mask cells. They are made of the outputs that the batch has left in the net's buffers, by the
** calling thread, and change nothing that a step uses. */
#include "meter.h"

#include <math.h>
#include <string.h>

#include "../core/ctx.h"
#include "../core/error.h"
#include "../core/memory.h"
#include "../core/registry.h"
#include "../kernels/act.h"
#include "../kernels/table.h"
#include "branches.h"
#include "heads.h"
#include "mask.h"

/* A batch that has run. */
typedef struct outcome {
  const mooni_batch *b;
  const float *y, *p; /* the outputs [rows x width], as the loss has seen them, and with the last activation */
  mooni_target target;
  size_t rows, width;
  bool logits; /* y are logits */
} outcome;

/* Returns a mean over the batch; sets *weight to what it is a mean of. */
struct measure;
typedef double measure_fn(const struct measure *m, const outcome *o, double *weight);

typedef struct kind {
  const char *name;
  measure_fn *apply;
  bool takes_loss, outputs; /* outputs: it is made of the outputs */
  bool takes_head;
} kind;

typedef struct measure {
  const kind *kind;
  moon_loss *loss; /* or NULL */
  size_t head;     /* of those that take one */
  double sum, weight;
} measure;

struct mooni_meter {
  measure *measures;
  size_t count;
  float *buffer; /* outputs as the loss has seen them, with their activation, and targets: [rows x width] each */
  size_t floats; /* of each */
  double *heads; /* for mooni_batch, of each thread */
  size_t threads;
};

/* ---- kinds ---- */

/* The index of the largest element; the first of equal ones, and NaN if there is any, as in NumPy. */
static size_t largest(const float *x, size_t n) {
  size_t at = 0;
  for (size_t i = 1; i < n && !isnan(x[at]); i++)
    if (x[i] > x[at] || isnan(x[i])) at = i;
  return at;
}

static bool any_nan(const float *x, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (isnan(x[i])) return true;
  return false;
}

/* The fraction of cells that are on the right side of one half. Missing ones do not count. */
static double binary_accuracy(const measure *m, const outcome *o, double *weight) {
  float threshold = o->logits ? 0 : 0.5f;
  size_t right = 0, present = 0;
  (void)m;
  for (size_t r = 0; r < o->rows; r++)
    for (size_t c = 0; c < o->width; c++) {
      float t = o->target.labels ? (float)(o->target.labels[r] == c) : o->target.values[r * o->target.stride + c];
      if (isnan(t)) continue;
      right += t == (float)(o->y[r * o->width + c] > threshold);
      present++;
    }
  *weight = o->b->mask ? (double)present : (double)o->rows;
  return present ? (double)right / (double)present : 0;
}

/* The fraction of rows whose largest output is that of their class; of a single output, the one above. */
static double accuracy(const measure *m, const outcome *o, double *weight) {
  size_t right = 0, present = 0;
  if (o->width == 1) return binary_accuracy(m, o, weight);
  for (size_t r = 0; r < o->rows; r++) {
    const float *t = o->target.values ? o->target.values + r * o->target.stride : NULL;
    if (t && o->b->mask && any_nan(t, o->width)) continue;
    right += largest(o->y + r * o->width, o->width) == (t ? largest(t, o->width) : o->target.labels[r]);
    present++;
  }
  *weight = (double)present;
  return present ? (double)right / (double)present : 0;
}

/* Could this loss take over the activation that the batch's loss has taken over? */
static bool takes_logits(const mooni_batch *b, const moon_loss *loss) {
  return b->fused && mooni_loss_fuses(loss, b->loss->class->fuses);
}

/* Another loss; on logits, if it could take over the same activation. */
static double of_loss(const measure *m, const outcome *o, double *weight) {
  const moon_loss *loss = m->loss;
  bool fuses = takes_logits(o->b, loss);
  double scale = mooni_loss_scale(loss, o->rows, o->width);
  *weight = (double)o->rows;
  if (o->b->mask && mooni_loss_is_mean(loss)) {
    mooni_columns t = mooni_columns_of(o->target.values, o->rows, o->width, false, 0, 1);
    *weight = (double)mooni_mask_count(t, o->rows);
    scale = 1 / fmax(*weight, 1);
  }
  mooni_loss_fn *apply = o->b->mask ? mooni_mask_loss : loss->class->apply;
  return apply(loss, NULL, fuses ? o->y : o->p, o->target, o->rows, o->width, o->width, scale,
               fuses || loss->from_logits);
}

/* The two parts of the objective. An evaluation over ranks has only this rank's share of them: what the ranks' sums add
** up to is the same. */
static double share(const outcome *o, double part, double *weight) {
  const mooni_batch *b = o->b;
  *weight = (double)b->rows;
  return b->ranks && !b->opt ? part * (double)(b->rows + b->elsewhere) / (double)b->rows : part;
}

static double penalty(const measure *m, const outcome *o, double *weight) {
  (void)m;
  return share(o, o->b->net->penalty, weight);
}

/* With a mask an evaluation is a mean over all cells that are present (add_batch in step.c). */
static double data(const measure *m, const outcome *o, double *weight) {
  const mooni_batch *b = o->b;
  double value = share(o, b->objective - b->net->penalty, weight);
  (void)m;
  if (b->mask && !b->opt && mooni_loss_is_mean(b->loss))
    *weight *= b->all_present / (double)o->width / (double)(b->rows + b->elsewhere);
  return value;
}

/* The divergences of the codes that are drawn, without their factors beta. */
static double kl(const measure *m, const outcome *o, double *weight) {
  const moon_net *net = o->b->net;
  double sum = 0;
  (void)m;
  for (size_t i = 0; i < net->count; i++) {
    const moon_layer *l = net->layers[i];
    if (l->class->divergence) sum += l->class->divergence(l, net->places[i].x, o->rows);
  }
  *weight = (double)o->rows;
  return sum / (double)o->rows;
}

/* One head of the loss, without weights. */
static double head(const measure *m, const outcome *o, double *weight) {
  double value = 0;
  *weight = (double)o->rows;
  for (size_t i = 0; o->b->heads && i < o->b->parts; i++) value += o->b->heads[i * MOONI_MAX_HEADS + m->head];
  if (o->b->heads && mooni_heads_of(o->b->loss)->heads[m->head].weight > 0) return value;
  return mooni_heads_value(mooni_heads_of(o->b->loss), m->head, o->y, o->target, o->rows, o->b->fused, o->b->mask);
}

/* Among the outputs of one head. */
static double head_accuracy(const measure *m, const outcome *o, double *weight) {
  const mooni_heads *heads = mooni_heads_of(o->b->loss);
  mooni_span own = mooni_heads_columns(heads, m->head), target = mooni_heads_target(heads, m->head, o->target.stride);
  bool labels = mooni_heads_labels(heads, m->head, o->target.stride);
  size_t right = 0;
  for (size_t r = 0; r < o->rows; r++) {
    const float *t = o->target.values + r * o->target.stride + target.from;
    size_t class = labels ? (size_t)*t : largest(t, mooni_length(target));
    right += largest(o->y + r * o->width + own.from, mooni_length(own)) == class;
  }
  *weight = (double)o->rows;
  return (double)right / (double)o->rows;
}

static const kind kinds[] = {{"accuracy", accuracy, false, true, false},
                             {"binary_accuracy", binary_accuracy, false, true, false},
                             {"loss", of_loss, true, true, false},
                             {"data", data, false, false, false},
                             {"penalty", penalty, false, false, false},
                             {"kl", kl, false, false, false},
                             {"head", head, false, true, true},
                             {"head_accuracy", head_accuracy, false, true, true},
                             {0}};

/* ---- the measures of a net ---- */

/* Is text the name, and, for a kind that takes a head, a blank and the number of one? */
static bool is_kind(const kind *k, const char *text, size_t *head) {
  size_t n = strlen(k->name);
  if (!k->takes_head) return strcmp(text, k->name) == 0;
  if (strncmp(text, k->name, n) != 0 || text[n] != ' ') return false;
  const char *digits = text + n + 1;
  size_t length = strspn(digits, "0123456789");
  if (!length || length > 2 || digits[length]) return false;
  for (*head = 0; *digits; digits++) *head = 10 * *head + (size_t)(*digits - '0');
  return true;
}

static const kind *find_kind(const char *name, size_t *head) {
  const kind *k = kinds;
  *head = 0;
  while (k->name && (!name || !is_kind(k, name, head))) k++;
  return k->name ? k : NULL;
}

static moon_status reserve(moon_net *net, size_t count) {
  if (!net->meter) net->meter = mooni_calloc(net->ctx, 1, sizeof *net->meter);
  if (!net->meter) return mooni_nomem(net->ctx, sizeof *net->meter);
  measure *more = mooni_calloc(net->ctx, count, sizeof *more);
  if (!more) return mooni_nomem(net->ctx, count * sizeof *more);
  if (net->meter->count) memcpy(more, net->meter->measures, net->meter->count * sizeof *more);
  mooni_free(net->ctx, net->meter->measures);
  net->meter->measures = more;
  return MOON_OK;
}

moon_status moon_net_add_measure(moon_net *net, const char *name, moon_loss *loss) {
  size_t head;
  const kind *k = find_kind(name, &head);
  if (!k)
    return mooni_fail(net->ctx, MOON_ERANGE,
                      "measure: kind is '%s', expected accuracy, binary_accuracy, loss, data, penalty, kl, 'head 0', "
                      "'head_accuracy 0', ...",
                      name ? name : "NULL");
  if (k->takes_loss != (loss != NULL))
    return mooni_fail(net->ctx, MOON_ERANGE, "measure: kind %s %s", name, loss ? "takes no loss" : "needs a loss");
  if (loss && loss->ctx != net->ctx)
    return mooni_fail(net->ctx, MOON_ETYPE, "measure: the loss belongs to another context");
  size_t count = net->meter ? net->meter->count : 0;
  MOONI_TRY(reserve(net, count + 1));
  net->meter->measures[count] = (measure){k, loss ? moon_loss_retain(loss) : NULL, head, 0, 0};
  net->meter->count++;
  return MOON_OK;
}

void moon_net_drop_measures(moon_net *net) {
  struct mooni_meter *m = net->meter;
  if (!m) return;
  for (size_t i = 0; i < m->count; i++) moon_loss_release(m->measures[i].loss);
  mooni_free(net->ctx, m->measures);
  mooni_free(net->ctx, m->buffer);
  mooni_free(net->ctx, m->heads);
  mooni_free(net->ctx, m);
  net->meter = NULL;
}

moon_status moon_net_measured(const moon_net *net, size_t i, double *sum, double *weight) {
  size_t count = net->meter ? net->meter->count : 0;
  if (i >= count) return mooni_fail(net->ctx, MOON_ERANGE, "measured: there is no measure %zu of %zu", i, count);
  *sum = net->meter->measures[i].sum;
  *weight = net->meter->measures[i].weight;
  return MOON_OK;
}

/* ---- batches ---- */

static bool needs_outputs(const struct mooni_meter *m) {
  bool needs = false;
  for (size_t i = 0; i < m->count; i++) needs |= m->measures[i].kind->outputs;
  return needs;
}

static moon_status check_loss(const mooni_batch *b, const moon_loss *loss) {
  size_t width = b->net->places[b->net->count - 1].out;
  if (b->mask) MOONI_TRY(mooni_mask_check(loss));
  if (mooni_heads_of(loss))
    return mooni_fail(b->net->ctx, MOON_ERANGE, "metric heads: its parts are measured by the loss itself");
  if (b->target.labels ? loss->class->takes_labels : b->target.stride == width) return MOON_OK;
  return mooni_fail(
      b->net->ctx, MOON_ESHAPE,
      "metric %s takes targets of the outputs' shape, but the targets are class numbers: give one-hot rows",
      loss->class->name);
}

/* Heads are measured one by one. */
static moon_status check_heads(const mooni_batch *b, const measure *m) {
  const mooni_heads *heads = mooni_heads_of(b->loss);
  if (m->kind->takes_head && (!heads || m->head >= heads->count))
    return mooni_fail(b->net->ctx, MOON_ERANGE, "metric %s %zu: the loss has %zu heads", m->kind->name, m->head,
                      heads ? heads->count : 0);
  if (heads && (m->kind->apply == accuracy || m->kind->apply == binary_accuracy))
    return mooni_fail(b->net->ctx, MOON_ERANGE,
                      "metric %s is of all outputs, but the loss is made of heads, expected that of a head",
                      m->kind->name);
  return MOON_OK;
}

/* The loss tells the values of heads while it runs, except where they are not those of whole, unweighted rows here. */
static moon_status plan_heads(struct mooni_meter *m, mooni_batch *b) {
  size_t threads = (size_t)b->net->ctx->threads;
  if (!mooni_heads_of(b->loss) || b->target.weights || b->elsewhere) return MOON_OK;
  if (threads > m->threads) {
    double *heads = mooni_calloc(b->net->ctx, threads, MOONI_MAX_HEADS * sizeof *heads);
    if (!heads) return mooni_nomem(b->net->ctx, threads * MOONI_MAX_HEADS * sizeof *heads);
    mooni_free(b->net->ctx, m->heads);
    m->heads = heads;
    m->threads = threads;
  }
  memset(m->heads, 0, threads * MOONI_MAX_HEADS * sizeof *m->heads);
  b->heads = m->heads;
  return MOON_OK;
}

moon_status mooni_meter_plan(mooni_batch *b) {
  struct mooni_meter *m = b->net->meter;
  if (!m || !needs_outputs(m)) return MOON_OK;
  MOONI_TRY(plan_heads(m, b));
  for (size_t i = 0; i < m->count; i++) {
    MOONI_TRY(check_heads(b, &m->measures[i]));
    if (m->measures[i].loss) MOONI_TRY(check_loss(b, m->measures[i].loss));
  }
  size_t floats = b->rows * b->net->places[b->net->count - 1].out;
  if (floats <= m->floats) return MOON_OK;
  float *buffer = mooni_calloc(b->net->ctx, floats, 3 * sizeof *buffer);
  if (!buffer) return mooni_nomem(b->net->ctx, 3 * floats * sizeof *buffer);
  mooni_free(b->net->ctx, m->buffer);
  m->buffer = buffer;
  m->floats = floats;
  return MOON_OK;
}

/* x [rows x width], whose parts' columns may lie apart, as a matrix: x itself, or a copy in `to`. */
static const float *joined(const mooni_batch *b, float *to, const float *x, size_t width, bool apart) {
  if (!apart) return x;
  for (size_t i = 0; i < b->parts; i++) {
    mooni_columns c = mooni_columns_of(x, b->rows, width, true, i, b->parts);
    for (size_t r = 0; r < b->rows && c.to > c.from; r++)
      memcpy(to + r * width + c.from, c.p + r * c.stride + c.from, (c.to - c.from) * sizeof *to);
  }
  return to;
}

static bool needs_activation(const mooni_batch *b) {
  const struct mooni_meter *m = b->net->meter;
  bool needs = false;
  for (size_t i = 0; i < m->count; i++) needs |= m->measures[i].loss && !takes_logits(b, m->measures[i].loss);
  return needs && b->fused;
}

/* The outputs with the activation that the loss has taken over, if a measure needs it. */
static const float *activated(const mooni_batch *b, float *to, const float *y, size_t width) {
  const mooni_heads *heads = mooni_heads_of(b->loss);
  if (!needs_activation(b)) return y;
  memcpy(to, y, b->rows * width * sizeof *to);
  for (size_t h = 0; h < (heads ? heads->count : 1); h++) {
    mooni_span own = heads ? mooni_heads_columns(heads, h) : (mooni_span){0, width};
    const moon_loss *loss = heads ? heads->heads[h].loss : b->loss;
    if (b->fused >> h & 1)
      mooni_find_act(b->net->ctx, loss->class->fuses)
          ->forward(to + own.from, NULL, NULL, b->rows, mooni_length(own), width, 0); /* it has no parameter */
  }
  return to;
}

static outcome outcome_of(const mooni_batch *b) {
  const moon_net *net = b->net;
  const struct mooni_meter *m = net->meter;
  size_t width = net->places[net->count - 1].out;
  outcome o = {.b = b, .rows = b->rows, .width = width, .logits = b->fused || b->loss->from_logits};
  if (!needs_outputs(m)) return o;
  o.y = joined(b, m->buffer, net->places[net->count - 1].y, width, mooni_apart(b, net->count));
  o.p = activated(b, m->buffer + m->floats, o.y, width);
  o.target = (mooni_target){.labels = b->target.labels, .stride = b->target.stride, .batch = b->rows};
  if (b->target.values)
    o.target.values = joined(b, m->buffer + 2 * m->floats, b->target.values, width,
                             mooni_apart(b, b->target.values == net->input ? 0 : net->count));
  return o;
}

void mooni_meter_take(const mooni_batch *b) {
  struct mooni_meter *m = b->net->meter;
  if (!m || !b->rows || (b->opt && !isfinite(b->objective))) return;
  outcome o = outcome_of(b);
  for (size_t i = 0; i < m->count; i++) {
    measure *s = &m->measures[i];
    double weight, value = s->kind->apply(s, &o, &weight);
    s->sum += value * weight;
    s->weight += weight;
  }
}
