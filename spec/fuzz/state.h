/* state.h - a Lua state with the library, for the targets in Lua. Its memory is limited and counted, its instructions
** are limited, and it cannot run programs. */
#ifndef FUZZ_STATE_H
#define FUZZ_STATE_H

#include <lauxlib.h>
#include <lualib.h>

#include "../../csrc/moonglass_lua.h"
#include "fuzz.h"

enum {
  STATE_MEMORY = 48 << 20,      /* bytes of Lua and the engine */
  STATE_ENGINE = 16 << 20,      /* of those, the engine's */
  STATE_INSTRUCTIONS = 1000000, /* an input */
  STATE_HOOK = 1000,            /* instructions between two calls of the hook */
  STATE_INPUTS = 200            /* before a fresh state is made */
};

typedef struct fuzz_state {
  lua_State *L;
  size_t held, inputs;
  int left; /* instructions, in hooks */
} fuzz_state;

static inline void *state_alloc(void *ud, void *ptr, size_t osize, size_t nsize) {
  fuzz_state *s = ud;
  if (!ptr) osize = 0;
  if (nsize > osize && nsize - osize > STATE_MEMORY - s->held) return NULL;
  void *p = nsize ? realloc(ptr, nsize) : NULL;
  if (!nsize) free(ptr);
  if (p || !nsize) s->held = s->held - osize + nsize;
  return p;
}

static inline void state_hook(lua_State *L, lua_Debug *ar) {
  void *ud;
  (void)ar;
  lua_getallocf(L, &ud);
  fuzz_state *s = ud;
  if (s->left > 0)
    s->left--;
  else
    luaL_error(L, "too many instructions");
}

/* Run a Lua file, with package.path set to the tree's library. Its result stays on the stack. */
static inline void state_open(fuzz_state *s, const char *chunk) {
  memset(s, 0, sizeof *s);
  lua_State *L = s->L = lua_newstate(state_alloc, s);
  EXPECT(L);
  luaL_openlibs(L);
  moon_lua_configure(L, &(moon_lua_config){.size = sizeof(moon_lua_config), .memory_limit = STATE_ENGINE});
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_moonglass_core);
  lua_setfield(L, -2, "moonglass.core");
  lua_getglobal(L, "package");
  lua_pushliteral(L, LUA_FOLDER "/?.lua;" LUA_FOLDER "/?/init.lua");
  lua_setfield(L, -2, "path");
  lua_settop(L, 0);
  if (luaL_loadfile(L, chunk) || lua_pcall(L, 0, 1, 0)) {
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    abort();
  }
  EXPECT(lua_isfunction(L, -1));
}

static inline void state_close(fuzz_state *s) {
  lua_close(s->L);
  s->L = NULL;
  EXPECT(s->held == 0);
}

/* Call the function that the chunk returns with the bytes. A state serves STATE_INPUTS inputs, then a new one is made.
** An error is a finding, unless memory or instructions ran out. */
static inline void state_run(fuzz_state *s, const char *chunk, const char *bytes, size_t size) {
  if (s->L && s->inputs >= STATE_INPUTS) state_close(s);
  if (!s->L) state_open(s, chunk);
  s->inputs++;
  s->left = STATE_INSTRUCTIONS / STATE_HOOK;
  lua_sethook(s->L, state_hook, LUA_MASKCOUNT, STATE_HOOK);
  lua_pushvalue(s->L, -1);
  lua_pushlstring(s->L, bytes, size);
  int rc = lua_pcall(s->L, 1, 0, 0);
  lua_sethook(s->L, NULL, 0, 0);
  if (rc) {
    size_t length;
    const char *message = luaL_tolstring(s->L, -1, &length);
    if (rc != LUA_ERRMEM && !strstr(message, "too many instructions") && !strstr(message, "memory")) {
      fprintf(stderr, "%s\n", message);
      abort();
    }
    lua_pop(s->L, 2);
  }
  lua_gc(s->L, LUA_GCCOLLECT);
  moon_clear_interrupt(moon_lua_ctx(s->L));
}

#endif
