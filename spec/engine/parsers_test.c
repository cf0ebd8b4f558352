/* parsers_test.c - branches of the parsers and writers that files_test.c does not reach: failing system calls (this
** program replaces those of the C library), sizes at their limits, JSON as it is written, and option types that only C
** can pass. Together the two run every line of the parsers (make coverage). */
#define _GNU_SOURCE /* AT_EMPTY_PATH */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../../csrc/engine/core/memory.h"
#include "../../csrc/engine/core/option.h"
#include "../../csrc/engine/formats/json.h"
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
  moon_tensor *bytes = NULL;
  char *words = malloc(SIZE + 1);
  memset(words, 'x', SIZE);
  words[SIZE] = 0;
  WORKS(moon_archive_new(ctx, &a));
  WORKS(moon_archive_set(a, "text", words));
  free(words);
  FAILS(moon_archive_save(a, path_of("none")), MOON_ERANGE, "the names and texts take more than 100000000 bytes");
  CHECK(access(path_of("none"), F_OK) != 0);
  FAILS(moon_archive_encode(a, &bytes), MOON_ERANGE, "the names and texts take more than 100000000 bytes");
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

/* ---- JSON as it is written ---- */

static void expect_written(mooni_json_writer *w, const char *expected) {
  char *text = NULL;
  mooni_json *root = NULL;
  WORKS(mooni_json_finish(w, &text));
  CHECK(text && strcmp(text, expected) == 0);
  if (!text || strcmp(text, expected) != 0) fprintf(stderr, "%s, expected %s\n", text, expected);
  if (text) WORKS(mooni_json_parse(ctx, &root, text, strlen(text), "the text"));
  mooni_free(ctx, root);
  mooni_free(ctx, text);
}

/* Short, and exact: each number is read back as the same bits. */
static void test_written_numbers(void) {
  static const struct {
    double number;
    const char *text;
  } cases[] = {{0, "0.0"},
               {-0.0, "-0.0"},
               {3, "3.0"},
               {-2.5, "-2.5"},
               {0.05, "0.050000000000000003"},
               {1e-5, "1.0000000000000001e-5"},
               {1e16, "10000000000000000.0"},
               {1e22, "1e22"},
               {1e300, "1.0000000000000001e300"},
               {5e-324, "4.9406564584124654e-324"},
               {1.7976931348623157e308, "1.7976931348623157e308"}};
  for (size_t i = 0; i < MOONI_COUNT(cases); i++) {
    mooni_json_writer w = {.ctx = ctx};
    mooni_json_real(&w, cases[i].number);
    expect_written(&w, cases[i].text);
    CHECK(strtod(cases[i].text, NULL) == cases[i].number);
  }
}

/* Rounded to the nearest double; the last two lie beside the middle of 1 and the next double, 772 digits away. */
static void test_read_numbers(void) {
  static const struct {
    const char *first;
    int zeros; /* that follow */
    const char *last;
    double number;
  } cases[] = {{"0.1", 0, "", 0x1.999999999999ap-4},
               {"-2.5e-3", 0, "", -0x1.47ae147ae147bp-9},
               {"1E+2", 0, "", 100},
               {"4.9406564584124654e-324", 0, "", 0x1p-1074},
               {"2.4703282292062327e-324", 0, "", 0},
               {"0.", 400, "1e401", 1},
               {"1", 300, ".0", 1e300},
               {"1.00000000000000011102230246251565404236316680908203125", 720, "", 1},
               {"1.00000000000000011102230246251565404236316680908203125", 720, "1", 0x1.0000000000001p0}};
  char text[1000];
  for (size_t i = 0; i < MOONI_COUNT(cases); i++) {
    mooni_json *root = NULL;
    int n = cases[i].zeros ? snprintf(text, sizeof text, "%s%0*d%s", cases[i].first, cases[i].zeros, 0, cases[i].last)
                           : snprintf(text, sizeof text, "%s", cases[i].first);
    WORKS(mooni_json_parse(ctx, &root, text, (size_t)n, "the text"));
    CHECK(root && root->type == MOONI_JSON_REAL && root->number == cases[i].number);
    if (root && root->number != cases[i].number) fprintf(stderr, "%s is read as %a\n", text, root->number);
    mooni_free(ctx, root);
  }
}

static void test_written_json(void) {
  mooni_json_writer w = {.ctx = ctx};
  mooni_json_open(&w, '{');
  mooni_json_key(&w, "a{");
  mooni_json_open(&w, '[');
  mooni_json_text(&w, "\"\\\b\f\n\r\t/\x01\x1f\x7f\xc3\xa9[");
  mooni_json_flag(&w, true);
  mooni_json_flag(&w, false);
  mooni_json_integer(&w, INT64_MIN);
  mooni_json_open(&w, '{');
  mooni_json_close(&w, '}');
  mooni_json_close(&w, ']');
  mooni_json_key(&w, "");
  mooni_json_text(&w, "");
  mooni_json_close(&w, '}');
  expect_written(&w, "{\"a{\":[\"\\\"\\\\\\b\\f\\n\\r\\t/\\u0001\\u001F\x7f\xc3\xa9[\",true,false,"
                     "-9223372036854775808,{}],\"\":\"\"}");
}

/* What was written before memory ran out is freed; what comes afterwards does no harm. */
static void test_writing_without_memory(void) {
  mooni_json_writer w = {.ctx = ctx};
  char *text = NULL;
  size_t used = moon_memory_used(ctx);
  mooni_json_open(&w, '[');
  moon_set_memory_limit(ctx, moon_memory_used(ctx) + 100);
  for (int i = 0; i < 1000; i++) mooni_json_integer(&w, i);
  moon_set_memory_limit(ctx, 0);
  for (int i = 0; i < 1000; i++) mooni_json_text(&w, "more");
  CHECK(mooni_json_finish(&w, &text) == MOON_ENOMEM && !text && strstr(moon_error(ctx), "out of memory"));
  CHECK(moon_memory_used(ctx) == used);
}

/* ---- */

int main(void) {
  static const char *const left[] = {"net", "old", "new", "large.png"};
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
  test_written_numbers();
  test_read_numbers();
  test_written_json();
  test_writing_without_memory();
  moon_net_release(net);
  CHECK(moon_memory_used(ctx) == 0);
  moon_ctx_release(ctx);
  for (size_t i = 0; i < MOONI_COUNT(left); i++) unlink(path_of(left[i]));
  CHECK(rmdir(folder) == 0);
  return check_report();
}
