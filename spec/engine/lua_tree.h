/* lua_tree.h - a Lua state that loads the core and the Lua files of this tree. */
#ifndef LUA_TREE_H
#define LUA_TREE_H

#include <lauxlib.h>
#include <lualib.h>

#include "../../csrc/moonglass_lua.h"

/* A lua_CFunction: open Lua's standard libraries, preload the core, set package.path to the tree. */
static int open_tree(lua_State *L) {
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_moonglass_core);
  lua_setfield(L, -2, "moonglass.core");
  lua_getglobal(L, "package");
  lua_pushliteral(L, "lua/?.lua;lua/?/init.lua");
  lua_setfield(L, -2, "path");
  lua_pushliteral(L, "");
  lua_setfield(L, -2, "cpath");
  return 0;
}

#endif
