/* heads.c - a loss made of losses (moon_loss_heads). A head's loss sees its columns of the outputs; the sum has its
** weight. Each keeps its reduction: the scale that heads pass on is 1, times a row's weight, and the rest each loss
** finds by its own columns.
**
** Targets are as wide as the outputs, or those of each head that takes labels are one column of class numbers. They are
** floats then, checked before, and a head reads the number of each row. */
#include "heads.h"

#include <math.h>
#include <string.h>

#include "../core/ctx.h"
#include "../core/error.h"
#include "../core/memory.h"
#include "../core/tensor.h"
#include "branches.h"
#include "dataset.h"
#include "mask.h"

/* ---- columns ---- */

mooni_span mooni_heads_columns(const mooni_heads *heads, size_t h) {
  mooni_span s = {0, heads->heads[0].columns};
  for (size_t i = 1; i <= h; i++) s = (mooni_span){s.to, s.to + heads->heads[i].columns};
  return s;
}

static bool may_have_labels(const mooni_head *head) { return head->loss->class->takes_labels && head->columns > 1; }

bool mooni_heads_labels(const mooni_heads *heads, size_t h, size_t width) {
  return width < heads->columns && may_have_labels(&heads->heads[h]);
}

mooni_span mooni_heads_target(const mooni_heads *heads, size_t h, size_t width) {
  mooni_span s = {0, 0};
  for (size_t i = 0; i <= h; i++)
    s = (mooni_span){s.to, s.to + (mooni_heads_labels(heads, i, width) ? 1 : heads->heads[i].columns)};
  return s;
}

size_t mooni_heads_label_width(const mooni_heads *heads) {
  size_t width = 0;
  for (size_t h = 0; h < heads->count; h++) width += may_have_labels(&heads->heads[h]) ? 1 : heads->heads[h].columns;
  return width;
}

/* ---- values and gradients ---- */

/* A call of the whole: which rows, and how. */
typedef struct region {
  float *grad;
  const float *p;
  mooni_target t;
  size_t rows, stride;
  double scale;
  unsigned logits;
  bool mask;
} region;

/* The head's rows of class numbers, one after the other. */
static double apply_labels(const moon_loss *loss, const region *g, mooni_span own, size_t column, double scale,
                           bool logits) {
  double sum = 0;
  for (size_t r = 0; r < g->rows; r++) {
    uint32_t label = (uint32_t)g->t.values[r * g->t.stride + column];
    mooni_target t = {.labels = &label};
    size_t at = r * g->stride + own.from;
    sum += loss->class->apply(loss, g->grad ? g->grad + at : NULL, g->p + at, t, 1, mooni_length(own), g->stride, scale,
                              logits);
  }
  return sum;
}

static double apply_head(const mooni_heads *heads, size_t h, const region *g, double weight) {
  const moon_loss *loss = heads->heads[h].loss;
  mooni_span own = mooni_heads_columns(heads, h), target = mooni_heads_target(heads, h, g->t.stride);
  bool logits = (g->logits >> h & 1) || loss->from_logits;
  double scale = g->scale * weight * mooni_loss_scale(loss, g->t.batch, mooni_length(own));
  if (mooni_heads_labels(heads, h, g->t.stride)) return apply_labels(loss, g, own, target.from, scale, logits);
  mooni_target t = {.values = g->t.values + target.from, .stride = g->t.stride};
  mooni_loss_fn *apply = g->mask ? mooni_mask_loss : loss->class->apply;
  return apply(loss, g->grad ? g->grad + own.from : NULL, g->p + own.from, t, g->rows, mooni_length(own), g->stride,
               scale, logits);
}

static double apply_all(const moon_loss *loss, const region *g) {
  const mooni_heads *heads = mooni_heads_of(loss);
  double sum = 0;
  for (size_t h = 0; h < heads->count; h++) {
    double weight = heads->heads[h].weight, value = apply_head(heads, h, g, weight);
    if (g->t.heads && weight > 0) g->t.heads[h] += value / weight;
    sum += value;
  }
  return sum;
}

static double apply(const moon_loss *loss, float *grad, const float *p, mooni_target t, size_t rows, size_t width,
                    size_t stride, double scale, unsigned logits) {
  (void)width;
  return apply_all(loss, &(region){grad, p, t, rows, stride, scale, logits, false});
}

double mooni_heads_mask_loss(const moon_loss *loss, float *grad, const float *p, mooni_target t, size_t rows,
                             size_t width, size_t stride, double scale, unsigned logits) {
  (void)width;
  return apply_all(loss, &(region){grad, p, t, rows, stride, scale, logits, true});
}

double mooni_heads_value(const mooni_heads *heads, size_t h, const float *p, mooni_target t, size_t rows,
                         unsigned logits, bool mask) {
  return apply_head(heads, h, &(region){NULL, p, t, rows, heads->columns, 1, logits, mask}, 1);
}

/* ---- making and releasing ---- */

static void finish(moon_loss *loss) {
  mooni_heads *heads = (mooni_heads *)loss;
  for (size_t h = 0; heads->heads && h < heads->count; h++) moon_loss_release(heads->heads[h].loss);
  mooni_free(loss->ctx, heads->heads);
}

static const mooni_option_spec options[] = {{0}};

static const mooni_loss_class class = {.name = "heads",
                                       .size = sizeof(mooni_heads),
                                       .options = options,
                                       .rowwise = true,
                                       .apply = apply,
                                       .finish = finish};

const mooni_heads *mooni_heads_of(const moon_loss *loss) {
  return loss && loss->class == &class ? (const mooni_heads *)loss : NULL;
}

static moon_status check_name(moon_ctx *ctx, const moon_head *list, size_t h) {
  const char *name = list[h].name;
  if (!name || !*name || strlen(name) >= MOONI_TEXT)
    return mooni_fail(ctx, MOON_ERANGE, "heads: head %zu: expected a name of 1 to %d bytes", h + 1, MOONI_TEXT - 1);
  for (size_t i = 0; i < h; i++)
    if (strcmp(list[i].name, name) == 0)
      return mooni_fail(ctx, MOON_ERANGE, "heads: heads %zu and %zu are both named '%s', expected a name for each",
                        i + 1, h + 1, name);
  return MOON_OK;
}

static moon_status check_head(moon_ctx *ctx, const moon_head *list, size_t h) {
  const moon_head *head = &list[h];
  MOONI_TRY(check_name(ctx, list, h));
  if (!head->loss || head->loss->ctx != ctx)
    return mooni_fail(ctx, MOON_ETYPE, "heads: %s: the loss %s", head->name,
                      head->loss ? "belongs to another context" : "is missing");
  if (head->loss->class == &class)
    return mooni_fail(ctx, MOON_ETYPE, "heads: %s: its loss is one of heads, expected another one", head->name);
  if (!head->columns || head->columns > PTRDIFF_MAX / sizeof(float) / MOONI_MAX_HEADS)
    return mooni_fail(ctx, MOON_ERANGE, "heads: %s: columns is %zu, expected the width of its outputs", head->name,
                      head->columns);
  if (head->weight >= 0 && head->weight < INFINITY) return MOON_OK;
  return mooni_fail(ctx, MOON_ERANGE, "heads: %s: weight is %g, expected a finite number of at least 0", head->name,
                    head->weight);
}

static moon_status new_heads(moon_ctx *ctx, mooni_heads **out, size_t count) {
  mooni_heads *heads = mooni_calloc(ctx, 1, sizeof *heads);
  if (!heads) return mooni_nomem(ctx, sizeof *heads);
  heads->base = (moon_loss){.refs = 1, .ctx = moon_ctx_retain(ctx), .class = &class, .reduction = "sum"};
  heads->heads = mooni_calloc(ctx, count, sizeof *heads->heads);
  *out = heads;
  if (heads->heads) return MOON_OK;
  moon_loss_release(&heads->base);
  return mooni_nomem(ctx, count * sizeof *heads->heads);
}

moon_status moon_loss_heads(moon_ctx *ctx, moon_loss **out, const moon_head *list, size_t count) {
  mooni_heads *heads = NULL;
  if (!count || count > MOONI_MAX_HEADS)
    return mooni_fail(ctx, MOON_ERANGE, "heads: got %zu, expected 1 to %d heads", count, MOONI_MAX_HEADS);
  for (size_t h = 0; h < count; h++) MOONI_TRY(check_head(ctx, list, h));
  MOONI_TRY(new_heads(ctx, &heads, count));
  for (size_t h = 0; h < count; h++) {
    mooni_head *head = &heads->heads[heads->count++];
    *head = (mooni_head){.loss = moon_loss_retain(list[h].loss), .columns = list[h].columns, .weight = list[h].weight};
    memcpy(head->name, list[h].name, strlen(list[h].name));
    heads->columns += head->columns;
  }
  *out = &heads->base;
  return MOON_OK;
}

bool moon_loss_head(const moon_loss *loss, size_t i, moon_head *head) {
  const mooni_heads *heads = mooni_heads_of(loss);
  if (!heads || i >= heads->count) return false;
  const mooni_head *h = &heads->heads[i];
  *head = (moon_head){h->name, h->loss, h->columns, h->weight};
  return true;
}

/* ---- targets ---- */

moon_status mooni_heads_check_target(const mooni_heads *heads, const moon_tensor *y, size_t out) {
  char text[MOONI_SHAPE_TEXT];
  size_t labels = mooni_heads_label_width(heads);
  if (heads->columns != out)
    return mooni_fail(heads->base.ctx, MOON_ESHAPE, "the heads have %zu columns, expected the %zu of the net's outputs",
                      heads->columns, out);
  if (y->rank == 2 && (y->shape[1] == out || y->shape[1] == labels)) return MOON_OK;
  if (labels == out)
    return mooni_fail(heads->base.ctx, MOON_ESHAPE, "target is %s, expected [rows x %zu]", mooni_tensor_text(text, y),
                      out);
  return mooni_fail(heads->base.ctx, MOON_ESHAPE,
                    "target is %s, expected [rows x %zu], or with class numbers [rows x %zu]",
                    mooni_tensor_text(text, y), out, labels);
}

moon_status mooni_heads_check_labels(const mooni_heads *heads, const moon_tensor *y, const uint32_t *order,
                                     size_t first, size_t count) {
  size_t width = mooni_width(y);
  for (size_t h = 0; h < heads->count; h++) {
    const mooni_head *head = &heads->heads[h];
    if (!mooni_heads_labels(heads, h, width)) continue;
    moon_status status = mooni_read_labels(NULL, y, mooni_heads_target(heads, h, width).from, order, first, count,
                                           head->columns);
    if (status != MOON_OK) return mooni_prepend(heads->base.ctx, status, "head %s: ", head->name);
  }
  return MOON_OK;
}

moon_status mooni_heads_check_mask(const mooni_heads *heads) {
  for (size_t h = 0; h < heads->count; h++) {
    const mooni_head *head = &heads->heads[h];
    moon_status status = mooni_mask_check(head->loss);
    if (status != MOON_OK) return mooni_prepend(heads->base.ctx, status, "head %s: ", head->name);
    if (mooni_loss_is_mean(head->loss))
      return mooni_fail(heads->base.ctx, MOON_ESTATE,
                        "head %s: mask: %s is a mean over all cells of its columns, expected reduction 'batchmean' or "
                        "'sum', which need not count those that are present",
                        head->name, head->loss->class->name);
  }
  return MOON_OK;
}

void mooni_heads_gather(const mooni_heads *heads, mooni_columns to, const moon_tensor *y, const uint32_t *order,
                        size_t first, size_t count) {
  size_t width = mooni_width(y);
  for (size_t h = 0; h < heads->count; h++) {
    mooni_span own = mooni_heads_target(heads, h, width);
    mooni_columns some = to;
    if (own.from > some.from) some.from = own.from;
    if (own.to < some.to) some.to = own.to;
    if (some.to > some.from)
      mooni_gather(heads->base.ctx, some, y, order, first, count, mooni_target_scale(heads->heads[h].loss));
  }
}

moon_status mooni_heads_apply_rows(const mooni_heads *heads, double *value, moon_tensor *grad,
                                   const moon_tensor *prediction, const moon_tensor *target,
                                   const moon_tensor *weights) {
  moon_ctx *ctx = heads->base.ctx;
  size_t rows = mooni_rows(prediction), out = mooni_width(prediction), width = mooni_width(target);
  char text[MOONI_SHAPE_TEXT];
  MOONI_TRY(mooni_heads_check_target(heads, target, out));
  if (mooni_rows(target) != rows)
    return mooni_fail(ctx, MOON_ESHAPE, "target is %s, expected %zu rows as the prediction",
                      mooni_tensor_text(text, target), rows);
  MOONI_TRY(mooni_heads_check_labels(heads, target, NULL, 0, rows));
  float *copy = mooni_calloc(ctx, rows * width, sizeof *copy);
  if (!copy) return mooni_nomem(ctx, rows * width * sizeof *copy);
  mooni_heads_gather(heads, mooni_columns_of(copy, rows, width, false, 0, 1), target, NULL, 0, rows);
  mooni_target t = {
      .values = copy, .stride = width, .weights = weights ? moon_tensor_float(weights) : NULL, .batch = rows};
  double v = mooni_loss_of_rows(apply, &heads->base, grad ? moon_tensor_float(grad) : NULL,
                                moon_tensor_float(prediction), t, rows, out, out, 1, 0);
  if (value) *value = v;
  mooni_free(ctx, copy);
  return MOON_OK;
}

/* ---- activations before the losses ---- */

/* At a join: on to the last place of the branch that has these columns, which count from its first one then. */
static bool go_inside(const moon_net *net, size_t *place, mooni_span *columns) {
  size_t end = *place, to = net->places[end].out;
  while (true) {
    const mooni_link *l = &net->links[end];
    size_t from = to - net->places[end].in, begin = l->previous ? l->previous : l->fork - 1;
    if (columns->from >= from && columns->to <= to) {
      *columns = (mooni_span){columns->from - from, columns->to - from};
      *place = end - 1;
      return end > begin; /* it has a layer */
    }
    if (!l->previous) return false;
    end = l->previous - 1;
    to = from;
  }
}

/* The place that alone gives these columns of the net's outputs; net->count if there is none. */
static size_t find_end(const moon_net *net, mooni_span columns) {
  size_t place = net->count - 1;
  while (net->layers[place]->class->role == MOONI_JOIN)
    if (!go_inside(net, &place, &columns)) return net->count;
  return mooni_length(columns) == net->places[place].out ? place : net->count;
}

unsigned mooni_heads_fuse(const mooni_heads *heads, moon_net *net) {
  unsigned fused = 0;
  for (size_t i = 0; net->links && i < net->count; i++) net->links[i].fused = false;
  for (size_t h = 0; h < heads->count; h++) {
    size_t end = find_end(net, mooni_heads_columns(heads, h));
    const moon_layer *l = end < net->count ? net->layers[end] : NULL;
    if (!l || !l->class->activation || !mooni_loss_fuses(heads->heads[h].loss, l->class->activation(l))) continue;
    fused |= 1u << h;
    if (net->links) net->links[end].fused = true;
  }
  return fused;
}
