/* repl.c - the session: lines from the terminal through libedit, or from a pipe; results printed; errors survived. */
#include <errno.h>
#include <histedit.h>
#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

enum { HISTORY_SIZE = 1000 };

typedef struct session {
  EditLine *edit; /* NULL: not a terminal */
  History *history;
  char history_path[PATH_MAX]; /* "": history is not kept */
  char *line;                  /* getline's, when there is no terminal */
  size_t line_size;
  bool more; /* the prompt is that of a continued line */
} session;

typedef enum input { INPUT_LINE, INPUT_CANCELLED, INPUT_END } input;

/* Set by the handler that is there only while a line is edited. */
static volatile sig_atomic_t cancelled;

static void on_interrupt(int number) {
  (void)number;
  cancelled = 1;
}

/* ---- history ---- */

/* Make the folders of path that are missing; the file itself is not made. */
static void make_folders(const char *path) {
  char folder[PATH_MAX];
  size_t n = strlen(path);
  if (n >= sizeof folder) return;
  for (size_t i = 1; i < n; i++) {
    if (path[i] != '/') continue;
    memcpy(folder, path, i);
    folder[i] = '\0';
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) return;
  }
}

static void find_history(session *s) {
  const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
  int n = -1;
  if (state && *state)
    n = snprintf(s->history_path, sizeof s->history_path, "%s/moonglass/history", state);
  else if (home && *home)
    n = snprintf(s->history_path, sizeof s->history_path, "%s/.moonglass_history", home);
  if (n < 0 || (size_t)n >= sizeof s->history_path) s->history_path[0] = '\0';
}

/* After each line, because a session may end by os.exit; beside it and renamed, because it may end by a crash. A
** history that cannot be kept is no reason to disturb the session. */
static void save_history(session *s) {
  char temporary[PATH_MAX + 24];
  HistEvent event;
  if (!s->history_path[0]) return;
  snprintf(temporary, sizeof temporary, "%s.%ld", s->history_path, (long)getpid());
  if (history(s->history, &event, H_SAVE, temporary) < 0 || rename(temporary, s->history_path) != 0) unlink(temporary);
}

/* ---- lines ---- */

static char *prompt(EditLine *edit) {
  static char first[] = "> ", next[] = ">> ";
  session *s;
  el_get(edit, EL_CLIENTDATA, &s);
  return s->more ? next : first;
}

static void open_terminal(session *s) {
  HistEvent event;
  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) return;
  setlocale(LC_CTYPE, ""); /* libedit reads multibyte characters by it */
  s->history = history_init();
  s->edit = s->history ? el_init(CLI_NAME, stdin, stdout, stderr) : NULL;
  if (!s->edit) {
    if (s->history) history_end(s->history);
    s->history = NULL;
    return;
  }
  find_history(s);
  history(s->history, &event, H_SETSIZE, HISTORY_SIZE);
  history(s->history, &event, H_SETUNIQUE, 1);
  if (s->history_path[0]) {
    make_folders(s->history_path);
    history(s->history, &event, H_LOAD, s->history_path);
  }
  el_set(s->edit, EL_CLIENTDATA, s);
  el_set(s->edit, EL_PROMPT, prompt);
  el_set(s->edit, EL_EDITOR, "emacs");
  el_set(s->edit, EL_SIGNAL, 1); /* the terminal is put right on Ctrl-Z and when its size changes */
  el_set(s->edit, EL_HIST, history, s->history);
  el_set(s->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
  el_set(s->edit, EL_BIND, "\t", "ed-insert", NULL); /* indented code can be pasted */
  el_source(s->edit, NULL);
}

static void close_terminal(session *s) {
  if (s->edit) el_end(s->edit);
  if (s->history) history_end(s->history);
  free(s->line);
}

/* The line belongs to the session and is valid until the next. It may lack its newline. */
static input edit_line(session *s, const char **line, size_t *size) {
  struct sigaction action = {0}, before;
  int count = 0;
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  cancelled = 0;
  sigaction(SIGINT, &action, &before);
  *line = el_gets(s->edit, &count);
  sigaction(SIGINT, &before, NULL);
  if (cancelled) {
    el_reset(s->edit);
    fputc('\n', stdout);
    return INPUT_CANCELLED;
  }
  if (!*line || count <= 0) {
    fputc('\n', stdout);
    return INPUT_END;
  }
  *size = (size_t)count;
  if (strspn(*line, " \t\r\n") < *size) {
    HistEvent event;
    history(s->history, &event, H_ENTER, *line);
    save_history(s);
  }
  return INPUT_LINE;
}

static input read_line(session *s, const char **line, size_t *size) {
  if (s->edit) return edit_line(s, line, size);
  fputs(s->more ? ">> " : "> ", stdout);
  fflush(stdout);
  ssize_t n = getline(&s->line, &s->line_size, stdin);
  if (n <= 0) {
    fputc('\n', stdout);
    return INPUT_END;
  }
  *line = s->line;
  *size = (size_t)n;
  return INPUT_LINE;
}

/* ---- evaluation ---- */

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

/* The protected part of printing: values from 1 on. `_` keeps the last. */
static int show(lua_State *L) {
  lua_pushvalue(L, -1);
  lua_setglobal(L, "_");
  cli_print(L, lua_gettop(L));
  return 0;
}

static void evaluate(lua_State *L) {
  int base = lua_gettop(L) - 1; /* the function is on the top */
  int status = cli_call(L, 0, LUA_MULTRET, CLI_SESSION);
  int n = lua_gettop(L) - base;
  if (status == LUA_OK && n > 0) {
    lua_pushcfunction(L, show);
    lua_insert(L, base + 1);
    status = cli_call(L, n, 0, CLI_SESSION);
  }
  cli_report(L, status, CLI_SESSION);
  lua_settop(L, base);
}

/* Lines until they make a chunk, which is pushed as text and compiled on top of it. */
static input read_chunk(lua_State *L, session *s, int *status) {
  const char *line;
  size_t size;
  bool incomplete = true;
  s->more = false;
  lua_pushliteral(L, "");
  while (incomplete) {
    input got = read_line(s, &line, &size);
    if (got == INPUT_END && s->more) { /* let the compiler say what is missing */
      bool ignored;
      *status = compile(L, lua_gettop(L), &ignored);
      return INPUT_LINE;
    }
    if (got != INPUT_LINE) return got;
    lua_pushlstring(L, line, size);
    lua_concat(L, 2);
    incomplete = false;
    *status = compile(L, lua_gettop(L), &incomplete);
    incomplete = incomplete && *status != LUA_OK;
    if (incomplete) lua_pop(L, 1);
    s->more = incomplete;
  }
  return INPUT_LINE;
}

/* The library as a global: here only, so that what is typed is short. Scripts require it. */
static void load_library(lua_State *L) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "moonglass");
  int status = cli_call(L, 1, 1, CLI_SESSION);
  if (status != LUA_OK) {
    cli_report(L, status, CLI_SESSION);
    return;
  }
  lua_pushboolean(L, 1); /* somebody is watching: fit shows its progress unless told otherwise */
  lua_setfield(L, -2, "interactive");
  lua_setglobal(L, "moon");
}

void cli_session(lua_State *L) {
  session s = {0};
  int status = LUA_OK;
  struct sigaction ignore = {0}, before;
  ignore.sa_handler = SIG_IGN; /* between a line and its run, Ctrl-C has nothing to end */
  sigemptyset(&ignore.sa_mask);
  sigaction(SIGINT, &ignore, &before);
  load_library(L);
  open_terminal(&s);
  int base = lua_gettop(L);
  for (input got = INPUT_LINE; got != INPUT_END; lua_settop(L, base)) {
    got = read_chunk(L, &s, &status);
    if (got != INPUT_LINE) continue;
    if (status == LUA_OK)
      evaluate(L);
    else
      cli_report(L, status, CLI_SESSION);
  }
  close_terminal(&s);
  sigaction(SIGINT, &before, NULL);
}
