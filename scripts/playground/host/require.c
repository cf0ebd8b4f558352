/* require.c - `require` for embedded modules. A file that was embedded as a/b.lua is module a.b, a/init.lua is a. */
#include "require.h"

#include <lauxlib.h>
#include <string.h>

#include "files.h"

/* The file of a module; NULL: there is none. Pushes some texts. */
static const file *find_module(lua_State *L, const char *name) {
  const char *path = luaL_gsub(L, name, ".", "/");
  const file *found = files_find(lua_pushfstring(L, "%s.lua", path));
  if (!found) found = files_find(lua_pushfstring(L, "%s/init.lua", path));
  return found && *found->name != '/' ? found : NULL;
}

/* require(name); the upvalue is the table of loaded modules. */
static int require(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  if (lua_getfield(L, lua_upvalueindex(1), name) != LUA_TNIL) return 1;
  const file *f = find_module(L, name);
  if (!f) return luaL_error(L, "require: there is no module '%s' in this program", name);
  if (luaL_loadbufferx(L, f->data, (size_t)(f->end - f->data), lua_pushfstring(L, "=%s", f->name), "t") != LUA_OK)
    return lua_error(L);
  lua_pushstring(L, name);
  lua_call(L, 1, 1);
  if (lua_isnil(L, -1)) lua_pushboolean(L, 1);
  lua_pushvalue(L, -1);
  lua_setfield(L, lua_upvalueindex(1), name);
  return 1;
}

int require_source(lua_State *L) {
  const file *f = find_module(L, luaL_checkstring(L, 1));
  if (f)
    lua_pushlstring(L, f->data, (size_t)(f->end - f->data));
  else
    lua_pushnil(L);
  return 1;
}

void require_open(lua_State *L) {
  lua_newtable(L);
  lua_insert(L, -2);
  lua_setfield(L, -2, "moonglass.core");
  lua_newtable(L);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, "loaded");
  lua_setglobal(L, "package");
  lua_pushcclosure(L, require, 1);
  lua_setglobal(L, "require");
}
