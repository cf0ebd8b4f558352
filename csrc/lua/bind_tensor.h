/* bind_tensor.h - what the files of the tensor class share: bind_tensor.c (arithmetic and the class itself),
** bind_index.c (elements, rows, shapes, copies), bind_columns.c (columns, pieces) and bind_make.c (constructors). */
#ifndef MOONGLASS_BIND_TENSOR_H
#define MOONGLASS_BIND_TENSOR_H

#include "bind_args.h"
#include "bind_handle.h"

/* Push a view of the tensor. */
moon_tensor *bind_push_view(lua_State *L, moon_tensor *t, size_t first, int rank, const size_t *shape);

/* Push a copy of the tensor, of the given element type. */
moon_tensor *bind_push_copy(lua_State *L, const moon_tensor *t, moon_dtype dtype);

/* bind_index.c: read the numbers 1 to n at argument 2, a list or a tensor [count], as indices from 0, in a userdata
** that is pushed. noun: "row". */
size_t *bind_push_indices(lua_State *L, const char *name, const char *noun, size_t n, size_t *count);

extern const bind_reg bind_tensor_makers[];   /* bind_make.c, for the core table */
extern const bind_reg bind_tensor_elements[]; /* bind_index.c, methods */
extern const bind_reg bind_tensor_columns[];  /* bind_columns.c, methods */
int bind_tensor_index(lua_State *L);          /* __index, upvalue 2 being the methods; __newindex; __len */
int bind_tensor_newindex(lua_State *L);
int bind_tensor_len(lua_State *L);

/* print.c: push the tensor as text, laid out as numpy does, at most a screen of it; core.print_options */
void bind_push_tensor_text(lua_State *L, const moon_tensor *t);
int bind_print_options(lua_State *L);

#endif
