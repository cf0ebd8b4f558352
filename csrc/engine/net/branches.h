/* branches.h - nets whose layers are not one line: branches with a common input, and their join. */
#ifndef MOONI_BRANCHES_H
#define MOONI_BRANCHES_H

#include "net.h"

/* How a place hangs together with others, in a net with branches. Places count from 1 here; 0: none. */
typedef struct mooni_link {
  size_t fork;     /* of a branch: the place whose input it takes */
  size_t join;     /* of a branch: the place that joins it */
  size_t previous; /* of a branch or a join: the branch before it that has the same join */
  size_t reader;   /* of any place: the last branch that takes its input */
  size_t before;   /* of a branch: the one before it that takes the same input */
  bool trained;    /* of any place: is there something to train on the way to its input? (mooni_find_trained) */
  bool works;      /* of any place: has backward something to do here? */
  bool fused;      /* of any place: in this batch a head's loss takes over its activation (heads.h) */
  size_t in;       /* of any place: the width of its input, as mooni_branches_width has found it */
} mooni_link;

/* Does a branch take the input of place i, too? */
static inline bool mooni_forks(const moon_net *net, size_t i) { return net->links && net->links[i].reader; }

/* Does place i need the gradient of its input, so that something below it is trained? */
static inline bool mooni_trains_below(const moon_net *net, size_t i) {
  return net->links ? net->links[i].trained : i > net->trainable;
}

/* Is there nothing to do backward at place i? True only in a branch that trains nothing, beside others that do. */
static inline bool mooni_is_passive(const moon_net *net, size_t i) { return net->links && !net->links[i].works; }

/* With links: set their `trained` and `works`. */
void mooni_branches_find_trained(moon_net *net);

/* Find the branches of a new net. Without any, net->links stays NULL. MOON_ERANGE: they do not fit together. */
moon_status mooni_branches_find(moon_net *net);

/* With links: find net->inputs. MOON_ESHAPE: no layer has a width. */
moon_status mooni_branches_input(moon_net *net);

/* With links: the widths of all inputs, into the links, and of the output. */
moon_status mooni_branches_width(const moon_net *net, size_t *out, size_t in);

/* Rows from..to of the batch. Forward, at a join: its output. Backward: dy and dx begin with row `from`. At a join,
** keep dy, and dx = its last branch's columns. At a branch, keep dy, and dx = the columns of the branch before it;
** unless they are NULL: not needed. At a place that forks, dx += what the branches have kept. */
void mooni_branches_join(const moon_net *net, size_t i, mooni_span rows);
void mooni_branches_divide(const moon_net *net, size_t i, mooni_span rows, const float *dy, float *dx);
void mooni_branches_turn(const moon_net *net, size_t i, mooni_span rows, const float *dy, float *dx);
void mooni_branches_add(const moon_net *net, size_t i, mooni_span rows, float *dx);

#endif
