/* bind_reduce.h - several processes that train one net (bind_reduce.c). */
#ifndef MOONGLASS_BIND_REDUCE_H
#define MOONGLASS_BIND_REDUCE_H

#include "bind_handle.h"

bool bind_has_reducer(lua_State *L, const moon_net *net);

/* As BIND_TRY, for a call that all processes make together if the net has a reducer: then none makes it twice. */
#define BIND_TRY_TOGETHER(L, ctx, net, call)                       \
  do {                                                             \
    moon_status status_ = (call);                                  \
    if (status_ == MOON_ENOMEM && !bind_has_reducer((L), (net))) { \
      bind_collect((L));                                           \
      status_ = (call);                                            \
    }                                                              \
    if (status_ != MOON_OK) bind_raise((L), (ctx));                \
  } while (0)

extern const bind_reg bind_reduce_methods[];   /* of nets */
extern const bind_reg bind_reduce_functions[]; /* of the core table */

#endif
