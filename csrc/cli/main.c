/* main.c - the program `moonglass`: Lua with the library linked in. It runs scripts as `lua` does; without a script it
** starts a session. */
#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../moonglass_lua.h"
#include "cli.h"

typedef struct options {
  int script; /* its index in argv; argc: none */
  bool interactive, version, help, statements, no_environment;
  int bad; /* index of an argument that is not understood; 0: none */
} options;

static void print_usage(FILE *out) {
  fputs("usage: " CLI_NAME " [options] [script [args]]\n"
        "  -e stat   execute the string 'stat'\n"
        "  -i        start a session after the script\n"
        "  -l mod    require library 'mod' into global 'mod'\n"
        "  -l g=mod  require library 'mod' into global 'g'\n"
        "  -v        show the version\n"
        "  -E        ignore environment variables\n"
        "  -W        turn warnings on\n"
        "  -h        show this help\n"
        "  --        stop handling options\n"
        "  -         stop handling options and execute stdin\n"
        "Without a script, a session starts; if stdin is not a terminal, it is executed.\n",
        out);
}

static void print_version(void) {
  moon_ctx *ctx;
  if (moon_ctx_new(&ctx, NULL) == MOON_OK) {
    moon_build build;
    moon_build_info(ctx, &build);
    printf("Moonglass %s, %s, BLIS %s (%s), %s kernels\n", build.version, LUA_RELEASE, build.blis, build.blis_config,
           build.simd);
    moon_ctx_release(ctx);
  } else {
    printf("Moonglass %s, %s\n", moon_version(), LUA_RELEASE);
  }
  fflush(stdout);
}

/* ---- the command line ---- */

/* -e and -l take the rest of their argument, or the next argument. */
static const char *operand(char **argv, int *i) {
  const char *rest = argv[*i] + 2;
  if (*rest == '\0') rest = argv[++*i];
  return rest && (rest != argv[*i] || *rest != '-') ? rest : NULL;
}

static bool is_flag(const char *argument, char letter) { return argument[1] == letter && argument[2] == '\0'; }

/* Read an argument that begins with '-' and is neither "-" nor "--". False if it is not understood. */
static bool read_option(options *o, char **argv, int *i) {
  const char *argument = argv[*i];
  if (argument[1] == 'e' || argument[1] == 'l') {
    o->statements |= argument[1] == 'e';
    return operand(argv, i) != NULL;
  }
  if (is_flag(argument, 'i')) return o->interactive = o->version = true; /* the version first, as in `lua` */
  if (is_flag(argument, 'v')) return o->version = true;
  if (is_flag(argument, 'E')) return o->no_environment = true;
  if (is_flag(argument, 'h') || strcmp(argument, "--help") == 0) return o->help = true;
  return is_flag(argument, 'W');
}

static options read_options(int argc, char **argv) {
  options o = {0};
  int i = 1;
  for (; i < argc && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
    if (strcmp(argv[i], "--") == 0) {
      i++;
      break;
    }
    int first = i;
    if (!read_option(&o, argv, &i)) {
      o.bad = first;
      break;
    }
  }
  o.script = i < argc ? i : argc;
  return o;
}

/* arg[0] is the script; options are below, the script's own arguments above. */
static void set_arg(lua_State *L, int argc, char **argv, int script) {
  int zero = script < argc ? script : 0;
  lua_createtable(L, argc - zero, zero + 1);
  for (int i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - zero);
  }
  lua_setglobal(L, "arg");
}

/* ---- finding the Lua files ---- */

/* The folder of the executable, without a slash at its end; false if it cannot be found. */
static bool own_folder(char *buffer, size_t size) {
  ssize_t n = readlink("/proc/self/exe", buffer, size - 1);
  if (n <= 0) return false;
  buffer[n] = '\0';
  char *slash = strrchr(buffer, '/');
  if (!slash) return false;
  *slash = '\0';
  return true;
}

/* Put text with the entry in front of the field of the table on the top, unless the entry is in there already: a folder
** that Lua searches anyway stays behind those of LUA_PATH. */
static void add_entry(lua_State *L, const char *field, const char *entry, const char *text) {
  lua_getfield(L, -1, field);
  const char *path = lua_tostring(L, -1);
  if (!path || !strstr(path, entry)) {
    lua_pushfstring(L, "%s;%s", text, path ? path : "");
    lua_setfield(L, -3, field);
  }
  lua_pop(L, 1);
}

/* The table `package` is on the top. The core is in the program; other modules in C, such as that over MPI, are
** files. */
static void add_folders(lua_State *L, const char *files, const char *modules) {
  const char *entry = lua_pushfstring(L, "%s/?.lua", files);
  const char *text = lua_pushfstring(L, "%s;%s/?/init.lua", entry, files);
  const char *module = lua_pushfstring(L, "%s/?.so", modules);
  lua_pushvalue(L, -4);
  add_entry(L, "path", entry, text);
  add_entry(L, "cpath", module, module);
  lua_pop(L, 4);
}

/* The Lua files are beside the installed program, or in the tree above build/ or build/san/. */
static void set_path(lua_State *L) {
  static const char *const places[] = {"/share/lua/5.4", "/lua", "/../lua"};
  char own[4096], above[4096];
  if (!own_folder(own, sizeof own)) return;
  char *slash = strrchr(strcpy(above, own), '/');
  if (!slash) return;
  *slash = '\0';
  lua_getglobal(L, "package");
  int base = lua_gettop(L);
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    const char *files = lua_pushfstring(L, "%s%s", above, places[i]);
    const char *modules = i == 0 ? lua_pushfstring(L, "%s/lib/lua/5.4", above) : lua_pushfstring(L, "%s/lib", own);
    bool there = access(lua_pushfstring(L, "%s/moonglass/init.lua", files), R_OK) == 0;
    lua_pushvalue(L, base);
    if (there) add_folders(L, files, modules);
    lua_settop(L, base);
    if (there) break;
  }
  lua_pop(L, 1);
}

/* The library uses one thread unless told otherwise. This program uses several cores, at most as many as batches of the
** usual sizes keep busy. */
static int default_threads(void) {
  enum { ENOUGH = 4 };
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  return cores < 1 ? 1 : cores > ENOUGH ? ENOUGH : (int)cores;
}

/* The function for package.preload["moonglass.core"]. */
static int open_core(lua_State *L) {
  lua_pushcfunction(L, luaopen_moonglass_core);
  lua_call(L, 0, 1);
  moon_ctx *ctx = moon_lua_ctx(L);
  if (cli_watch(ctx)) moon_set_threads(ctx, default_threads());
  return 1;
}

static void open_libraries(lua_State *L, const options *o) {
  if (o->no_environment) {
    lua_pushboolean(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
  }
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, open_core);
  lua_setfield(L, -2, "moonglass.core");
  lua_pop(L, 1);
  set_path(L);
}

/* ---- running ---- */

static int run_loaded(lua_State *L, int status, int narg) {
  if (status == LUA_OK) status = cli_call(L, narg, 0, CLI_SCRIPT);
  return cli_report(L, status, CLI_SCRIPT);
}

static int run_string(lua_State *L, const char *text, const char *name) {
  return run_loaded(L, luaL_loadbuffer(L, text, strlen(text), name), 0);
}

/* file NULL: stdin. */
static int run_file(lua_State *L, const char *file) { return run_loaded(L, luaL_loadfile(L, file), 0); }

static int run_environment(lua_State *L) {
  const char *name = "=LUA_INIT_5_4";
  const char *text = getenv(name + 1);
  if (!text) text = getenv((name = "=LUA_INIT") + 1);
  if (!text) return LUA_OK;
  return text[0] == '@' ? run_file(L, text + 1) : run_string(L, text, name);
}

/* "mod" or "global=mod" */
static int run_library(lua_State *L, const char *text) {
  const char *equals = strchr(text, '=');
  const char *module = equals ? equals + 1 : text;
  lua_getglobal(L, "require");
  lua_pushstring(L, module);
  int status = cli_call(L, 1, 1, CLI_SCRIPT);
  if (status == LUA_OK) {
    lua_pushlstring(L, text, equals ? (size_t)(equals - text) : strlen(text));
    lua_insert(L, -2);
    lua_pushglobaltable(L);
    lua_insert(L, -3);
    lua_settable(L, -3);
    lua_pop(L, 1);
  }
  return cli_report(L, status, CLI_SCRIPT);
}

/* The options that run something, in their order; stops at the first that fails. */
static int run_options(lua_State *L, int script, char **argv) {
  int status = LUA_OK;
  for (int i = 1; i < script && status == LUA_OK; i++) {
    if (argv[i][0] != '-') break;
    char letter = argv[i][1];
    if (letter == 'e')
      status = run_string(L, operand(argv, &i), "=(command line)");
    else if (letter == 'l')
      status = run_library(L, operand(argv, &i));
    else if (letter == 'W')
      lua_warning(L, "@on", 0);
  }
  return status;
}

/* "-" is stdin, unless "--" came before it. */
static int run_script(lua_State *L, int argc, char **argv, int script) {
  const char *file = argv[script];
  if (strcmp(file, "-") == 0 && strcmp(argv[script - 1], "--") != 0) file = NULL;
  int status = luaL_loadfile(L, file);
  int narg = argc - script - 1;
  if (status == LUA_OK) {
    luaL_checkstack(L, narg, "too many arguments to the script");
    for (int i = script + 1; i < argc; i++) lua_pushstring(L, argv[i]);
  }
  return run_loaded(L, status, narg);
}

static int run(lua_State *L, int argc, char **argv, const options *o) {
  int status = o->no_environment ? LUA_OK : run_environment(L);
  if (status == LUA_OK) status = run_options(L, o->script, argv);
  if (status == LUA_OK && o->script < argc) status = run_script(L, argc, argv, o->script);
  if (status != LUA_OK) return status;
  bool nothing_asked = o->script == argc && !o->statements && !o->version;
  if (o->interactive || (nothing_asked && isatty(STDIN_FILENO))) {
    if (!o->version) print_version();
    cli_session(L);
    return LUA_OK;
  }
  return nothing_asked ? run_file(L, NULL) : status;
}

typedef struct job {
  int argc;
  char **argv;
  bool ok;
} job;

/* Runs in a protected call, so that running out of memory is reported like any other error. */
static int protected_main(lua_State *L) {
  job *j = lua_touserdata(L, 1);
  options o = read_options(j->argc, j->argv);
  if (o.bad) {
    const char *argument = j->argv[o.bad];
    bool operand_missing = argument[1] == 'e' || argument[1] == 'l';
    fprintf(stderr, operand_missing ? "%s: '%s' needs an argument\n" : "%s: unrecognized option '%s'\n", CLI_NAME,
            argument);
    print_usage(stderr);
    return 0;
  }
  j->ok = true;
  if (o.version) print_version();
  if (o.help) {
    print_usage(stdout);
    return 0;
  }
  open_libraries(L, &o);
  set_arg(L, j->argc, j->argv, o.script);
  j->ok = run(L, j->argc, j->argv, &o) == LUA_OK;
  return 0;
}

int main(int argc, char **argv) {
  lua_State *L = luaL_newstate();
  signal(SIGXFSZ, SIG_IGN); /* beyond RLIMIT_FSIZE a write fails, and the script gets the error */
  if (!L) {
    fprintf(stderr, "%s: cannot create a state: not enough memory\n", CLI_NAME);
    return EXIT_FAILURE;
  }
  job j = {argc, argv, false};
  lua_pushcfunction(L, protected_main);
  lua_pushlightuserdata(L, &j);
  int status = cli_report(L, lua_pcall(L, 1, 0, 0), CLI_SCRIPT);
  lua_close(L);
  return status == LUA_OK && j.ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
