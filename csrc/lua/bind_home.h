/* bind_home.h - what a state has of us: bind.c (the context) and bind_handle.c (handles and what is held). */
#ifndef MOONGLASS_BIND_HOME_H
#define MOONGLASS_BIND_HOME_H

#include "bind.h"

/* A class's name, and how its objects are counted. */
typedef struct bind_counting {
  const char *name;
  void (*retain)(void *object);
  void (*release)(void *object);
} bind_counting;

enum { BIND_CLASSES = 7, BIND_LENT = 8 };

/* An object that a running function works on. */
typedef struct bind_hold {
  void *object;
  const bind_counting *counting; /* NULL: lent by a handle, whose reference becomes ours if it is closed */
} bind_hold;

/* All of them, the innermost function's last. Only the first few are lent, so that a handle that is closed looks
** through no long list; the others have references of their own. */
typedef struct bind_holds {
  bind_hold *list, first[BIND_LENT]; /* list is first until that is too small */
  size_t count, room, owned;         /* owned: how many are not lent */
} bind_holds;

/* A userdata in the registry, which is upvalue 1 of every function. Its user value is a table whose keys are the
** handles that finalisers have made: while the state closes, Lua calls no finaliser for those, but may collect them.
** They stay there until a function is called outside of finalisers: then the state was not closing. */
typedef struct bind_home {
  moon_ctx *ctx; /* NULL before the core is opened, and again when the state has closed it */
  bool closed;
  bool remembers; /* is there anything in that table? */
  bool calling;   /* within the call by which bind_collect tries for memory: a hook may call us */
  size_t settled; /* what the objects held after the last full collection that they made necessary */
  bind_holds holds;
  const void *metatables[BIND_CLASSES]; /* their addresses: found in less time than by name in the registry */
  moon_lua_config config;
} bind_home;

/* Push it; the same, found without pushing: NULL if there is none. */
int bind_push_home(lua_State *L);
bind_home *bind_find_home(lua_State *L);

/* When the state closes; the home is at index 1. Gives back what is held, and what finalisers have made. */
void bind_close_handles(lua_State *L, bind_home *h);

#endif
