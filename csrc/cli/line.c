/* line.c - lines from the terminal through libedit, with completion and pasted blocks, or from a file or a pipe. */
#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "cli.h"

enum { PASTE_SIZE = 1 << 20 };

struct cli_lines {
  lua_State *L;
  EditLine *edit; /* NULL: not a terminal */
  cli_history *history;
  locale_t locale; /* of the text in the terminal */
  FILE *input;     /* when there is no terminal */
  char *line;      /* from getline */
  size_t line_size;
  const char *before; /* the chunk's lines so far */
  bool pastes;        /* the terminal marks pasted text */
};

/* Set by the handler of SIGINT that is installed while a line is edited. */
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

/* ---- completion ---- */

/* Is there more input already? Then it was pasted, and a Tab in it is a character. */
static bool input_waits(void) {
  int bytes = 0;
  return ioctl(STDIN_FILENO, FIONREAD, &bytes) == 0 && bytes > 0;
}

/* Call session.complete(before, line); the editor is light userdata 1. */
static int complete_protected(lua_State *L) {
  EditLine *edit = lua_touserdata(L, 1);
  const LineInfo *line = el_line(edit);
  if (!cli_push_session(L, "complete")) return 0;
  lua_pushstring(L, lines_of(edit)->before);
  lua_pushlstring(L, line->buffer, (size_t)(line->cursor - line->buffer));
  lua_call(L, 2, 2);
  return 2;
}

/* If completion fails, the line stays as it is. */
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

/* A terminal that was asked to marks the start and the end of pasted text. So a block of lines is one entry, which runs
** when Enter is pressed, and Tabs in it are characters. */
static const wchar_t paste_end[] = L"\033[201~";

/* Read up to the mark at the end of the paste. *count is the number of characters before it, of which the first
** PASTE_SIZE are stored. False if the input ended or failed. */
static bool read_paste(EditLine *edit, wchar_t *text, size_t *count) {
  enum { MARK = sizeof paste_end / sizeof *paste_end - 1 };
  wchar_t last[MARK] = {0}, c;
  size_t n = 0;
  bool after_return = false;
  while (el_wgetc(edit, &c) == 1) {
    bool same_newline = c == L'\n' && after_return;
    after_return = c == L'\r';
    if (same_newline) continue;
    if (c == L'\r') c = L'\n';
    memmove(last, last + 1, (MARK - 1) * sizeof *last);
    last[MARK - 1] = c;
    if (n < PASTE_SIZE + MARK) text[n] = c;
    n++;
    if (wmemcmp(last, paste_end, MARK) == 0) {
      *count = n - MARK;
      return true;
    }
  }
  return false;
}

/* Refuse the whole text if it is too long for the editor, since a part of it would be another program. */
static unsigned char refuse_paste(size_t n) {
  printf("\n%zu characters were pasted, expected at most %d: put them into a file, and run dofile \"FILE\"\n", n,
         PASTE_SIZE);
  fflush(stdout);
  return CC_REDISPLAY;
}

static unsigned char paste(EditLine *edit, int key) {
  (void)key;
  wchar_t *text = malloc((PASTE_SIZE + sizeof paste_end) * sizeof *text);
  size_t n = 0;
  unsigned char result = CC_ERROR;
  if (!text) return result;
  if (read_paste(edit, text, &n) && n > PASTE_SIZE) {
    result = refuse_paste(n);
  } else if (n <= PASTE_SIZE) {
    while (n > 0 && text[n - 1] == L'\n') n--;
    text[n] = L'\0';
    if (n == 0 || el_winsertstr(edit, text) == 0) result = CC_REFRESH;
  }
  free(text);
  return result;
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

/* The locale of the environment; if that has ASCII only, or does not exist, UTF-8, which terminals send nevertheless.
** It is for the editor only: Lua's functions keep the locale of scripts. */
static locale_t open_locale(void) {
  locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
  if (locale) {
    locale_t before = uselocale(locale);
    bool enough = btowc(0xe9) != WEOF || MB_CUR_MAX > 1;
    uselocale(before);
    if (enough) return locale;
  }
  locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
  if (!utf8) return locale;
  if (locale) freelocale(locale);
  return utf8;
}

static locale_t enter_locale(const cli_lines *s) { return uselocale(s->locale); }

static void open_editor(cli_lines *s) {
  const char *term = getenv("TERM");
  s->pastes = term && strcmp(term, "dumb") != 0;
  el_set(s->edit, EL_CLIENTDATA, s);
  el_set(s->edit, EL_PROMPT, prompt);
  el_set(s->edit, EL_EDITOR, "emacs");
  el_set(s->edit, EL_SIGNAL, 1); /* handles Ctrl-Z and changes of the size of the terminal */
  el_set(s->edit, EL_HIST, history, cli_history_entries(s->history));
  el_set(s->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
  el_set(s->edit, EL_ADDFN, "moonglass-complete", "Complete what is typed", complete);
  el_set(s->edit, EL_BIND, "\t", "moonglass-complete", NULL);
  el_set(s->edit, EL_ADDFN, "moonglass-paste", "Insert what is pasted", paste);
  el_set(s->edit, EL_BIND, "\033[200~", "moonglass-paste", NULL);
  el_source(s->edit, NULL);
}

static void open_terminal(cli_lines *s) {
  s->locale = open_locale();
  locale_t before = enter_locale(s);
  s->history = cli_history_open();
  s->edit = s->history ? el_init(CLI_NAME, stdin, stdout, stderr) : NULL;
  if (s->edit) open_editor(s);
  uselocale(before);
}

/* Programs that are started from the session do not inherit the descriptor, nor the variable. */
static FILE *open_input(void) {
  static const char name[] = "MOONGLASS_LINES";
  const char *number = getenv(name);
  FILE *input = NULL;
  if (number) {
    int descriptor = atoi(number);
    if (descriptor > STDERR_FILENO && fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0) input = fdopen(descriptor, "r");
    unsetenv(name);
  }
  return input ? input : stdin;
}

cli_lines *cli_lines_open(lua_State *L) {
  cli_lines *s = calloc(1, sizeof *s);
  if (!s) return NULL;
  s->L = L;
  s->before = "";
  s->input = open_input();
  if (s->input == stdin && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) open_terminal(s);
  return s;
}

bool cli_lines_edited(const cli_lines *s) { return s->edit != NULL; }

void cli_remember(cli_lines *s, const char *text) {
  if (s->history && text[strspn(text, " \t\r\n")]) cli_history_add(s->history, text);
}

void cli_lines_close(cli_lines *s) {
  if (!s) return;
  if (s->edit) el_end(s->edit);
  cli_history_close(s->history);
  if (s->locale) freelocale(s->locale);
  if (s->input != stdin) fclose(s->input);
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
  locale_t locale = enter_locale(s);
  ask_for_marks(s, true);
  *line = el_gets(s->edit, &count);
  ask_for_marks(s, false);
  uselocale(locale);
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
  return CLI_LINE;
}

cli_input cli_read_line(cli_lines *s, const char *before, const char **line, size_t *size) {
  s->before = before;
  if (s->edit) return edit_line(s, line, size);
  ssize_t n = getline(&s->line, &s->line_size, s->input);
  if (n <= 0) return CLI_END;
  *line = s->line;
  *size = (size_t)n;
  return CLI_LINE;
}
