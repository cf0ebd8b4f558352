/* initialisers.h - the first values of a weight, by name: "glorot_uniform" ... */
#ifndef MOONI_INITIALISERS_H
#define MOONI_INITIALISERS_H

#include "../../moonglass.h"

const char *mooni_init_name(size_t i);         /* NULL behind the last one */
const char *mooni_find_init(const char *name); /* its registered name; NULL if there is none */

/* w [fan_in x fan_out], or a bias [n], whose fans are both n as in Keras; written. */
void mooni_init_fill(moon_ctx *ctx, moon_tensor *w, const char *name);

#endif
