/* branches.c - branches with a common input, and their join.
**
** A branch has nothing to do forward: its y is the common input, and its x the output of the branch before it. The join
** copies the outputs side by side. Backward the two gradient buffers alternate from layer to layer, as without
** branches. So the join keeps its dy in its scratch, and hands on the last branch's columns. Each `branch` below it
** keeps the gradient of the common input that comes down to it, in the buffer that its y does not need, and hands on
** the columns of the branch before it. The gradient of the first branch arrives where the common input is: there the
** others are added. */
#include "branches.h"

#include <string.h>

#include "../core/ctx.h"
#include "../core/error.h"
#include "../core/memory.h"
#include "../kernels/table.h"

static mooni_role role_of(const moon_net *net, size_t i) { return net->layers[i]->class->role; }

/* ---- what belongs together ---- */

/* While the list is read: the branches without a join so far, a stack through `open`; and where each join's first
** branch begins. Places count from 1. */
typedef struct reading {
  size_t *open;  /* of a branch: the one below it in the stack */
  size_t *begin; /* of a join: the first place of its branches */
  size_t top;
} reading;

/* Back from place i (from 1), over whole joins, to `fork` or to an open branch, whichever comes first. */
static size_t go_back(const moon_net *net, const reading *r, size_t i, size_t fork) {
  while (i > fork && i - 1 != r->top) i = role_of(net, i - 2) == MOONI_JOIN ? r->begin[i - 2] : i - 1;
  return i;
}

static moon_status open_branch(moon_net *net, reading *r, size_t place) {
  mooni_link *l = &net->links[place - 1];
  size_t back = mooni_structure_count(net->layers[place - 1]), top = r->top;
  if (back >= place)
    return mooni_fail(
        net->ctx, MOON_ERANGE,
        "layer %zu (branch): back is %zu, expected at most the %zu layers before it; a net has all branches "
        "of a join, or none",
        place, back, place - 1);
  l->fork = place - back;
  bool same = top && net->links[top - 1].fork == l->fork;
  if (go_back(net, r, place, l->fork) != (same ? top + 1 : l->fork))
    return mooni_fail(
        net->ctx, MOON_ERANGE,
        "layer %zu (branch): back is %zu, which leads to layer %zu: branches begin there in another join, or "
        "behind another branch",
        place, back, l->fork);
  l->previous = same ? top : 0;
  r->open[place - 1] = top;
  r->top = place;
  l->before = net->links[l->fork - 1].reader;
  net->links[l->fork - 1].reader = place;
  return MOON_OK;
}

static moon_status close_join(moon_net *net, reading *r, size_t place) {
  size_t heads = mooni_structure_count(net->layers[place - 1]), found = 1, last = r->top, branch = last;
  for (size_t b = last; b; b = net->links[b - 1].previous) {
    net->links[b - 1].join = place;
    branch = b;
    found++;
  }
  if (found != heads)
    return mooni_fail(
        net->ctx, MOON_ERANGE,
        "layer %zu (join): heads is %zu, but there are %zu branches: expected one less of the layer `branch` "
        "before it than heads",
        place, heads, found);
  net->links[place - 1].previous = last;
  r->begin[place - 1] = net->links[branch - 1].fork;
  r->top = r->open[branch - 1];
  return MOON_OK;
}

static moon_status read_links(moon_net *net, reading *r) {
  for (size_t place = 1; place <= net->count; place++) {
    if (role_of(net, place - 1) == MOONI_BRANCH) MOONI_TRY(open_branch(net, r, place));
    if (role_of(net, place - 1) == MOONI_JOIN) MOONI_TRY(close_join(net, r, place));
  }
  if (!r->top) return MOON_OK;
  return mooni_fail(net->ctx, MOON_ERANGE,
                    "layer %zu (branch): no join stands behind it; a net has all branches of a join, or none", r->top);
}

moon_status mooni_branches_find(moon_net *net) {
  bool any = false;
  for (size_t i = 0; i < net->count; i++) any |= role_of(net, i) != MOONI_FUNCTION;
  if (!any) return MOON_OK;
  net->links = mooni_calloc(net->ctx, net->count, sizeof *net->links);
  size_t *lists = mooni_calloc(net->ctx, 2 * net->count, sizeof *lists);
  moon_status status = net->links && lists ? MOON_OK : mooni_nomem(net->ctx, net->count * sizeof *net->links);
  if (status == MOON_OK) status = read_links(net, &(reading){lists, lists + net->count, 0});
  mooni_free(net->ctx, lists);
  return status;
}

/* ---- widths ---- */

/* *in = the width behind a branch or a join at place i, from that of its input. The links have the widths of the places
** before it. */
static moon_status width_behind(const moon_net *net, size_t i, size_t *in) {
  enum { BITS = 32 }; /* of a width: what a buffer needs can be added up then, however many joins there are */
  const mooni_link *l = &net->links[i];
  if (role_of(net, i) == MOONI_BRANCH) {
    *in = net->links[l->fork - 1].in;
    return MOON_OK;
  }
  for (size_t b = l->previous; b; b = net->links[b - 1].previous) *in += net->links[b - 1].in;
  if (*in >> (BITS - 1) < 2) return MOON_OK;
  return mooni_fail(net->ctx, MOON_ERANGE, "layer %zu (join): its branches have 2^32 columns or more together", i + 1);
}

/* Up to the first layer of a given width, the others only repeat the input: a join of two has its width twice. */
moon_status mooni_branches_input(moon_net *net) {
  size_t times = 1;
  for (size_t i = 0; i < net->count; i++) {
    const mooni_layer_class *class = net->layers[i]->class;
    if (class->inputs) {
      net->inputs = class->inputs(net->layers[i]) / times;
      if (!net->inputs) net->inputs = 1;
      return MOON_OK; /* if there is a remainder, this layer will be found not to fit */
    }
    net->links[i].in = times;
    if (class->role != MOONI_FUNCTION) MOONI_TRY(width_behind(net, i, &times));
  }
  return mooni_fail(net->ctx, MOON_ESHAPE,
                    "a net with branches, but without a layer of a given width: expected one, such as dense");
}

moon_status mooni_branches_width(const moon_net *net, size_t *out, size_t in) {
  for (size_t i = 0; i < net->count; i++) {
    net->links[i].in = in;
    if (role_of(net, i) == MOONI_FUNCTION)
      MOONI_TRY(mooni_in_layer(net, i, moon_layer_width(net->layers[i], &in, in)));
    else
      MOONI_TRY(width_behind(net, i, &in));
  }
  *out = in;
  return MOON_OK;
}

/* The first of the join's columns that the branch before place i gives. */
static size_t column_of(const moon_net *net, size_t i) {
  size_t column = 0;
  for (size_t b = net->links[i].previous; b; b = net->links[b - 1].previous) column += net->places[b - 1].in;
  return column;
}

/* ---- what is trained ---- */

static bool has_trained(const moon_net *net, size_t i) {
  bool trained = false;
  for (size_t j = 0; j < net->layers[i]->param_count; j++) trained |= net->trained[net->places[i].param[j]];
  return trained;
}

void mooni_branches_find_trained(moon_net *net) {
  bool trained = false;
  for (size_t i = 0; i < net->count; i++) {
    mooni_link *l = &net->links[i];
    l->trained = trained;
    switch (role_of(net, i)) {
      case MOONI_FUNCTION: trained |= has_trained(net, i); break;
      case MOONI_BRANCH: trained = net->links[l->fork - 1].trained; break;
      case MOONI_JOIN:
        for (size_t b = l->previous; b; b = net->links[b - 1].previous) trained |= net->links[b - 1].trained;
        break;
    }
    l->works = role_of(net, i) != MOONI_FUNCTION || trained;
  }
}

/* ---- forward and backward ---- */

static void copy_columns(float *y, size_t y_stride, const float *x, size_t x_stride, size_t rows, size_t width) {
  for (size_t r = 0; r < rows; r++) memcpy(y + r * y_stride, x + r * x_stride, width * sizeof *y);
}

/* To the join's output: that of the branch that ends before place i. */
static void copy_branch(const moon_net *net, const mooni_place *join, size_t i, mooni_span rows) {
  const mooni_place *end = &net->places[i];
  copy_columns(join->y + rows.from * join->out + column_of(net, i), join->out, end->x + rows.from * end->in, end->in,
               mooni_length(rows), end->in);
}

void mooni_branches_join(const moon_net *net, size_t i, mooni_span rows) {
  const mooni_place *join = &net->places[i];
  copy_branch(net, join, i, rows);
  for (size_t b = net->links[i].previous; b; b = net->links[b - 1].previous) copy_branch(net, join, b - 1, rows);
}

/* dx = the columns of the branch that ends before place i. */
static void hand_on(const moon_net *net, const mooni_place *join, size_t i, mooni_span rows, float *dx) {
  if (!dx) return;
  size_t in = net->places[i].in;
  copy_columns(dx, in, join->scratch + rows.from * join->out + column_of(net, i), join->out, mooni_length(rows), in);
}

void mooni_branches_divide(const moon_net *net, size_t i, mooni_span rows, const float *dy, float *dx) {
  const mooni_place *join = &net->places[i];
  memcpy(join->scratch + rows.from * join->out, dy, mooni_length(rows) * join->out * sizeof *dy);
  hand_on(net, join, i, rows, dx);
}

void mooni_branches_turn(const moon_net *net, size_t i, mooni_span rows, const float *dy, float *dx) {
  const mooni_place *s = &net->places[i];
  if (dy) memcpy(s->made + rows.from * s->out, dy, mooni_length(rows) * s->out * sizeof *dy);
  hand_on(net, &net->places[net->links[i].join - 1], i, rows, dx);
}

void mooni_branches_add(const moon_net *net, size_t i, mooni_span rows, float *dx) {
  size_t width = net->places[i].in;
  for (size_t b = net->links[i].reader; b; b = net->links[b - 1].before)
    net->ctx->k->add(dx, net->places[b - 1].made + rows.from * width, mooni_length(rows) * width);
}
