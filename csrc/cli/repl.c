/* repl.c - the session: chunks of lines, evaluated; results printed; errors survived. What needs no C is in
** lua/moonglass/session. */
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
  int status;      /* of compiling; the function or a message is on the top */
  bool incomplete; /* more lines could make sense of it */
  bool silenced;   /* its results are not printed */
} reading;

/* As an expression if it is one, else as statements: what a session of Lua alone does with the text at index. */
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

/* Compile the text at index by session.compile: a function, is it silenced; or a message, is it incomplete. */
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

/* What comes after a run, in protected mode: is it silenced, and the values. Without the library they are shown as
** `print` does. */
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

/* The function is on the top. */
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

/* "? name", "help name": help instead of a chunk. The line is on the top; true if it was one, or if looking at it
** failed, as by Ctrl-C: then it is not run. */
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

/* Lines until they make a chunk, which is pushed as text and compiled on top of it. CLI_CANCELLED: there is none. */
static cli_input read_chunk(lua_State *L, cli_lines *lines, reading *r) {
  const char *line;
  size_t size;
  *r = (reading){LUA_OK, false, false};
  lua_pushliteral(L, "");
  do {
    bool more = r->incomplete;
    cli_input got = cli_read_line(lines, lua_tostring(L, more ? -2 : -1), &line, &size);
    if (got == CLI_END && more) break; /* the compiler has said what is missing */
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

/* Push what the module gives; false, with the error reported, if it cannot be loaded. */
static bool load_module(lua_State *L, const char *name) {
  lua_getglobal(L, "require");
  lua_pushstring(L, name);
  return cli_report(L, cli_call(L, 1, 1, CLI_SESSION), CLI_SESSION) == LUA_OK;
}

/* Without its Lua files the session is one of Lua alone. */
static void begin(lua_State *L, bool is_terminal) {
  int top = lua_gettop(L);
  if (load_module(L, "moonglass") && load_module(L, "moonglass.session") && cli_push_session(L, "begin")) {
    lua_pushvalue(L, top + 1);
    lua_pushboolean(L, is_terminal);
    cli_report(L, cli_call(L, 2, 0, CLI_SESSION), CLI_SESSION);
  }
  lua_settop(L, top);
}

void cli_session(lua_State *L) {
  reading r;
  struct sigaction ignore = {0}, before;
  ignore.sa_handler = SIG_IGN; /* between a line and its run, Ctrl-C has nothing to end */
  sigemptyset(&ignore.sa_mask);
  sigaction(SIGINT, &ignore, &before);
  cli_lines *lines = cli_lines_open(L);
  if (!lines) {
    fprintf(stderr, "%s: not enough memory for a session\n", CLI_NAME);
    return;
  }
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
  cli_lines_close(lines);
  sigaction(SIGINT, &before, NULL);
}
