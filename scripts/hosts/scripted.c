/* scripted.c - a host with Lua that runs scripts which it does not trust.
**
**   scripted [options] MODEL.safetensors ROWS-idx-ubyte SCRIPT.lua ...
**
** Each script runs in a new state and gets the net and the rows: `local net, x = ...`. It returns a tensor. Whatever it
** does, this program goes on with the next script:
**
** - Its memory is counted by the state's allocator, which the engine uses too.
** - Its instructions are counted by a hook. The hook does not see a long call into the engine, so a timer calls
**   moon_interrupt; the timer ends everything else too.
** - It sees what sandbox.lua lets it see: no files, no programs, no bytecode, no finalisers. This program reads
**   Moonglass's Lua files before a script runs.
**
** For hostile code, also run this in a process without rights: Lua itself may have bugs. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <lauxlib.h>
#include <lualib.h>
#include <moonglass_lua.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "digest.h"

static const char usage[] = "usage: scripted [--memory MB] [--instructions N] [--seconds S] [--root FOLDER] "
                            "MODEL.safetensors ROWS-idx-ubyte SCRIPT.lua ...\n";

typedef struct options {
  double megabytes, instructions, seconds;
  const char *root; /* has lua/moonglass and scripts/hosts/sandbox.lua */
  const char *model, *rows;
  char **scripts; /* ends with NULL */
} options;

/* The text of a file, under its name for `require`. */
typedef struct source {
  char *name, *text;
  size_t size;
  struct source *next;
} source;

/* What belongs to one script. */
typedef struct job {
  const options *o;
  const source *library;
  const moon_tensor *rows; /* the host's rows; the script gets a copy */
  const char *script;
  lua_State *L;
  moon_net *net; /* the two arguments, until the state has them */
  moon_tensor *x;
  size_t used, peak, limit; /* bytes */
  double instructions;      /* still allowed */
  size_t printed;
} job;

__attribute__((format(printf, 1, 2))) static int complain(const char *message, ...) {
  va_list arguments;
  va_start(arguments, message);
  fflush(stdout);
  fputs("scripted: ", stderr);
  vfprintf(stderr, message, arguments);
  fputs("\n", stderr);
  va_end(arguments);
  return 1;
}

/* A script's text may contain anything: control characters become '?', and only one line is shown. */
static void print_text(FILE *out, const char *text, size_t size) {
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)text[i];
    putc((c < ' ' && c != '\t') || c == 127 ? '?' : c, out);
  }
  putc('\n', out);
}

/* ---- memory ---- */

/* lua_Alloc. Shrinking never fails, as Lua requires. If there is no block yet, osize is not a size. */
static void *limited(void *ud, void *block, size_t osize, size_t nsize) {
  job *j = ud;
  size_t before = block ? osize : 0;
  if (nsize > before && nsize - before > j->limit - j->used) return NULL;
  void *moved = NULL;
  if (nsize == 0) {
    free(block);
  } else if (!(moved = realloc(block, nsize))) {
    if (nsize > before) return NULL;
    moved = block;
  }
  j->used = j->used - before + nsize;
  if (j->used > j->peak) j->peak = j->used;
  return moved;
}

/* ---- time: the hook and the timer ---- */

/* The running script, for the signal handler. The engine's threads block all signals, so the handler runs in this
** program's thread. */
static struct {
  lua_State *volatile L;
  moon_ctx *volatile ctx;
  const char *volatile reason; /* why the script is stopped, or NULL */
} running;

enum { COUNT = 1000, EVERYTHING = LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT };

/* The hook of a script that has to end. It stays set, so if a pcall catches the error, the next one follows. */
static void stop(lua_State *L, lua_Debug *ar) {
  (void)ar;
  luaL_error(L, "stopped: %s", running.reason);
}

/* Every COUNT instructions. */
static void count(lua_State *L, lua_Debug *ar) {
  job *j = *(job **)lua_getextraspace(L);
  if ((j->instructions -= COUNT) > 0) return;
  running.reason = "it has used up its instructions";
  lua_sethook(L, stop, EVERYTHING, 1);
  stop(L, ar);
}

/* The signal repeats, because a script may catch the error of an interrupted call and make another call. Both functions
** called here are safe in a signal handler. */
static void on_alarm(int number) {
  (void)number;
  if (!running.L) return;
  if (!running.reason) running.reason = "it has used up its time";
  moon_interrupt(running.ctx);
  lua_sethook(running.L, stop, EVERYTHING, 1);
}

static void set_timer(double seconds, double interval) {
  struct itimerval timer = {{0, (suseconds_t)(interval * 1e6)}, {(time_t)seconds, 0}};
  timer.it_value.tv_usec = (suseconds_t)((seconds - (double)timer.it_value.tv_sec) * 1e6);
  setitimer(ITIMER_REAL, &timer, NULL);
}

static void start_watch(job *j) {
  running.reason = NULL;
  running.ctx = moon_lua_ctx(j->L);
  running.L = j->L;
  lua_sethook(j->L, count, LUA_MASKCOUNT, COUNT);
  set_timer(j->o->seconds, 0.02);
}

static void end_watch(job *j) {
  set_timer(0, 0);
  running.L = NULL;
  lua_sethook(j->L, NULL, 0, 0);
}

/* ---- arguments of sandbox.lua ---- */

/* source(name) -> text, or nil */
static int find_source(lua_State *L) {
  const job *j = *(job **)lua_getextraspace(L);
  const char *name = luaL_checkstring(L, 1);
  for (const source *s = j->library; s; s = s->next)
    if (strcmp(s->name, name) == 0) {
      lua_pushlstring(L, s->text, s->size);
      return 1;
    }
  return 0;
}

enum { ENOUGH = 1 << 20 }; /* bytes that a script may print */

/* Print a line of the script to standard output. False: it has reached its limit. */
static bool print_line(job *j, const char *text, size_t size) {
  if (size >= ENOUGH - j->printed) return false;
  j->printed += size + 1;
  fputs("  ", stdout);
  print_text(stdout, text, size);
  return true;
}

/* write(text) */
static int write_line(lua_State *L) {
  size_t size;
  const char *text = luaL_checklstring(L, 1, &size);
  if (!print_line(*(job **)lua_getextraspace(L), text, size))
    return luaL_error(L, "print: this host prints no more than %d bytes of a script", ENOUGH);
  return 0;
}

/* Log lines of the engine, and of `fit` with verbose = 1. */
static void log_line(void *ud, const char *line) { print_line(ud, line, strlen(line)); }

/* ---- one state ---- */

static void open_library(lua_State *L, const char *name, lua_CFunction open) {
  luaL_requiref(L, name, open, 1);
  lua_pop(L, 1);
}

/* Open the core, left on the stack, and those of Lua's libraries that reach nothing outside the state. */
static void open_libraries(lua_State *L) {
  moon_lua_config config = {sizeof config, .flags = MOON_LUA_NO_FILES, .log = log_line};
  job *j = *(job **)lua_getextraspace(L);
  config.memory_limit = j->limit;
  config.log_ud = j;
  open_library(L, LUA_GNAME, luaopen_base);
  open_library(L, LUA_STRLIBNAME, luaopen_string);
  open_library(L, LUA_TABLIBNAME, luaopen_table);
  open_library(L, LUA_MATHLIBNAME, luaopen_math);
  open_library(L, LUA_UTF8LIBNAME, luaopen_utf8);
  moon_lua_configure(L, &config);
  luaL_requiref(L, "moonglass.core", luaopen_moonglass_core, 0);
}

/* Take the core from the stack. From now on the table that sandbox.lua returns is the globals. Then load the library,
** which gives nets their methods that are written in Lua, like fit. */
static void lock_down(lua_State *L, const char *root) {
  if (luaL_loadfilex(L, lua_pushfstring(L, "%s/scripts/hosts/sandbox.lua", root), "t") != LUA_OK) lua_error(L);
  lua_pushvalue(L, 1);
  lua_pushcfunction(L, find_source);
  lua_pushcfunction(L, write_line);
  lua_call(L, 3, 1);
  lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  lua_settop(L, 0);
  lua_getglobal(L, "require");
  lua_pushliteral(L, "moonglass");
  lua_call(L, 1, 0);
}

static void give_back(void *rows) { free(rows); }

/* The rows for the script: a copy that it may write into, in this program's memory. It is freed with the last tensor
** that uses it. */
static void wrap_rows(lua_State *L, job *j) {
  const moon_tensor *rows = j->rows;
  moon_ctx *ctx = moon_lua_ctx(L);
  void *copy = malloc(moon_tensor_bytes(rows) + 1);
  if (!copy) luaL_error(L, "not enough memory");
  memcpy(copy, moon_tensor_data(rows), moon_tensor_bytes(rows));
  if (moon_tensor_wrap(ctx, &j->x, moon_tensor_dtype(rows), moon_tensor_rank(rows), moon_tensor_shape(rows), copy,
                       give_back, copy) != MOON_OK) {
    free(copy);
    luaL_error(L, "%s", moon_error(ctx));
  }
}

/* Runs protected: leaves the script as a function, and its two arguments. The caller releases what the job owns. */
static int prepare(lua_State *L) {
  job *j = *(job **)lua_getextraspace(L);
  open_libraries(L);
  lock_down(L, j->o->root);
  if (luaL_loadfilex(L, j->script, "t") != LUA_OK) return lua_error(L);
  if (moon_net_load(moon_lua_ctx(L), &j->net, j->o->model) != MOON_OK)
    return luaL_error(L, "%s", moon_error(moon_lua_ctx(L)));
  wrap_rows(L, j);
  moon_lua_push_net(L, j->net);
  moon_lua_push_tensor(L, j->x);
  return 3;
}

/* The error on top of the stack. Only strings are shown: __tostring would be the script's code, without a limit. */
static int report(job *j) {
  size_t size = 0;
  const char *text = lua_type(j->L, -1) == LUA_TSTRING ? lua_tolstring(j->L, -1, &size) : NULL;
  fflush(stdout);
  fprintf(stderr, "scripted: %s: ", j->script);
  if (running.reason)
    fprintf(stderr, "stopped: %s\n", running.reason);
  else if (text)
    print_text(stderr, text, size < 500 ? size : 500);
  else
    fprintf(stderr, "its error is a %s, expected a text\n", luaL_typename(j->L, -1));
  return 1;
}

static int show_result(job *j) {
  const moon_tensor *t = moon_lua_to_tensor(j->L, -1);
  if (!t) return complain("%s: it returned a %s, expected a tensor", j->script, luaL_typename(j->L, -1));
  printf("%s: %zu numbers, digest %016" PRIx64 ", %.1f MB at most\n", j->script, moon_tensor_numel(t),
         digest(moon_tensor_data(t), moon_tensor_bytes(t)), (double)j->peak / 1e6);
  return 0;
}

/* Call the script on the stack. A script that was stopped has failed, whatever it returned. */
static int run_prepared(job *j) {
  start_watch(j);
  int status = lua_pcall(j->L, 2, 1, 0);
  end_watch(j);
  return status == LUA_OK && !running.reason ? show_result(j) : report(j);
}

static int run_script(const options *o, const source *library, const moon_tensor *rows, const char *script) {
  job j = {.o = o, .library = library, .rows = rows, .script = script, .instructions = o->instructions};
  j.limit = (size_t)(o->megabytes * 1e6);
  running.reason = NULL;
  j.L = lua_newstate(limited, &j);
  if (!j.L) return complain("%s: not enough memory", script);
  *(job **)lua_getextraspace(j.L) = &j;
  lua_pushcfunction(j.L, prepare);
  bool prepared = lua_pcall(j.L, 0, 3, 0) == LUA_OK;
  moon_net_release(j.net); /* the state holds them now */
  moon_tensor_release(j.x);
  int status = prepared ? run_prepared(&j) : report(&j);
  lua_close(j.L);
  if (j.used) return complain("%s: %zu bytes did not come back", script, j.used);
  return status;
}

/* ---- the library's files ---- */

static char *join(const char *a, const char *between, const char *b) {
  size_t size = strlen(a) + strlen(between) + strlen(b) + 1;
  char *text = malloc(size);
  if (text) snprintf(text, size, "%s%s%s", a, between, b);
  return text;
}

static bool read_text(source *s, const char *path) {
  FILE *file = fopen(path, "rb");
  size_t room = 0, got = 1;
  if (!file) return false;
  while (got > 0) {
    char *more = s->size == room ? realloc(s->text, room = 2 * room + 16384) : s->text;
    if (!more) break;
    s->text = more;
    s->size += got = fread(s->text + s->size, 1, room - s->size, file);
  }
  bool whole = feof(file) && !ferror(file);
  fclose(file);
  return whole;
}

static bool read_folder(source **list, const char *path, const char *module);

/* One entry of a folder: a folder, or a Lua file; init.lua gets the folder's name. */
static bool read_entry(source **list, const char *folder, const char *module, const char *entry) {
  const char *suffix = strrchr(entry, '.');
  bool is_lua = suffix && strcmp(suffix, ".lua") == 0, ok = false;
  if (entry[0] == '.' || (suffix && !is_lua)) return true;
  char *path = join(folder, "/", entry);
  char *name = strcmp(entry, "init.lua") == 0 ? join(module, "", "") : join(module, ".", entry);
  if (path && name && !is_lua) {
    ok = read_folder(list, path, name);
  } else if (path && name) {
    if (strcmp(entry, "init.lua") != 0) name[strlen(name) - strlen(suffix)] = '\0';
    source *s = calloc(1, sizeof *s);
    if (s) {
      *s = (source){.name = name, .next = *list};
      *list = s;
      name = NULL;
      ok = read_text(s, path);
    }
  }
  free(name);
  free(path);
  return ok;
}

static bool read_folder(source **list, const char *path, const char *module) {
  DIR *folder = opendir(path);
  bool ok = folder != NULL;
  for (struct dirent *e; ok && (e = readdir(folder)) != NULL;) ok = read_entry(list, path, module, e->d_name);
  if (folder) closedir(folder);
  return ok;
}

static void free_sources(source *list) {
  while (list) {
    source *next = list->next;
    free(list->name);
    free(list->text);
    free(list);
    list = next;
  }
}

/* ---- the program ---- */

static bool read_number(double *value, const char *text, double least, double most) {
  char *end;
  *value = text ? strtod(text, &end) : 0;
  return text && end != text && *end == '\0' && *value >= least && *value <= most;
}

static bool read_options(options *o, char **argv) {
  *o = (options){64, 1e8, 10, ".", NULL, NULL, NULL};
  for (argv++; *argv && strncmp(*argv, "--", 2) == 0; argv += 2) {
    bool ok = false;
    if (strcmp(*argv, "--memory") == 0) ok = read_number(&o->megabytes, argv[1], 0.01, 1e6);
    if (strcmp(*argv, "--instructions") == 0) ok = read_number(&o->instructions, argv[1], 1, 1e15);
    if (strcmp(*argv, "--seconds") == 0) ok = read_number(&o->seconds, argv[1], 0.01, 1e6);
    if (strcmp(*argv, "--root") == 0) ok = (o->root = argv[1]) != NULL;
    if (!ok) return false;
  }
  if (!argv[0] || !argv[1] || !argv[2]) return false;
  o->model = argv[0], o->rows = argv[1], o->scripts = argv + 2;
  return true;
}

/* The IDX file's images as [n x d]. */
static moon_tensor *load_rows(moon_ctx *ctx, const char *path) {
  moon_tensor *images = NULL, *rows = NULL;
  if (moon_idx_load(ctx, &images, path) == MOON_OK) {
    size_t n = moon_tensor_rank(images) ? moon_tensor_shape(images)[0] : 0;
    const size_t shape[] = {n, n ? moon_tensor_numel(images) / n : 0};
    moon_tensor_view(&rows, images, 0, 2, shape);
  }
  moon_tensor_release(images);
  if (!rows) complain("%s", moon_error(ctx));
  return rows;
}

static int run_all(const options *o, const moon_tensor *rows) {
  source *library = NULL;
  int status = 0;
  char *folder = join(o->root, "", "/lua/moonglass");
  if (folder && read_folder(&library, folder, "moonglass"))
    for (char **script = o->scripts; *script; script++) status |= run_script(o, library, rows, *script);
  else
    status = complain("cannot read the Lua files in %s/lua/moonglass: %s", o->root, strerror(errno));
  free_sources(library);
  free(folder);
  return status;
}

int main(int argc, char **argv) {
  options o;
  moon_ctx *ctx = NULL;
  (void)argc;
  if (!read_options(&o, argv)) {
    fputs(usage, stderr);
    return 2;
  }
  if (moon_ctx_new(&ctx, NULL) != MOON_OK) return complain("out of memory");
  struct sigaction action = {0};
  action.sa_handler = on_alarm;
  action.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &action, NULL);
  moon_tensor *rows = load_rows(ctx, o.rows);
  int status = rows ? run_all(&o, rows) : 1;
  if (fflush(stdout) != 0) status = complain("cannot write to the standard output");
  moon_tensor_release(rows);
  moon_ctx_release(ctx);
  return status;
}
