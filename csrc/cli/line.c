/* line.c - lines from the terminal through libedit, with history, completion and pasted blocks, or from a pipe. */
#include <errno.h>
#include <histedit.h>
#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#include "cli.h"

enum { HISTORY_SIZE = 1000, PASTE_SIZE = 1 << 20 };

struct cli_lines {
  lua_State *L;
  EditLine *edit; /* NULL: not a terminal */
  History *history;
  char history_path[PATH_MAX]; /* "": history is not kept */
  char *line;                  /* getline's, when there is no terminal */
  size_t line_size;
  const char *before; /* the chunk's lines so far */
  bool pastes;        /* the terminal marks what is pasted */
};

/* Set by the handler that is there only while a line is edited. */
static volatile sig_atomic_t cancelled;

static void on_interrupt(int number) {
  (void)number;
  cancelled = 1;
}

static cli_lines *lines_of(EditLine *edit) {
  cli_lines *s;
  el_get(edit, EL_CLIENTDATA, &s);
  return s;
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

static void find_history(cli_lines *s) {
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
static void save_history(cli_lines *s) {
  char temporary[PATH_MAX + 24];
  HistEvent event;
  if (!s->history_path[0]) return;
  snprintf(temporary, sizeof temporary, "%s.%ld", s->history_path, (long)getpid());
  if (history(s->history, &event, H_SAVE, temporary) < 0 || rename(temporary, s->history_path) != 0) unlink(temporary);
}

/* ---- completion ---- */

/* More is there to be read already: what comes is pasted, and a Tab in it is a Tab. */
static bool input_waits(void) {
  int bytes = 0;
  return ioctl(STDIN_FILENO, FIONREAD, &bytes) == 0 && bytes > 0;
}

/* session.complete(before, line), which is in light userdata 1 with the editor. */
static int complete_protected(lua_State *L) {
  EditLine *edit = lua_touserdata(L, 1);
  const LineInfo *line = el_line(edit);
  if (!cli_push_session(L, "complete")) return 0;
  lua_pushstring(L, lines_of(edit)->before);
  lua_pushlstring(L, line->buffer, (size_t)(line->cursor - line->buffer));
  lua_call(L, 2, 2);
  return 2;
}

/* A completion that fails leaves the line as it is. */
static unsigned char complete(EditLine *edit, int key) {
  (void)key;
  lua_State *L = lines_of(edit)->L;
  int top = lua_gettop(L);
  unsigned char result = CC_ERROR;
  if (input_waits()) return el_insertstr(edit, "\t") == 0 ? CC_REFRESH : CC_ERROR;
  if (!lua_checkstack(L, LUA_MINSTACK)) return CC_ERROR;
  lua_pushcfunction(L, complete_protected);
  lua_pushlightuserdata(L, edit);
  if (lua_pcall(L, 1, 2, 0) == LUA_OK) {
    const char *insertion = lua_tostring(L, -2), *listing = lua_tostring(L, -1);
    if (listing && *listing) {
      printf("\n%s\n", listing);
      fflush(stdout);
      result = CC_REDISPLAY;
    } else if (insertion && *insertion && el_insertstr(edit, insertion) == 0) {
      result = CC_REFRESH;
    }
  }
  lua_settop(L, top);
  return result;
}

/* ---- pasted blocks ---- */

/* A terminal that has been asked to puts marks around what is pasted. So a block is one entry, which runs when Enter
** is pressed, whatever its lines and Tabs would do if they were typed. */
static const wchar_t paste_end[] = L"\033[201~";

static unsigned char paste(EditLine *edit, int key) {
  (void)key;
  const size_t mark = sizeof paste_end / sizeof *paste_end - 1;
  wchar_t *text = malloc((PASTE_SIZE + 1) * sizeof *text), c;
  size_t n = 0;
  bool ended = false;
  if (!text) return CC_ERROR;
  while (!ended && n < PASTE_SIZE && el_wgetc(edit, &c) == 1) {
    bool after_return = n > 0 && text[n - 1] == L'\r';
    if (c == L'\n' && after_return) continue;
    text[n++] = c;
    ended = n >= mark && wmemcmp(text + n - mark, paste_end, mark) == 0;
  }
  if (ended) n -= mark;
  for (size_t i = 0; i < n; i++)
    if (text[i] == L'\r') text[i] = L'\n';
  while (n > 0 && text[n - 1] == L'\n') n--;
  text[n] = L'\0';
  bool ok = n == 0 || el_winsertstr(edit, text) == 0;
  free(text);
  return ok ? CC_REFRESH : CC_ERROR;
}

static void ask_for_marks(const cli_lines *s, bool on) {
  if (!s->pastes) return;
  fputs(on ? "\033[?2004h" : "\033[?2004l", stdout);
  fflush(stdout);
}

/* ---- lines ---- */

static char *prompt(EditLine *edit) {
  static char first[] = "> ", next[] = ">> ";
  return *lines_of(edit)->before ? next : first;
}

static void open_terminal(cli_lines *s) {
  HistEvent event;
  const char *term = getenv("TERM");
  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) return;
  setlocale(LC_CTYPE, ""); /* libedit reads multibyte characters by it */
  s->history = history_init();
  s->edit = s->history ? el_init(CLI_NAME, stdin, stdout, stderr) : NULL;
  if (!s->edit) {
    if (s->history) history_end(s->history);
    s->history = NULL;
    return;
  }
  s->pastes = term && strcmp(term, "dumb") != 0;
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
  el_set(s->edit, EL_ADDFN, "moonglass-complete", "Complete what is typed", complete);
  el_set(s->edit, EL_BIND, "\t", "moonglass-complete", NULL);
  el_set(s->edit, EL_ADDFN, "moonglass-paste", "Insert what is pasted", paste);
  el_set(s->edit, EL_BIND, "\033[200~", "moonglass-paste", NULL);
  el_source(s->edit, NULL);
}

cli_lines *cli_lines_open(lua_State *L) {
  cli_lines *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  s->L = L;
  s->before = "";
  open_terminal(s);
  return s;
}

void cli_lines_close(cli_lines *s) {
  if (!s) return;
  if (s->edit) el_end(s->edit);
  if (s->history) history_end(s->history);
  free(s->line);
  free(s);
}

static cli_input edit_line(cli_lines *s, const char **line, size_t *size) {
  struct sigaction action = {0}, before;
  int count = 0;
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  cancelled = 0;
  sigaction(SIGINT, &action, &before);
  ask_for_marks(s, true);
  *line = el_gets(s->edit, &count);
  ask_for_marks(s, false);
  sigaction(SIGINT, &before, NULL);
  if (cancelled) {
    el_reset(s->edit);
    fputc('\n', stdout);
    return CLI_CANCELLED;
  }
  if (!*line || count <= 0) {
    fputc('\n', stdout);
    return CLI_END;
  }
  *size = strlen(*line);
  if (strspn(*line, " \t\r\n") < *size) {
    HistEvent event;
    history(s->history, &event, H_ENTER, *line);
    save_history(s);
  }
  return CLI_LINE;
}

cli_input cli_read_line(cli_lines *s, const char *before, const char **line, size_t *size) {
  s->before = before;
  if (s->edit) return edit_line(s, line, size);
  ssize_t n = getline(&s->line, &s->line_size, stdin);
  if (n <= 0) return CLI_END;
  *line = s->line;
  *size = (size_t)n;
  return CLI_LINE;
}
