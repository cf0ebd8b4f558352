/* moonglass_lua.h - what a C host that has a Lua state needs besides moonglass.h.
** Functions marked "raises" may call lua_error, so they are called where Lua's own API may be: want of memory raises in
** all of them. They see to the room on the stack themselves. What they are called with is the host's: one state, one
** thread at a time. */
#ifndef MOONGLASS_LUA_H
#define MOONGLASS_LUA_H

#include <lua.h>

#include "moonglass.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a state's core is opened. Zero is every field's default, but of size: moon_lua_config c = {sizeof c}.
** Fields are only ever added, at the end. */
typedef struct moon_lua_config {
  size_t size;         /* sizeof(moon_lua_config), as the host was compiled */
  size_t memory_limit; /* bytes that the engine's objects may hold; 0: none. A script can lower it, not raise it. Lua's
                       ** own objects are not counted: a limit for both is the state's allocator's business */
  uint64_t seed;       /* of the random stream */
  int threads;         /* worker threads, 1 to 256; 0: one */
  unsigned flags;      /* MOON_LUA_... or-ed together */
  moon_log_fn log;     /* NULL: silent. Gets the engine's lines, and those of a fit with verbose > 0 */
  void *log_ud;        /* log's first argument */
} moon_lua_config;

/* The core has no function that opens a file, whoever chooses its name: a net as an archive needs JSON, whose library
** opens /dev/urandom. PNG in memory stays. */
#define MOON_LUA_NO_FILES 1u

/* Set how the core will be opened in this state; the last call before the opening counts. config is copied; NULL takes
** every default. Raises, after the opening too. */
MOON_API void moon_lua_configure(lua_State *L, const moon_lua_config *config);

/* A lua_CFunction that pushes the core library's table: for luaL_requiref or package.preload as "moonglass.core".
** The first call makes the state's context, with the allocator that the state has then, and keeps it until lua_close.
** Further calls keep the context and make the table anew, for a library that is loaded again. Raises. */
MOON_API int luaopen_moonglass_core(lua_State *L);

/* The context of this state, NULL before luaopen_moonglass_core. Not retained; valid until lua_close, so a host that
** will call moon_interrupt from another thread or a signal handler asks for it beforehand. */
MOON_API moon_ctx *moon_lua_ctx(lua_State *L);

/* Push a userdata that retains the object, which is of the state's context, and copies nothing; NULL pushes nil.
** Raises. */
MOON_API void moon_lua_push_tensor(lua_State *L, moon_tensor *t);
MOON_API void moon_lua_push_net(lua_State *L, moon_net *net);

/* The object at a stack index, not retained: valid until its userdata is collected, or a script closes it. A script's
** finalisers may do that wherever Lua collects garbage, which is in any function of Lua's that may allocate: a host
** that calls one before it is done with the object retains it first, and releases it afterwards. One that is retained
** beyond lua_close needs the state's allocator still. check raises Lua's argument error; to gives NULL. */
MOON_API moon_tensor *moon_lua_check_tensor(lua_State *L, int arg);
MOON_API moon_tensor *moon_lua_to_tensor(lua_State *L, int index);
MOON_API moon_net *moon_lua_check_net(lua_State *L, int arg);
MOON_API moon_net *moon_lua_to_net(lua_State *L, int index);

#ifdef __cplusplus
}
#endif
#endif
