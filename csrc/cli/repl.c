/* repl.c - the session: read lines until they are a chunk, evaluate it, print its results or its error. What needs no C
** is in lua/moonglass/session. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

/* ---- compiling ---- */

static bool is_incomplete(lua_State *L) {
  static const char mark[] = "<eof>";
  size_t n;
  const char *message = lua_tolstring(L, -1, &n);
  return n >= sizeof mark - 1 && strcmp(message + n - (sizeof mark - 1), mark) == 0;
}

typedef struct reading {
  int status;      /* of compiling; the function or the message is on the top */
  bool incomplete; /* more lines could complete it */
  bool silenced;   /* do not print its results */
} reading;

/* Compile the text at index as an expression, or else as statements, as `lua` does. */
static void compile_plain(lua_State *L, int index, reading *r) {
  size_t n;
  const char *text = lua_tolstring(L, index, &n);
  lua_pushfstring(L, "return %s", text);
  text = lua_tostring(L, -1);
  r->status = luaL_loadbuffer(L, text, strlen(text), "=stdin");
  lua_remove(L, -2);
  if (r->status == LUA_OK) return;
  r->incomplete = is_incomplete(L);
  lua_pop(L, 1);
  text = lua_tolstring(L, index, &n);
  r->status = luaL_loadbuffer(L, text, n, "=stdin");
  r->incomplete = r->status != LUA_OK && (r->incomplete || is_incomplete(L));
}

/* Compile the text at index with session.compile, which returns a function and whether it is silenced, or a message and
** whether the text is incomplete. */
static void compile(lua_State *L, int index, reading *r) {
  int top = lua_gettop(L);
  *r = (reading){LUA_ERRSYNTAX, false, false};
  if (cli_push_session(L, "compile")) {
    lua_pushvalue(L, index);
    if (lua_pcall(L, 1, 2, 0) == LUA_OK && (lua_isfunction(L, -2) || lua_isstring(L, -2))) {
      bool flag = lua_toboolean(L, -1);
      lua_pop(L, 1);
      if (lua_isfunction(L, -1)) r->status = LUA_OK;
      *(r->status == LUA_OK ? &r->silenced : &r->incomplete) = flag;
      return;
    }
  }
  lua_settop(L, top);
  compile_plain(L, index, r);
}

/* ---- evaluating ---- */

/* After a run, in protected mode: show the values. Argument 1: is it silenced? Without the library `print` shows
** them. */
static int finish(lua_State *L) {
  if (cli_push_session(L, "results")) {
    lua_insert(L, 1);
  } else {
    if (lua_toboolean(L, 1)) return 0;
    lua_getglobal(L, "print");
    lua_replace(L, 1);
  }
  lua_call(L, lua_gettop(L) - 1, 0);
  fflush(stdout);
  return 0;
}

/* Run the function on the top, and show its results. */
static void evaluate(lua_State *L, bool silenced) {
  int base = lua_gettop(L) - 1;
  int status = cli_call(L, 0, LUA_MULTRET, CLI_SESSION);
  int n = lua_gettop(L) - base;
  if (status == LUA_OK && n > 0) {
    if (lua_checkstack(L, LUA_MINSTACK)) {
      lua_pushcfunction(L, finish);
      lua_pushboolean(L, silenced);
      lua_rotate(L, base + 1, 2);
      status = cli_call(L, n + 1, 0, CLI_SESSION);
    } else {
      lua_pushliteral(L, "too many results to print");
      status = LUA_ERRRUN;
    }
  }
  cli_report(L, status, CLI_SESSION);
  lua_settop(L, base);
}

/* If the line on the top is "? name" or "help name", show help. True if it is, or if that check failed, e.g. by Ctrl-C:
** then the line is not run. */
static bool answer_question(lua_State *L) {
  int top = lua_gettop(L);
  bool asked = false;
  if (cli_push_session(L, "question")) {
    lua_pushvalue(L, top);
    if (cli_report(L, cli_call(L, 1, 1, CLI_SESSION), CLI_SESSION) != LUA_OK) {
      asked = true;
    } else if (lua_type(L, -1) == LUA_TSTRING) {
      asked = true;
      if (cli_push_session(L, "answer")) {
        lua_pushvalue(L, -2);
        cli_report(L, cli_call(L, 1, 0, CLI_SESSION), CLI_SESSION);
      }
    }
  }
  lua_settop(L, top);
  return asked;
}

/* Read lines until they are a chunk. Push its text and, above it, what it was compiled to. CLI_CANCELLED: none. */
static cli_input read_chunk(lua_State *L, cli_lines *lines, reading *r) {
  const char *line;
  size_t size;
  *r = (reading){LUA_OK, false, false};
  lua_pushliteral(L, "");
  do {
    bool more = r->incomplete;
    cli_input got = cli_read_line(lines, lua_tostring(L, more ? -2 : -1), &line, &size);
    if (got == CLI_END && more) break; /* the message says what is missing */
    if (got != CLI_LINE) return got;
    if (more) lua_pop(L, 1);
    lua_pushlstring(L, line, size);
    lua_concat(L, 2);
    if (!more && answer_question(L)) {
      cli_remember(lines, lua_tostring(L, -1));
      return CLI_CANCELLED;
    }
    compile(L, lua_gettop(L), r);
  } while (r->incomplete);
  cli_remember(lines, lua_tostring(L, -2));
  return CLI_LINE;
}

/* Require a module and push its value; false, with the error reported, if that fails. */
static bool load_module(lua_State *L, const char *name) {
  lua_getglobal(L, "require");
  lua_pushstring(L, name);
  return cli_report(L, cli_call(L, 1, 1, CLI_SESSION), CLI_SESSION) == LUA_OK;
}

/* Without the Lua files of the library the session is one of plain Lua. */
static void begin(lua_State *L, bool is_terminal) {
  int top = lua_gettop(L);
  if (load_module(L, "moonglass") && load_module(L, "moonglass.session") && cli_push_session(L, "begin")) {
    lua_pushvalue(L, top + 1);
    lua_pushboolean(L, is_terminal);
    cli_report(L, cli_call(L, 2, 0, CLI_SESSION), CLI_SESSION);
  }
  lua_settop(L, top);
}

static void run(lua_State *L, cli_lines *lines) {
  reading r;
  begin(L, cli_lines_edited(lines));
  int base = lua_gettop(L);
  for (cli_input got = CLI_LINE; got != CLI_END; lua_settop(L, base)) {
    got = read_chunk(L, lines, &r);
    if (got != CLI_LINE) continue;
    if (r.status == LUA_OK)
      evaluate(L, r.silenced);
    else
      cli_report(L, r.status, CLI_SESSION);
  }
}

void cli_session(lua_State *L) {
  struct sigaction ignore = {0}, before;
  ignore.sa_handler = SIG_IGN; /* between a line and its run there is nothing to end */
  sigemptyset(&ignore.sa_mask);
  sigaction(SIGINT, &ignore, &before);
  cli_lines *lines = cli_lines_open(L);
  if (lines)
    run(L, lines);
  else
    fprintf(stderr, "%s: not enough memory for a session\n", CLI_NAME);
  cli_lines_close(lines);
  sigaction(SIGINT, &before, NULL);
}
