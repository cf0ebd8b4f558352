/* cli.h - what the files of the program `moonglass` share. The program is an example of a host: it uses the two public
** headers of Moonglass only, in main.c and call.c. */
#ifndef MOONGLASS_CLI_H
#define MOONGLASS_CLI_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>

#define CLI_NAME "moonglass"

struct moon_ctx;

/* ---- call.c: protected calls that Ctrl-C can end ---- */

/* How errors are shown, and what Ctrl-C does. */
typedef enum cli_mode {
  CLI_SCRIPT, /* with the program's name and the whole traceback; a second Ctrl-C ends the process */
  CLI_SESSION /* with the user's part of the traceback; Ctrl-C only ends the computation */
} cli_mode;

/* lua_pcall(L, narg, nresult); an error becomes a text, with a traceback. */
int cli_call(lua_State *L, int narg, int nresult, cli_mode mode);

/* Unless status is LUA_OK, write the text on the top of the stack to stderr and pop it. Returns the status. */
int cli_report(lua_State *L, int status, cli_mode mode);

/* Push the function `name` of moonglass.session; false, with nothing pushed, if that is not loaded. */
bool cli_push_session(lua_State *L, const char *name);

/* Let Ctrl-C reach the state's context. False if it did already. */
bool cli_watch(struct moon_ctx *ctx);

/* ---- repl.c ---- */

/* Read, evaluate and print until the end of the input. If the environment variable MOONGLASS_LINES has the number of a
** file descriptor, lines are read from there: then a program that drives the session leaves standard input to the code
** that runs in it. */
void cli_session(lua_State *L);

/* ---- line.c: lines from a terminal through libedit, or from a file or a pipe ---- */

typedef struct cli_lines cli_lines;

typedef enum cli_input { CLI_LINE, CLI_CANCELLED, CLI_END } cli_input;

/* NULL if there is no memory. Completion calls functions in L. */
cli_lines *cli_lines_open(lua_State *L);
void cli_lines_close(cli_lines *s);

/* Are lines edited, in a terminal? */
bool cli_lines_edited(const cli_lines *s);

/* Read the next line of a chunk whose lines so far are `before`. The line belongs to s and is valid until the next
** call.
** It may have no newline at its end; a pasted one may have several lines. */
cli_input cli_read_line(cli_lines *s, const char *before, const char **line, size_t *size);

/* Add a complete entry to the history. */
void cli_remember(cli_lines *s, const char *text);

/* ---- history.c: the entries of this session and of earlier ones, also in a file ---- */

typedef struct cli_history cli_history;

/* NULL if there is no memory. cli_history_entries returns libedit's History, for the editor. */
cli_history *cli_history_open(void);
void cli_history_close(cli_history *h);
void *cli_history_entries(cli_history *h);

/* Append an entry, which may have several lines, unless it is the same as the last one. */
void cli_history_add(cli_history *h, const char *text);

#endif
