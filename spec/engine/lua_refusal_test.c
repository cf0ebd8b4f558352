/* lua_refusal_test.c - out of memory at every point, from Lua. refusals.lua has the cases and checks the results. This
** file provides the state's allocator, which the engine uses too, and malloc, which other libraries use; both can
** refuse the k-th call. Run it in the root of the tree. Without an argument it tries a sample of the points; with one
** it tries all and prints what was refused where. */
#include <lauxlib.h>
#include <lualib.h>
#include <string.h>
#include <unistd.h>

#include "../../csrc/moonglass_lua.h"
#include "check.h"
#include "lua_tree.h"
#include "refuse.h"

/* ---- the state's allocator ----
** It does not use malloc, so that each can be refused separately. */

#if REFUSE_MALLOC
#define RESIZE __libc_realloc
#define FREE __libc_free
#else
#define RESIZE realloc
#define FREE free
#endif

typedef struct heap {
  bool armed;
  size_t used, calls, first, last, refused;
} heap;

static void *heap_alloc(void *ud, void *p, size_t osize, size_t nsize) {
  heap *h = ud;
  if (!p) osize = 0;
  if (!nsize) {
    FREE(p);
    h->used -= osize;
    return NULL;
  }
  if (nsize > osize && h->armed && ++h->calls >= h->first && h->calls <= h->last) return h->refused++, NULL;
  void *q = RESIZE(p, nsize);
  if (q) h->used += nsize - osize;
  return q;
}

static void arm(heap *h, size_t first, size_t width) {
  h->calls = h->refused = 0;
  h->first = first;
  h->last = width ? first + width - 1 : SIZE_MAX;
  h->armed = true;
}

/* ---- the functions given to refusals.lua ---- */

static heap memory;

/* attempt(door, first, width, f, ...): return the number of refused calls and the results of pcall(f, ...). The door
** is "lua" or "malloc". Refuse `width` of its calls from number `first` on, or all of them if `width` is 0. */
static int attempt(lua_State *L) {
  bool ours = strcmp(luaL_checkstring(L, 1), "lua") == 0;
  size_t first = (size_t)luaL_checkinteger(L, 2), width = (size_t)luaL_checkinteger(L, 3);
  if (ours)
    arm(&memory, first, width);
  else
    refuse_arm((refusal){first, width ? first + width - 1 : SIZE_MAX});
  bool ok = lua_pcall(L, lua_gettop(L) - 4, LUA_MULTRET, 0) == LUA_OK;
  memory.armed = false;
  refuse_disarm();
  luaL_checkstack(L, 2, NULL);
  lua_pushboolean(L, ok);
  lua_replace(L, 3);
  lua_pushinteger(L, (lua_Integer)(ours ? memory.refused : atomic_load(&refuse_count)));
  lua_replace(L, 2);
  return lua_gettop(L) - 1;
}

/* bits(t): shape and bytes of a tensor as a string */
static int bits(lua_State *L) {
  moon_tensor *t = moon_lua_check_tensor(L, 1);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addlstring(&b, (const char *)moon_tensor_shape(t), (size_t)moon_tensor_rank(t) * sizeof(size_t));
  luaL_addlstring(&b, moon_tensor_data(t), moon_tensor_bytes(t));
  luaL_pushresult(&b);
  return 1;
}

/* check(condition, text): count, and print the text on failure */
static int check(lua_State *L) {
  bool good = lua_toboolean(L, 1);
  if (!good) fprintf(stderr, "%s\n", luaL_checkstring(L, 2));
  CHECK(good);
  return 0;
}

static const luaL_Reg host_functions[] = {{"attempt", attempt}, {"bits", bits}, {"check", check}, {NULL, NULL}};

/* ---- the sweeps ---- */

static void run_script(bool full) {
  lua_State *L = lua_newstate(heap_alloc, &memory);
  lua_pushcfunction(L, open_tree);
  CHECK(lua_pcall(L, 0, 0, 0) == LUA_OK);
  CHECK(luaL_loadfile(L, "spec/hostile/refusals.lua") == LUA_OK);
  luaL_newlib(L, host_functions);
  lua_pushboolean(L, full);
  lua_setfield(L, -2, "full");
  lua_pushboolean(L, REFUSE_MALLOC);
  lua_setfield(L, -2, "malloc");
  bool ok = lua_pcall(L, 1, 0, 0) == LUA_OK;
  CHECK(ok);
  if (!ok) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  lua_close(L);
  CHECK(memory.used == 0);
}

static int require_it(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushstring(L, lua_touserdata(L, 1));
  lua_call(L, 1, 0);
  return 0;
}

/* Open Lua and this module with the k-th call refused. A second try with memory must work, and closing too. False when
** there were fewer calls. */
static bool open_refused(const char *module, size_t k, size_t width, size_t *good) {
  heap h = {0};
  arm(&h, k, width);
  lua_State *L = lua_newstate(heap_alloc, &h);
  bool opened = false, right = true;
  if (L) {
    lua_pushcfunction(L, open_tree);
    bool prepared = lua_pcall(L, 0, 0, 0) == LUA_OK;
    lua_settop(L, 0);
    lua_pushcfunction(L, require_it);
    lua_pushlightuserdata(L, (void *)(uintptr_t)module);
    opened = prepared && lua_pcall(L, 1, 0, 0) == LUA_OK;
    h.armed = false;
    lua_settop(L, 0);
    lua_pushcfunction(L, open_tree);
    right = lua_pcall(L, 0, 0, 0) == LUA_OK;
    lua_pushcfunction(L, require_it);
    lua_pushlightuserdata(L, (void *)(uintptr_t)module);
    right = lua_pcall(L, 1, 0, 0) == LUA_OK && right;
    right = luaL_dostring(L, "local c = require 'moonglass.core' assert(#c.rand(3) == 3)") == LUA_OK && right;
    if (!right) fprintf(stderr, "opening, call %zu: %s\n", k, lua_tostring(L, -1));
    lua_close(L);
  }
  *good += right && h.used == 0 && (opened || h.refused);
  return h.refused > 0;
}

static void sweep_opening(const char *module, size_t width, size_t stride, bool full) {
  size_t good = 0, tries = 0, k = 1;
  for (bool more = true; more; k += stride, tries++) more = open_refused(module, k, width, &good);
  CHECK(good == tries && tries > 5);
  if (full) printf("  open %-31s lua    %-7s %6zu points\n", module, width ? "once" : "forever", tries - 1);
}

int main(int argc, char **argv) {
  (void)argv;
  bool full = argc > 1;
  for (size_t width = 0; width < 2; width++) {
    sweep_opening("moonglass.core", width, full ? 1 : 7, full);
    sweep_opening("moonglass", width, full ? 11 : 1009, full);
  }
  run_script(full);
  return check_report();
}
