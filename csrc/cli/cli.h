/* cli.h - what the files of the program `moonglass` share. The program is an example of a host: of Moonglass it uses
** the two public headers only, and all that it knows about the library is in main.c. */
#ifndef MOONGLASS_CLI_H
#define MOONGLASS_CLI_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

#define CLI_NAME "moonglass"

/* ---- call.c: protected calls that Ctrl-C can end ---- */

/* What happens to an error's text, and what Ctrl-C means. */
typedef enum cli_mode {
  CLI_SCRIPT, /* the program's name and the whole traceback; a second Ctrl-C ends the process */
  CLI_SESSION /* the user's part of the traceback; Ctrl-C only ever ends the computation */
} cli_mode;

/* lua_pcall(L, narg, nresult) with a traceback added to an error's text. */
int cli_call(lua_State *L, int narg, int nresult, cli_mode mode);

/* Unless status is LUA_OK, write the text on the top of the stack to stderr and pop it. Gives the status back. */
int cli_report(lua_State *L, int status, cli_mode mode);

/* Push moonglass.session's function `name`, or nothing and give false if the library is not there. */
bool cli_push_session(lua_State *L, const char *name);

/* package.preload function of "moonglass.core": opens the linked library and lets Ctrl-C reach its context. */
int cli_open_core(lua_State *L);

/* ---- repl.c ---- */

/* Read, evaluate and print until the end of the input. Where the environment has MOONGLASS_LINES, the number of a
** descriptor, the lines come from there: a program that drives the session leaves standard input to what runs in it. */
void cli_session(lua_State *L);

/* ---- line.c: lines from a terminal through libedit, or from a file or a pipe ---- */

typedef struct cli_lines cli_lines;

typedef enum cli_input { CLI_LINE, CLI_CANCELLED, CLI_END } cli_input;

/* NULL if there is no memory. L is whom completion asks. */
cli_lines *cli_lines_open(lua_State *L);
void cli_lines_close(cli_lines *s);

/* Are they edited, in a terminal? */
bool cli_lines_edited(const cli_lines *s);

/* The next line of a chunk whose lines so far are `before`. It belongs to s and is valid until the next; it may lack
** its newline, and a pasted one may have several. */
cli_input cli_read_line(cli_lines *s, const char *before, const char **line, size_t *size);

/* A whole entry, which has come to its end: history has it from now on. */
void cli_remember(cli_lines *s, const char *text);

/* ---- history.c: what was entered, also in sessions before, in a file ---- */

typedef struct cli_history cli_history;

/* NULL if there is no memory. It is the editor's to browse by `history` and the pointer of cli_history_entries. */
cli_history *cli_history_open(void);
void cli_history_close(cli_history *h);
void *cli_history_entries(cli_history *h);

/* Append an entry, which may have several lines, unless it is the one before again. */
void cli_history_add(cli_history *h, const char *text);

#endif
