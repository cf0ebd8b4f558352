/* bind_args.h - numbers, sizes and names among the arguments of a function, and how messages show them (bind_args.c,
** bind_nearest.c). All errors begin with `name`, the function's name. */
#ifndef MOONGLASS_BIND_ARGS_H
#define MOONGLASS_BIND_ARGS_H

#include "bind.h"

/* ---- bind_args.c ---- */

/* How a message shows the value at an argument: 0.5, nil, 'x' (a string), a table. Leaves strings on the stack. */
const char *bind_shown(lua_State *L, int index);

/* The whole number low..high at a stack index, or raise "name: noun 2 is 0.5, expected a whole number of 1 to 3";
** place 0: without the 2. A string does not count as a number. */
lua_Integer bind_whole(lua_State *L, int index, const char *name, const char *noun, int place, lua_Integer low,
                       lua_Integer high);

/* The number at a stack index, or raise in the same way. */
double bind_number(lua_State *L, int index, const char *name, const char *noun);

/* Read a first row, which Lua counts from 1 and C from 0, and a number of rows, at two arguments, out of `rows`. */
void bind_row_range(lua_State *L, int arg, const char *name, size_t rows, size_t *first, size_t *count);

/* Read the sizes from argument first to last, given as numbers or as one table, each at least low; returns how many. */
int bind_sizes(lua_State *L, const char *name, int first, int last, lua_Integer low, lua_Integer *sizes);

/* Push "[2 x 3]". */
const char *bind_push_shape(lua_State *L, int rank, const size_t *shape);

/* ---- bind_nearest.c: a name that does not exist, and the nearest name that does ---- */

/* The strings must live as long as this. */
typedef struct bind_nearest {
  const char *name, *nearest; /* nearest: NULL until a near one is offered */
  size_t distance;
} bind_nearest;

void bind_offer(bind_nearest *n, const char *known);

/* Offer the names in a table: keys that are strings, and strings under numbers. */
void bind_offer_names(lua_State *L, bind_nearest *n, int table);

/* Push the end of the message, "; did you mean 'weight'?", or "" if no name is near. */
const char *bind_push_question(lua_State *L, const bind_nearest *n);

/* Raise "zeros: unknown option 'dtpye'; did you mean 'dtype'? (known: dtype)". known ends with NULL. */
int bind_unknown(lua_State *L, const char *name, const char *what, const char *given, const char *const *known);

#endif
