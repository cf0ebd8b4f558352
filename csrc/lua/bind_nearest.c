/* bind_nearest.c - "did you mean": for messages about a name that does not exist, the nearest name that does. */
#include <stdint.h>
#include <string.h>

#include "bind_args.h"

void bind_offer(bind_nearest *n, const char *known) {
  size_t distance = moon_name_distance(n->name, known);
  if (distance == SIZE_MAX || (n->nearest && distance >= n->distance)) return;
  n->nearest = known;
  n->distance = distance;
}

/* Of equally near names take the first in the alphabet, since a table has no fixed order. */
static void offer_unordered(bind_nearest *n, const char *known) {
  size_t distance = moon_name_distance(n->name, known);
  if (n->nearest && distance == n->distance && strcmp(known, n->nearest) < 0) n->nearest = NULL;
  bind_offer(n, known);
}

void bind_offer_names(lua_State *L, bind_nearest *n, int table) {
  table = lua_absindex(L, table);
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    int name = lua_type(L, -2) == LUA_TSTRING ? -2 : -1;
    if (lua_type(L, name) == LUA_TSTRING) offer_unordered(n, lua_tostring(L, name));
  }
}

const char *bind_push_question(lua_State *L, const bind_nearest *n) {
  return n->nearest ? lua_pushfstring(L, "; did you mean '%s'?", n->nearest) : lua_pushliteral(L, "");
}

int bind_unknown(lua_State *L, const char *name, const char *what, const char *given, const char *const *known) {
  bind_nearest n = {.name = given};
  luaL_Buffer list;
  for (size_t i = 0; known[i]; i++) bind_offer(&n, known[i]);
  luaL_buffinit(L, &list);
  for (size_t i = 0; known[i]; i++) {
    if (i) luaL_addstring(&list, ", ");
    luaL_addstring(&list, known[i]);
  }
  luaL_pushresult(&list);
  const char *names = lua_tostring(L, -1), *question = bind_push_question(L, &n);
  return luaL_error(L, "%s: unknown %s '%s'%s (known: %s)", name, what, given, question, names);
}
