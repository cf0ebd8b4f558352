/* bind_open.h - what core.c opens: each file adds its functions to the core table on the top of the stack. */
#ifndef MOONGLASS_BIND_OPEN_H
#define MOONGLASS_BIND_OPEN_H

#include <lua.h>

void bind_open_registry(lua_State *L); /* bind_registry.c */
void bind_open_tensor(lua_State *L);   /* bind_tensor.c: tensors, and the functions that make them */
void bind_open_layer(lua_State *L);    /* bind_layer.c */
void bind_open_loss(lua_State *L);     /* bind_loss.c */
void bind_open_optim(lua_State *L);    /* bind_optim.c */
void bind_open_net(lua_State *L);      /* bind_net.c */
void bind_open_dataset(lua_State *L);  /* bind_dataset.c */
void bind_open_scaler(lua_State *L);   /* bind_scaler.c */
void bind_open_detector(lua_State *L); /* bind_detector.c */
void bind_open_source(lua_State *L);   /* bind_source.c: sources, and windows of tensors */
void bind_open_digest(lua_State *L);   /* bind_digest.c */
void bind_open_csv(lua_State *L);      /* bind_csv.c */
void bind_open_files(lua_State *L);    /* bind_files.c: everything that reads or writes a format */

#endif
