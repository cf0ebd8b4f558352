/* module_test.c - a host whose scripts call require "moonglass". The same core.so is loaded into a Lua that is a shared
** library, linked in, or built as C++ (the Makefile links this file with each). LUA_PATH_5_4 and LUA_CPATH_5_4 tell
** where the module is. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fenv.h>
#include <lauxlib.h>
#include <locale.h>
#include <lualib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

static bool runs(lua_State *L, const char *text) {
  bool ok = luaL_dostring(L, text) == LUA_OK;
  if (!ok) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  lua_settop(L, 0);
  return ok;
}

static lua_State *new_state(void) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  return L;
}

static bool runs_alone(const char *text) {
  lua_State *L = new_state();
  bool ok = runs(L, text);
  lua_close(L);
  return ok;
}

/* A host's script. It stores its result, to the last bit, in the global `said`. */
static const char everyday[] =
    "local moon = moon or require 'moonglass'\n"
    "moon.seed(4)\n"
    "local x = moon.rand(40, 30)\n"
    "local ae = moon.autoencoder.deep{input = 30, hidden = {12}, code = 4}\n"
    "local h = ae:fit(x, {loss = 'binary_crossentropy', epochs = 3, batch_size = 16, validation_split = 0.2})\n"
    "local image = moon.png.decode(moon.png.encode(moon.image.grid(x, {shape = {5, 6}})))\n"
    "assert(#ae:encode(x) == 40 and image:size(2) > 5 and #tostring(x) > 100 and #tostring(ae:summary()) > 100)\n"
    "local ok, message = pcall(ae.predict, ae, moon.rand(3, 7))\n"
    "assert(not ok and message:find 'expected')\n"
    "said = ('%a %a %a'):format(ae:errors(x):sum(), h.loss[3], h.val_loss[3]):gsub(',', '.')";

static char *said(lua_State *L) {
  lua_getglobal(L, "said");
  const char *text = lua_tostring(L, -1);
  char *copy = text ? strdup(text) : NULL;
  lua_settop(L, 0);
  return copy;
}

static char *expected; /* the result of everyday in an ordinary state */

static bool says_the_same(lua_State *L) {
  char *text = runs(L, everyday) ? said(L) : NULL;
  bool same = text && strcmp(text, expected) == 0;
  if (text && !same) fprintf(stderr, "'%s', expected '%s'\n", text, expected);
  free(text);
  return same;
}

static void an_ordinary_state(void) {
  lua_State *L = new_state();
  CHECK(runs(L, everyday) && (expected = said(L)) != NULL);
  lua_State *thread = lua_newthread(L);
  CHECK(says_the_same(thread)); /* a coroutine of the same state */
  lua_close(L);
}

/* ---- states come and go, and the module with them: lua_close unloads modules ---- */

static long resident_kilobytes(void) {
  long size = 0, pages = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (!f || fscanf(f, "%ld %ld", &size, &pages) != 2) pages = 0;
  if (f) fclose(f);
  return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Enough rows for BLIS, whose buffers outlive a state; objects that are alive at lua_close; now and then the whole
** library and a worker pool. */
static void a_thousand_states(void) {
  enum { STATES = SANITIZED ? 50 : 1000, SETTLED = STATES / 5, SLACK = 256 };
  static const char small[] = "local core = require 'moonglass.core'\n"
                              "a, b = core.rand(3000, 300), core.rand(300, 20)\n"
                              "net = core.net{core.dense(20, 8, {activation = 'relu'}), core.dense(8, 20)}\n"
                              "assert(#net:predict(a:matmul(b)) == 3000)";
  static const char large[] = "moon = require 'moonglass'; moon.set_threads(2)\n"
                              "ae = moon.autoencoder.plain{input = 300, hidden = 20}\n"
                              "ae:fit(moon.rand(600, 300), {loss = 'mse', batch_size = 600})";
  long before = 0;
  bool good = true;
  for (int i = 0; i < STATES && good; i++) {
    if (i == SETTLED) before = resident_kilobytes();
    good = runs_alone(i % 50 ? small : large);
  }
  long grown = resident_kilobytes() - before;
  if (!SANITIZED && grown >= SLACK) fprintf(stderr, "grown by %ld KB\n", grown);
  CHECK(good && before > 0 && (SANITIZED || grown < SLACK));
}

/* ---- hosts that leave things out ---- */

/* As in strict.lua, reading an undefined global is an error. */
static const char strict[] =
    "setmetatable(_G, {__index = function(_, name) error(\"variable '\" .. tostring(name) .. \"' is not declared\", 2) "
    "end,"
    " __newindex = function(t, name, value) assert(name == 'said', name) rawset(t, name, value) end})\n";

static void strict_globals(void) {
  lua_State *L = new_state();
  CHECK(runs(L, "moon = false") && runs(L, strict) && says_the_same(L));
  lua_close(L);
}

/* Open core.so with RTLD_LOCAL, as a host's loader might. */
static lua_CFunction load_core(void) {
  lua_State *L = new_state();
  void *library = luaL_dostring(L, "return assert(package.searchpath('moonglass.core', package.cpath))") == LUA_OK
                      ? dlopen(lua_tostring(L, -1), RTLD_NOW | RTLD_LOCAL)
                      : NULL;
  lua_close(L);
  lua_CFunction open = NULL;
  if (library) *(void **)&open = dlsym(library, "luaopen_moonglass_core");
  return open;
}

/* A host without the package library replaces require with a file reader. */
static int host_require(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  if (lua_getfield(L, -1, name) != LUA_TNIL) return 1;
  const char *path = luaL_gsub(L, name, ".", "/");
  FILE *f = NULL;
  for (int i = 0; i < 2 && !f; i++) {
    lua_pushfstring(L, i ? "lua/%s/init.lua" : "lua/%s.lua", path);
    f = fopen(lua_tostring(L, -1), "rb");
    if (f) fclose(f);
  }
  if (!f || luaL_loadfile(L, lua_tostring(L, -1)) != LUA_OK) return luaL_error(L, "no module '%s'", name);
  lua_pushvalue(L, 1);
  lua_call(L, 1, 1);
  lua_pushvalue(L, -1);
  lua_setfield(L, 2, name);
  return 1;
}

/* No io, os, debug, package or coroutine, and strict globals. */
static void few_libraries(void) {
  static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},
                                       {LUA_STRLIBNAME, luaopen_string},
                                       {LUA_TABLIBNAME, luaopen_table},
                                       {LUA_MATHLIBNAME, luaopen_math},
                                       {LUA_UTF8LIBNAME, luaopen_utf8}};
  lua_CFunction open = load_core();
  CHECK(open != NULL);
  if (!open) return;
  for (int with_strict = 0; with_strict < 2; with_strict++) {
    lua_State *L = luaL_newstate();
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++)
      luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
    luaL_requiref(L, "moonglass.core", open, 0);
    lua_register(L, "require", host_require);
    lua_settop(L, 0);
    CHECK(runs(L, "moon = false; loadfile, dofile = nil"));
    CHECK(!with_strict || runs(L, strict));
    CHECK(says_the_same(L));
    lua_close(L);
  }
}

/* ---- settings of the host ---- */

static void collectors(void) {
  static const char churn[] = "local moon = require 'moonglass'\n"
                              "for i = 1, 3000 do local t = moon.zeros(50000); t = t + 1 end\n"
                              "assert(moon.info().memory_peak < 64 << 20)";
  CHECK(runs_alone(churn));
  lua_State *L = new_state();
  CHECK(runs(L, "collectgarbage('generational')") && runs(L, churn) && says_the_same(L));
  CHECK(runs(L, "assert(collectgarbage('incremental') == 'generational')"));
  lua_close(L);
  L = new_state();
  CHECK(runs(L, "collectgarbage('stop')") && says_the_same(L) && runs(L, "assert(not collectgarbage('isrunning'))"));
  lua_close(L);
}

static void floating_point_traps(void) {
  lua_State *L = new_state();
  feclearexcept(FE_ALL_EXCEPT);
  feenableexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW);
  bool same = says_the_same(L);
  fedisableexcept(FE_ALL_EXCEPT);
  CHECK(same);
  lua_close(L);
}

static void *everyday_in_thread(void *same) {
  lua_State *L = new_state();
  *(bool *)same = says_the_same(L);
  lua_close(L);
  return NULL;
}

/* The dynamic linker and Lua's parser use this stack too. */
static void small_stack(void) {
  enum { BYTES = SANITIZED ? 1 << 20 : 128 << 10 };
  pthread_t thread;
  pthread_attr_t attributes;
  bool same = false;
  pthread_attr_init(&attributes);
  CHECK(pthread_attr_setstacksize(&attributes, BYTES) == 0);
  CHECK(pthread_create(&thread, &attributes, everyday_in_thread, &same) == 0 && pthread_join(thread, NULL) == 0);
  pthread_attr_destroy(&attributes);
  CHECK(same);
}

/* A locale in which 0.5 is "0,5": files written in it are read in any locale, and the other way round. */
static const char writes[] =
    "local moon = require 'moonglass'\n"
    "moon.seed(4)\n"
    "local x = moon.rand(20, 6)\n"
    "local net = moon.sequential{moon.dropout(0.25), moon.dense(6, 6)}\n"
    "net:fit(x, {loss = 'mse', epochs = 2, optimizer = moon.adam{lr = 0.0125}, seed = 1, callbacks = {\n"
    "  moon.callbacks.csv_logger(folder .. '/csv'), moon.callbacks.checkpoint(folder .. '/checkpoint'),\n"
    "  moon.callbacks.early_stopping{monitor = 'loss', min_delta = 1e-9}}})\n"
    "assert(net:save(folder .. '/net') and moon.onnx.export(folder .. '/onnx', net))";

static const char files_agree[] =
    "local function read(path) local f = assert(io.open(path, 'rb')) return f:read('a'), f:close() end\n"
    "for _, name in ipairs{'net', 'onnx'} do\n"
    "  assert(read(folder .. '/' .. name) == read(folder .. '/plain-' .. name), name)\n"
    "end\n"
    "local _, points = read(folder .. '/csv'):gsub('%.%d', '')\n"
    "assert(points >= 4 and not read(folder .. '/csv'):find('%d,%d+,%d'))\n"
    "local moon = require 'moonglass'\n"
    "local a = assert(moon.checkpoint.load(folder .. '/checkpoint'))\n"
    "local b = assert(moon.checkpoint.load(folder .. '/plain-checkpoint'))\n"
    "assert(a.opt.lr == 0.0125 and b.opt.lr == 0.0125 and a.history.loss[2] == b.history.loss[2])\n"
    "assert(tostring(moon.tensor{0.5, 2}) == '[0.5 2. ]\\n[2] float32')";

static void with_folder(const char *folder, const char *text) {
  lua_State *L = new_state();
  lua_pushstring(L, folder);
  lua_setglobal(L, "folder");
  CHECK(runs(L, text));
  lua_close(L);
}

static void locales(void) {
  char folder[] = "/tmp/module_testXXXXXX", command[300];
  CHECK(mkdtemp(folder) != NULL);
  snprintf(command, sizeof command, "localedef -c -i de_DE -f UTF-8 %s/comma >/dev/null 2>&1", folder);
  if (system(command) == -1 || setenv("LOCPATH", folder, 1) != 0 || !setlocale(LC_ALL, "comma")) {
    puts("skipped: the test of locales (localedef cannot make one; install Debian's package locales)");
  } else {
    setlocale(LC_ALL, "C");
    with_folder(folder, writes);
    with_folder(folder, "for _, name in ipairs{'net', 'onnx', 'checkpoint', 'csv'} do\n"
                        "  assert(os.rename(folder .. '/' .. name, folder .. '/plain-' .. name))\n"
                        "end");
    setlocale(LC_ALL, "comma");
    CHECK(strcmp(localeconv()->decimal_point, ",") == 0);
    with_folder(folder, writes);
    with_folder(folder, files_agree);
    setlocale(LC_ALL, "C");
    with_folder(folder, files_agree);
  }
  setlocale(LC_ALL, "C");
  snprintf(command, sizeof command, "rm -r %s", folder);
  CHECK(system(command) == 0);
}

/* ---- errors pass through the module's functions by longjmp, or by exceptions in a Lua built as C++ ---- */

static void errors_pass_through(void) {
  static const char text[] =
      "local moon = require 'moonglass'\n"
      "local x, net = moon.rand(8, 4), moon.sequential{moon.dense(4, 4)}\n"
      "local before = moon.info().memory\n"
      "for i = 1, 200 do\n"
      "  assert(not pcall(moon.zeros, -1) and not pcall(net.predict, net, moon.rand(2, 3)))\n"
      "  assert(not pcall(moon.zeros, 1 << 40) and not pcall(moon.dense, 3, 3, {activation = 'none'}))\n"
      "  local ok, message = pcall(net.fit, net, x, {loss = 'mse', callbacks = {function() error({1}) end}})\n"
      "  assert(not ok and message[1] == 1)\n"
      "  ok = pcall(x.map, x, function() error 'x' end)\n"
      "  assert(not ok)\n"
      "end\n"
      "local co = coroutine.wrap(function()\n"
      "  net:fit(x, {loss = 'mse', epochs = 3, callbacks = {function(s) coroutine.yield(s.epoch) end}})\n"
      "  error 'end'\n"
      "end)\n"
      "assert(co() == 1 and co() == 2 and co() == 3 and not pcall(co))\n"
      "do local t <close> = moon.rand(3) end\n"
      "collectgarbage() collectgarbage()\n"
      "assert(moon.info().memory < before + 20000, moon.info().memory)";
  CHECK(runs_alone(text));
}

int main(void) {
  an_ordinary_state();
  if (expected) {
    a_thousand_states(); /* first: later tests keep the module loaded */
    strict_globals();
    few_libraries();
    collectors();
    floating_point_traps();
    small_stack();
    locales();
    errors_pass_through();
  }
  free(expected);
  return check_report();
}
