/* bind_layer.h - the parameters of layers, which nets list too (bind_layer.c). */
#ifndef MOONGLASS_BIND_LAYER_H
#define MOONGLASS_BIND_LAYER_H

#include "bind_handle.h"

/* Push the layer's i-th parameter, {name =, value =, grad =, trainable = false if frozen}; name NULL: its own. */
void bind_push_parameter(lua_State *L, const char *name, const moon_layer *layer, size_t i);

#endif
