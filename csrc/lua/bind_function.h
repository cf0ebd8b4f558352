/* bind_function.h - functions as Lua calls them (bind_function.c). */
#ifndef MOONGLASS_BIND_FUNCTION_H
#define MOONGLASS_BIND_FUNCTION_H

#include "bind.h"

/* A function that scripts call. takes: the names of its arguments, "first, count"; "..." if the function checks their
** number itself. More arguments than that are an error, since they would be ignored; nils at the end do not count. */
typedef struct bind_reg {
  const char *name;
  lua_CFunction f;
  const char *takes;
} bind_reg;

/* The upvalues of a function: 1 the home, 2 its name, 3 a flag. */

/* Push the function; as a method it takes one argument more, the object. */
void bind_push_function(lua_State *L, const bind_reg *function, bool method, bool flag);

/* Push a function that Lua itself calls, a metamethod: its arguments are not counted. Upvalue 2 is the value on the
** top, which is popped. */
void bind_push_metamethod(lua_State *L, lua_CFunction f);

/* Add functions to the core table on the top. Of public ones core.public[name] is true: the library hands them on as
** moon.NAME. All others are private to the library. */
void bind_functions(lua_State *L, const bind_reg *functions);
void bind_public(lua_State *L, const bind_reg *functions);

/* Add the function on the top to the core table below it, as a public one; pops it. */
void bind_set_public(lua_State *L, const char *name);

/* Add methods to the table on the top. */
void bind_methods(lua_State *L, const bind_reg *methods);

/* luaL_argerror, with the name from upvalue 2 where Lua does not know one, as within pcall. */
int bind_bad_argument(lua_State *L, int arg, const char *text);

#endif
