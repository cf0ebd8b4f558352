/* bind_hold.h - the objects that running functions work on (bind_hold.c). */
#ifndef MOONGLASS_BIND_HOLD_H
#define MOONGLASS_BIND_HOLD_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/* A class: its metatable's name, and how its objects are counted. */
typedef struct bind_class {
  const char *name;
  void (*retain)(void *object);
  void (*release)(void *object);
} bind_class;

enum { BIND_LENT = 8 };

/* An object that a running function works on. */
typedef struct bind_entry {
  void *object;
  const bind_class *class; /* NULL: lent by its handle. If the handle is closed, its reference moves here */
} bind_entry;

/* All of them; those of the innermost function come last. Only the first few are lent, so that closing a handle
** searches a short list; the others have references of their own. */
typedef struct bind_holds {
  bind_entry *list, first[BIND_LENT]; /* list is `first` until that is too small */
  size_t count, room, owned;          /* owned: how many are not lent */
} bind_holds;

/* Hold an object: one whose reference is the caller's and becomes the hold's; one that is retained for the hold; one
** that a handle owns, lent if possible. False if there is no memory: then nothing has changed. */
bool bind_hold_owned(lua_State *L, bind_holds *holds, void *object, const bind_class *class);
bool bind_hold_retained(lua_State *L, bind_holds *holds, void *object, const bind_class *class);
static inline bool bind_hold(lua_State *L, bind_holds *holds, void *object, const bind_class *class) {
  for (size_t i = holds->count; i > 0 && i + 2 > holds->count; i--) /* a loop asks for the same ones again */
    if (holds->list[i - 1].object == object) return true;
  if (holds->count >= BIND_LENT) return bind_hold_retained(L, holds, object, class);
  holds->list[holds->count++] = (bind_entry){object, NULL};
  return true;
}

/* If the object, whose handle is being closed, is lent to a running function, give that function the reference. */
bool bind_hand_over(bind_holds *holds, const void *object, const bind_class *class);

/* Keep the first `count` holds, if there are so many, and drop the others. */
void bind_drop_owned(bind_holds *holds, size_t count);
static inline void bind_drop(bind_holds *holds, size_t count) {
  if (holds->owned) bind_drop_owned(holds, count);
  if (holds->count > count) holds->count = count;
}

/* Drop all, and free the list. */
void bind_drop_all(lua_State *L, bind_holds *holds);

#endif
