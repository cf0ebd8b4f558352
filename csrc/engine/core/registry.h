/* registry.h - everything that is found by name. */
#ifndef MOONI_REGISTRY_H
#define MOONI_REGISTRY_H

#include "../../moonglass.h"

/* By name or alias; NULL if unknown. mooni_unregistered then makes the message. */
const struct mooni_act *mooni_find_act(const moon_ctx *ctx, const char *name);
const struct mooni_layer_class *mooni_find_layer(const char *name);
const struct mooni_loss_class *mooni_find_loss(const moon_ctx *ctx, const char *name);
const struct mooni_optim_class *mooni_find_optim(const moon_ctx *ctx, const char *name);
moon_status mooni_unregistered(moon_ctx *ctx, moon_family family, const char *name);

#endif
