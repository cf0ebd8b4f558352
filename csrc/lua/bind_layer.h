/* bind_layer.h - the parameters of layers, which nets list too (bind_layer.c). */
#ifndef MOONGLASS_BIND_LAYER_H
#define MOONGLASS_BIND_LAYER_H

#include "bind_handle.h"

/* The option that freezes a layer. A layer without parameters has none: nothing of it is trained, and to set it does
** nothing. */
#define BIND_TRAINABLE "trainable"
bool bind_layer_trains(const moon_layer *layer);
void bind_layer_set_trainable(lua_State *L, moon_layer *layer, bool trainable);

/* Push the layer's i-th parameter, {name =, value =, grad =, trainable = false if frozen}; name NULL: its own. */
void bind_push_parameter(lua_State *L, const char *name, const moon_layer *layer, size_t i);

#endif
