/* lua_host_test.c - a host with Lua states: configuration, objects passed between the host and Lua, out of memory,
** interrupts, threads, and what a closed state leaves behind. Run it in the root of the tree, where lua/ is. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../csrc/moonglass_lua.h"
#include "check.h"
#include "lua_tree.h"

/* ---- count the files opened by any library: these functions replace those of the C library ---- */

static atomic_int opened;

static int open_next(const char *name, const char *path, int flags, int mode) {
  int (*next)(const char *, int, ...);
  *(void **)&next = dlsym(RTLD_NEXT, name);
  atomic_fetch_add(&opened, 1);
  return next(path, flags, mode);
}

static FILE *fopen_next(const char *name, const char *path, const char *mode) {
  FILE *(*next)(const char *, const char *);
  *(void **)&next = dlsym(RTLD_NEXT, name);
  atomic_fetch_add(&opened, 1);
  return next(path, mode);
}

#define EXPORT __attribute__((visibility("default")))
#define OPENER(name)                                    \
  EXPORT int name(const char *path, int flags, ...) {   \
    va_list args;                                       \
    va_start(args, flags);                              \
    int mode = flags & O_CREAT ? va_arg(args, int) : 0; \
    va_end(args);                                       \
    return open_next(#name, path, flags, mode);         \
  }
OPENER(open)
OPENER(open64)

EXPORT FILE *fopen(const char *path, const char *mode) { return fopen_next("fopen", path, mode); }
EXPORT FILE *fopen64(const char *path, const char *mode) { return fopen_next("fopen64", path, mode); }

EXPORT void *dlopen(const char *path, int mode) {
  void *(*next)(const char *, int);
  *(void **)&next = dlsym(RTLD_NEXT, "dlopen");
  atomic_fetch_add(&opened, 1);
  return next(path, mode);
}

EXPORT int openat(int folder, const char *path, int flags, ...) {
  int (*next)(int, const char *, int, ...);
  va_list args;
  va_start(args, flags);
  int mode = flags & O_CREAT ? va_arg(args, int) : 0;
  va_end(args);
  *(void **)&next = dlsym(RTLD_NEXT, "openat");
  atomic_fetch_add(&opened, 1);
  return next(folder, path, flags, mode);
}

/* ---- states ---- */

/* An allocator that counts. It refuses growth beyond a budget, or some calls. */
typedef struct heap {
  size_t used, peak, most;            /* most: 0 for no budget */
  size_t calls, first, last, refused; /* refuse calls first..last, if first is not 0 */
} heap;

static void *heap_alloc(void *ud, void *p, size_t osize, size_t nsize) {
  heap *h = ud;
  if (!p) osize = 0;
  if (!nsize) {
    free(p);
    h->used -= osize;
    return NULL;
  }
  if (nsize > osize) {
    h->calls++;
    bool over = h->most && h->used - osize + nsize > h->most;
    if (over || (h->first && h->calls >= h->first && h->calls <= h->last)) {
      h->refused++;
      return NULL;
    }
  }
  void *q = realloc(p, nsize);
  if (!q) return NULL;
  h->used += nsize - osize;
  if (h->used > h->peak) h->peak = h->used;
  return q;
}

static void lift(heap *h) { h->most = h->first = h->last = 0; }

static lua_State *new_state(heap *h) {
  lua_State *L = h ? lua_newstate(heap_alloc, h) : luaL_newstate();
  lua_pushcfunction(L, open_tree);
  CHECK(lua_pcall(L, 0, 0, 0) == LUA_OK);
  return L;
}

/* Run a text. It leaves `results` values and returns true, or leaves a message and returns false. */
static bool runs(lua_State *L, const char *text, int results) {
  return luaL_loadbuffer(L, text, strlen(text), "=text") == LUA_OK && lua_pcall(L, 0, results, 0) == LUA_OK;
}

static void must_run(lua_State *L, const char *text, int results) {
  bool ok = runs(L, text, results);
  CHECK(ok);
  if (!ok) fprintf(stderr, "%s\n", lua_tostring(L, -1));
  if (!ok) lua_pop(L, 1);
}

static bool fails(lua_State *L, const char *text, const char *message) {
  if (runs(L, text, 0)) return false;
  const char *got = lua_tostring(L, -1);
  bool right = got && strstr(got, message);
  if (!right) fprintf(stderr, "got '%s', expected '%s'\n", got ? got : "no text", message);
  lua_pop(L, 1);
  return right;
}

static int configure(lua_State *L) {
  moon_lua_configure(L, lua_touserdata(L, 1));
  return 0;
}

/* The message of the call, or NULL if it worked. The text stays on the stack. */
static const char *configuring(lua_State *L, const moon_lua_config *config) {
  lua_pushcfunction(L, configure);
  lua_pushlightuserdata(L, (void *)(uintptr_t)config);
  return lua_pcall(L, 1, 0, 0) == LUA_OK ? NULL : lua_tostring(L, -1);
}

static bool says(const char *message, const char *part) { return message && strstr(message, part); }

/* ---- the configuration ---- */

static char logged[200];
static void log_line(void *ud, const char *line) {
  int *count = ud;
  ++*count;
  snprintf(logged, sizeof logged, "%s", line);
}

static void test_configuration(void) {
  heap h = {0};
  int lines = 0;
  lua_State *L = new_state(&h);
  CHECK(moon_lua_ctx(L) == NULL);
  moon_lua_config c = {
      .size = sizeof c, .memory_limit = 1 << 20, .seed = 7, .threads = 3, .log = log_line, .log_ud = &lines};
  CHECK(configuring(L, &c) == NULL);
  must_run(L, "moon = require 'moonglass'; i = moon.info(); first = moon.rand(4)", 0);
  must_run(L, "assert(i.memory_limit == 1 << 20 and i.threads == 3 and i.files == true)", 0);
  must_run(L, "moon.seed(7); assert(moon.rand(4) == first); moon.seed(8); assert(moon.rand(4) ~= first)", 0);
  CHECK(fails(L, "moon.zeros(1 << 20)", "limit 1048576"));
  CHECK(fails(L, "moon.limits{memory = 0}", "expected at most the host's 1048576"));
  CHECK(fails(L, "moon.limits{memory = 2 << 20}", "expected at most the host's 1048576"));
  must_run(L, "moon.limits{memory = 1 << 19}; assert(moon.info().memory_limit == 1 << 19)", 0);
  must_run(L, "net = moon.sequential{moon.dense(4, 2)}; fit = {loss = 'mse', epochs = 2, verbose = 2}", 0);
  must_run(L, "net:fit(moon.rand(8, 4), moon.rand(8, 2), fit)", 0);
  CHECK(lines == 2 && strncmp(logged, "epoch 2/2  1 batches  loss ", 27) == 0 && !strchr(logged, '\n'));
  must_run(L, "moon.set_log(function(line) got = line end); net:fit(moon.rand(8, 4), moon.rand(8, 2), fit)", 0);
  must_run(L, "assert(got:find('^epoch 2/2') and not got:find('\\n'))", 0);
  CHECK(lines == 2);
  CHECK(says(configuring(L, &c), "the core is open already, expected moon_lua_configure before that"));
  lua_close(L);
  CHECK(h.used == 0);
}

/* The structure of a later version is longer: unknown fields must be zero. */
static void test_configuration_refused(void) {
  lua_State *L = new_state(NULL);
  struct {
    moon_lua_config known;
    long later;
  } c = {{.size = sizeof c}, 0};
  CHECK(configuring(L, &c.known) == NULL);
  c.later = 1;
  CHECK(says(configuring(L, &c.known), "a field that version"));
  c.known = (moon_lua_config){.size = sizeof c.known, .flags = 1u << 31};
  CHECK(says(configuring(L, &c.known), "a flag that version"));
  c.known = (moon_lua_config){.size = sizeof c.known, .threads = 257};
  CHECK(says(configuring(L, &c.known), "threads is 257, expected 1 to 256, or 0 for the default"));
  c.known = (moon_lua_config){.size = sizeof c.known - 1};
  CHECK(says(configuring(L, &c.known), "expected sizeof(moon_lua_config)"));
  CHECK(moon_lua_ctx(L) == NULL);
  c.known = (moon_lua_config){.size = sizeof c.known, .threads = 2};
  CHECK(configuring(L, &c.known) == NULL && configuring(L, NULL) == NULL); /* the last configuration counts */
  must_run(L, "i = require('moonglass.core').info(); assert(i.threads == 1 and i.memory_limit == 0 and i.files)", 0);
  must_run(L, "assert(require('moonglass.core').log == nil)", 0);
  lua_close(L);
}

/* ---- objects passed between the host and Lua ---- */

static void count_release(void *ud) { ++*(int *)ud; }

static int push_tensor(lua_State *L) {
  moon_lua_push_tensor(L, lua_touserdata(L, 1));
  return 1;
}

static int push_net(lua_State *L) {
  moon_lua_push_net(L, lua_touserdata(L, 1));
  return 1;
}

static bool pushes(lua_State *L, lua_CFunction push, void *object) {
  lua_pushcfunction(L, push);
  lua_pushlightuserdata(L, object);
  return lua_pcall(L, 1, 1, 0) == LUA_OK;
}

/* The script writes into the host's buffer. The buffer is released once, when Lua frees the last view. */
static void test_wrapped(void) {
  float buffer[6] = {1, 2, 3, 4, 5, 6};
  int released = 0;
  moon_tensor *t = NULL;
  lua_State *L = new_state(NULL);
  CHECK(!pushes(L, push_tensor, NULL) || lua_isnil(L, -1));
  must_run(L, "moon = require 'moonglass'", 0);
  moon_ctx *ctx = moon_lua_ctx(L);
  CHECK(moon_tensor_wrap(ctx, &t, MOON_FLOAT32, 2, (size_t[]){2, 3}, buffer, count_release, &released) == MOON_OK);
  lua_settop(L, 0);
  CHECK(pushes(L, push_tensor, t));
  CHECK(moon_lua_to_tensor(L, 1) == t && moon_lua_check_tensor(L, 1) == t);
  CHECK(moon_lua_to_net(L, 1) == NULL && moon_lua_to_tensor(L, 2) == NULL);
  lua_setglobal(L, "t");
  moon_tensor_release(t);
  must_run(L, "assert(t:get(2, 3) == 6); t[1] = 9; row = t[2]; t:mul_(2); t = nil; collectgarbage()", 0);
  CHECK(buffer[0] == 18 && buffer[5] == 12 && released == 0);
  must_run(L, "assert(row[1] == 8); row = nil; collectgarbage() collectgarbage()", 0);
  CHECK(released == 1);
  lua_close(L);
  CHECK(released == 1);
}

/* Whatever a script does to a tensor that the host has frozen raises, and the host's buffer stays as it was. */
static void test_frozen(void) {
  float buffer[6] = {1, 2, 3, 4, 5, 6};
  moon_tensor *t = NULL;
  lua_State *L = new_state(NULL);
  must_run(L, "moon = require 'moonglass'", 0);
  moon_ctx *ctx = moon_lua_ctx(L);
  CHECK(moon_tensor_wrap(ctx, &t, MOON_FLOAT32, 2, (size_t[]){2, 3}, buffer, NULL, NULL) == MOON_OK);
  moon_tensor_freeze(t);
  CHECK(pushes(L, push_tensor, t));
  lua_setglobal(L, "t");
  moon_tensor_release(t);
  must_run(L,
           "for _, f in ipairs{"
           "  function() t[1][2] = 9 end, function() t[1] = 9 end, function() t[2] = moon.zeros(3) end,"
           "  function() t:set(9, 1, 1) end, function() t:fill_(9) end, function() t:zero_() end,"
           "  function() t:copy_(moon.zeros(2, 3)) end, function() t:add_(1) end, function() t:rows(1, 1):relu_() end,"
           "} do local ok, message = pcall(f); assert(not ok and message:find('read-only', 1, true), message) end",
           0);
  must_run(L, "local copy = t:clone(); copy:fill_(9); assert(copy:get(1, 1) == 9 and (t + 1):get(2, 3) == 7)", 0);
  for (int i = 0; i < 6; i++) CHECK(buffer[i] == (float)(i + 1));
  lua_close(L);
}

/* The host reads Lua's tensors in place. They live as long as the host or Lua holds them. */
static void test_nets_out(void) {
  lua_State *L = new_state(NULL);
  must_run(L, "moon = require 'moonglass'; net = moon.sequential{moon.dense(3, 2)}", 0);
  must_run(L, "w = net:layer(1).weight; w:fill_(0.5); return net, w", 2);
  moon_net *net = moon_net_retain(moon_lua_check_net(L, -2));
  moon_parameter p;
  CHECK(moon_layer_parameter(moon_net_layer(net, 0), 0, &p) && p.value == moon_lua_to_tensor(L, -1));
  float *weight = moon_tensor_float(p.value);
  lua_settop(L, 0);
  must_run(L, "w[1] = 4; net, w = nil, nil; collectgarbage() collectgarbage()", 0);
  CHECK(weight[0] == 4 && weight[5] == 0.5f);
  CHECK(pushes(L, push_net, net) && moon_lua_to_net(L, -1) == net);
  lua_setglobal(L, "net");
  must_run(L, "assert(net:layer(1).weight:get(1, 1) == 4 and #net:predict(moon.rand(2, 3)) == 2)", 0);
  must_run(L, "do local _ <close> = net end", 0);
  lua_getglobal(L, "net");
  CHECK(moon_lua_to_net(L, -1) == NULL);
  moon_net_release(net);
  lua_close(L);
}

static void test_wrong_state(void) {
  moon_tensor *t = NULL;
  lua_State *a = new_state(NULL), *b = new_state(NULL);
  must_run(a, "core = require 'moonglass.core'; core.seed(1); core.limits{memory = 1 << 20}", 0);
  CHECK(moon_tensor_new(moon_lua_ctx(a), &t, MOON_FLOAT32, 0, NULL) == MOON_OK);
  CHECK(!pushes(b, push_tensor, t) && says(lua_tostring(b, -1), "the core is not open in this state"));
  must_run(b, "core = require 'moonglass.core'; core.seed(1); x = core.rand(3)", 0);
  CHECK(moon_lua_ctx(a) != moon_lua_ctx(b) && moon_memory_limit(moon_lua_ctx(b)) == 0);
  CHECK(!pushes(b, push_tensor, t) && says(lua_tostring(b, -1), "belongs to another context"));
  moon_tensor_release(t);
  must_run(a, "x = core.rand(3)", 0); /* a's stream is not affected by b's draws */
  must_run(a, "core.seed(1); assert(core.rand(3) == x)", 0);
  lua_close(a);
  must_run(b, "assert(x == (core.seed(1) or core.rand(3)))", 0);
  lua_close(b);
}

/* ---- opening and closing ---- */

static void test_openings(void) {
  heap h = {0};
  lua_State *L = new_state(&h);
  luaL_requiref(L, "moonglass.core", luaopen_moonglass_core, 0);
  must_run(L, "core = require 'moonglass.core'; moon = require 'moonglass'; net = moon.sequential{moon.dense(2, 1)}",
           0);
  must_run(L, "net:fit(moon.rand(4, 2), moon.rand(4, 1), {loss = 'mse'})", 0);
  must_run(L, "for name in pairs(package.loaded) do if name:find '^moonglass' then package.loaded[name] = nil end end",
           0);
  must_run(L, "again = require 'moonglass'; fresh = require 'moonglass.core'; assert(again ~= moon and fresh ~= core)",
           0);
  must_run(L, "net:fit(moon.rand(4, 2), moon.rand(4, 1), {loss = 'mse'})", 0); /* a net made before */
  must_run(L, "again.sequential{again.dense(2, 1)}:fit(moon.rand(4, 2), moon.rand(4, 1), {loss = 'mse'})", 0);
  must_run(L, "co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(net:predict(moon.rand(2, 2))) end end)",
           0);
  must_run(L, "local a, b = co(), co(); assert(#a == 2 and #b == 2)", 0);
  lua_close(L);
  CHECK(h.used == 0);
}

static void test_opened_in_coroutine(void) {
  lua_State *L = new_state(NULL);
  must_run(L, "co = coroutine.create(function() moon = require 'moonglass'; coroutine.yield(moon.rand(3)) end)", 0);
  must_run(L, "local ok, t = coroutine.resume(co); assert(ok and #t == 3); co = nil; collectgarbage()", 0);
  must_run(L, "ae = moon.autoencoder.plain{input = 4, hidden = 2}; ae:fit(moon.rand(8, 4), {loss = 'mse'})", 0);
  CHECK(moon_lua_ctx(L) != NULL);
  lua_close(L);
}

static atomic_int signs;

/* sign(): count that a script has reached this point */
static int sign(lua_State *L) {
  (void)L;
  atomic_fetch_add(&signs, 1);
  return 0;
}

/* A finaliser set before the context was made runs when the context is gone. */
static const char late_calls[] =
    "function late()\n"
    "  sign()\n"
    "  for _, list in ipairs{{}, {x}, {x, x}, {x, x, x}} do\n" /* more arguments are refused at once */
    "    for _, f in pairs(core) do pcall(f, table.unpack(list)) end\n"
    "    for _, methods in pairs(core.methods) do\n"
    "      for _, f in pairs(methods) do pcall(f, table.unpack(list)) pcall(f, net, table.unpack(list)) end\n"
    "    end\n"
    "  end\n"
    "  if not pcall(function() return x[1] end) and not pcall(core.zeros, 2) then sign() end\n"
    "  if not pcall(package.preload['moonglass.core']) then sign() end\n"
    "end";

static void test_late_finalisers(void) {
  heap h = {0};
  lua_State *L = new_state(&h);
  lua_register(L, "sign", sign);
  must_run(L, "kept = setmetatable({}, {__gc = function() late() end})", 0);
  must_run(L, "core = require 'moonglass.core'; x = core.rand(4, 4); net = core.net{core.dense(4, 4)}", 0);
  must_run(L, late_calls, 0);
  atomic_store(&signs, 0);
  lua_close(L);
  CHECK(atomic_load(&signs) == 3);
  CHECK(h.used == 0);
}

/* Lua runs no finaliser for objects that finalisers make while the state closes. The context must free them. */
static const char make_everything[] =
    "net = core.net{core.dense(256, 256), core.dense(256, 256)}\n"
    "data, x, loss, opt = core.dataset(core.rand(512, 256)), core.rand(512, 256), core.mse(), core.adam()\n"
    "core.set_threads(3) net:step_rows(data, 1, 512, loss, opt) net:predict(x)\n"
    "kept = {}\n"
    "function keep(...) kept[#kept + 1] = {...} end\n"
    "function make()\n"
    "  sign()\n"
    "  keep(core.zeros(3), x[1], x:sum(1), net:predict(x), net:layer(1), net:slice(1, 1), net:parameters(), "
    "net:clone())\n"
    "  keep(core.dense(3, 2), core.huber(), core.adam(), core.net{core.dense(3, 2)}, core.dataset(core.rand(3, 3)))\n"
    "  keep(core.net_from(net:archive()), core.net_from_bytes(net:bytes()))\n"
    "  keep(core.safetensors_decode(core.safetensors_encode{x = x}), core.png_decode(core.png_encode(core.rand(4, "
    "4))))\n"
    "  keep(net:layer(1):forward(x), opt:moments(net:parameters()), opt:state(net:parameters()), data:batch(1, 3))\n"
    "  keep(pcall(core.cat, {x, 1}), pcall(core.safetensors_save, 'no/such/folder', {x = x, y = 1}))\n"
    "  keep(tostring(net), x:map(function(v) return v end))\n"
    "  sign()\n"
    "  error('and then an error')\n"
    "end\n";

static const char *const closers[] = {
    "last = setmetatable({}, {__gc = make})",
    "last = setmetatable({}, {__gc = function() coroutine.wrap(make)() end})",
    "last = setmetatable({}, {__gc = function() make() end, __close = make}) local _ <close> = last",
    "setmetatable({}, {__gc = make}) collectgarbage() net = net", /* not while closing: the usual case */
    "function again() setmetatable({}, {__gc = function() pcall(make) again() end}) end again()",
};

static int threads_here(void) {
  char line[99];
  int n = 0;
  FILE *file = fopen("/proc/self/status", "r");
  CHECK(file != NULL);
  while (file && fgets(line, sizeof line, file))
    if (sscanf(line, "Threads: %d", &n) == 1) break;
  if (file) fclose(file);
  return n;
}

static void test_made_while_closing(void) {
  for (size_t i = 0; i < sizeof closers / sizeof *closers; i++) {
    heap h = {0};
    int before = threads_here();
    lua_State *L = new_state(&h);
    lua_register(L, "sign", sign);
    must_run(L, "older = setmetatable({}, {__gc = function() pcall(make) end})", 0); /* runs after the context */
    must_run(L, "core = require 'moonglass.core'", 0);
    must_run(L, make_everything, 0);
    atomic_store(&signs, 0);
    if (i == 2)
      CHECK(fails(L, closers[i], "and then an error"));
    else
      must_run(L, closers[i], 0);
    lua_close(L);
    CHECK(atomic_load(&signs) >= 3); /* one finaliser ran to its end, and the older one began */
    CHECK(h.used == 0);
    CHECK(threads_here() == before);
    if (h.used || threads_here() != before)
      fprintf(stderr, "%s: %zu bytes, %d threads\n", closers[i], h.used, threads_here());
  }
}

/* Refuse each call of the allocator while the state closes. Then Lua collects the objects that finalisers have made,
** without calling finalisers for them. */
static void test_refused_while_closing(void) {
  static const char text[] =
      "core = require 'moonglass.core' x = core.rand(4, 4) net = core.net{core.dense(4, 4)}\n"
      "last = setmetatable({}, {__gc = function() for i = 1, 9 do local y = net:predict(x * x) + i end end})";
  for (size_t i = 1;; i++) {
    heap h = {0};
    lua_State *L = new_state(&h);
    must_run(L, text, 0);
    h.first = h.last = h.calls + i;
    lua_close(L);
    CHECK(h.used == 0);
    if (h.refused) continue;
    CHECK(i > 100);
    return;
  }
}

static long resident_pages(void) {
  long size = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  CHECK(file && fscanf(file, "%ld %ld", &size, &resident) == 2);
  if (file) fclose(file);
  return resident;
}

static const char small_training[] =
    "local core = require 'moonglass.core'\n"
    "core.seed(1)\n"
    "local x, opt, loss = core.rand(16, 24), core.adam(), core.mse()\n"
    "local net = core.net{core.dense(24, 8, {activation = 'relu'}), core.dense(8, 24)}\n"
    "local data = core.dataset(x)\n"
    "for first = 1, 16, 8 do net:step_rows(data, first, 8, loss, opt) end\n"
    "return net:predict(x):sum()";

/* Every 40th state loads the whole library, because reading its Lua files takes time. */
static void test_thousand_states(void) {
  enum { CYCLES = 1000, SETTLED = 200 };
  long before = 0;
  for (int i = 0; i < CYCLES; i++) {
    lua_State *L = new_state(NULL);
    if (i % 40 == 0) must_run(L, "require('moonglass').autoencoder.plain{input = 4, hidden = 2}", 0);
    must_run(L, small_training, 0);
    lua_close(L);
    if (i == SETTLED) before = resident_pages();
  }
#if !defined(__SANITIZE_ADDRESS__) /* it keeps freed memory for a while */
  long grown = (resident_pages() - before) * (sysconf(_SC_PAGESIZE) / 1024);
  if (grown >= 256) fprintf(stderr, "grown by %ld KB\n", grown);
  CHECK(grown < 256);
#endif
  CHECK(before > 0);
}

/* ---- out of memory ---- */

static const char library_training[] = "local moon = require 'moonglass'\n"
                                       "moon.seed(1)\n"
                                       "local x = moon.rand(8, 6)\n"
                                       "local ae = moon.autoencoder.deep{input = 6, hidden = {5}, code = 3}\n"
                                       "ae:fit(x, {loss = 'mse', batch_size = 4, seed = 1})\n"
                                       "return ae:predict(x):sum()";

/* With a limited heap the script gives the right number or a message; without the limit, the right number. */
static bool survives(lua_State *L, heap *h, const char *text, double right, size_t *messages) {
  bool ok = runs(L, text, 1);
  bool good = ok ? lua_tonumber(L, -1) == right : lua_type(L, -1) == LUA_TSTRING;
  *messages += !ok;
  lift(h);
  lua_settop(L, 0);
  good = runs(L, text, 1) && lua_tonumber(L, -1) == right && good;
  lua_settop(L, 0);
  return good;
}

static double value_of(lua_State *L, const char *text) {
  must_run(L, text, 1);
  double value = lua_tonumber(L, -1);
  lua_settop(L, 0);
  return value;
}

/* Try `count` budgets, from the bytes that the state holds to those that the script needs. */
static void sweep_budgets(const char *text, size_t count) {
  heap h = {0};
  size_t messages = 0, good = 0;
  lua_State *L = new_state(&h);
  value_of(L, text);
  double right = value_of(L, text);
  lua_gc(L, LUA_GCCOLLECT);
  size_t base = h.used;
  h.peak = 0;
  value_of(L, text);
  size_t room = h.peak - base;
  for (size_t i = 0; i < count; i++) {
    lua_gc(L, LUA_GCCOLLECT);
    h.most = h.used + 1 + room * i / (count - 1);
    good += survives(L, &h, text, right, &messages);
  }
  CHECK(good == count && messages > 0 && messages < count);
  lua_close(L);
  CHECK(h.used == 0);
}

/* Refuse each call of the allocator: once only that call, once with all that follow. */
static void sweep_calls(const char *text, size_t stride) {
  heap h = {0};
  size_t messages = 0, good = 0, tries = 0;
  lua_State *L = new_state(&h);
  value_of(L, text);
  double right = value_of(L, text);
  lua_gc(L, LUA_GCCOLLECT);
  size_t before = h.calls;
  value_of(L, text);
  size_t calls = h.calls - before;
  for (size_t i = 1; i <= calls; i += stride)
    for (int rest = 0; rest < 2; rest++) {
      h.first = h.calls + i;
      h.last = rest ? SIZE_MAX : h.first;
      good += survives(L, &h, text, right, &messages);
      tries++;
    }
  CHECK(good == tries && messages > 0 && h.refused >= tries / 2);
  lua_close(L);
  CHECK(h.used == 0);
}

/* Opening and configuring: a fresh state for each refused call. */
static void sweep_openings(void) {
  size_t right = 0;
  moon_lua_config c = {.size = sizeof c, .flags = MOON_LUA_NO_FILES};
  for (size_t i = 1;; i++) {
    heap h = {0};
    lua_State *L = new_state(&h);
    h.first = h.calls + i;
    h.last = SIZE_MAX;
    bool configured = configuring(L, &c) == NULL, all = configured && runs(L, small_training, 0);
    bool unbroken = !h.refused;
    lift(&h);
    right += runs(L, small_training, 0) && (all == unbroken || all);
    must_run(L, configured ? "assert(not require('moonglass.core').load_net)" : "", 0);
    lua_close(L);
    CHECK(h.used == 0);
    if (!unbroken) continue;
    CHECK(right == i && i > 100);
    return;
  }
}

/* The engine's objects come from the state's allocator, and collecting garbage makes room for new ones. */
static void test_allocator(void) {
  heap h = {0};
  lua_State *L = new_state(&h);
  must_run(L, "core = require 'moonglass.core'; collectgarbage()", 0);
  size_t before = h.used;
  must_run(L, "x = core.zeros(1 << 16)", 0);
  CHECK(h.used - before >= 4 << 16 && h.used - before < (4 << 16) + 4096);
  h.most = h.used + (1 << 20);
  CHECK(fails(L, "core.zeros(1 << 18)", "out of memory: wanted"));
  must_run(L, "collectgarbage('stop'); for i = 1, 50 do core.zeros(1 << 16) end; collectgarbage('restart')", 0);
  CHECK(h.refused > 10);
  must_run(L, "x = nil; collectgarbage(); x = core.zeros(1 << 17)", 0);
  lua_close(L);
  CHECK(h.used == 0);
}

static void test_refusals(void) {
  sweep_calls(small_training, 1);
  sweep_budgets(small_training, 300);
  sweep_calls(library_training, 1);
  sweep_budgets(library_training, 40);
  sweep_openings();
}

/* ---- interrupts ---- */

static moon_ctx *volatile to_interrupt;

static void *interrupt_soon(void *ctx) {
  while (!atomic_load(&signs)) usleep(100);
  usleep(1000);
  moon_interrupt(ctx);
  return NULL;
}

static void on_alarm(int number) {
  (void)number;
  if (to_interrupt) moon_interrupt(to_interrupt);
}

static const char endless_training[] =
    "function build()\n"
    "  moon.seed(3)\n"
    "  x, opt, n = moon.rand(256, 20), moon.adam(), 0\n"
    "  net = moon.sequential{moon.dense(20, 10, {activation = 'relu'}), moon.dense(10, 20), lua_layer}\n"
    "end\n"
    "function train(most)\n"
    "  net:fit(x, {loss = 'mse', optimizer = opt, epochs = 1 << 30, batch_size = 16, seed = 5, callbacks = {{\n"
    "    on_batch_end = function(_, state) sign(); n = n + 1; state.stop = n == most end}}})\n"
    "end";

/* The interrupted net equals a net after that number of whole steps, and can train on. */
static void check_interrupted(lua_State *L) {
  must_run(L, "assert(not ok and message:find 'interrupted', message); steps, last = opt:steps(), net", 0);
  must_run(L, "assert(steps == n and steps > 0)", 0);
  must_run(L, "build(); train(steps); assert(opt:steps() == steps)", 0);
  must_run(L, "for i = 1, 2 do assert(net:layer(i).weight == last:layer(i).weight) end", 0);
  must_run(L, "net = last; n = 0; train(20); assert(n == 20)", 0);
}

static lua_State *new_training(void) {
  lua_State *L = new_state(NULL);
  lua_register(L, "sign", sign);
  must_run(L, "moon = require 'moonglass'", 0);
  must_run(L, endless_training, 0);
  return L;
}

static void test_interrupts(void) {
  pthread_t thread;
  lua_State *L = new_training();
  atomic_store(&signs, 0);
  CHECK(pthread_create(&thread, NULL, interrupt_soon, moon_lua_ctx(L)) == 0);
  must_run(L, "build(); ok, message = pcall(train)", 0);
  pthread_join(thread, NULL);
  check_interrupted(L);

  struct sigaction action = {.sa_handler = on_alarm}, before;
  struct itimerval soon = {.it_value = {0, 5000}};
  to_interrupt = moon_lua_ctx(L);
  sigaction(SIGALRM, &action, &before);
  setitimer(ITIMER_REAL, &soon, NULL);
  must_run(L, "build(); ok, message = pcall(train)", 0);
  check_interrupted(L);

  /* With a layer written in Lua, Lua runs the layers one by one. */
  must_run(L, "lua_layer = {forward = function(_, x) return x * 2 end, backward = function(_, dy) return dy * 2 end}",
           0);
  setitimer(ITIMER_REAL, &soon, NULL);
  must_run(L, "build(); ok, message = pcall(train)", 0);
  sigaction(SIGALRM, &before, NULL);
  check_interrupted(L);
  lua_close(L);
}

/* The host's signal handlers stay in place, from opening to closing. */
typedef struct signals {
  void (*handler[65])(int);
  int flags[65];
  sigset_t blocked;
} signals;

static void look_at_signals(signals *s) {
  memset(s, 0, sizeof *s);
  for (int i = 1; i < 65; i++) {
    struct sigaction action;
    if (sigaction(i, NULL, &action)) continue; /* reserved by the C library */
    s->handler[i] = action.sa_handler;
    s->flags[i] = action.sa_flags;
  }
  pthread_sigmask(SIG_SETMASK, NULL, &s->blocked);
}

static signals at_first;

static int same_signals(lua_State *L) {
  signals now;
  look_at_signals(&now);
  CHECK(memcmp(&at_first, &now, sizeof now) == 0);
  return (void)L, 0;
}

static void test_signals(void) {
  struct sigaction mine = {.sa_handler = on_alarm, .sa_flags = SA_RESTART}, before;
  sigaction(SIGINT, &mine, &before);
  look_at_signals(&at_first);
  lua_State *L = new_state(NULL);
  lua_register(L, "same_signals", same_signals);
  same_signals(L);
  must_run(L, "moon = require 'moonglass'; same_signals()", 0);
  must_run(L, "moon.set_threads(2); net = moon.sequential{moon.dense(300, 300)}; x = moon.rand(256, 300)", 0);
  must_run(L, "net:fit(x, {loss = 'mse', callbacks = {{on_batch_end = same_signals, on_train_end = same_signals}}})",
           0);
  must_run(L, "same_signals(); path = os.tmpname(); assert(net:save(path)); assert(moon.load(path))", 0);
  must_run(L, "os.remove(path); same_signals()", 0);
  must_run(L, "moon.interrupt(); assert(not pcall(net.fit, net, x, {loss = 'mse'})); same_signals()", 0);
  lua_close(L);
  same_signals(NULL);
  sigaction(SIGINT, &before, NULL);
}

/* ---- threads ---- */

enum { STATES = 8 };

static const char long_training[] =
    "local core = require 'moonglass.core'\n"
    "core.seed(...)\n"
    "local x, opt, loss = core.rand(320, 100), core.adam(), core.mse()\n"
    "local net = core.net{core.gaussian_noise(0.1), core.dense(100, 50, {activation = 'relu'}), core.dense(50, 100)}\n"
    "local data = core.dataset(x)\n"
    "for i = 0, 999 do net:step_rows(data, i % 10 * 32 + 1, 32, loss, opt) end\n"
    "return net:layer(2).weight";

typedef struct trainee {
  int seed;
  bool ok;
  float weight[100 * 50];
} trainee;

static void *train_state(void *arg) {
  trainee *r = arg;
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  luaL_requiref(L, "moonglass.core", luaopen_moonglass_core, 0);
  r->ok = luaL_loadstring(L, long_training) == LUA_OK;
  lua_pushinteger(L, r->seed);
  r->ok = r->ok && lua_pcall(L, 1, 1, 0) == LUA_OK;
  const moon_tensor *w = r->ok ? moon_lua_to_tensor(L, -1) : NULL;
  r->ok = w && moon_tensor_bytes(w) == sizeof r->weight;
  if (r->ok) memcpy(r->weight, moon_tensor_data(w), sizeof r->weight);
  lua_close(L);
  return NULL;
}

static void test_states_in_threads(void) {
  static trainee at_once[STATES], in_turn;
  pthread_t threads[STATES];
  for (int i = 0; i < STATES; i++) {
    at_once[i].seed = i + 1;
    CHECK(pthread_create(&threads[i], NULL, train_state, &at_once[i]) == 0);
  }
  for (int i = 0; i < STATES; i++) pthread_join(threads[i], NULL);
  for (int i = 0; i < STATES; i++) {
    in_turn = (trainee){.seed = i + 1};
    train_state(&in_turn);
    CHECK(in_turn.ok && at_once[i].ok && !memcmp(in_turn.weight, at_once[i].weight, sizeof in_turn.weight));
    if (i) CHECK(memcmp(at_once[i].weight, at_once[0].weight, sizeof in_turn.weight));
  }
}

/* ---- no files ---- */

/* Call everything that can be reached from Lua with a path, and on objects. */
static const char call_everything[] =
    "local moon, core, path = ...\n"
    "local net = moon.autoencoder.plain{input = 4, hidden = 2}\n"
    "local x = moon.rand(8, 4)\n"
    "local firsts = {path, x, net, {path}, {}}\n"
    "local seen, calls = {}, 0\n"
    "local function try(f)\n"
    "  for _, v in ipairs(firsts) do\n"
    "    for _, rest in ipairs{{}, {path}, {x}, {{x = x}, {}}, {path, x}, {{}}} do\n" /* more are refused at once */
    "      calls = calls + 1\n"
    "      pcall(f, v, table.unpack(rest))\n"
    "    end\n"
    "  end\n"
    "end\n"
    "local function visit(t)\n"
    "  if seen[t] then return end\n"
    "  seen[t] = true\n"
    "  local names = {}\n"
    "  for name in pairs(t) do names[#names + 1] = name end\n"
    "  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)\n"
    "  for _, name in ipairs(names) do\n"
    "    local v = t[name]\n"
    "    if type(v) == 'function' then try(v) elseif type(v) == 'table' then visit(v) end\n"
    "  end\n"
    "end\n"
    "visit(core)\n"
    "visit(moon)\n"
    "return calls";

static void open_library(lua_State *L, unsigned flags) {
  moon_lua_config c = {.size = sizeof c, .flags = flags};
  CHECK(configuring(L, &c) == NULL);
  must_run(L, "moon, core = require 'moonglass', require 'moonglass.core'", 0);
}

/* Call everything and count the opened files. It runs in a temporary folder, so that written files are removed. */
static int opens_everywhere(unsigned flags, lua_Integer *calls) {
  char folder[] = "/tmp/moonglass-host-XXXXXX", root[4096];
  lua_State *L = new_state(NULL);
  open_library(L, flags);
  must_run(L, "io, os, debug, package.path, package.cpath = nil, nil, nil, '', ''", 0);
  CHECK(getcwd(root, sizeof root) && mkdtemp(folder) && chdir(folder) == 0);
  CHECK(luaL_loadstring(L, call_everything) == LUA_OK);
  lua_getglobal(L, "moon");
  lua_getglobal(L, "core");
  lua_pushliteral(L, "path.out");
  int before = atomic_load(&opened);
  CHECK(lua_pcall(L, 3, 1, 0) == LUA_OK);
  int count = atomic_load(&opened) - before;
  *calls = lua_tointeger(L, -1);
  lua_close(L);
  bool written = unlink("path.out") == 0;
  CHECK(written == !(flags & MOON_LUA_NO_FILES));
  CHECK(chdir(root) == 0 && rmdir(folder) == 0);
  return count;
}

static void test_no_files(void) {
  lua_Integer calls;
  CHECK(opens_everywhere(MOON_LUA_NO_FILES, &calls) == 0);
  CHECK(calls > 2000);
  CHECK(opens_everywhere(0, &calls) > 20); /* so the counter works */
  lua_State *L = new_state(NULL);
  open_library(L, MOON_LUA_NO_FILES);
  must_run(L,
           "for _, name in ipairs{'idx', 'idx_load', 'npy_load', 'npy_save', 'png_read', 'png_write', "
           "'safetensors_load', 'safetensors_save',\n"
           "'load_net'} do assert(core[name] == nil, name) end\n"
           "for _, name in ipairs{'png_decode', 'png_encode', 'safetensors_decode', 'safetensors_encode', 'net_from',\n"
           "'net_from_bytes'} do assert(core[name], name) end\n"
           "assert(core.info().files == false)",
           0);
  must_run(L, library_training, 0);
  lua_close(L);
}

/* ---- no standard descriptors, no output ---- */

static const char everyday[] =
    "local moon = require 'moonglass'\n"
    "local x, path = moon.rand(32, 9), '/tmp/moonglass-host-' .. tostring({}):match '0x%x+'\n"
    "local ae = moon.autoencoder.plain{input = 9, hidden = 4}\n"
    "ae:fit(x, {loss = 'mse', epochs = 2, verbose = VERBOSE})\n"
    "assert(ae:save(path))\n"
    "local same = assert(moon.load(path)):predict(x) == ae:predict(x)\n"
    "assert(moon.png.write(path, moon.image.grid(x)))\n"
    "same = same and moon.png.read(path) == moon.image.grid(x)\n"
    "assert(os.remove(path))\n"
    "assert(not moon.load(path) and not pcall(ae.predict, ae, moon.rand(3, 3)))\n"
    "moon.limits{memory = 1 << 22}\n"
    "assert(not pcall(moon.zeros, 1 << 22))\n"
    "return same";

/* Run in a child process. Return its exit status. */
static int child(void (*before)(int), int argument, int verbose) {
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    check_failed = 0;
    before(argument);
    lua_State *L = new_state(NULL);
    lua_pushinteger(L, verbose);
    lua_setglobal(L, "VERBOSE");
    bool ok = runs(L, everyday, 1) && lua_toboolean(L, -1);
    lua_close(L);
    _exit(ok && !check_failed ? 0 : 1);
  }
  int status = -1;
  CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void close_descriptors(int unused) {
  (void)unused;
  for (int i = 0; i < 3; i++) close(i);
}

static void redirect(int target) {
  dup2(target, 1);
  dup2(target, 2);
}

static void test_descriptors(void) {
  char name[] = "/tmp/moonglass-host-XXXXXX";
  int target = mkstemp(name);
  CHECK(target >= 0);
  CHECK(child(redirect, target, 0) == 0);
  CHECK(lseek(target, 0, SEEK_END) == 0);
  CHECK(child(redirect, target, 2) == 0); /* requested output is printed */
  CHECK(lseek(target, 0, SEEK_END) > 40);
  close(target);
  unlink(name);
  CHECK(child(close_descriptors, 0, 0) == 0);
  CHECK(child(close_descriptors, 0, 2) == 0);
}

/* With an argument, for valgrind: skip what takes it minutes. */
int main(int argc, char **argv) {
  (void)argv;
  test_configuration();
  test_configuration_refused();
  test_wrapped();
  test_frozen();
  test_nets_out();
  test_wrong_state();
  test_openings();
  test_opened_in_coroutine();
  test_late_finalisers();
  test_made_while_closing();
  test_refused_while_closing();
  test_allocator();
  if (argc == 1) {
    test_thousand_states();
    test_refusals();
    test_interrupts();
    test_signals();
    test_states_in_threads();
    test_no_files();
    test_descriptors();
  }
  return check_report();
}
