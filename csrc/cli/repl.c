/* repl.c - the session: chunks of lines, evaluated; results printed; errors survived. What needs no C is in
** lua/moonglass/session. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

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

/* ---- compiling ---- */

static bool is_incomplete(lua_State *L) {
  static const char mark[] = "<eof>";
  size_t n;
  const char *message = lua_tolstring(L, -1, &n);
  return n >= sizeof mark - 1 && strcmp(message + n - (sizeof mark - 1), mark) == 0;
}

/* Compile the text at index: as an expression if it is one, else as statements. Pushes the function or a message.
** *incomplete tells that more lines could make sense of it. */
static int compile(lua_State *L, int index, bool *incomplete) {
  size_t n;
  const char *text = lua_tostring(L, index);
  lua_pushfstring(L, "return %s", *text == '=' ? text + 1 : text); /* "=x" is an old habit of Lua's users */
  text = lua_tolstring(L, -1, &n);
  int status = luaL_loadbuffer(L, text, n, "=stdin");
  lua_remove(L, -2);
  if (status == LUA_OK) return status;
  *incomplete = is_incomplete(L);
  lua_pop(L, 1);
  text = lua_tolstring(L, index, &n);
  status = luaL_loadbuffer(L, text, n, "=stdin");
  if (status != LUA_OK) *incomplete |= is_incomplete(L);
  return status;
}

/* Does the expression whose text is at index end with ";"? One more makes it no expression then, but is part of a comment
** that ends with one. */
static bool is_silenced(lua_State *L, int index) {
  size_t n;
  const char *text = lua_tolstring(L, index, &n);
  while (n > 0 && strchr(" \t\r\n", text[n - 1])) n--;
  if (n == 0 || text[n - 1] != ';') return false;
  lua_pushliteral(L, "return ");
  lua_pushlstring(L, *text == '=' ? text + 1 : text, *text == '=' ? n - 1 : n);
  lua_pushliteral(L, ";");
  lua_concat(L, 3);
  text = lua_tolstring(L, -1, &n);
  bool silenced = luaL_loadbuffer(L, text, n, "=stdin") != LUA_OK;
  lua_pop(L, 2);
  return silenced;
}

/* ---- evaluating ---- */

/* The protected parts of what comes after a run: values from 1 on. Without the library they are shown as `print` does. */
static int keep(lua_State *L) {
  if (!cli_push_session(L, "keep")) return 0;
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 0);
  return 0;
}

static int show(lua_State *L) {
  if (!cli_push_session(L, "show")) lua_getglobal(L, "print");
  lua_insert(L, 1);
  lua_call(L, lua_gettop(L) - 1, 0);
  fflush(stdout);
  return 0;
}

/* Call f with copies of the n values on the top. */
static int with_values(lua_State *L, lua_CFunction f, int n) {
  int first = lua_gettop(L) - n + 1;
  if (!lua_checkstack(L, n + LUA_MINSTACK)) {
    lua_pushliteral(L, "too many results to print");
    return LUA_ERRRUN;
  }
  lua_pushcfunction(L, f);
  for (int i = 0; i < n; i++) lua_pushvalue(L, first + i);
  return cli_call(L, n, 0, CLI_SESSION);
}

/* The function is on the top. */
static void evaluate(lua_State *L, bool silenced) {
  int base = lua_gettop(L) - 1;
  int status = cli_call(L, 0, LUA_MULTRET, CLI_SESSION);
  int n = lua_gettop(L) - base;
  if (status == LUA_OK && n > 0) {
    status = with_values(L, keep, n);
    if (status == LUA_OK && !silenced) status = with_values(L, show, n);
  }
  cli_report(L, status, CLI_SESSION);
  lua_settop(L, base);
}

/* "? name": help instead of a chunk. The line is on the top; true if it was one. */
static bool answer_question(lua_State *L) {
  int top = lua_gettop(L);
  bool asked = false;
  if (strchr(lua_tostring(L, top), '?') && cli_push_session(L, "question")) {
    lua_pushvalue(L, top);
    if (cli_call(L, 1, 1, CLI_SESSION) == LUA_OK && lua_type(L, -1) == LUA_TSTRING) {
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
static cli_input read_chunk(lua_State *L, cli_lines *lines, int *status) {
  const char *line;
  size_t size;
  bool incomplete = true, more = false;
  lua_pushliteral(L, "");
  while (incomplete) {
    cli_input got = cli_read_line(lines, lua_tostring(L, -1), &line, &size);
    if (got == CLI_END && more) { /* let the compiler say what is missing */
      bool ignored;
      *status = compile(L, lua_gettop(L), &ignored);
      return CLI_LINE;
    }
    if (got != CLI_LINE) return got;
    lua_pushlstring(L, line, size);
    lua_concat(L, 2);
    if (!more && answer_question(L)) return CLI_CANCELLED;
    incomplete = false;
    *status = compile(L, lua_gettop(L), &incomplete);
    incomplete = incomplete && *status != LUA_OK;
    if (incomplete) lua_pop(L, 1);
    more = incomplete;
  }
  return CLI_LINE;
}

/* Push what the module gives; false, with the error reported, if it cannot be loaded. */
static bool load_module(lua_State *L, const char *name) {
  lua_getglobal(L, "require");
  lua_pushstring(L, name);
  return cli_report(L, cli_call(L, 1, 1, CLI_SESSION), CLI_SESSION) == LUA_OK;
}

/* Without its Lua files the session is one of Lua alone. */
static void begin(lua_State *L) {
  int top = lua_gettop(L);
  if (load_module(L, "moonglass") && load_module(L, "moonglass.session") && cli_push_session(L, "begin")) {
    lua_pushvalue(L, top + 1);
    cli_report(L, cli_call(L, 1, 0, CLI_SESSION), CLI_SESSION);
  }
  lua_settop(L, top);
}

void cli_session(lua_State *L) {
  int status = LUA_OK;
  struct sigaction ignore = {0}, before;
  ignore.sa_handler = SIG_IGN; /* between a line and its run, Ctrl-C has nothing to end */
  sigemptyset(&ignore.sa_mask);
  sigaction(SIGINT, &ignore, &before);
  begin(L);
  cli_lines *lines = cli_lines_open(L);
  if (!lines) {
    fprintf(stderr, "%s: not enough memory for a session\n", CLI_NAME);
    return;
  }
  int base = lua_gettop(L);
  for (cli_input got = CLI_LINE; got != CLI_END; lua_settop(L, base)) {
    got = read_chunk(L, lines, &status);
    if (got != CLI_LINE) continue;
    if (status == LUA_OK)
      evaluate(L, is_silenced(L, base + 1));
    else
      cli_report(L, status, CLI_SESSION);
  }
  cli_lines_close(lines);
  sigaction(SIGINT, &before, NULL);
}
