/* bind_home.h - what the binding keeps in a Lua state (bind_home.c). For the lower floors only, and for core.c, which
** opens it. */
#ifndef MOONGLASS_BIND_HOME_H
#define MOONGLASS_BIND_HOME_H

#include "../moonglass_lua.h"
#include "bind_hold.h"

enum { BIND_CLASSES = 11 };

/* A userdata in the registry, and upvalue 1 of every function. Its user value is a table whose keys are the handles
** that finalisers have made: while the state closes, Lua gives those no finaliser, but may collect them. The table is
** emptied when a function is called outside of finalisers: then the state is not closing. */
typedef struct bind_home {
  moon_ctx *ctx; /* NULL before the core is opened, and after the state has closed it */
  bool closed;
  bool remembers; /* the table of handles is not empty */
  bool calling;   /* one of our functions has called Lua, whose code may call us: what it holds stays held */
  size_t settled; /* bytes in use after the last full collection that we forced */
  bind_holds holds;
  struct bind_reading *reading;         /* the innermost call of the engine in which readers may run (bind_source.h) */
  const void *metatables[BIND_CLASSES]; /* their addresses: comparing them is faster than a search by name */
  moon_lua_config config;
} bind_home;

/* Push the home; set it to the userdata on the top, which is popped; get it without pushing, NULL if there is none. */
int bind_push_home(lua_State *L);
void bind_set_home(lua_State *L);
bind_home *bind_find_home(lua_State *L);

/* Is a finaliser running? */
bool bind_in_finaliser(lua_State *L);

/* Put the handle on the top, which a finaliser has made, into the home's table; empty that table. */
void bind_remember(lua_State *L);
void bind_forget(lua_State *L, bind_home *h);

/* The home of the state, made if there is none yet; pushes nothing (bind_host.c). */
bind_home *bind_need_home(lua_State *L);

#endif
