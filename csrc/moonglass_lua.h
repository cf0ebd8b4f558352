/* moonglass_lua.h - what a C host that has a Lua state needs besides moonglass.h.
** Functions marked "raises" may call lua_error, so they are called where Lua's own API may be. */
#ifndef MOONGLASS_LUA_H
#define MOONGLASS_LUA_H

#include <lua.h>

#include "moonglass.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A lua_CFunction that pushes the core library's table: for luaL_requiref or package.preload as "moonglass.core".
** The first call makes the state's context, with the state's own allocator, and keeps it until lua_close. Raises. */
MOON_API int luaopen_moonglass_core(lua_State *L);

/* The context of this state, NULL before luaopen_moonglass_core. Not retained. */
MOON_API moon_ctx *moon_lua_ctx(lua_State *L);

/* Push a userdata that retains the object. Raises when out of memory. */
MOON_API void moon_lua_push_tensor(lua_State *L, moon_tensor *t);
MOON_API void moon_lua_push_net(lua_State *L, moon_net *net);

/* The object at a stack index, not retained. check raises Lua's usual argument error; to gives NULL. */
MOON_API moon_tensor *moon_lua_check_tensor(lua_State *L, int arg);
MOON_API moon_tensor *moon_lua_to_tensor(lua_State *L, int index);
MOON_API moon_net *moon_lua_check_net(lua_State *L, int arg);
MOON_API moon_net *moon_lua_to_net(lua_State *L, int index);

#ifdef __cplusplus
}
#endif
#endif
