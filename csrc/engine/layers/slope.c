/* slope.c - the parameter of an activation. */
#include "slope.h"

#include <string.h>

#include "../core/ctx.h"
#include "../core/error.h"
#include "../core/memory.h"
#include "../kernels/table.h"

/* The activation that has this option. */
static const mooni_act *owner_of(const moon_ctx *ctx, const char *option) {
  const mooni_act *act = ctx->k->activations;
  while (!act->option || strcmp(act->option, option) != 0) act++;
  return act;
}

moon_status mooni_slope_choose(moon_ctx *ctx, mooni_slope *slope, const mooni_act *act, const char *what) {
  const struct {
    const char *option;
    double value;
  } given[] = {{"negative_slope", slope->negative_slope}, {"alpha", slope->alpha}};
  slope->p = act->p;
  for (size_t i = 0; i < MOONI_COUNT(given); i++) {
    const mooni_act *owner = owner_of(ctx, given[i].option);
    if ((float)given[i].value == owner->p) continue;
    if (owner != act)
      return mooni_fail(ctx, MOON_ERANGE, "%s: %s is %g, but activation is %s, expected %s, which alone has it", what,
                        given[i].option, given[i].value, act->name, owner->name);
    slope->p = (float)given[i].value;
  }
  return MOON_OK;
}
