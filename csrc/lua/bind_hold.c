/* bind_hold.c - how long an object lives that a function works on.
**
** A script may close an object whenever its code runs, and finalisers run at any allocation, in the middle of our
** functions too. So what a function takes out of a handle (bind_check, bind_test) is held until the function returns:
** closing the handle, or removing it from its table, does not take the object away. After an error nothing tells us
** that the function has ended; its holds are dropped when the next function is entered. */
#include "bind_hold.h"

#include <string.h>

void bind_drop_owned(bind_holds *holds, size_t count) {
  while (holds->owned && holds->count > count) {
    bind_entry last = holds->list[--holds->count];
    if (!last.class) continue;
    holds->owned--;
    last.class->release(last.object);
  }
}

bool bind_hand_over(bind_holds *holds, const void *object, const bind_class *class) {
  for (size_t i = 0; i < holds->count && i < BIND_LENT; i++) {
    if (holds->list[i].object != object || holds->list[i].class) continue;
    holds->list[i].class = class;
    holds->owned++;
    return true;
  }
  return false;
}

/* Memory from the state's allocator, not from its collector: no finaliser may run before the object is held. */
static void *resize(lua_State *L, void *list, size_t before, size_t now) {
  void *ud;
  lua_Alloc alloc = lua_getallocf(L, &ud);
  return alloc(ud, list, before * sizeof(bind_entry), now * sizeof(bind_entry));
}

static bool grow(lua_State *L, bind_holds *holds) {
  bool own = holds->list != holds->first;
  bind_entry *list = resize(L, own ? holds->list : NULL, own ? holds->room : 0, 2 * holds->room);
  if (!list) return false;
  if (!own) memcpy(list, holds->first, sizeof holds->first);
  holds->list = list;
  holds->room *= 2;
  return true;
}

bool bind_hold_owned(lua_State *L, bind_holds *holds, void *object, const bind_class *class) {
  if (holds->count == holds->room && !grow(L, holds)) return false;
  holds->list[holds->count++] = (bind_entry){object, class};
  holds->owned++;
  return true;
}

bool bind_hold_retained(lua_State *L, bind_holds *holds, void *object, const bind_class *class) {
  if (!bind_hold_owned(L, holds, object, class)) return false;
  class->retain(object);
  return true;
}

void bind_drop_all(lua_State *L, bind_holds *holds) {
  bind_drop(holds, 0);
  if (holds->list != holds->first) resize(L, holds->list, holds->room, 0);
  *holds = (bind_holds){.list = holds->first, .room = BIND_LENT};
}
