/* fit.c - the command `moonglass-anomaly fit`: a Lua state that runs lua/fit.lua. The library's Lua files are in the
** program, as they are in the playground, so it needs no other file. */
#include "fit.h"

#include <lauxlib.h>
#include <lualib.h>
#include <moonglass_lua.h>
#include <require.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "say.h"

/* ---- Ctrl-C ---- */

/* A signal handler has no argument, so what it needs is in static variables. */
static lua_State *volatile running;
static moon_ctx *volatile context;
static volatile sig_atomic_t interrupted;

static void stop(lua_State *L, lua_Debug *ar) {
  (void)ar;
  luaL_error(L, "interrupted");
}

/* The context's flag ends a training step, during which Lua executes no instruction; the hook ends everything else. A
** second Ctrl-C ends the process at once. */
static void on_interrupt(int number) {
  (void)number;
  interrupted = 1;
  if (context) moon_interrupt(context);
  if (running) lua_sethook(running, stop, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

static void watch_interrupts(lua_State *L, moon_ctx *ctx) {
  struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESETHAND}, before;
  sigaction(SIGINT, NULL, &before);
  if (before.sa_handler == SIG_IGN) return; /* in the background */
  running = L;
  context = ctx;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
}

/* ---- the state ---- */

/* As many as keep busy on batches of the usual sizes, as in the program moonglass. */
static int default_threads(void) {
  enum { ENOUGH = 4 };
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  return cores < 1 ? 1 : cores > ENOUGH ? ENOUGH : (int)cores;
}

/* Called with the arguments as a light userdata. Returns the exit status. */
static int run(lua_State *L) {
  char **arguments = lua_touserdata(L, 1);
  luaL_openlibs(L);
  lua_pushcfunction(L, luaopen_moonglass_core);
  lua_call(L, 0, 1);
  require_open(L);
  moon_ctx *ctx = moon_lua_ctx(L);
  moon_set_threads(ctx, default_threads());
  watch_interrupts(L, ctx);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "anomaly.fit");
  lua_call(L, 1, 1);
  lua_newtable(L);
  for (int i = 0; arguments[i]; i++) {
    lua_pushstring(L, arguments[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_call(L, 1, 1);
  return 1;
}

int fit_run(char **arguments) {
  lua_State *L = luaL_newstate();
  if (!L) return say_failure("out of memory"), STATUS_FAILED;
  lua_pushcfunction(L, run);
  lua_pushlightuserdata(L, arguments);
  bool ran = lua_pcall(L, 1, 1, 0) == LUA_OK;
  running = NULL;
  context = NULL;
  lua_sethook(L, NULL, 0, 0);
  int status = ran ? (int)lua_tointeger(L, -1) : STATUS_FAILED;
  if (!ran && !interrupted) say("%s", luaL_tolstring(L, -1, NULL));
  lua_close(L);
  if (!interrupted || status == STATUS_OK) return status;
  say("interrupted; no detector was written");
  signal(SIGINT, SIG_DFL); /* the process ends by the signal, as a shell expects */
  raise(SIGINT);
  return 128 + SIGINT;
}
