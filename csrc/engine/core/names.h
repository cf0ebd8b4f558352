/* names.h - which names mean the same, and what to say about an unknown one. */
#ifndef MOONI_NAMES_H
#define MOONI_NAMES_H

#include "../../moonglass.h"

/* Does name stand for `known`, as swish does for silu? Case, '_' and '-' make no difference. */
bool mooni_names(const char *name, const char *known);

/* MOON_ERANGE with "unknown <what> 'name'; did you mean 'nearest'? (known: a, b, c)"; without the question if no name
** is near. at(list, i) gives the known names, then NULL. */
moon_status mooni_unknown(moon_ctx *ctx, const char *what, const char *name, const char *(*at)(const void *, size_t),
                          const void *list);

#endif
