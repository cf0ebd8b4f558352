/* state.c - the Lua state of a session: its memory, its libraries, its life. */
#include "state.h"

#include <lauxlib.h>
#include <lualib.h>
#include <moonglass_lua.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "require.h"

enum { EVERYTHING = LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT };

state *state_of(lua_State *L) { return *(state **)lua_getextraspace(L); }

/* ---- memory ---- */

/* lua_Alloc, for Lua's objects and the engine's. Shrinking never fails, as Lua requires. If there is no block yet,
** osize is not a size. */
static void *limited(void *ud, void *block, size_t osize, size_t nsize) {
  state *s = ud;
  size_t before = block ? osize : 0;
  if (nsize > before && nsize - before > s->config->memory - s->used) return NULL;
  void *moved = NULL;
  if (nsize == 0) {
    free(block);
  } else if (!(moved = realloc(block, nsize))) {
    if (nsize > before) return NULL;
    moved = block;
  }
  s->used = s->used - before + nsize;
  if (s->used > s->peak) s->peak = s->used;
  return moved;
}

/* ---- the end ---- */

/* Lua code that calls nothing of the host sees no end of the session. So SIGUSR1 interrupts the session's thread, and
** sets a hook there: lua_sethook may be called in a signal handler. The hook stays, so if a pcall catches its error,
** the next one follows. */
static _Thread_local lua_State *volatile running;

static void stop(lua_State *L, lua_Debug *ar) {
  (void)ar;
  luaL_error(L, "the session has ended");
}

static void on_signal(int number) {
  (void)number;
  if (running) lua_sethook(running, stop, EVERYTHING, 1);
}

void state_end(state *s, const char *reason) {
  atomic_store(&s->ended, true);
  slots_close(&s->events, reason);
  mailbox_close(&s->mail);
  turn_wake(&s->turn);
  pthread_mutex_lock(&s->lock);
  if (s->ctx) moon_interrupt(s->ctx);
  if (s->runs) pthread_kill(s->thread, SIGUSR1);
  pthread_mutex_unlock(&s->lock);
}

static void set_running(state *s, lua_State *L, moon_ctx *ctx) {
  running = L;
  pthread_mutex_lock(&s->lock);
  s->thread = pthread_self();
  s->runs = L != NULL;
  s->ctx = ctx;
  pthread_mutex_unlock(&s->lock);
}

/* ---- running ---- */

static void open_library(lua_State *L, const char *name, lua_CFunction open) {
  luaL_requiref(L, name, open, 1);
  lua_pop(L, 1);
}

static void log_line(void *ud, const char *line) {
  (void)ud;
  host_log(line);
}

/* Open the core, and those of Lua's libraries that reach nothing outside the state. */
static void open_libraries(lua_State *L) {
  const state_config *config = state_of(L)->config;
  moon_lua_config core = {sizeof core, .flags = MOON_LUA_NO_FILES, .log = log_line};
  core.memory_limit = config->memory;
  core.threads = config->threads;
  open_library(L, LUA_GNAME, luaopen_base);
  open_library(L, LUA_STRLIBNAME, luaopen_string);
  open_library(L, LUA_TABLIBNAME, luaopen_table);
  open_library(L, LUA_MATHLIBNAME, luaopen_math);
  open_library(L, LUA_UTF8LIBNAME, luaopen_utf8);
  open_library(L, LUA_COLIBNAME, luaopen_coroutine);
  for (const char *const *name = (const char *const[]){"dofile", "loadfile", NULL}; *name; name++) {
    lua_pushnil(L);
    lua_setglobal(L, *name);
  }
  moon_lua_configure(L, &core);
  luaL_requiref(L, "moonglass.core", luaopen_moonglass_core, 0);
  require_open(L);
}

/* Runs protected: the session, from its first line to its end. */
static int run(lua_State *L) {
  open_libraries(L);
  set_running(state_of(L), L, moon_lua_ctx(L));
  lua_getglobal(L, "require");
  lua_pushliteral(L, "playground.session");
  lua_call(L, 1, 1);
  host_push(L);
  lua_call(L, 1, 0);
  return 0;
}

static int explain(lua_State *L) {
  const char *words = lua_tostring(L, 1);
  luaL_traceback(L, L, words ? words : "an error that is no text", 1);
  return 1;
}

/* The error on top of the stack ends the session: tell its visitor in short, and the host in full. */
static void report(state *s, lua_State *L) {
  const char *trace = lua_tostring(L, -1);
  if (!trace) trace = "not enough memory";
  host_log(trace);
  text_clear(&s->json, 0);
  text_object(&s->json, "message", trace, strcspn(trace, "\n"));
  if (!s->json.failed) slots_put(&s->events, "failure", &s->json);
}

void state_run(state *s) {
  lua_State *L = lua_newstate(limited, s);
  if (L) {
    *(state **)lua_getextraspace(L) = s;
    lua_pushcfunction(L, explain);
    lua_pushcfunction(L, run);
    if (lua_pcall(L, 0, 0, 1) != LUA_OK && !atomic_load(&s->ended)) report(s, L);
    set_running(s, NULL, NULL);
    turn_give(&s->turn);
    lua_sethook(L, NULL, 0, 0);
  }
  state_end(s, L ? "failure" : "memory");
  if (L) lua_close(L);
  json_decref(s->command);
  s->command = NULL;
  text_free(&s->json);
}

/* ---- new and destroy ---- */

static void wake(void *ud) { turn_wake(ud); }

bool state_init(state *s, const state_config *config) {
  *s = (state){.config = config, .json.limit = HOST_LARGEST_FRAME};
  struct sigaction action = {0};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  if (sigaction(SIGUSR1, &action, NULL) != 0 || !turn_init(&s->turn, config->turns)) return false;
  if (mailbox_init(&s->mail, wake, &s->turn)) {
    if (slots_init(&s->events)) {
      if (pthread_mutex_init(&s->lock, NULL) == 0) return true;
      slots_destroy(&s->events);
    }
    mailbox_destroy(&s->mail);
  }
  turn_destroy(&s->turn);
  return false;
}

void state_destroy(state *s) {
  pthread_mutex_destroy(&s->lock);
  slots_destroy(&s->events);
  mailbox_destroy(&s->mail);
  turn_destroy(&s->turn);
}
