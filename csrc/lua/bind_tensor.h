/* bind_tensor.h - what the files of the tensor class share: bind_tensor.c (arithmetic and the class itself),
** bind_index.c (elements, rows, shapes, copies) and bind_make.c (constructors). */
#ifndef MOONGLASS_BIND_TENSOR_H
#define MOONGLASS_BIND_TENSOR_H

#include "bind.h"

/* The whole number low..high at a stack index. Else raises "name: noun 2 is 0.5, expected a whole number of 1 to 3";
** a place of 0 is not said. Texts do not count as numbers. */
lua_Integer bind_whole(lua_State *L, int index, const char *name, const char *noun, int place, lua_Integer low,
                       lua_Integer high);

/* The number at a stack index, or raises in the same way. */
double bind_number(lua_State *L, int index, const char *name, const char *noun);

/* The sizes from argument first to last, as numbers or as one table, each at least low; their number. Raises. */
int bind_sizes(lua_State *L, const char *name, int first, int last, lua_Integer low, lua_Integer *sizes);

/* What a message calls the value at an argument: 0.5, nil, 'x' (a string), a table. Leaves strings on the stack. */
const char *bind_shown(lua_State *L, int index);

/* Push "[2 x 3]". */
const char *bind_push_shape(lua_State *L, int rank, const size_t *shape);

/* Push a view of the tensor. */
moon_tensor *bind_push_view(lua_State *L, moon_tensor *t, size_t first, int rank, const size_t *shape);

/* Push a copy of the tensor, of the given element type. */
moon_tensor *bind_push_copy(lua_State *L, const moon_tensor *t, moon_dtype dtype);

extern const bind_reg bind_tensor_makers[];   /* bind_make.c, for the core table */
extern const bind_reg bind_tensor_elements[]; /* bind_index.c, methods */
int bind_tensor_index(lua_State *L);          /* __index, upvalue 2 being the methods; __newindex; __len */
int bind_tensor_newindex(lua_State *L);
int bind_tensor_len(lua_State *L);

/* print.c: core.print_options */
int bind_print_options(lua_State *L);

#endif
