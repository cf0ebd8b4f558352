/* bind.h - the ground floor of the binding (bind.c): the context of a Lua state, errors and the collector. Every file
** of the binding includes it. The binding uses the two public headers and Lua's, nothing else.
**
** Every C function that Lua calls has the state's home (bind_home.h) as upvalue 1 and is called through `enter`
** (bind_function.c), so functions are registered with bind_function.h only. A C object belongs to a full userdata, its
** handle. The handle is made first, empty, and filled afterwards, so that an error in between leaks nothing.
**
** Lua may run finalisers wherever it allocates, and a finaliser may do anything: close an object, remove a value from a
** table. A pointer from bind_check or bind_test stays valid until the function returns, whatever finalisers do. A
** string stays valid while it is on the stack. A function that calls a script's code (tensor:map) checks its arguments
** again after the call. */
#ifndef MOONGLASS_BIND_H
#define MOONGLASS_BIND_H

#include <lauxlib.h>
#include <lua.h>

#include "../moonglass.h"
#include "../moonglass_lua.h"

/* The context. Raises while the state closes, when finalisers may still call our functions but the context is gone. */
moon_ctx *bind_ctx(lua_State *L);

/* May this state open files? If not, functions that take a path or load a library are not registered. */
bool bind_has_files(lua_State *L);

/* Raise moon_error's text, with the position in the script; never returns. */
int bind_raise(lua_State *L, moon_ctx *ctx);

/* Make room for so many values on the stack, or raise: luaL_checkstack calls it a stack overflow if memory ran out. */
void bind_want_stack(lua_State *L, int slots, const char *name);

/* Collect all garbage, after an allocation failed. */
void bind_collect(lua_State *L);

/* Assign the status of the call; if memory ran out, collect garbage and make the call a second time. */
#define BIND_TWICE(L, status, call) \
  do {                              \
    (status) = (call);              \
    if ((status) == MOON_ENOMEM) {  \
      bind_collect((L));            \
      (status) = (call);            \
    }                               \
  } while (0)

/* The same, and raise the error if there is one. */
#define BIND_TRY(L, ctx, call)                      \
  do {                                              \
    moon_status status_;                            \
    BIND_TWICE(L, status_, call);                   \
    if (status_ != MOON_OK) bind_raise((L), (ctx)); \
  } while (0)

/* For files: push true on MOON_OK; nil, message, status word if reading or writing failed; raise any other error.
** Returns the number of values pushed. */
int bind_file_result(lua_State *L, moon_ctx *ctx, moon_status status);

/* Tell the collector that its objects hold `bytes` more, or what the context holds beyond `before`: Lua sees a handle
** as a few bytes. May run finalisers. */
void bind_weigh(lua_State *L, size_t bytes);
void bind_weigh_growth(lua_State *L, moon_ctx *ctx, size_t before);

#endif
