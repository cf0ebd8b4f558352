/* require.h - `require` for a Lua state: only the modules that are in the program. */
#ifndef PLAYGROUND_REQUIRE_H
#define PLAYGROUND_REQUIRE_H

#include <lua.h>

/* Set the globals require and package.loaded, with the table on top of the stack, which it pops, as the module
** "moonglass.core". Raises. */
void require_open(lua_State *L);

/* source(name) -> text of a module | nil. A lua_CFunction. */
int require_source(lua_State *L);

#endif
