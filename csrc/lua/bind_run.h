/* bind_run.h - running nets, which layers do too (bind_run.c). */
#ifndef MOONGLASS_BIND_RUN_H
#define MOONGLASS_BIND_RUN_H

#include "bind_handle.h"

/* Push net(x), or the gradient of the input from dy; the net, x and dy are at absolute stack indices. */
int bind_forward(lua_State *L, int net, int x, bool training);
int bind_backward(lua_State *L, int net, int dy);

extern const bind_reg bind_run_methods[];     /* methods of nets */
extern const bind_reg bind_measure_methods[]; /* more of them (bind_measure.c) */

#endif
