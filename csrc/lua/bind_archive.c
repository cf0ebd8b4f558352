/* bind_archive.c - named tensors and texts between Lua tables and the engine's archives. */
#include "bind_archive.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "bind_args.h"

moon_archive *bind_new_archive(lua_State *L) {
  moon_archive *archive = NULL;
  BIND_TRY(L, bind_ctx(L), moon_archive_new(bind_ctx(L), &archive));
  return bind_adopt(L, BIND_ARCHIVE, archive);
}

/* ---- from tables ---- */

static int compare(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static void check_keys(lua_State *L, const char *name, const char *what, int table, size_t *n) {
  *n = 0;
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING)
      luaL_error(L, "%s: a name in %s is %s, expected a string", name, what, bind_shown(L, -2));
    if (strlen(lua_tostring(L, -2)) != lua_rawlen(L, -2))
      luaL_error(L, "%s: the name '%s...' in %s holds a zero byte, expected text", name, lua_tostring(L, -2), what);
    ++*n;
  }
}

/* Push the sorted keys of the table at an index as a buffer; *n is their number. Below it a list of the keys is pushed,
** which keeps them alive whatever happens to the table. */
static const char **push_sorted_keys(lua_State *L, const char *name, const char *what, int table, size_t *n) {
  check_keys(L, name, what, table, n);
  lua_createtable(L, *n < INT_MAX ? (int)*n : INT_MAX, 0);
  size_t room = *n, i = 0;
  const char **keys = lua_newuserdatauv(L, room * sizeof *keys + 1, 0);
  for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
    if (i == room || lua_type(L, -2) != LUA_TSTRING)
      luaL_error(L, "%s: the table of %s was changed while it was read", name, what);
    keys[i++] = lua_tostring(L, -2);
    lua_pushvalue(L, -2);
    lua_rawseti(L, -5, (lua_Integer)i);
  }
  if (i) qsort(keys, i, sizeof *keys, compare);
  *n = i;
  return keys;
}

/* Add the value on the top under this name. */
typedef void adder(lua_State *L, const char *name, const char *key, moon_archive *archive);

static void add_tensor(lua_State *L, const char *name, const char *key, moon_archive *archive) {
  moon_tensor *t = bind_test_tensor(L, -1);
  if (!t) luaL_error(L, "%s: tensors['%s'] is %s, expected a tensor", name, key, bind_shown(L, -1));
  BIND_TRY(L, bind_ctx(L), moon_archive_add(archive, key, t));
}

static void add_text(lua_State *L, const char *name, const char *key, moon_archive *archive) {
  if (lua_type(L, -1) != LUA_TSTRING)
    luaL_error(L, "%s: metadata['%s'] is %s, expected a string", name, key, bind_shown(L, -1));
  const char *text = lua_tostring(L, -1);
  if (strlen(text) != lua_rawlen(L, -1))
    luaL_error(L, "%s: metadata['%s'] holds a zero byte, expected text", name, key);
  BIND_TRY(L, bind_ctx(L), moon_archive_set(archive, key, text));
}

/* Add all that the table at an index has, in the order of the names. */
static void add_all(lua_State *L, const char *name, const char *what, int table, moon_archive *archive, adder *add) {
  size_t n;
  const char **keys = push_sorted_keys(L, name, what, table, &n);
  for (size_t i = 0; i < n; i++) {
    lua_pushstring(L, keys[i]);
    lua_pushvalue(L, -1);
    lua_rawget(L, table);
    add(L, name, lua_tostring(L, -2), archive);
    lua_pop(L, 2);
  }
  lua_pop(L, 2);
}

moon_archive *bind_read_archive(lua_State *L, const char *name, int tensors, int metadata) {
  if (!lua_istable(L, tensors))
    luaL_error(L, "%s: tensors is %s, expected a table {name = tensor}", name, bind_shown(L, tensors));
  bool texts = !lua_isnoneornil(L, metadata);
  if (texts && !lua_istable(L, metadata))
    luaL_error(L, "%s: metadata is %s, expected a table {name = string}", name, bind_shown(L, metadata));
  moon_archive *archive = bind_new_archive(L);
  add_all(L, name, "tensors", tensors, archive, add_tensor);
  if (texts) add_all(L, name, "metadata", metadata, archive, add_text);
  return archive;
}

/* ---- to tables ---- */

void bind_push_archive(lua_State *L, const moon_archive *archive) {
  const char *name, *text;
  moon_tensor *t;
  lua_newtable(L);
  lua_newtable(L);
  lua_newtable(L);
  for (size_t i = 0; moon_archive_tensor(archive, i, &name, &t); i++) {
    lua_pushstring(L, name);
    lua_pushvalue(L, -1);
    lua_rawseti(L, -3, (lua_Integer)i + 1);
    bind_push(L, BIND_TENSOR, t);
    lua_rawset(L, -5);
  }
  for (size_t i = 0; moon_archive_entry(archive, i, &name, &text); i++) {
    lua_pushstring(L, name);
    lua_pushstring(L, text);
    lua_rawset(L, -4);
  }
}
