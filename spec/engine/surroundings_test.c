/* surroundings_test.c - the surroundings that a host may give the library: a floating-point mode, small stacks, little
** address space, another locale. Results are the same, and failures are statuses. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fenv.h>
#include <limits.h>
#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rig.h"

/* The results of the rig, and of tensor operations outside a net. */
typedef struct life {
  rig r;
  moon_tensor *product, *more;
  double sums[12];
} life;

static moon_status ends_of_the_scale(moon_ctx *ctx, life *l) {
  static const char *const names[] = {"exp", "log", "sqrt", "square", "neg", "softmax"};
  moon_status status = moon_tensor_new(ctx, &l->more, MOON_FLOAT32, 2, (size_t[]){8, 40});
  for (size_t i = 0; status == MOON_OK && i < COUNT(names); i++) {
    status = moon_tensor_normal(l->more, -1, 1);
    for (size_t j = 0; status == MOON_OK && j < 40; j++) moon_tensor_set(l->more, j, j % 3 ? (double)j * 9 : 1e-40);
    if (status == MOON_OK) status = moon_tensor_unary(l->more, names[i], l->more, 0, 0);
    if (status == MOON_OK) status = moon_tensor_binary(l->more, "div", l->more, l->more, 1); /* includes 0 / 0 */
    if (status == MOON_OK) status = moon_tensor_reduce(&l->sums[i], "max", l->more);
  }
  return status;
}

static bool live(life *l, const moon_config *config) {
  size_t refused;
  *l = (life){0};
  bool good = moon_ctx_new(&l->r.ctx, config) == MOON_OK && run_limited(&l->r, 0, &refused) && !refused;
  good = good && product(l->r.ctx, &l->product) == MOON_OK && ends_of_the_scale(l->r.ctx, l) == MOON_OK;
  return good;
}

static void end(life *l) {
  moon_tensor_release(l->product);
  moon_tensor_release(l->more);
  free_rig(&l->r);
}

static bool same_life(const life *a, const life *b) {
  return same_weights(a->r.net, b->r.net) && same_bits(a->r.y, b->r.y) && same_bits(a->r.decoded, b->r.decoded) &&
         same_bits(a->r.code, b->r.code) && same_bits(a->r.errors, b->r.errors) && same_bits(a->product, b->product) &&
         same_bits(a->more, b->more) && memcmp(a->sums, b->sums, sizeof a->sums) == 0 &&
         memcmp(a->r.objective, b->r.objective, sizeof a->r.objective) == 0 && a->r.evaluated == b->r.evaluated;
}

/* ---- floating-point modes ---- */

/* Traps, with which an infinity ends the process; another rounding; no denormals, as with -ffast-math. */
static void modes_of_the_host(void) {
  static const int roundings[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  for (int threads = 1; threads <= 2; threads++) {
    life plain, other;
    CHECK(live(&plain, &(moon_config){.seed = 9, .threads = threads}));
    for (size_t i = 0; i < COUNT(roundings); i++) {
      feclearexcept(FE_ALL_EXCEPT);
      fesetround(roundings[i]);
      feenableexcept(FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW);
      bool good = live(&other, &(moon_config){.seed = 9, .threads = threads});
      int traps = fedisableexcept(FE_ALL_EXCEPT), rounding = fegetround(), raised = fetestexcept(FE_ALL_EXCEPT);
      fesetround(FE_TONEAREST);
      CHECK(good && same_life(&plain, &other));
      CHECK(traps == (FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW) && rounding == roundings[i]);
      CHECK(!(raised & (FE_DIVBYZERO | FE_INVALID | FE_OVERFLOW)));
      end(&other);
    }
#if defined(__SSE2__)
    unsigned before = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(before | 1 << 15 | 1 << 6);
    bool good = live(&other, &(moon_config){.seed = 9, .threads = threads});
    unsigned after = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(before);
    CHECK(good && same_life(&plain, &other) && (after & (1 << 15 | 1 << 6)) == (1 << 15 | 1 << 6));
    end(&other);
#endif
    end(&plain);
  }
}

/* ---- stacks ---- */

/* Run on a thread with a stack of this size, filled with a pattern. Return the number of bytes written to. */
static size_t stack_of(size_t bytes, void *(*run)(void *), void *arg) {
  enum { FILL = 0x5a };
  pthread_t thread;
  pthread_attr_t attributes;
  unsigned char *stack = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (stack == MAP_FAILED) return 0;
  memset(stack, FILL, bytes);
  pthread_attr_init(&attributes);
  CHECK(pthread_attr_setstack(&attributes, stack, bytes) == 0);
  CHECK(pthread_create(&thread, &attributes, run, arg) == 0 && pthread_join(thread, NULL) == 0);
  pthread_attr_destroy(&attributes);
  size_t untouched = 0;
  while (untouched < bytes && stack[untouched] == FILL) untouched++;
  munmap(stack, bytes);
  return bytes - untouched;
}

static void *nothing(void *arg) { return arg; }

static char saved[64]; /* path of a saved net */

static void *predict_and_load(void *arg) {
  rig *r = arg;
  moon_net *loaded;
  bool good = encode(r) == MOON_OK; /* the decoder's weights are tied */
  good = good && moon_net_load(r->ctx, &loaded, saved) == MOON_OK && same_weights(loaded, r->net);
  if (good) moon_net_release(loaded);
  r->evaluated = good;
  return NULL;
}

static void *train_and_more(void *arg) {
  life *l = arg;
  moon_tensor *bytes, *image;
  bool good = live(l, &(moon_config){.seed = 9, .threads = 2});
  good = good && moon_net_save(l->r.net, saved) == MOON_OK;
  good = good && moon_png_encode(l->r.x, &bytes) == MOON_OK;
  good = good && moon_png_decode(l->r.ctx, &image, moon_tensor_data(bytes), moon_tensor_bytes(bytes)) == MOON_OK;
  if (good) moon_tensor_release(image), moon_tensor_release(bytes);
  l->sums[11] = good;
  return NULL;
}

/* Nested brackets, as deep as the JSON parser allows. */
static void *load_deep(void *arg) {
  enum { DEPTH = 2000 };
  moon_ctx *ctx = NULL;
  moon_archive *archive;
  bool *good = arg;
  FILE *f = fopen(saved, "wb");
  if (!f || moon_ctx_new(&ctx, NULL) != MOON_OK) return NULL;
  uint64_t size = 5 + 2 * DEPTH + 1;
  fwrite(&size, sizeof size, 1, f);
  fputs("{\"a\":", f);
  for (int i = 0; i < DEPTH; i++) fputc('[', f);
  for (int i = 0; i < DEPTH; i++) fputc(']', f);
  fputc('}', f);
  fclose(f);
  *good = moon_archive_load(ctx, &archive, saved) == MOON_EFORMAT && strstr(moon_error(ctx), "deep");
  moon_ctx_release(ctx);
  return NULL;
}

/* The header promises that 64 KB are enough, and 32 KB to predict without tied weights. The thread itself needs the
** rest. */
static void small_stacks(void) {
  enum { ROOM = 256 << 10 };
  life plain, other;
  bool good = false;
  strcpy(saved, "/tmp/surroundingsXXXXXX");
  int fd = mkstemp(saved);
  CHECK(fd >= 0 && close(fd) == 0);
  size_t own = stack_of(ROOM, nothing, NULL);
  size_t all = stack_of(ROOM, train_and_more, &other) - own;
  CHECK(live(&plain, &(moon_config){.seed = 9, .threads = 2}) && other.sums[11] == 1);
  other.sums[11] = plain.sums[11];
  CHECK(same_life(&plain, &other));
  size_t serving = stack_of(ROOM, predict_and_load, &other.r) - own;
  CHECK(other.r.evaluated == 1);
  size_t deep = stack_of(ROOM, load_deep, &good) - own;
  CHECK(good);
#ifdef __OPTIMIZE__
  bool measured = !SANITIZED;
#else
  bool measured = false; /* stack frames are larger without optimisation */
#endif
  if (measured && (all > 64 << 10 || serving > 32 << 10 || deep > 32 << 10))
    fprintf(stderr, "stack: %zu bytes for all, %zu to predict, %zu for a deep file\n", all, serving, deep);
  CHECK(!measured || (all <= 64 << 10 && serving <= 32 << 10 && deep <= 32 << 10));
  end(&plain);
  end(&other);
  unlink(saved);
}

/* ---- address space ---- */

static size_t address_space(void) {
  unsigned long long pages = 0;
  FILE *f = fopen("/proc/self/statm", "r");
  if (!f || fscanf(f, "%llu", &pages) != 1) pages = 0;
  if (f) fclose(f);
  return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void limit_address_space(size_t more) {
  struct rlimit limit = {address_space() + more, RLIM_INFINITY};
  setrlimit(RLIMIT_AS, &limit);
}

/* 0: it worked; 1: it failed with a status, and worked once the limit was lifted; 2: neither. */
static int life_within(size_t more) {
  rig r = {0};
  size_t refused;
  moon_tensor *t = NULL;
  struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
  limit_address_space(more);
  moon_status status = moon_ctx_new(&r.ctx, &(moon_config){.threads = 2});
  for (size_t i = 0; status == MOON_OK && i < COUNT(stages); i++) status = stages[i](&r);
  if (status == MOON_OK) status = product(r.ctx, &t);
  if (status == MOON_OK) return 0;
  if (status != MOON_ENOMEM && status != MOON_ESTATE) return 2;
  setrlimit(RLIMIT_AS, &none);
  free_rig(&r);
  r = (rig){0};
  return moon_ctx_new(&r.ctx, &(moon_config){.threads = 2}) == MOON_OK && run_limited(&r, 0, &refused) &&
                 product(r.ctx, &t) == MOON_OK
             ? 1
             : 2;
}

static int in_child(int (*run)(size_t), size_t arg) {
  int status = -1;
  pid_t child = fork();
  if (child == 0) {
    alarm(60);
    _exit(run(arg));
  }
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* ulimit -v, where the engine's memory, BLIS's or the workers' stacks do not fit. */
static void little_address_space(void) {
  enum { GRAIN = 64 << 10, MOST = 320 };
  size_t refused = 0, good = 0;
  for (size_t i = 0; i < MOST; i++) {
    int result = in_child(life_within, i * GRAIN);
    if (result != 0 && result != 1) fprintf(stderr, "%zu KB more: %d\n", i * GRAIN >> 10, result);
    CHECK(result == 0 || result == 1);
    refused += result == 1;
    good += result == 0;
  }
  CHECK(refused > 10 && good > 10);
}

/* A planned step allocates nothing, BLIS included: rows and widths are large enough that BLIS computes the
** products. */
static int planned(size_t threads) {
  enum { MANY = 5000, BROAD = 700 };
  rig r = {0};
  double objective = -1;
  moon_option options[] = {number("in", BROAD), number("out", BROAD)};
  if (moon_ctx_new(&r.ctx, &(moon_config){.threads = (int)threads}) != MOON_OK) return 2;
  if (moon_layer_new(r.ctx, &r.layers[0], "dense", options, 2) != MOON_OK) return 3;
  if (moon_net_new(r.ctx, &r.net, r.layers, 1) != MOON_OK) return 4;
  if (moon_loss_new(r.ctx, &r.loss, "mse", NULL, 0) != MOON_OK || make_optim(&r) != MOON_OK) return 5;
  if (moon_tensor_new(r.ctx, &r.x, MOON_FLOAT32, 2, (size_t[]){MANY, BROAD}) != MOON_OK) return 6;
  if (moon_net_plan(r.net, MANY, 0, r.loss, r.opt) != MOON_OK) return 7;
  size_t held = moon_memory_used(r.ctx);
  limit_address_space(0);
  for (void *p; (p = malloc(1 << 12)) != NULL;) memset(p, 1, 8); /* use up malloc's free memory */
  for (void *p; (p = malloc(16)) != NULL;) memset(p, 1, 8);
  if (moon_net_step(r.net, &objective, r.x, NULL, r.loss, r.opt) != MOON_OK) return 8;
  return objective >= 0 && moon_memory_used(r.ctx) == held ? 0 : 9;
}

static void planned_runs_without_memory(void) {
  for (size_t threads = 1; threads <= 2; threads++) {
    int result = in_child(planned, threads);
    if (result) fprintf(stderr, "planned for %zu threads: %d\n", threads, result);
    CHECK(result == 0);
  }
}

/* ---- workers ---- */

static size_t threads_now(void) {
  size_t count = 0;
  DIR *d = opendir("/proc/self/task");
  for (struct dirent *e; d && (e = readdir(d)) != NULL;) count += e->d_name[0] != '.';
  if (d) closedir(d);
  return count;
}

/* Worker threads start only when the host asks for them and there is work, and end with the context. */
static void workers_are_lazy(void) {
  moon_tensor *x = NULL;
  size_t before = threads_now();
  rig r = make_rig(NULL);
  CHECK(moon_threads(r.ctx) == 1);
  CHECK(moon_tensor_new(r.ctx, &x, MOON_FLOAT32, 2, (size_t[]){600, WIDTH}) == MOON_OK);
  CHECK(moon_net_step(r.net, NULL, x, NULL, r.loss, r.opt) == MOON_OK && threads_now() == before);
  moon_tensor_release(x);
  free_rig(&r);

  r = make_rig(&(moon_config){.threads = 4});
  CHECK(step_rows(&r) == MOON_OK && threads_now() == before);
  CHECK(moon_tensor_new(r.ctx, &x, MOON_FLOAT32, 2, (size_t[]){4000, WIDTH}) == MOON_OK);
  CHECK(moon_net_step(r.net, NULL, x, NULL, r.loss, r.opt) == MOON_OK && threads_now() == before + 3);
  moon_tensor_release(x);
  free_rig(&r);
  CHECK(threads_now() == before);
}

/* ---- interrupts ---- */

static moon_status forward(rig *r) { return moon_net_forward(r->net, r->y, r->x, false); }
static moon_status batch(rig *r) { return moon_dataset_batch(r->data, r->x, NULL, 0, ROWS); }

/* Every call that runs batches checks for an interrupt before each. */
static void every_call_is_interrupted(void) {
  static stage *const calls[] = {step, step_rows, evaluate, forward, predict, encode, decode, errors, batch};
  rig r = make_rig(NULL);
  for (size_t i = 0; i < COUNT(calls); i++) {
    moon_interrupt(r.ctx);
    moon_interrupt(r.ctx);
    bool asked = calls[i](&r) == MOON_EINTERRUPT, again = calls[i](&r) == MOON_OK;
    if (!asked || !again) fprintf(stderr, "call %zu\n", i);
    CHECK(asked && again);
  }
  free_rig(&r);
}

/* ---- locales ---- */

/* A locale in which 0.5 is "0,5". It is made here, because a system may not have it. */
static bool set_comma_locale(const char *folder) {
  char command[300];
  snprintf(command, sizeof command, "localedef -c -i de_DE -f UTF-8 %s/comma >/dev/null 2>&1", folder);
  if (system(command) < 0 || setenv("LOCPATH", folder, 1) != 0 || !setlocale(LC_ALL, "comma")) return false;
  return strcmp(localeconv()->decimal_point, ",") == 0;
}

static char *file_of(life *l, size_t *size) {
  FILE *f = moon_net_save(l->r.net, saved) == MOON_OK ? fopen(saved, "rb") : NULL;
  char *bytes = calloc(1, 1 << 16);
  *size = f && bytes ? fread(bytes, 1, 1 << 16, f) : 0;
  if (f) fclose(f);
  return bytes;
}

static void locale_with_a_comma(void) {
  char folder[] = "/tmp/surroundingsXXXXXX", command[64];
  life plain, other;
  moon_net *loaded;
  size_t size, other_size;
  CHECK(mkdtemp(folder) != NULL && snprintf(saved, sizeof saved, "%s/net", folder) > 0);
  CHECK(live(&plain, &(moon_config){.seed = 9}));
  char *bytes = file_of(&plain, &size);
  if (set_comma_locale(folder)) {
    CHECK(live(&other, &(moon_config){.seed = 9}) && same_life(&plain, &other));
    CHECK(moon_net_load(other.r.ctx, &loaded, saved) == MOON_OK && same_weights(loaded, plain.r.net));
    char *other_bytes = file_of(&other, &other_size);
    CHECK(size > 1000 && size == other_size && memcmp(bytes, other_bytes, size) == 0);
    CHECK(strcmp(localeconv()->decimal_point, ",") == 0);
    free(other_bytes);
    moon_net_release(loaded);
    end(&other);
  } else {
    puts("skipped: the test of locales (localedef cannot make one; install Debian's package locales)");
  }
  setlocale(LC_ALL, "C");
  free(bytes);
  end(&plain);
  snprintf(command, sizeof command, "rm -r %s", folder);
  CHECK(system(command) == 0);
}

int main(void) {
  if (SANITIZED) {
    puts("skipped: the tests of address space (the sanitizers reserve most of it)");
  } else { /* first: later tests leave free memory in the pools of malloc and BLIS */
    planned_runs_without_memory();
    little_address_space();
  }
  modes_of_the_host();
  workers_are_lazy();
  every_call_is_interrupted();
  small_stacks();
  locale_with_a_comma();
  return check_report();
}
