/* activation.c - an activation as a layer of its own. */
#include <stddef.h>
#include <string.h>

#include "../internal.h"

typedef struct activation {
  moon_layer base;
  char name[MOONI_TEXT];
  const mooni_act *act;
} activation;

static const mooni_option_spec options[] = {{.name = "activation",
                                             .kind = MOON_TEXT,
                                             .flags = MOONI_POSITIONAL | MOONI_REQUIRED,
                                             .offset = offsetof(activation, name),
                                             .names = MOON_ACTIVATIONS,
                                             .help = "the function applied to each element; softmax: to each row"},
                                            {0}};

static moon_status init(moon_layer *layer) {
  activation *a = (activation *)layer;
  a->act = mooni_find_act(layer->ctx, a->name);
  if (!a->act)
    return mooni_prepend(layer->ctx, mooni_unregistered(layer->ctx, MOON_ACTIVATIONS, a->name), "activation: ");
  snprintf(a->name, sizeof a->name, "%s", a->act->name); /* whatever it was called */
  return MOON_OK;
}

static const char *ending(const moon_layer *layer) { return ((const activation *)layer)->act->name; }

static size_t work(const moon_layer *layer, size_t in) { return ((const activation *)layer)->act->needs_z ? in : 0; }

static void forward(const moon_layer *layer, const mooni_pass *pass) {
  size_t r0, r1, width = pass->in;
  mooni_share(pass->rows, MOONI_ROW_GRAIN, pass->part, pass->parts, &r0, &r1);
  size_t at = r0 * width;
  memcpy(pass->y + at, pass->x + at, (r1 - r0) * width * sizeof(float));
  if (!pass->logits)
    ((const activation *)layer)
        ->act->forward(pass->y + at, pass->work ? pass->work + at : NULL, NULL, r1 - r0, width, width);
}

static void backward(moon_layer *layer, const mooni_pass *pass) {
  size_t r0, r1, width = pass->in;
  mooni_share(pass->rows, MOONI_ROW_GRAIN, pass->part, pass->parts, &r0, &r1);
  size_t at = r0 * width;
  if (!pass->logits)
    ((const activation *)layer)
        ->act->backward(pass->dy + at, pass->y + at, pass->work ? pass->work + at : NULL, r1 - r0, width, width);
  if (pass->dx) memcpy(pass->dx + at, pass->dy + at, (r1 - r0) * width * sizeof(float));
}

const mooni_layer_class mooni_activation = {.name = "activation",
                                            .size = sizeof(activation),
                                            .options = options,
                                            .init = init,
                                            .work = work,
                                            .activation = ending,
                                            .forward = forward,
                                            .backward = backward,
                                            .torch_modules = 1};
