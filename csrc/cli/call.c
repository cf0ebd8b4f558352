/* call.c - protected calls that Ctrl-C can end.
**
** A signal handler has no argument, so what it needs is in static variables. The program may have them, since it is one
** process with one state; the library may not. */
#include "cli.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../moonglass_lua.h"

static lua_State *volatile running;
static moon_ctx *volatile context; /* of the state, and valid as long */

bool cli_watch(moon_ctx *ctx) {
  bool first = !context;
  context = ctx;
  return first;
}

/* A hook, which runs at the next instruction, call or return, where it may raise an error. One Ctrl-C causes one error:
** the interrupt that the context was sent too is dropped. */
static void stop(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lua_sethook(L, NULL, 0, 0);
  if (context) moon_clear_interrupt(context);
  luaL_error(L, "interrupted!");
}

/* A signal handler may only set fields, and both calls do no more. The context's flag ends a training step or
** prediction, during which Lua executes no instruction. The hook ends everything else, except, as in `lua`, a coroutine
** that never yields. */
static void on_interrupt(int number) {
  (void)number;
  if (context) moon_interrupt(context);
  if (running) lua_sethook(running, stop, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT, 1);
}

/* Message handlers: they turn the value of an error into text. If something fails in them, it is left out. That
** includes an error of the hook, since the call that it would end has ended. */

/* Add what may have been meant to the text on the top, if the library is loaded. */
static void add_hint(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, "moonglass.support.hints");
  lua_remove(L, -2);
  lua_pushvalue(L, -2);
  if (lua_pcall(L, 1, 1, 0) == LUA_OK && lua_type(L, -1) == LUA_TSTRING)
    lua_remove(L, -2);
  else
    lua_pop(L, 1);
}

/* For a script that uses `moon` as in a session, where the library is a global. */
static void add_require(lua_State *L) {
  static const char of_nil[] = "a nil value (global 'moon')";
  size_t n, part = sizeof of_nil - 1;
  const char *text = lua_tolstring(L, -1, &n);
  if (n < part || strcmp(text + n - part, of_nil) != 0) return;
  lua_pushliteral(L, "; begin with: local moon = require \"moonglass\"");
  lua_concat(L, 2);
}

static void push_message(lua_State *L) {
  if (lua_type(L, 1) == LUA_TSTRING || luaL_getmetafield(L, 1, "__tostring") != LUA_TNIL)
    luaL_tolstring(L, 1, NULL);
  else
    lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  add_require(L);
  add_hint(L);
}

/* As in `lua`, an error value with a __tostring metamethod gets no traceback. */
static int explain_script(lua_State *L) {
  bool own_text = lua_type(L, 1) != LUA_TSTRING && luaL_getmetafield(L, 1, "__tostring") != LUA_TNIL;
  lua_settop(L, 1);
  push_message(L);
  if (own_text) return 1;
  luaL_traceback(L, L, lua_tostring(L, -1), 1);
  return 1;
}

bool cli_push_session(lua_State *L, const char *name) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, "moonglass.session") != LUA_TTABLE) {
    lua_pop(L, 2);
    return false;
  }
  lua_getfield(L, -1, name);
  lua_replace(L, -3);
  lua_pop(L, 1);
  return true;
}

/* The traceback has the user's functions only, if the library is loaded; else there is none. */
static int explain_session(lua_State *L) {
  push_message(L);
  if (cli_push_session(L, "trace")) {
    if (lua_pcall(L, 0, 1, 0) == LUA_OK && lua_type(L, -1) == LUA_TSTRING)
      lua_concat(L, 2);
    else
      lua_pop(L, 1);
  }
  return 1;
}

int cli_call(lua_State *L, int narg, int nresult, cli_mode mode) {
  int base = lua_gettop(L) - narg;
  lua_pushcfunction(L, mode == CLI_SCRIPT ? explain_script : explain_session);
  lua_insert(L, base);
  if (context) moon_clear_interrupt(context); /* left from a Ctrl-C at the end of the previous call */
  struct sigaction action = {0}, before;
  action.sa_handler = on_interrupt;
  action.sa_flags = mode == CLI_SCRIPT ? SA_RESETHAND : 0; /* without SA_RESTART a blocking read ends too */
  sigemptyset(&action.sa_mask);
  running = L;
  sigaction(SIGINT, &action, &before);
  int status = lua_pcall(L, narg, nresult, base);
  sigaction(SIGINT, &before, NULL);
  running = NULL;
  if (lua_gethook(L) == stop) lua_sethook(L, NULL, 0, 0);
  lua_remove(L, base);
  return status;
}

/* May stderr have colours? */
static bool has_colour(void) {
  const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
  return isatty(STDERR_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

/* The message in red, the traceback faint. */
static void write_coloured(const char *text) {
  const char *trace = strstr(text, "\nstack traceback:");
  size_t message = trace ? (size_t)(trace - text) : strlen(text);
  fprintf(stderr, "\033[31m%.*s\033[0m", (int)message, text);
  if (trace) fprintf(stderr, "\033[2m%s\033[0m", trace);
  fputc('\n', stderr);
}

/* A script that is one rank of several: its error ends all, with one message (mpi.fail, which does not return). */
static void end_all_ranks(lua_State *L, const char *text) {
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, "moonglass.mpi") == LUA_TTABLE) {
    lua_getfield(L, -1, "size");
    if (lua_tointeger(L, -1) > 1 && lua_getfield(L, -2, "fail") == LUA_TFUNCTION) {
      lua_pushstring(L, text);
      lua_pcall(L, 1, 0, 0); /* it returns if MPI is finalised */
    }
  }
}

int cli_report(lua_State *L, int status, cli_mode mode) {
  if (status != LUA_OK) {
    const char *text = lua_tostring(L, -1);
    if (!text) text = "(error without a text)";
    int top = lua_gettop(L);
    if (mode == CLI_SCRIPT) end_all_ranks(L, text);
    lua_settop(L, top);
    fflush(stdout);
    if (mode == CLI_SESSION && has_colour())
      write_coloured(text);
    else
      fprintf(stderr, mode == CLI_SCRIPT ? CLI_NAME ": %s\n" : "%s\n", text);
    lua_pop(L, 1);
  }
  return status;
}
