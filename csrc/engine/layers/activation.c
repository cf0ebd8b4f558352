/* activation.c - an activation as a separate layer. */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "../core/error.h"
#include "../core/registry.h"
#include "layer.h"
#include "slope.h"

typedef struct activation {
  moon_layer base;
  char name[MOONI_TEXT];
  mooni_slope slope;
  const mooni_act *act;
} activation;

/*** moon.activation(activation, options)
** An activation as a separate layer, for rows of any width. */
static const mooni_option_spec options[] = {{.name = "activation",
                                             .kind = MOON_TEXT,
                                             .flags = MOONI_POSITIONAL | MOONI_REQUIRED,
                                             .offset = offsetof(activation, name),
                                             .names = MOON_ACTIVATIONS,
                                             .help = "such as relu; applied to each element, softmax to each row"},
                                            MOONI_SLOPE_OPTIONS(activation),
                                            {0}};

static moon_status init(moon_layer *layer) {
  activation *a = (activation *)layer;
  a->act = mooni_find_act(layer->ctx, a->name);
  if (!a->act)
    return mooni_prepend(layer->ctx, mooni_unregistered(layer->ctx, MOON_ACTIVATIONS, a->name), "activation: ");
  snprintf(a->name, sizeof a->name, "%s", a->act->name); /* the registered name */
  return mooni_slope_choose(layer->ctx, &a->slope, a->act, "activation");
}

static const char *ending(const moon_layer *layer) { return ((const activation *)layer)->act->name; }

static size_t scratch(const moon_layer *layer, size_t in) { return ((const activation *)layer)->act->needs_z ? in : 0; }

/* y = act(x), in the part's rows of [rows x width]. */
static void forward(const moon_layer *layer, const mooni_pass *pass) {
  const activation *a = (const activation *)layer;
  mooni_span own = mooni_own_rows(pass);
  size_t width = pass->in, rows = mooni_length(own), at = own.from * width;
  memcpy(pass->y + at, pass->x + at, rows * width * sizeof(float));
  if (!pass->logits)
    a->act->forward(pass->y + at, pass->scratch ? pass->scratch + at : NULL, NULL, rows, width, width, a->slope.p);
}

/* dx [rows x width] = dy act'(x), likewise. */
static void backward(moon_layer *layer, const mooni_pass *pass) {
  const activation *a = (const activation *)layer;
  mooni_span own = mooni_own_rows(pass);
  size_t width = pass->in, rows = mooni_length(own), at = own.from * width;
  if (!pass->logits)
    a->act->backward(pass->dy + at, pass->y + at, pass->scratch ? pass->scratch + at : NULL, rows, width, width,
                     a->slope.p);
  if (pass->dx) memcpy(pass->dx + at, pass->dy + at, rows * width * sizeof(float));
}

const mooni_layer_class mooni_activation = {.name = "activation",
                                            .size = sizeof(activation),
                                            .options = options,
                                            .init = init,
                                            .scratch = scratch,
                                            .activation = ending,
                                            .forward = forward,
                                            .backward = backward,
                                            .torch_modules = 1};
