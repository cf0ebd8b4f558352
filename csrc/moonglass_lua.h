/* moonglass_lua.h - what a C host with a Lua state needs besides moonglass.h.
** Functions marked "raises" may call lua_error, so a host calls them where it may call Lua's own API; all of them raise
** when they run out of memory. They ensure the stack slots that they need. A state is used by one thread at a time. */
#ifndef MOONGLASS_LUA_H
#define MOONGLASS_LUA_H

#include <lua.h>

#include "moonglass.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How the core of a state is opened. Zero is the default of every field but size: moon_lua_config c = {sizeof c}.
** Fields are only ever added at the end. */
typedef struct moon_lua_config {
  size_t size;         /* sizeof(moon_lua_config), set by the host */
  size_t memory_limit; /* bytes that the engine's objects may hold; 0: none. A script can lower it, not raise it. Lua's
                       ** own objects do not count: to limit both, use the allocator of the state */
  uint64_t seed;       /* of the random stream */
  int threads;         /* worker threads, 1 to 256; 0: one */
  unsigned flags;      /* MOON_LUA_... or-ed together */
  moon_log_fn log;     /* NULL: silent. Receives the lines of the engine, and of fit with verbose > 0 */
  void *log_ud;        /* log's first argument */
} moon_lua_config;

/* A flag: the core has no function that opens a file. PNG, safetensors, ONNX and nets as bytes in memory stay. */
#define MOON_LUA_NO_FILES 1u

/* Set how the core will be opened in this state; the last call before that counts. config is copied; NULL: all
** defaults.
** Raises, also if the core is open already. */
MOON_API void moon_lua_configure(lua_State *L, const moon_lua_config *config);

/* A lua_CFunction that pushes the table of the core library: for luaL_requiref, or for package.preload as
** "moonglass.core". The first call makes the state's context with the state's current allocator, and keeps it until
** lua_close. Later calls keep the context and make the table again, for a library that is loaded again. Raises. */
MOON_API int luaopen_moonglass_core(lua_State *L);

/* The context of this state; NULL before luaopen_moonglass_core. Not retained; valid until lua_close. A host that calls
** moon_interrupt from another thread or a signal handler gets it beforehand. */
MOON_API moon_ctx *moon_lua_ctx(lua_State *L);

/* Push a userdata that retains the object, which must belong to the state's context; nothing is copied. NULL pushes
** nil.
** Raises. */
MOON_API void moon_lua_push_tensor(lua_State *L, moon_tensor *t);
MOON_API void moon_lua_push_net(lua_State *L, moon_net *net);

/* The object at a stack index, not retained: valid until its userdata is collected or a script closes it. Both can
** happen in any function of Lua's that may allocate, since scripts' finalisers run there. So a host retains the object
** before it calls such a function, and releases it afterwards. An object that is retained beyond lua_close still needs
** the state's allocator. check raises Lua's argument error; to returns NULL. */
MOON_API moon_tensor *moon_lua_check_tensor(lua_State *L, int arg);
MOON_API moon_tensor *moon_lua_to_tensor(lua_State *L, int index);
MOON_API moon_net *moon_lua_check_net(lua_State *L, int arg);
MOON_API moon_net *moon_lua_to_net(lua_State *L, int index);

#ifdef __cplusplus
}
#endif
#endif
