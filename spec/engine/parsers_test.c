/* parsers_test.c - branches of the parsers and writers that files_test.c does not reach: failing system calls (this
** program replaces those of the C library), jansson out of memory, sizes at their limits, and option types that only C
** can pass. Together the two run every line of the parsers (make coverage). */
#define _GNU_SOURCE /* AT_EMPTY_PATH */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../csrc/engine/core/memory.h"
#include "../../csrc/engine/core/option.h"
#include "loading.h"

/* ---- system calls: one of them fails a number of times, or one call is skipped ---- */

enum { NONE, OPEN, FSTAT, WRITE, FSYNC, CLOSE, RENAME };
static int failing, reason, times;

static bool fails(int call) {
  if (failing != call || !times) return false;
  times--;
  errno = reason;
  return true;
}

static void fail_next(int call, int error, int count) { failing = call, reason = error, times = count; }

int open(const char *path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  int mode = flags & O_CREAT ? va_arg(list, int) : 0;
  va_end(list);
  if (flags & O_EXCL && fails(OPEN)) return -1;
  return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int fstat(int fd, struct stat *about) {
  return fails(FSTAT) ? -1 : (int)syscall(SYS_newfstatat, fd, "", about, AT_EMPTY_PATH);
}

ssize_t write(int fd, const void *bytes, size_t size) {
  return fails(WRITE) ? -1 : (ssize_t)syscall(SYS_write, fd, bytes, size);
}

int fsync(int fd) { return fails(FSYNC) ? -1 : (int)syscall(SYS_fsync, fd); }

int close(int fd) {
  int rc = (int)syscall(SYS_close, fd);
  return fails(CLOSE) ? -1 : rc;
}

int rename(const char *from, const char *to) {
  return fails(RENAME) ? -1 : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

/* ---- jansson's memory ---- */

static size_t allowed = SIZE_MAX;

static void *rationed(size_t size) {
  if (!allowed) return NULL;
  if (allowed != SIZE_MAX) allowed--;
  return malloc(size);
}

/* ---- helpers ---- */

static moon_option number(const char *name, double v) { return (moon_option){name, MOON_NUMBER, v, 0, NULL, NULL}; }
static moon_option text(const char *name, const char *v) { return (moon_option){name, MOON_TEXT, 0, 0, v, NULL}; }

static moon_net *net_of(moon_layer *layer, size_t count) {
  moon_net *net = NULL;
  moon_layer **layers = malloc(count * sizeof *layers);
  for (size_t i = 0; i < count; i++) layers[i] = layer;
  WORKS(moon_net_new(ctx, &net, layers, count));
  free(layers);
  moon_layer_release(layer);
  return net;
}

static moon_layer *dense(const char *name) {
  moon_layer *layer = NULL;
  WORKS(
      moon_layer_new(ctx, &layer, "dense", (moon_option[]){number("in", 3), number("out", 2), text("name", name)}, 3));
  return layer;
}

/* ---- options ---- */

static moon_status make_dense(moon_option option) {
  moon_layer *layer = NULL;
  moon_status status = moon_layer_new(ctx, &layer, "dense", (moon_option[]){number("in", 3), number("out", 2), option},
                                      3);
  moon_layer_release(layer);
  return status;
}

static void test_options(void) {
  char name[MOONI_TEXT + 1] = "";
  memset(name, 'x', MOONI_TEXT);
  FAILS(make_dense(text("name", name)), MOON_ERANGE, "dense: name: expected a text of at most 63 bytes");
  FAILS(make_dense(text("name", NULL)), MOON_ERANGE, "dense: name: expected a text of at most 63 bytes");
  name[MOONI_TEXT - 1] = 0;
  WORKS(make_dense(text("name", name)));
  FAILS(make_dense(text("activity_l1", "1")), MOON_ETYPE, "dense: activity_l1 is a text, expected a number");
  FAILS(make_dense(number("name", 1)), MOON_ETYPE, "dense: name is a number, expected a text");
  FAILS(make_dense((moon_option){"tied", MOON_LAYER, 0, 0, NULL, NULL}), MOON_ETYPE, "dense: tied must be a layer");
  FAILS(make_dense(text("activity_reduction", "summ")), MOON_ERANGE,
        "dense: unknown activity_reduction 'summ'; did you mean 'sum'? (known: batchmean, sum)");
}

/* ---- system calls ---- */

static void test_reading(moon_net *net) {
  const char *path = path_of("net");
  WORKS(moon_net_save(net, path));
  fail_next(FSTAT, EIO, 1);
  FAILS(load_net(ctx, path), MOON_EIO, "Input/output error");
  fail_next(FSTAT, EACCES, 1);
  FAILS(load_archive(ctx, path), MOON_EIO, "Permission denied");
  CHECK(!times);
  WORKS(load_net(ctx, path));
}

static void test_writing(moon_net *net) {
  static const struct {
    int call, error, times;
    const char *message;
  } cases[] = {{OPEN, EEXIST, 100, "File exists"},
               {OPEN, EACCES, 1, "Permission denied"},
               {WRITE, ENOSPC, 1, "No space left on device"},
               {FSYNC, EIO, 1, "Input/output error"},
               {CLOSE, EIO, 1, "Input/output error"},
               {RENAME, EXDEV, 1, "Invalid cross-device link"}};
  static const struct {
    int call, error, times;
  } borne[] = {{OPEN, EEXIST, 3}, {OPEN, EINTR, 3},   {WRITE, EINTR, 3},
               {FSYNC, EINTR, 3}, {FSYNC, EINVAL, 1}, {CLOSE, EINTR, 1}};
  moon_tensor *image = NULL;
  struct stat before, after;
  WORKS(moon_tensor_new(ctx, &image, MOON_UINT8, 2, (size_t[]){4, 4}));
  WORKS(moon_net_save(net, path_of("old")));
  CHECK(stat(path_of("old"), &before) == 0);
  for (size_t i = 0; i < MOONI_COUNT(cases); i++) {
    fail_next(cases[i].call, cases[i].error, cases[i].times);
    FAILS(moon_net_save(net, path_of("old")), MOON_EIO, cases[i].message);
    fail_next(cases[i].call, cases[i].error, cases[i].times);
    FAILS(moon_png_write(image, path_of("old")), MOON_EIO, cases[i].message);
    CHECK(stat(path_of("old"), &after) == 0 && after.st_ino == before.st_ino);
    fail_next(NONE, 0, 0);
    WORKS(load_net(ctx, path_of("old")));
  }
  for (size_t i = 0; i < MOONI_COUNT(borne); i++) {
    fail_next(borne[i].call, borne[i].error, borne[i].times);
    WORKS(moon_net_save(net, path_of("new")));
    CHECK(!times);
    WORKS(load_net(ctx, path_of("new")));
  }
  FAILS(moon_file_rotate(ctx, path_of("old"), 0), MOON_ERANGE, "rotate: expected 1 to 10 files to keep, got 0");
  FAILS(moon_file_rotate(ctx, path_of("old"), 11), MOON_ERANGE, "rotate: expected 1 to 10 files to keep, got 11");
  moon_tensor_release(image);
}

/* ---- sizes at their limits ---- */

static void test_large_png(void) {
  const char *path = path_of("large.png");
  int fd = open(path, O_WRONLY | O_CREAT, 0600);
  CHECK(fd >= 0 && ftruncate(fd, ((off_t)1 << 31) + 1) == 0 && close(fd) == 0); /* a sparse file */
  FAILS(load_png(ctx, path), MOON_EFORMAT, "a PNG of 2147483649 bytes, expected at most 2147483648");
}

/* A header of more than 100,000,000 bytes, the limit of readers, is not written. */
static void test_large_header(void) {
  enum { SIZE = 100000000 };
  moon_archive *a = NULL;
  char *words = malloc(SIZE + 1);
  memset(words, 'x', SIZE);
  words[SIZE] = 0;
  WORKS(moon_archive_new(ctx, &a));
  WORKS(moon_archive_set(a, "text", words));
  free(words);
  FAILS(moon_archive_save(a, path_of("none")), MOON_ERANGE, "the names and texts take more than 100000000 bytes");
  CHECK(access(path_of("none"), F_OK) != 0);
  CHECK(moon_archive_retain(a) == a);
  moon_archive_release(a);
  CHECK(moon_archive_text(a, "text") != NULL);
  moon_archive_release(a);
}

static void test_nets_that_cannot_be_saved(void) {
  moon_option p = number("p", 0.5);
  moon_layer *dropout = NULL;
  WORKS(moon_layer_new(ctx, &dropout, "dropout", &p, 1));
  moon_net *net = net_of(dropout, 10001);
  FAILS(moon_net_save(net, path_of("none")), MOON_ERANGE, "a net of 10001 layers cannot be saved, at most 10000");
  moon_net_release(net);
  net = net_of(dense("\xff"), 1);
  FAILS(moon_net_save(net, path_of("none")), MOON_ERANGE, "the text of name is not UTF-8 and cannot be saved");
  moon_net_release(net);
}

/* ---- jansson may make 0, 1, 2, ... allocations, until it works ---- */

static moon_status save(moon_net *net) { return moon_net_save(net, path_of("starved")); }

static void starve(moon_status (*act)(moon_net *), moon_net *net) {
  moon_status status = MOON_ENOMEM;
  size_t used = moon_memory_used(ctx), n;
  for (n = 0; n < 5000 && status == MOON_ENOMEM; n++) {
    allowed = n;
    status = act(net);
    allowed = SIZE_MAX;
    CHECK(moon_memory_used(ctx) == used);
  }
  CHECK(status == MOON_OK && n > 2);
  if (status != MOON_OK) fprintf(stderr, "with %zu allocations: %s\n", n - 1, moon_error(ctx));
}

/* ---- */

int main(void) {
  static const char *const left[] = {"net", "old", "new", "large.png", "starved"};
  json_set_alloc_funcs(rationed, free);
  if (!mkdtemp(folder) || moon_ctx_new(&ctx, NULL) != MOON_OK) {
    perror(folder);
    return 2;
  }
  moon_net *net = net_of(dense("first"), 1);
  test_options();
  test_reading(net);
  test_writing(net);
  test_large_png();
  test_large_header();
  test_nets_that_cannot_be_saved();
  starve(save, net);
  moon_net_release(net);
  CHECK(moon_memory_used(ctx) == 0);
  moon_ctx_release(ctx);
  for (size_t i = 0; i < MOONI_COUNT(left); i++) unlink(path_of(left[i]));
  CHECK(rmdir(folder) == 0);
  return check_report();
}
