/* bind_reduce.h - several processes that train one net (bind_reduce.c). */
#ifndef MOONGLASS_BIND_REDUCE_H
#define MOONGLASS_BIND_REDUCE_H

#include "bind_handle.h"
#include "bind_source.h"

bool bind_has_reducer(lua_State *L, const moon_net *net);

/* As BIND_TRY_READ, for a call that all processes make together if the net has a reducer: then none makes it twice. */
#define BIND_TRY_TOGETHER(L, ctx, net, call) BIND_TRY_READ((L), (ctx), !bind_has_reducer((L), (net)), call)

extern const bind_reg bind_reduce_methods[];   /* of nets */
extern const bind_reg bind_reduce_functions[]; /* of the core table */

#endif
