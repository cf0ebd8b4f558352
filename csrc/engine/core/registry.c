/* registry.c - everything that is found by name. A new layer class is listed here; losses, optimisers and activations
** are listed in kernels/table.c and kernels/act.c. */
#include "registry.h"

#include <math.h>
#include <string.h>

#include "../kernels/act.h"
#include "../kernels/table.h"
#include "../layers/initialisers.h"
#include "../layers/layer.h"
#include "../net/loss.h"
#include "../net/optim.h"
#include "ctx.h"
#include "names.h"

extern const mooni_layer_class mooni_dense, mooni_activation, mooni_dropout, mooni_gaussian_noise, mooni_masking_noise,
    mooni_salt_pepper_noise, mooni_k_sparse, mooni_gaussian_code, mooni_batch_norm, mooni_layer_norm, mooni_branch,
    mooni_join;

const mooni_layer_class *const mooni_layers[] = {&mooni_dense,
                                                 &mooni_activation,
                                                 &mooni_dropout,
                                                 &mooni_gaussian_noise,
                                                 &mooni_masking_noise,
                                                 &mooni_salt_pepper_noise,
                                                 &mooni_k_sparse,
                                                 &mooni_gaussian_code,
                                                 &mooni_batch_norm,
                                                 &mooni_layer_norm,
                                                 NULL};

/* Layers that make sense only beside others: found by name, but not listed. */
static const mooni_layer_class *const structures[] = {&mooni_branch, &mooni_join, NULL};

static bool is_alias(const char *const *aliases, const char *name) {
  while (*aliases && !mooni_names(name, *aliases)) aliases++;
  return *aliases != NULL;
}

const mooni_act *mooni_find_act(const moon_ctx *ctx, const char *name) {
  for (const mooni_act *a = ctx->k->activations; a->name; a++)
    if (mooni_names(name, a->name)) return a;
  return NULL;
}

const mooni_layer_class *mooni_find_layer(const char *name) {
  for (const mooni_layer_class *const *c = mooni_layers; *c; c++)
    if (strcmp((*c)->name, name) == 0) return *c;
  for (const mooni_layer_class *const *c = structures; *c; c++)
    if (strcmp((*c)->name, name) == 0) return *c;
  return NULL;
}

const mooni_loss_class *mooni_find_loss(const moon_ctx *ctx, const char *name) {
  for (const mooni_loss_class *const *c = ctx->k->losses; *c; c++)
    if (mooni_names(name, (*c)->name) || is_alias((*c)->aliases, name)) return *c;
  return NULL;
}

const mooni_optim_class *mooni_find_optim(const moon_ctx *ctx, const char *name) {
  for (const mooni_optim_class *const *c = ctx->k->optims; *c; c++)
    if (mooni_names(name, (*c)->name)) return *c;
  return NULL;
}

const char *moon_registered(const moon_ctx *ctx, moon_family family, size_t i) {
  size_t n = 0;
  switch (family) {
    case MOON_LAYERS:
      while (mooni_layers[n]) n++;
      return i < n ? mooni_layers[i]->name : NULL;
    case MOON_LOSSES:
      while (ctx->k->losses[n]) n++;
      return i < n ? ctx->k->losses[i]->name : NULL;
    case MOON_OPTIMS:
      while (ctx->k->optims[n]) n++;
      return i < n ? ctx->k->optims[i]->name : NULL;
    case MOON_ACTIVATIONS:
      while (ctx->k->activations[n].name) n++;
      return i < n ? ctx->k->activations[i].name : NULL;
    case MOON_INITS: return mooni_init_name(i);
  }
  return NULL;
}

typedef struct family_list {
  const moon_ctx *ctx;
  moon_family family;
} family_list;

/* The i-th alias of all losses, class by class. */
static const char *alias_at(const moon_ctx *ctx, size_t i) {
  for (const mooni_loss_class *const *c = ctx->k->losses; *c; c++)
    for (const char *const *alias = (*c)->aliases; *alias; alias++)
      if (!i--) return *alias;
  return NULL;
}

static const char *name_at(const void *list, size_t i) {
  const family_list *l = list;
  size_t n = 0;
  const char *name;
  while ((name = moon_registered(l->ctx, l->family, n)) != NULL && n < i) n++;
  return name || l->family != MOON_LOSSES ? name : alias_at(l->ctx, i - n);
}

moon_status mooni_unregistered(moon_ctx *ctx, moon_family family, const char *name) {
  static const char *const what[] = {"layer", "loss", "optimizer", "activation", "init"};
  family_list list = {ctx, family};
  return mooni_unknown(ctx, what[family], name, name_at, &list);
}

static const mooni_option_spec *options_of(const moon_ctx *ctx, moon_family family, const char *name) {
  const mooni_layer_class *layer = family == MOON_LAYERS ? mooni_find_layer(name) : NULL;
  const mooni_loss_class *loss = family == MOON_LOSSES ? mooni_find_loss(ctx, name) : NULL;
  const mooni_optim_class *optim = family == MOON_OPTIMS ? mooni_find_optim(ctx, name) : NULL;
  return layer ? layer->options : loss ? loss->options : optim ? optim->options : NULL;
}

/* The i-th option of a registered name; NULL past the last. */
static const mooni_option_spec *option_at(const moon_ctx *ctx, moon_family family, const char *name, size_t i) {
  const mooni_option_spec *o = options_of(ctx, family, name);
  for (; o && o->name && i; i--) o++;
  return o && o->name ? o : NULL;
}

bool moon_option_describe(const moon_ctx *ctx, moon_family family, const char *name, size_t i, moon_option_info *info) {
  const mooni_option_spec *o = option_at(ctx, family, name, i);
  if (!o) return false;
  *info = (moon_option_info){.name = o->name,
                             .kind = o->kind,
                             .positional = o->flags & MOONI_POSITIONAL,
                             .required = o->flags & MOONI_REQUIRED,
                             .number = o->number,
                             .upper = o->number,
                             .text = o->text,
                             .help = o->help};
  return true;
}

/* A program compiled with an earlier header has a smaller structure: it gets the fields that it knows. */
bool moon_option_allows(const moon_ctx *ctx, moon_family family, const char *name, size_t i,
                        moon_option_values *values) {
  const mooni_option_spec *o = option_at(ctx, family, name, i);
  if (!o) return false;
  bool bounded = o->kind == MOON_NUMBER || o->kind == MOON_COUNT;
  moon_option_values all = {.size = values->size,
                            .low = bounded ? o->low : -INFINITY,
                            .high = bounded ? o->high : INFINITY,
                            .open_low = o->flags & MOONI_OPEN_LOW,
                            .open_high = o->flags & MOONI_OPEN_HIGH,
                            .settable = o->flags & MOONI_SETTABLE,
                            .choices = o->choices,
                            .family = o->names ? (int)o->names : -1};
  memcpy(values, &all, values->size < sizeof all ? values->size : sizeof all);
  return true;
}
