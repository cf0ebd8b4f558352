/* files_test.c - every file format from C: round trips, accepted and refused files, truncation at every byte, damage
** to every byte, wrong headers, failing writes, out of memory at every allocation. */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "../../csrc/engine/core/memory.h"
#include "bytes.h"
#include "loading.h"

/* ---- helpers ---- */

static const char *write_file(const char *name, const void *data, size_t n) { return write_to(path_of(name), data, n); }

static moon_tensor *tensor(moon_dtype dtype, int rank, const size_t *shape, const double *values) {
  moon_tensor *t = NULL;
  moon_tensor_new(ctx, &t, dtype, rank, shape);
  for (size_t i = 0; values && i < moon_tensor_numel(t); i++) moon_tensor_set(t, i, values[i]);
  return t;
}

static bool has_shape(const moon_tensor *t, moon_dtype dtype, int rank, const size_t *shape) {
  if (moon_tensor_dtype(t) != dtype || moon_tensor_rank(t) != rank) return false;
  for (int i = 0; i < rank; i++)
    if (moon_tensor_shape(t)[i] != shape[i]) return false;
  return true;
}

static bool has_values(const moon_tensor *t, size_t n, const double *values) {
  if (moon_tensor_numel(t) != n) return false;
  for (size_t i = 0; i < n; i++)
    if (moon_tensor_get(t, i) != values[i]) return false;
  return true;
}

static bool same_tensor(const moon_tensor *a, const moon_tensor *b) {
  return moon_tensor_same_shape(a, b) && moon_tensor_dtype(a) == moon_tensor_dtype(b) &&
         !memcmp(moon_tensor_data(a), moon_tensor_data(b), moon_tensor_bytes(a));
}

LOADER(idx, moon_tensor, moon_idx_load, moon_tensor_release)

/* Every prefix of the file is refused with a format error. */
static void cut_everywhere(load_fn *load, const bytes *whole) {
  for (size_t n = 0; n < whole->size; n++) {
    const char *path = write_file("cut", whole->data, n);
    size_t used = moon_memory_used(ctx);
    moon_status status = load(ctx, path);
    if (status != MOON_EFORMAT) fprintf(stderr, "cut to %zu of %zu bytes: %s\n", n, whole->size, moon_error(ctx));
    CHECK(status == MOON_EFORMAT && strstr(moon_error(ctx), path));
    CHECK(moon_memory_used(ctx) == used);
  }
}

/* With any value in any byte, the loader returns a result or a message and leaks nothing. */
static void damage_everywhere(load_fn *load, const bytes *whole) {
  static bytes b;
  b = *whole;
  for (size_t i = 0; i < whole->size; i++) {
    uint8_t was = b.data[i], instead[] = {(uint8_t)~was, (uint8_t)(was ^ 1), (uint8_t)(was ^ 0x80), 0, '9', '"', '}'};
    for (size_t k = 0; k < sizeof instead; k++) {
      b.data[i] = instead[k];
      size_t used = moon_memory_used(ctx);
      moon_status status = load(ctx, write_file("damaged", b.data, b.size));
      CHECK(status == MOON_OK || status == MOON_EFORMAT);
      CHECK(moon_memory_used(ctx) == used);
    }
    b.data[i] = was;
  }
}

/* ---- each allocation fails once ---- */

static size_t allowed;

static void *rationed(void *ud, void *ptr, size_t osize, size_t nsize) {
  (void)ud, (void)osize;
  if (!nsize) {
    free(ptr);
    return NULL;
  }
  if (!allowed) return NULL;
  allowed--;
  return realloc(ptr, nsize);
}

typedef moon_status act_fn(moon_ctx *c, void *what);

/* Run with 0, 1, 2, ... allocations until it works. Each failure is MOON_ENOMEM and leaks nothing. */
static void starve(moon_ctx *c, act_fn *act, void *what) {
  moon_status status = MOON_ENOMEM;
  size_t used = moon_memory_used(c), n;
  for (n = 0; n < 5000 && status == MOON_ENOMEM; n++) {
    allowed = n;
    status = act(c, what);
    CHECK(moon_memory_used(c) == used);
  }
  allowed = SIZE_MAX;
  CHECK(status == MOON_OK && n > 1);
  if (status != MOON_OK) fprintf(stderr, "with %zu allocations: %s\n", n - 1, moon_error(c));
  CHECK(left_over() == 0);
}

/* ---- any file ---- */

static void test_paths(load_fn *load) {
  FAILS(load(ctx, ""), MOON_EIO, "cannot read '': the path is empty");
  FAILS(load(ctx, NULL), MOON_EIO, "the path is empty");
  FAILS(load(ctx, path_of("none")), MOON_EIO, "No such file");
  FAILS(load(ctx, folder), MOON_EIO, "Is a directory");
  FAILS(load(ctx, "/dev/zero"), MOON_EIO, "cannot read '/dev/zero': not a regular file");
  FAILS(load(ctx, path_of("fifo")), MOON_EIO, "not a regular file");
  FAILS(load(ctx, write_file("empty", "", 0)), MOON_EFORMAT, "/empty': ");
}

static void test_refused_paths(moon_archive *a) {
  FAILS(moon_archive_save(a, NULL), MOON_EIO, "cannot write '': the path is empty");
  FAILS(moon_archive_save(a, ""), MOON_EIO, "the path is empty");
  FAILS(moon_archive_save(a, folder), MOON_EIO, "Is a directory");
  FAILS(moon_archive_save(a, path_of("none/x")), MOON_EIO, "No such file");
  FAILS(moon_archive_save(a, path_of("none/")), MOON_EIO, "Is a directory");
  FAILS(moon_archive_save(a, "/dev/full"), MOON_EIO, "cannot write '/dev/full': not a regular file");
  FAILS(moon_archive_save(a, path_of("fifo")), MOON_EIO, "not a regular file");
  FAILS(moon_archive_save(a, path_of("empty/x")), MOON_EIO, "Not a directory");
  CHECK(left_over() == 0);
}

/* A file that exceeds the process's size limit fails midway: the old file stays, the temporary is removed. */
static void test_full_disk(void) {
  static bytes before, after;
  struct rlimit was, small;
  moon_archive *a = NULL;
  moon_tensor *t = tensor(MOON_FLOAT32, 1, (size_t[]){100000}, NULL);
  const char *path = write_file("old", "the old file", 12);
  moon_archive_new(ctx, &a);
  moon_archive_add(a, "t", t);
  signal(SIGXFSZ, SIG_IGN);
  getrlimit(RLIMIT_FSIZE, &was);
  small = was;
  small.rlim_cur = 65536;
  setrlimit(RLIMIT_FSIZE, &small);
  FAILS(moon_archive_save(a, path), MOON_EIO, "File too large");
  setrlimit(RLIMIT_FSIZE, &was);
  signal(SIGXFSZ, SIG_DFL);
  before.size = 12;
  memcpy(before.data, "the old file", 12);
  read_file(path, &after);
  CHECK(same_bytes(&before, &after));
  CHECK(left_over() == 0);
  WORKS(moon_archive_save(a, path));
  WORKS(load_archive(ctx, path));
  moon_archive_release(a);
  moon_tensor_release(t);
}

static void test_writing(void) {
  char name[256];
  struct stat about;
  moon_archive *a = NULL;
  moon_archive_new(ctx, &a);
  test_refused_paths(a);
  mode_t was = umask(027);
  WORKS(moon_archive_save(a, path_of("mode")));
  umask(was);
  CHECK(stat(path_of("mode"), &about) == 0 && (about.st_mode & 0777) == 0640);
  memset(name, 'n', sizeof name); /* the longest possible name: the temporary's name must not be longer */
  name[255] = 0;
  WORKS(moon_archive_save(a, path_of(name)));
  WORKS(load_archive(ctx, path_of(name)));
  char here[512];
  CHECK(getcwd(here, sizeof here) && chdir(folder) == 0);
  WORKS(moon_archive_save(a, "bare"));
  WORKS(load_archive(ctx, "bare"));
  CHECK(chdir(here) == 0);
  moon_archive_release(a);
  test_full_disk();
  CHECK(left_over() == 0);
}

static void expect_idx(const bytes *b, moon_dtype dtype, int rank, const size_t *shape, const double *values) {
  moon_tensor *t = NULL;
  WORKS(moon_idx_load(ctx, &t, write_file("idx", b->data, b->size)));
  if (!t) return;
  CHECK(has_shape(t, dtype, rank, shape));
  CHECK(has_values(t, moon_tensor_numel(t), values));
  moon_tensor_release(t);
}

static const uint8_t six[] = {0, 1, 127, 128, 254, 255};
static const double six_values[] = {0, 1, 127, 128, 254, 255};

static void test_idx_types(void) {
  static bytes b;
  make_idx(&b, 0x08, 2, (uint32_t[]){2, 3}, six, 6);
  expect_idx(&b, MOON_UINT8, 2, (size_t[]){2, 3}, six_values);
  make_idx(&b, 0x09, 1, (uint32_t[]){6}, six, 6);
  expect_idx(&b, MOON_FLOAT32, 1, (size_t[]){6}, (double[]){0, 1, 127, -128, -2, -1});
  make_idx(&b, 0x0B, 3, (uint32_t[]){1, 3, 1}, six, 6);
  expect_idx(&b, MOON_FLOAT32, 3, (size_t[]){1, 3, 1}, (double[]){1, 0x7f80, -257});
  make_idx(&b, 0x0C, 1, (uint32_t[]){2}, "\0\1\0\0\xff\xff\xff\xfe", 8);
  expect_idx(&b, MOON_FLOAT32, 1, (size_t[]){2}, (double[]){65536, -2});
  make_idx(&b, 0x0D, 4, (uint32_t[]){1, 1, 1, 2}, "\x3f\x80\0\0\xc0\x20\0\0", 8);
  expect_idx(&b, MOON_FLOAT32, 4, (size_t[]){1, 1, 1, 2}, (double[]){1, -2.5});
  make_idx(&b, 0x0E, 1, (uint32_t[]){1}, "\xbf\xe8\0\0\0\0\0\0", 8);
  expect_idx(&b, MOON_FLOAT32, 1, (size_t[]){1}, (double[]){-0.75});
  make_idx(&b, 0x08, 2, (uint32_t[]){0, 28}, NULL, 0);
  expect_idx(&b, MOON_UINT8, 2, (size_t[]){0, 28}, NULL);
}

static moon_status load_idx_bytes(const bytes *b) { return load_idx(ctx, write_file("idx", b->data, b->size)); }

static void test_idx_refused(void) {
  static bytes b, z;
  uint32_t huge = UINT32_MAX;
  make_idx(&b, 0x0A, 1, (uint32_t[]){6}, six, 6);
  FAILS(load_idx_bytes(&b), MOON_EFORMAT, "not an IDX file (magic 0x00000a01, expected 0x0000TTNN");
  make_idx(&b, 0x08, 5, (uint32_t[]){1, 1, 1, 1, 1}, six, 1);
  FAILS(load_idx_bytes(&b), MOON_EFORMAT, "5 dimensions, expected 1 to 4");
  make_idx(&b, 0x08, 0, NULL, six, 1);
  FAILS(load_idx_bytes(&b), MOON_EFORMAT, "0 dimensions");
  make_idx(&b, 0x08, 3, (uint32_t[]){60000, 28, 28}, six, 6);
  FAILS(load_idx_bytes(&b), MOON_EFORMAT, "truncated: header promises 47040000 bytes of data, the file holds 6");
  z.size = 0;
  gzip(&z, b.data, b.size);
  FAILS(load_idx_bytes(&z), MOON_EFORMAT, "more than the");
  make_idx(&b, 0x08, 1, (uint32_t[]){7}, six, 6);
  z.size = 0;
  gzip(&z, b.data, b.size);
  FAILS(load_idx_bytes(&z), MOON_EFORMAT, "truncated: header promises 7 bytes of data, the file holds 6");
  make_idx(&b, 0x08, 1, (uint32_t[]){5}, six, 6);
  FAILS(load_idx_bytes(&b), MOON_EFORMAT, "trailing bytes: header promises 5 bytes of data, the file holds 6");
  z.size = 0;
  gzip(&z, b.data, b.size);
  FAILS(load_idx_bytes(&z), MOON_EFORMAT, "trailing bytes: header promises 5");
  make_idx(&b, 0x0E, 4, (uint32_t[]){huge, huge, huge, huge}, six, 6);
  FAILS(load_idx_bytes(&b), MOON_EFORMAT, "more than memory can hold");
  make_idx(&b, 0x0E, 4, (uint32_t[]){0, huge, huge, huge}, NULL, 0);
  FAILS(load_idx_bytes(&b), MOON_EFORMAT, "more");
}

static void test_idx_gzip(void) {
  static bytes b, z;
  make_idx(&b, 0x08, 2, (uint32_t[]){2, 3}, six, 6);
  z.size = 0;
  gzip(&z, b.data, b.size);
  expect_idx(&z, MOON_UINT8, 2, (size_t[]){2, 3}, six_values);
  cut_everywhere(load_idx, &z);
  damage_everywhere(load_idx, &z);
  z.data[z.size - 5] ^= 1; /* the checksum's last byte */
  FAILS(load_idx_bytes(&z), MOON_EFORMAT, "damaged gzip data: incorrect data check");
  z.data[z.size - 5] ^= 1;
  put(&z, "junk", 4);
  FAILS(load_idx_bytes(&z), MOON_EFORMAT, "gzip");
  z.size = 0; /* member boundaries inside the header and the data, and an empty member */
  gzip(&z, b.data, 7);
  gzip(&z, b.data, 0);
  gzip(&z, b.data + 7, 7);
  gzip(&z, b.data + 14, b.size - 14);
  expect_idx(&z, MOON_UINT8, 2, (size_t[]){2, 3}, six_values);
}

/* Many chunks of doubles, for the loop over chunks; then a decompression bomb under a memory limit. */
static void test_idx_large(void) {
  static uint8_t zeros[1 << 20];
  static bytes z;
  moon_tensor *t = NULL;
  bytes *b = calloc(1, sizeof *b);
  make_idx(b, 0x0E, 2, (uint32_t[]){512, 256}, NULL, 0);
  uint8_t *raw = calloc(1, b->size + sizeof zeros);
  memcpy(raw, b->data, b->size);
  z.size = 0;
  gzip(&z, raw, b->size + sizeof zeros);
  WORKS(moon_idx_load(ctx, &t, write_file("large", z.data, z.size)));
  if (t) CHECK(moon_tensor_numel(t) == 131072 && moon_tensor_get(t, 131071) == 0);
  moon_tensor_release(t);
  moon_set_memory_limit(ctx, moon_memory_used(ctx) + 300000);
  FAILS(load_idx(ctx, path_of("large")), MOON_ENOMEM, "out of memory");
  moon_set_memory_limit(ctx, 0);
  free(raw);
  free(b);
}

static void test_idx(void) {
  static bytes b;
  test_paths(load_idx);
  test_idx_types();
  test_idx_refused();
  make_idx(&b, 0x0B, 3, (uint32_t[]){1, 3, 1}, six, 6);
  cut_everywhere(load_idx, &b);
  damage_everywhere(load_idx, &b);
  test_idx_gzip();
  test_idx_large();
}

/* ---- PNG ---- */

typedef struct png_spec {
  uint32_t width, height;
  uint8_t depth, colour, interlace;
  const void *palette, *transparency;
  size_t palette_size, transparency_size;
  const void *raw; /* the filtered rows */
  size_t raw_size;
} png_spec;

static void make_png(bytes *b, const png_spec *p) {
  static bytes head, packed;
  b->size = head.size = 0;
  put(b, "\x89PNG\r\n\x1a\n", 8);
  put_big(&head, p->width);
  put_big(&head, p->height);
  put(&head, (uint8_t[]){p->depth, p->colour, 0, 0, p->interlace}, 5);
  put_chunk(b, "IHDR", head.data, head.size);
  if (p->palette) put_chunk(b, "PLTE", p->palette, p->palette_size);
  if (p->transparency) put_chunk(b, "tRNS", p->transparency, p->transparency_size);
  uLongf n = sizeof packed.data;
  CHECK(compress(packed.data, &n, p->raw, p->raw_size) == Z_OK);
  put_chunk(b, "IDAT", packed.data, n);
  put_chunk(b, "IEND", NULL, 0);
}

static void expect_png(const png_spec *p, int rank, const size_t *shape, const double *values) {
  static bytes b;
  moon_tensor *t = NULL, *u = NULL;
  make_png(&b, p);
  WORKS(moon_png_decode(ctx, &t, b.data, b.size));
  WORKS(moon_png_read(ctx, &u, write_file("png", b.data, b.size)));
  if (t && u) {
    CHECK(has_shape(t, MOON_UINT8, rank, shape));
    CHECK(has_values(t, moon_tensor_numel(t), values));
    CHECK(same_tensor(t, u));
  }
  moon_tensor_release(t);
  moon_tensor_release(u);
  cut_everywhere(load_png, &b);
  damage_everywhere(load_png, &b);
}

#define RAW(text) .raw = text, .raw_size = sizeof text - 1

static void test_png_kinds(void) {
  enum { GREY = 0, RGB = 2, PALETTE = 3, GREY_ALPHA = 4, RGBA = 6 };
  static const char colours[] = "\1\2\3\4\5\6\xff\xfe\xfd";
  expect_png(&(png_spec){2, 2, 8, GREY, RAW("\0\0\1\0\xfe\xff")}, 2, (size_t[]){2, 2}, (double[]){0, 1, 254, 255});
  expect_png(&(png_spec){4, 1, 1, GREY, RAW("\0\xa0")}, 2, (size_t[]){1, 4}, (double[]){255, 0, 255, 0});
  expect_png(&(png_spec){3, 1, 2, GREY, RAW("\0\x1b")}, 2, (size_t[]){1, 3}, (double[]){0, 85, 170});
  expect_png(&(png_spec){2, 1, 4, GREY, RAW("\0\x1f")}, 2, (size_t[]){1, 2}, (double[]){17, 255});
  expect_png(&(png_spec){2, 1, 16, GREY, RAW("\0\x80\x80\xff\xff")}, 2, (size_t[]){1, 2}, (double[]){128, 255});
  expect_png(&(png_spec){2, 1, 8, RGB, RAW("\0\1\2\3\4\5\6")}, 3, (size_t[]){1, 2, 3}, (double[]){1, 2, 3, 4, 5, 6});
  expect_png(&(png_spec){1, 1, 16, RGBA, RAW("\0\x10\x10\x20\x20\x30\x30\x40\x40")}, 3, (size_t[]){1, 1, 4},
             (double[]){16, 32, 48, 64});
  expect_png(&(png_spec){1, 2, 8, GREY_ALPHA, RAW("\0\1\2\0\3\4")}, 3, (size_t[]){2, 1, 2}, (double[]){1, 2, 3, 4});
  expect_png(&(png_spec){3, 1, 2, PALETTE, .palette = colours, .palette_size = 9, RAW("\0\x60")}, 3,
             (size_t[]){1, 3, 3}, (double[]){4, 5, 6, 255, 254, 253, 1, 2, 3});
  expect_png(&(png_spec){2, 1, 8, PALETTE, .palette = colours, .palette_size = 9, .transparency = "\x10\x20",
                         .transparency_size = 2, RAW("\0\2\1")},
             3, (size_t[]){1, 2, 4}, (double[]){255, 254, 253, 255, 4, 5, 6, 32});
  expect_png(&(png_spec){2, 1, 8, GREY, .transparency = "\0\7", .transparency_size = 2, RAW("\0\7\x9")}, 3,
             (size_t[]){1, 2, 2}, (double[]){7, 0, 9, 255});
  /* Adam7, 3 x 2. The passes are (0,0); (2,0); the rest of row 0; row 1. Each row begins with its filter. */
  expect_png(&(png_spec){3, 2, 8, GREY, 1, RAW("\0\1\0\3\0\2\0\4\5\6")}, 2, (size_t[]){2, 3},
             (double[]){1, 2, 3, 4, 5, 6});
}

static moon_status decode(const bytes *b) {
  moon_tensor *t = NULL;
  moon_status status = moon_png_decode(ctx, &t, b->data, b->size);
  moon_tensor_release(t);
  return status;
}

static void test_png_refused(void) {
  static bytes b;
  b.size = 0;
  put(&b, "GIF89a-and-so-on", 16);
  FAILS(decode(&b), MOON_EFORMAT, "png: not a PNG: begins with 47 49 46 38 39 61 2d 61, expected 89 50 4e 47");
  make_png(&b, &(png_spec){50000, 40000, 8, 0, RAW("\0")});
  FAILS(decode(&b), MOON_EFORMAT, "header promises 50000 x 40000 pixels, more than the");
  make_png(&b, &(png_spec){1000000, 1000000, 8, 6, RAW("\0")});
  FAILS(decode(&b), MOON_EFORMAT, "expected at most 2147483648 bytes of pixels");
  make_png(&b, &(png_spec){2000000, 1, 8, 0, RAW("\0")});
  FAILS(decode(&b), MOON_EFORMAT, "damaged PNG: ");
  make_png(&b, &(png_spec){0, 1, 8, 0, RAW("\0")});
  FAILS(decode(&b), MOON_EFORMAT, "damaged PNG: ");
  make_png(&b, &(png_spec){2, 2, 8, 0, RAW("\0\1\2")});
  FAILS(decode(&b), MOON_EFORMAT, "damaged PNG: Not enough");
  make_png(&b, &(png_spec){2, 2, 8, 0, RAW("\0\1\2\0\3\4")});
  b.data[b.size - 1] ^= 1;
  FAILS(decode(&b), MOON_EFORMAT, "CRC");
  b.data[b.size - 1] ^= 1;
  moon_set_memory_limit(ctx, moon_memory_used(ctx) + 3000);
  FAILS(decode(&b), MOON_ENOMEM, "out of memory");
  moon_set_memory_limit(ctx, 0);
}

static void round_trip_png(const moon_tensor *image, int rank, const size_t *shape, const double *values) {
  moon_tensor *t = NULL, *code = NULL, *u = NULL;
  WORKS(moon_png_write(image, path_of("written")));
  WORKS(moon_png_read(ctx, &t, path_of("written")));
  WORKS(moon_png_encode(image, &code));
  if (code) WORKS(moon_png_decode(ctx, &u, moon_tensor_data(code), moon_tensor_numel(code)));
  if (t && u) CHECK(has_shape(t, MOON_UINT8, rank, shape) && same_tensor(t, u));
  if (t) CHECK(has_values(t, moon_tensor_numel(t), values));
  moon_tensor_release(t);
  moon_tensor_release(code);
  moon_tensor_release(u);
}

static void test_png_writing(void) {
  size_t flat[3] = {2, 3, 1};
  double bright[] = {-1, 0, NAN, 0.5, 1, INFINITY}, shades[] = {0, 0, 0, 128, 255, 255};
  moon_tensor *t = tensor(MOON_FLOAT32, 2, flat, bright);
  round_trip_png(t, 2, flat, shades);
  FAILS(moon_png_write(t, path_of("none/x.png")), MOON_EIO, "cannot write");
  FAILS(moon_png_write(t, folder), MOON_EIO, "Is a directory");
  moon_tensor_release(t);
  t = tensor(MOON_UINT8, 3, flat, six_values);
  round_trip_png(t, 2, flat, six_values);
  moon_tensor_release(t);
  for (size_t c = 2; c <= 4; c++) {
    size_t shape[3] = {3, 5, c};
    double values[60];
    for (int i = 0; i < 60; i++) values[i] = i * 4;
    t = tensor(MOON_UINT8, 3, shape, values);
    round_trip_png(t, 3, shape, values);
    moon_tensor_release(t);
  }
  size_t wrong[][3] = {{2, 3, 5}, {2, 3, 0}, {0, 3, 1}, {2, 0, 1}, {1, 1000001, 1}};
  for (size_t i = 0; i < MOONI_COUNT(wrong); i++) {
    t = tensor(MOON_UINT8, 3, wrong[i], NULL);
    FAILS(moon_png_write(t, path_of("wrong.png")), MOON_ESHAPE, "png: image is [");
    CHECK(access(path_of("wrong.png"), F_OK) != 0);
    moon_tensor_release(t);
  }
  t = tensor(MOON_UINT8, 1, flat, NULL);
  FAILS(moon_png_write(t, path_of("wrong.png")), MOON_ESHAPE, "png: image is [2] uint8, expected [h x w]");
  moon_tensor_release(t);
}

static void test_png(void) {
  test_paths(load_png);
  test_png_kinds();
  test_png_refused();
  test_png_writing();
}

/* ---- safetensors ---- */

static void make_archive(bytes *b, const char *header, const void *data, size_t n) {
  size_t size = strlen(header);
  b->size = 0;
  for (int i = 0; i < 8; i++) put(b, &(uint8_t){(uint8_t)((uint64_t)size >> 8 * i)}, 1);
  put(b, header, size);
  put(b, data, n);
}

/* A file with this header and n zero bytes of data. */
static moon_status load_header(const char *header, size_t n) {
  static bytes b;
  static const uint8_t zeros[256];
  make_archive(&b, header, zeros, n);
  return load_archive(ctx, write_file("st", b.data, b.size));
}

static const struct {
  const char *header;
  size_t data;
} accepted[] = {
    {"{}", 0},
    {"{}   ", 0},
    {"{\"__metadata__\":{}}", 0},
    {"{\"__metadata__\":{\"k\":\"v\",\"\":\"\"}}", 0},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1,2,1,2],\"data_offsets\":[0,4]}}", 4},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"more\":[{}]}}", 4},
    {"{\"\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1},
    {"{\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[1,4]},"
     "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
     4},
    {"{\"e\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
     "\"z\":{\"dtype\":\"F32\",\"shape\":[5,0],\"data_offsets\":[0,0]}}",
     2},
};

#define ENTRY(dtype, shape, offsets) \
  "{\"a\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"

static const struct {
  const char *header;
  size_t data;
  const char *message;
} refused[] = {
    {" {}", 0, "begins with byte 0x20, expected '{'"},
    {"[]", 0, "expected '{'"},
    {"{", 0, "a header of 1 bytes"},
    {"{\"a\"", 0, "not valid JSON"},
    {"{}x", 0, "not valid JSON"},
    {"{} {}", 0, "not valid JSON"},
    {"{\"\xff\":1}", 0, "not valid JSON"},
    {"{\"\\u0000\":1}", 0, "not valid JSON"},
    {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "duplicate"},
    {"{\"__metadata__\":{\"a\":\"b\",\"a\":\"b\"}}", 0, "duplicate"},
    {"{\"__metadata__\":[]}", 0, "__metadata__ is an array, expected an object"},
    {"{\"__metadata__\":{\"a\":1}}", 0, "'a' is an integer, expected a text"},
    {"{}", 1, "trailing bytes: header promises 0 bytes of data, the file holds 1"},
    {"{\"a\":1}", 0, "tensor 'a': not described by an object"},
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "no text 'dtype'"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "no array 'shape'"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "no 'data_offsets'"},
    {ENTRY("F31", "[1]", "[0,4]"), 4, "unknown dtype 'F31' (known: F32"},
    {ENTRY("F32", "[1,1,1,1,1]", "[0,4]"), 4, "5 dimensions, expected at most 4"},
    {ENTRY("F32", "[-1]", "[0,4]"), 4, "not a whole number"},
    {ENTRY("F32", "[1.0]", "[0,4]"), 4, "not a whole number"},
    {ENTRY("F32", "[\"1\"]", "[0,4]"), 4, "not a whole number"},
    {ENTRY("F32", "{}", "[0,4]"), 4, "no array 'shape'"},
    {ENTRY("F32", "[4294967296,4294967296]", "[0,0]"), 0, "more than memory can hold"},
    {ENTRY("F32", "[4611686018427387904]", "[0,0]"), 0, "more than memory can hold"},
    {ENTRY("U8", "[0,4294967296,4294967296]", "[0,0]"), 0, "more than memory can hold"},
    {ENTRY("F32", "[99999999999999999999]", "[0,0]"), 0, "not valid JSON"},
    {ENTRY("F32", "[1]", "[0]"), 4, "no 'data_offsets'"},
    {ENTRY("F32", "[1]", "[0,4,4]"), 4, "no 'data_offsets'"},
    {ENTRY("F32", "[1]", "[-4,0]"), 4, "no 'data_offsets'"},
    {ENTRY("F32", "[1]", "[4,0]"), 4, "data_offsets [4, 0] for F32 [1], which takes 4 bytes"},
    {ENTRY("F32", "[2]", "[0,4]"), 4, "for F32 [2], which takes 8 bytes"},
    {ENTRY("F16", "[2]", "[0,8]"), 8, "takes 4 bytes"},
    {ENTRY("F32", "[1]", "[4,8]"), 8, "begins at 4, expected 0 (a hole)"},
    {ENTRY("F32", "[1]", "[0,4]"), 3, "truncated: header promises 4 bytes of data, the file holds 3"},
    {ENTRY("F32", "[1]", "[0,4]"), 5, "trailing bytes"},
    {ENTRY("F32", "[1000000000]", "[0,4000000000]"), 8, "truncated: header promises 4000000000 bytes"},
    {"{\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[1,4]},"
     "\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}",
     4, "(an overlap)"},
    {"{\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]},"
     "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
     4, "(a hole)"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
     "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
     2, "duplicate"},
};

/* Valid and invalid JSON in an unknown field. */
static const char *const json_values[] = {"0",
                                          "-0",
                                          "-12",
                                          "9223372036854775807",
                                          "-9223372036854775808",
                                          "0.5",
                                          "-1.25e-3",
                                          "1E+2",
                                          "1e-400",
                                          "true",
                                          "false",
                                          "null",
                                          "[]",
                                          "{}",
                                          "[[],{\"\":[1,\"x\"]}]",
                                          "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
                                          "\"\\u00e9\\ud83d\\ude00\"",
                                          "\"\xf0\x9f\x98\x80\"",
                                          "\t1\r\n",
                                          "[ 1 , 2 ]"};
static const struct {
  const char *value, *message;
} not_json[] = {{"01", "is expected"},
                {"-", "a digit is expected"},
                {"1.", "a digit is expected"},
                {".5", "a digit is expected"},
                {"1e", "a digit is expected"},
                {"+1", "a digit is expected"},
                {"0x10", "is expected"},
                {"NaN", "a digit is expected"},
                {"1e400", "too large"},
                {"9223372036854775808", "more than 64 bits"},
                {"-9223372036854775809", "more than 64 bits"},
                {"tru", "a value is expected"},
                {"nul", "a value is expected"},
                {"[1,]", "a digit is expected"},
                {"[1 2]", "',' or the end"},
                {"{\"a\" 1}", "':' is expected"},
                {"{a:1}", "a text is expected"},
                {"{\"a\":1,}", "a text is expected"},
                {"'a'", "a digit is expected"},
                {"\"\\x\"", "unknown escape"},
                {"\"\\u12g4\"", "four hexadecimal digits"},
                {"\"\\ud83d\"", "half a surrogate pair"},
                {"\"\\ud83d\\u0041\"", "half a surrogate pair"},
                {"\"\\ude00\"", "half a surrogate pair"},
                {"\"\t\"", "control character"},
                {"\"\xc0\x80\"", "not UTF-8"},
                {"\"\xed\xa0\x80\"", "not UTF-8"},
                {"\"\xf5\x80\x80\x80\"", "not UTF-8"},
                {"", "a digit is expected"}};

static void test_json(void) {
  char header[256];
  static const char form[] = "{\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0],\"more\":%s}}";
  for (size_t i = 0; i < MOONI_COUNT(json_values); i++) {
    snprintf(header, sizeof header, form, json_values[i]);
    WORKS(load_header(header, 0));
  }
  for (size_t i = 0; i < MOONI_COUNT(not_json); i++) {
    snprintf(header, sizeof header, form, not_json[i].value);
    FAILS(load_header(header, 0), MOON_EFORMAT, not_json[i].message);
  }
}

static void test_archive_headers(void) {
  test_json();
  static bytes b;
  for (size_t i = 0; i < MOONI_COUNT(accepted); i++) WORKS(load_header(accepted[i].header, accepted[i].data));
  for (size_t i = 0; i < MOONI_COUNT(refused); i++)
    FAILS(load_header(refused[i].header, refused[i].data), MOON_EFORMAT, refused[i].message);
  b.size = 0; /* wrong lengths */
  put(&b, "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10);
  FAILS(load_archive(ctx, write_file("st", b.data, b.size)), MOON_EFORMAT, "18446744073709551615 bytes, expected 2 to");
  memcpy(b.data, "\0\xe1\xf5\5\0\0\0\0", 8);
  FAILS(load_archive(ctx, write_file("st", b.data, b.size)), MOON_EFORMAT, "expected a header of 100000000 bytes");
  char *deep = calloc(1, 5001);
  deep[0] = '{', deep[1] = '"', deep[2] = '"', deep[3] = ':';
  memset(deep + 4, '[', 4996);
  FAILS(load_header(deep, 0), MOON_EFORMAT, "nested more than 64 deep");
  for (size_t i = 5; i < 4998; i += 3) memcpy(deep + i, "{},", 3);
  FAILS(load_header(deep, 0), MOON_EFORMAT, "not valid JSON");
  for (size_t i = 4; i < 5000; i++) deep[i] = i == 4 ? '[' : i == 4999 ? '}' : i == 4998 ? ']' : i & 1 ? '1' : ',';
  FAILS(load_header(deep, 0), MOON_EFORMAT, "not described by an object");
  moon_set_memory_limit(ctx, moon_memory_used(ctx) + 100000); /* the parser's memory counts too */
  FAILS(load_header(deep, 0), MOON_ENOMEM, "out of memory");
  moon_set_memory_limit(ctx, 0);
  free(deep);
}

static void expect_widened(const char *dtype, size_t count, const void *data, size_t n, const double *values) {
  static bytes b;
  char header[160];
  moon_archive *a = NULL;
  snprintf(header, sizeof header, "{\"t\":{\"dtype\":\"%s\",\"shape\":[%zu],\"data_offsets\":[0,%zu]}}", dtype, count,
           n);
  make_archive(&b, header, data, n);
  WORKS(moon_archive_load(ctx, &a, write_file("st", b.data, b.size)));
  moon_tensor *t = a ? moon_archive_find(a, "t") : NULL;
  CHECK(t && has_values(t, count, values));
  CHECK(t && moon_tensor_dtype(t) == (strcmp(dtype, "U8") == 0 ? MOON_UINT8 : MOON_FLOAT32));
  moon_archive_release(a);
}

static void test_archive_types(void) {
  expect_widened("F32", 2, "\0\0\x80\x3f\0\0\x80\x7f", 8, (double[]){1, INFINITY});
  expect_widened("U8", 2, "\0\xff", 2, (double[]){0, 255});
  expect_widened("I8", 2, "\x7f\xff", 2, (double[]){127, -1});
  expect_widened("BOOL", 2, "\0\1", 2, (double[]){0, 1});
  expect_widened("I16", 2, "\xff\xff\0\1", 4, (double[]){-1, 256});
  expect_widened("U16", 1, "\xff\xff", 2, (double[]){65535});
  expect_widened("I32", 1, "\xfe\xff\xff\xff", 4, (double[]){-2});
  expect_widened("U32", 1, "\0\0\0\x80", 4, (double[]){2147483648.0});
  expect_widened("I64", 1, "\xff\xff\xff\xff\xff\xff\xff\xff", 8, (double[]){-1});
  expect_widened("U64", 1, "\0\0\0\0\0\0\0\x80", 8, (double[]){9223372036854775808.0});
  expect_widened("F64", 2, "\0\0\0\0\0\0\xe8\xbf\xff\xff\xff\xff\xff\xff\xef\x7f", 16, (double[]){-0.75, INFINITY});
  expect_widened("BF16", 2, "\x80\x3f\x20\xc0", 4, (double[]){1, -2.5});
  /* 1, -2, the largest, the smallest normal, the smallest of all, the largest subnormal, both infinities, minus zero */
  expect_widened("F16", 9, "\0\x3c\0\xc0\xff\x7b\0\4\1\0\xff\3\0\x7c\0\xfc\0\x80", 18,
                 (double[]){1, -2, 65504, 0x1p-14, 0x1p-24, 1023 * 0x1p-24, INFINITY, -INFINITY, -0.0});
}

/* NaN is data like any other. Types that are widened take more than one chunk. */
static void test_archive_data(void) {
  static bytes b;
  char header[160];
  moon_archive *a = NULL;
  make_archive(&b, ENTRY("F16", "[2]", "[0,4]"), "\1\x7e\xff\xff", 4);
  WORKS(moon_archive_load(ctx, &a, write_file("st", b.data, b.size)));
  for (size_t i = 0; a && i < 2; i++) CHECK(isnan(moon_tensor_get(moon_archive_find(a, "a"), i)));
  moon_archive_release(a);
  size_t n = 30000, head;
  snprintf(header, sizeof header, ENTRY("I64", "[%zu]", "[0,%zu]"), n, 8 * n);
  head = 8 + strlen(header);
  uint8_t *raw = calloc(1, head + 8 * n);
  raw[0] = (uint8_t)strlen(header);
  memcpy(raw + 8, header, head - 8);
  for (size_t i = 0; i < n; i++) raw[head + 8 * i] = (uint8_t)i, raw[head + 8 * i + 1] = (uint8_t)(i >> 8);
  a = NULL;
  WORKS(moon_archive_load(ctx, &a, write_file("st", raw, head + 8 * n)));
  bool right = a != NULL;
  for (size_t i = 0; a && i < n; i++) right = right && moon_tensor_get(moon_archive_find(a, "a"), i) == (double)i;
  CHECK(right);
  moon_archive_release(a);
  free(raw);
}

/* Five thousand tensors in the worst order. */
static void test_archive_order(void) {
  size_t n = 5000, size = 0;
  char *text = calloc(1, n * 80);
  uint8_t *raw = calloc(1, 8 + n * 81);
  for (size_t i = 0; i < n; i++) {
    size_t at = i * 2003 % n;
    size += (size_t)sprintf(text + size, "%c\"t%zu\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%zu,%zu]}",
                            i ? ',' : '{', at, at, at + 1);
  }
  text[size++] = '}';
  for (int i = 0; i < 8; i++) raw[i] = (uint8_t)(size >> 8 * i);
  memcpy(raw + 8, text, size);
  for (size_t i = 0; i < n; i++) raw[8 + size + i] = (uint8_t)i;
  moon_archive *a = NULL;
  WORKS(moon_archive_load(ctx, &a, write_file("many", raw, 8 + size + n)));
  bool right = a != NULL;
  for (size_t i = 0; a && i < n; i++) {
    const char *name = "";
    moon_tensor *t = NULL;
    char want[16];
    snprintf(want, sizeof want, "t%zu", i);
    right = right && moon_archive_tensor(a, i, &name, &t) && !strcmp(name, want) && moon_tensor_get(t, 0) == (uint8_t)i;
  }
  CHECK(right);
  moon_archive_release(a);
  free(text);
  free(raw);
}

/* An archive with a byte tensor, a float tensor, an empty tensor, a scalar, and texts. */
static moon_archive *sample_archive(void) {
  moon_archive *a = NULL;
  moon_tensor *parts[] = {
      tensor(MOON_UINT8, 1, (size_t[]){3}, six_values), tensor(MOON_FLOAT32, 2, (size_t[]){1, 2}, (double[]){0.5, -3}),
      tensor(MOON_FLOAT32, 2, (size_t[]){0, 4}, NULL), tensor(MOON_FLOAT32, 0, NULL, (double[]){7})};
  static const char *const names[] = {"bytes", "f/\"\\\n\xc3\xa9", "none", "scalar"};
  moon_archive_new(ctx, &a);
  for (size_t i = 0; i < 4; i++) {
    WORKS(moon_archive_add(a, names[i], parts[i]));
    moon_tensor_release(parts[i]);
  }
  WORKS(moon_archive_set(a, "key", "old"));
  WORKS(moon_archive_set(a, "text", "a \"text\"\n\x01 \xf0\x9f\x8c\x99"));
  WORKS(moon_archive_set(a, "key", "new"));
  return a;
}

static bool is_content(const moon_tensor *t, const bytes *b) {
  return moon_tensor_dtype(t) == MOON_UINT8 && moon_tensor_numel(t) == b->size &&
         memcmp(moon_tensor_data(t), b->data, b->size) == 0;
}

static void test_archive_round_trip(void) {
  static bytes one, two;
  moon_archive *a = sample_archive(), *b = NULL;
  const char *key, *value, *name;
  moon_tensor *t, *u;
  WORKS(moon_archive_save(a, path_of("a.st")));
  WORKS(moon_archive_load(ctx, &b, path_of("a.st")));
  if (!b) return;
  for (size_t i = 0; moon_archive_tensor(a, i, &name, &t); i++) {
    u = moon_archive_find(b, name);
    CHECK(u && same_tensor(t, u));
  }
  CHECK(!moon_archive_tensor(b, 4, &name, &t) && !moon_archive_find(b, "other") && !moon_archive_text(b, "other"));
  CHECK(moon_archive_entry(b, 0, &key, &value) && !strcmp(key, "key") && !strcmp(value, "new"));
  CHECK(moon_archive_entry(b, 1, &key, &value) && !strcmp(value, "a \"text\"\n\x01 \xf0\x9f\x8c\x99"));
  CHECK(!moon_archive_entry(b, 2, &key, &value));
  CHECK(moon_archive_tensor(b, 3, &name, NULL) && !strcmp(name, "bytes")); /* floats come first: they stay aligned */
  WORKS(moon_archive_save(b, path_of("b.st")));
  read_file(path_of("a.st"), &one);
  read_file(path_of("b.st"), &two);
  CHECK(same_bytes(&one, &two) && one.data[0] % 8 == 0);
  WORKS(moon_archive_encode(a, &t));
  CHECK(moon_tensor_rank(t) == 1 && is_content(t, &one));
  moon_tensor_release(t);
  cut_everywhere(load_archive, &one);
  damage_everywhere(load_archive, &one);
  moon_archive_release(a);
  moon_archive_release(b);
}

static void test_archive_entries(void) {
  static const char *const broken[] = {"\xff",     "\xc0\x80", "\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                       "\xe2\x82", "a\x80"};
  moon_archive *a = sample_archive();
  moon_tensor *t = tensor(MOON_UINT8, 1, (size_t[]){1}, NULL);
  FAILS(moon_archive_add(a, "none", t), MOON_ERANGE, "there is a tensor 'none' already");
  FAILS(moon_archive_add(a, "__metadata__", t), MOON_ERANGE, "cannot be named");
  FAILS(moon_archive_add(a, NULL, t), MOON_ERANGE, "expected");
  FAILS(moon_archive_set(a, "k", NULL), MOON_ERANGE, "expected");
  for (size_t i = 0; i < MOONI_COUNT(broken); i++) {
    FAILS(moon_archive_add(a, broken[i], t), MOON_ERANGE, "not UTF-8");
    FAILS(moon_archive_set(a, broken[i], ""), MOON_ERANGE, "not UTF-8");
    FAILS(moon_archive_set(a, "key", broken[i]), MOON_ERANGE, "'key' is not UTF-8");
  }
  CHECK(!strcmp(moon_archive_text(a, "key"), "new"));
  moon_tensor_release(t);
  moon_archive_release(a);
}

static void test_archive(void) {
  test_paths(load_archive);
  test_archive_headers();
  test_archive_types();
  test_archive_data();
  test_archive_order();
  test_archive_round_trip();
  test_archive_entries();
}

/* ---- nets ---- */

static moon_option number(const char *name, double v) { return (moon_option){name, MOON_NUMBER, v, 0, NULL, NULL}; }
static moon_option text(const char *name, const char *v) { return (moon_option){name, MOON_TEXT, 0, 0, v, NULL}; }

static moon_layer *make(moon_ctx *c, const char *kind, const moon_option *options, size_t count) {
  moon_layer *layer = NULL;
  moon_status status = moon_layer_new(c, &layer, kind, options, count);
  CHECK(status == MOON_OK);
  return layer;
}

static moon_layer *dense(moon_ctx *c, size_t in, size_t out, const char *activation, moon_layer *tied) {
  moon_option options[4] = {number("in", (double)in),
                            number("out", (double)out),
                            text("activation", activation),
                            {"tied", MOON_LAYER, 0, 0, NULL, tied}};
  moon_layer *layer = make(c, "dense", options, tied ? 4 : 3);
  moon_parameter bias;
  for (size_t i = 0; moon_layer_parameter(layer, i, &bias); i++)
    if (!strcmp(bias.name, "bias")) moon_tensor_uniform(bias.value, -1, 1);
  return layer;
}

/* A net with one layer of every kind, an activation layer, a layer used twice, and a tied layer. */
static moon_net *sample_net(moon_ctx *c) {
  moon_option gaussian[] = {number("sigma", 0.4), {"clip", MOON_RANGE, 0, 1, NULL, NULL}}, p = number("p", 0.25);
  moon_option kind = text("activation", "tanh"), name = text("name", "middle");
  moon_option full[] = {number("in", 2),
                        number("out", 2),
                        number("bias", 0),
                        number("activity_l1", 1e-5),
                        text("activity_reduction", "sum"),
                        number("weight_l1", 0.2),
                        number("weight_l2", 0.1),
                        text("activation", "relu"),
                        name};
  moon_layer *first = dense(c, 3, 2, "relu", NULL), *square = make(c, "dense", full, MOONI_COUNT(full));
  moon_layer *layers[] = {make(c, "gaussian_noise", gaussian, 2),
                          first,
                          make(c, "dropout", &p, 1),
                          square,
                          make(c, "masking_noise", &p, 1),
                          square,
                          make(c, "activation", &kind, 1),
                          dense(c, 2, 3, "sigmoid", first)};
  moon_net *net = NULL;
  moon_status status = moon_net_new(c, &net, layers, 8);
  CHECK(status == MOON_OK);
  moon_net_set_encoder(net, 3);
  for (size_t i = 0; i < 8; i++)
    if (i != 5) moon_layer_release(layers[i]);
  return net;
}

static bool same_option(const moon_option *a, const moon_option *b) {
  if (a->kind == MOON_TEXT) return !strcmp(a->text, b->text);
  if (a->kind == MOON_LAYER) return !a->layer == !b->layer;
  return (a->number == b->number || (isnan(a->number) && isnan(b->number))) &&
         (a->upper == b->upper || (isnan(a->upper) && isnan(b->upper)));
}

/* Both have the same layers, options and parameters, and share the same parts. */
static void compare_nets(const moon_net *a, const moon_net *b) {
  CHECK(moon_net_count(a) == moon_net_count(b) && moon_net_encoder(a) == moon_net_encoder(b));
  for (size_t i = 0; i < moon_net_count(a) && i < moon_net_count(b); i++) {
    moon_layer *x = moon_net_layer(a, i), *y = moon_net_layer(b, i);
    moon_option_info info;
    moon_parameter p, q;
    CHECK(!strcmp(moon_layer_kind(x), moon_layer_kind(y)));
    for (size_t k = 0; moon_option_describe(ctx, MOON_LAYERS, moon_layer_kind(x), k, &info); k++) {
      moon_option v, w;
      CHECK(moon_layer_get(x, info.name, &v) == MOON_OK && moon_layer_get(y, info.name, &w) == MOON_OK);
      CHECK(same_option(&v, &w));
    }
    for (size_t k = 0; moon_layer_parameter(x, k, &p); k++)
      CHECK(moon_layer_parameter(y, k, &q) && p.shared == q.shared && same_tensor(p.value, q.value));
    for (size_t k = 0; k < i; k++) CHECK((x == moon_net_layer(a, k)) == (y == moon_net_layer(b, k)));
  }
}

static bool same_output(moon_net *a, moon_net *b) {
  size_t n = 4, in = moon_net_inputs(a), out = moon_net_outputs(a);
  moon_tensor *x = tensor(MOON_FLOAT32, 2, (size_t[]){n, in}, NULL);
  moon_tensor *y = tensor(MOON_FLOAT32, 2, (size_t[]){n, out}, NULL),
              *z = tensor(MOON_FLOAT32, 2, (size_t[]){n, out}, NULL);
  moon_tensor_normal(x, 0, 1);
  WORKS(moon_net_predict(a, y, x, 0));
  WORKS(moon_net_predict(b, z, x, 0));
  bool same = moon_tensor_allclose(y, z, 1e-6, 1e-6);
  moon_tensor_release(x);
  moon_tensor_release(y);
  moon_tensor_release(z);
  return same;
}

/* The names and shapes are those of torch.nn.Sequential(Linear, ReLU, Dropout, Linear, ReLU, Linear, ReLU, Tanh,
** Linear, Sigmoid). */
static void expect_torch_names(const moon_archive *a) {
  static const struct {
    const char *name;
    int rank;
    size_t shape[2];
  } want[] = {{"0.weight", 2, {2, 3}}, {"0.bias", 1, {2}},      {"3.weight", 2, {2, 2}},
              {"5.weight", 2, {2, 2}}, {"8.weight", 2, {3, 2}}, {"8.bias", 1, {3}}};
  const char *name;
  moon_tensor *t;
  for (size_t i = 0; i < MOONI_COUNT(want); i++) {
    CHECK(moon_archive_tensor(a, i, &name, &t) && !strcmp(name, want[i].name));
    CHECK(has_shape(t, MOON_FLOAT32, want[i].rank, want[i].shape));
  }
  CHECK(!moon_archive_tensor(a, MOONI_COUNT(want), &name, &t));
  CHECK(!strcmp(moon_archive_text(a, "format"), "pt"));
  moon_tensor *w = moon_archive_find(a, "0.weight"), *v = moon_archive_find(a, "8.weight");
  CHECK(moon_tensor_get(w, 1) == moon_tensor_get(v, 2)); /* tied: v = w transposed */
}

static void test_net_round_trip(void) {
  static bytes one, two;
  moon_net *net = sample_net(ctx), *copy = NULL;
  moon_archive *a = NULL;
  moon_tensor *t = NULL;
  WORKS(moon_net_save(net, path_of("net")));
  moon_seed(ctx, 5);
  uint64_t expected = moon_random(ctx);
  moon_seed(ctx, 5);
  WORKS(moon_net_load(ctx, &copy, path_of("net")));
  CHECK(moon_random(ctx) == expected);
  if (!copy) return;
  compare_nets(net, copy);
  CHECK(same_output(net, copy));
  WORKS(moon_net_save(copy, path_of("copy")));
  read_file(path_of("net"), &one);
  read_file(path_of("copy"), &two);
  CHECK(same_bytes(&one, &two));
  WORKS(moon_net_to_bytes(net, &t));
  CHECK(is_content(t, &one));
  moon_tensor_release(t);
  cut_everywhere(load_net, &one);
  damage_everywhere(load_net, &one);
  WORKS(moon_archive_load(ctx, &a, path_of("net")));
  expect_torch_names(a);
  /* Linear and ReLU; Dropout; twice Linear and ReLU; Tanh; Linear and Sigmoid. The noise is no module. */
  size_t modules = 0;
  for (size_t i = 0; i < moon_net_count(net); i++) modules += moon_layer_modules(moon_net_layer(net, i));
  CHECK(modules == 10);
  moon_archive_release(a);
  moon_net_release(net);
  moon_net_release(copy);
}

/* A slice without the owner of a tied weight is saved with a copy of that weight. */
static void test_net_slice(void) {
  moon_net *net = sample_net(ctx), *half = NULL, *copy = NULL;
  moon_parameter p;
  WORKS(moon_net_slice(net, &half, 6, 2));
  WORKS(moon_net_save(half, path_of("half")));
  WORKS(moon_net_load(ctx, &copy, path_of("half")));
  if (copy) CHECK(same_output(half, copy));
  if (copy) CHECK(moon_layer_parameter(moon_net_layer(copy, 1), 0, &p) && !p.shared);
  moon_net_release(net);
  moon_net_release(half);
  moon_net_release(copy);
}

/* Other tensors in the archive stay. If a name is already taken, nothing changes. */
static void test_net_archive(void) {
  moon_net *net = sample_net(ctx), *copy = NULL;
  moon_archive *a = NULL, *b = NULL;
  moon_tensor *t = tensor(MOON_FLOAT32, 0, NULL, NULL);
  moon_archive_new(ctx, &a);
  moon_archive_new(ctx, &b);
  WORKS(moon_archive_add(a, "optimizer.m.0", t));
  WORKS(moon_net_to_archive(net, a));
  WORKS(moon_net_from_archive(ctx, &copy, a));
  if (copy) compare_nets(net, copy);
  WORKS(moon_archive_add(b, "8.bias", t));
  WORKS(moon_archive_set(b, "k", "v"));
  CHECK(moon_net_to_archive(net, b) == MOON_ERANGE);
  CHECK(!moon_archive_tensor(b, 1, NULL, NULL) && !moon_archive_entry(b, 1, NULL, NULL));
  WORKS(moon_archive_add(a, "9.weight", t));
  CHECK(moon_net_from_archive(ctx, &copy, a) == MOON_EFORMAT &&
        strstr(moon_error(ctx), "'9.weight' belongs to no layer"));
  moon_tensor_release(t);
  moon_archive_release(a);
  moon_archive_release(b);
  moon_net_release(net);
  moon_net_release(copy);
}

#define LAYERS(list) "{\"version\":1,\"encoder\":0,\"layers\":[" list "]}"
#define DENSE(options) "{\"kind\":\"dense\",\"options\":{" options "}}"
#define FITS DENSE("\"in\":3,\"out\":2")

static const struct {
  const char *json, *message;
} bad_nets[] = {
    {"", "not valid JSON"},
    {"[]", "moonglass: expected an object, got an array"},
    {"{}", "version: expected a whole number, got nothing"},
    {"{\"version\":2}", "a net of version 2, expected 1"},
    {"{\"version\":1}", "layers: expected an array, got nothing"},
    {"{\"version\":1,\"version\":1}", "duplicate"},
    {"{\"version\":1,\"encoder\":0,\"layers\":[]}", "a net of 0 layers"},
    {"{\"version\":1,\"encoder\":2,\"layers\":[" FITS "]}", "encoder: 2, expected 0 to 0"},
    {"{\"version\":1,\"encoder\":-1,\"layers\":[" FITS "]}", "encoder: -1, expected 0 to 0"},
    {"{\"version\":1,\"encoder\":1,\"layers\":[" FITS "]}", "encoder: 1, expected 0 to 0"},
    {"{\"version\":1,\"encoder\":0.5,\"layers\":[" FITS "]}", "encoder: expected a whole number, got a real number"},
    {"{\"version\":1,\"layers\":[" FITS "]}", "encoder: expected a whole number, got nothing"},
    {LAYERS("7"), "layer 1: expected an object"},
    {LAYERS("{\"kind\":\"dense\"}"), "layer 1: expected an object of 'kind' and 'options'"},
    {LAYERS("{\"kind\":1,\"options\":{}}"), "kind: expected a text, got an integer"},
    {LAYERS("{\"kind\":\"dens\",\"options\":{}}"),
     "layer 1: unknown layer 'dens'; did you mean 'dense'? (known: dense, "},
    {LAYERS("{\"kind\":\"dense\",\"options\":3}"), "options: expected an object, got an integer"},
    {LAYERS(DENSE("")), "layer 1 (dense): in: expected a whole number, got nothing"},
    {LAYERS(DENSE("\"in\":3,\"out\":2,\"wings\":2")), "unknown option 'wings' (known: in, out"},
    {LAYERS(DENSE("\"in\":\"3\",\"out\":2")), "in: expected a number, got a text"},
    {LAYERS(DENSE("\"in\":3,\"out\":2,\"bias\":1")), "bias: expected true or false, got an integer"},
    {LAYERS(DENSE("\"in\":3,\"out\":2,\"activation\":1")), "activation: expected a text, got an integer"},
    {LAYERS(DENSE("\"in\":3,\"out\":2,\"activation\":\"rel\"")), "unknown activation 'rel'"},
    {LAYERS(DENSE("\"in\":3,\"out\":2,\"tied\":0")), "tied to one another in a circle"},
    {LAYERS(DENSE("\"in\":3,\"out\":2,\"tied\":1")), "tied: 1, expected 0 to 0"},
    {LAYERS(DENSE("\"in\":3,\"out\":2,\"activity_l1\":-1")), "activity_l1 is -1"},
    {LAYERS(DENSE("\"in\":1000000000000000000,\"out\":2")),
     "tensor '0.weight' is [2 x 3], expected [2 x 1000000000000000000]"},
    {LAYERS(DENSE("\"in\":1e18,\"out\":2")), "in: expected a whole number, got a real number"},
    {LAYERS(DENSE("\"in\":-3,\"out\":2")), "in: -3, expected 0 to"},
    {LAYERS(DENSE("\"in\":2,\"out\":3")), "tensor '0.weight' is [2 x 3], expected [3 x 2] float32"},
    {LAYERS(FITS "," DENSE("\"in\":2,\"out\":1")), "layer 2 (dense): tensor '1.weight' [1 x 2] is missing"},
    {LAYERS(DENSE("\"in\":3,\"out\":2,\"bias\":false")), "tensor '0.bias' belongs to no layer"},
    {LAYERS("{\"kind\":\"dropout\",\"options\":{\"p\":0.5}}," FITS), "layer 2 (dense): tensor '1.weight'"},
    {LAYERS("{\"kind\":\"dropout\",\"options\":{\"p\":2}}," FITS), "layer 1 (dropout): dropout: p is 2"},
    {LAYERS("{\"kind\":\"gaussian_noise\",\"options\":{\"sigma\":1,\"clip\":[0]}}," FITS),
     "clip: expected an array of two"},
    {LAYERS("{\"kind\":\"gaussian_noise\",\"options\":{\"sigma\":1,\"clip\":[1,0]}}," FITS), "clip is {1, 0}"},
    {LAYERS("{\"kind\":\"repeat\",\"of\":0}"), "layer 1: of: 0, expected 0 to -1"},
    {LAYERS(FITS ",{\"kind\":\"repeat\",\"of\":1}"), "of: 1, expected 0 to 0"},
    {LAYERS(FITS ",{\"kind\":\"repeat\",\"of\":0}"), "layer 2 (dense): tensor '1.weight' [2 x 3] is missing"},
    {LAYERS(FITS ",{\"kind\":\"repeat\",\"of\":0},{\"kind\":\"repeat\",\"of\":1}"), "a repetition itself"},
    {LAYERS("{\"kind\":\"dropout\",\"options\":{\"p\":0}}"), "belongs to no layer"},
};

static moon_status try_json(moon_archive *a, const char *json) {
  moon_net *net = NULL;
  moon_archive_set(a, "moonglass", json);
  size_t used = moon_memory_used(ctx);
  moon_status status = moon_net_from_archive(ctx, &net, a);
  moon_net_release(net);
  CHECK(moon_memory_used(ctx) == used);
  return status;
}

static void test_net_refused(void) {
  moon_archive *a = NULL;
  moon_net *net = NULL;
  moon_tensor *w = tensor(MOON_FLOAT32, 2, (size_t[]){2, 3}, NULL), *b = tensor(MOON_FLOAT32, 1, (size_t[]){2}, NULL);
  moon_tensor *u = tensor(MOON_UINT8, 1, (size_t[]){2}, NULL);
  moon_archive_new(ctx, &a);
  FAILS(moon_net_from_archive(ctx, &net, a), MOON_EFORMAT, "no text entry 'moonglass'");
  WORKS(moon_archive_set(a, "mixed", "1"));
  FAILS(moon_net_from_archive(ctx, &net, a), MOON_EFORMAT,
        "a net with layers written in Lua: make it by the same code");
  WORKS(moon_archive_add(a, "0.weight", w));
  CHECK(failed(try_json(a, LAYERS(FITS)), MOON_EFORMAT, "layer 1 (dense): tensor '0.bias' [2] is missing", __LINE__));
  WORKS(moon_archive_add(a, "0.bias", b));
  WORKS(try_json(a, LAYERS(FITS)));
  for (size_t i = 0; i < MOONI_COUNT(bad_nets); i++)
    CHECK(failed(try_json(a, bad_nets[i].json), MOON_EFORMAT, bad_nets[i].message, __LINE__));
  WORKS(moon_archive_add(a, "1.weight", w));
  CHECK(failed(try_json(a, LAYERS(FITS)), MOON_EFORMAT, "tensor '1.weight' belongs to no layer", __LINE__));
  CHECK(failed(try_json(a, LAYERS(FITS "," DENSE("\"in\":3,\"out\":2,\"bias\":false"))), MOON_EFORMAT, "in layer 2",
               __LINE__)); /* widths that do not match */
  moon_archive_release(a);
  a = NULL;
  moon_archive_new(ctx, &a);
  WORKS(moon_archive_add(a, "0.weight", w));
  WORKS(moon_archive_add(a, "0.bias", u));
  CHECK(failed(try_json(a, LAYERS(FITS)), MOON_EFORMAT, "'0.bias' is [2] uint8, expected [2] float32", __LINE__));
  moon_archive_release(a);
  moon_tensor_release(w);
  moon_tensor_release(b);
  moon_tensor_release(u);
}

static void test_net(void) {
  test_paths(load_net);
  test_net_round_trip();
  test_net_slice();
  test_net_archive();
  test_net_refused();
  FAILS(load_net(ctx, path_of("a.st")), MOON_EFORMAT, "/a.st': no text entry 'moonglass'");
}

/* ---- out of memory ---- */

static moon_status act_load(moon_ctx *c, void *what) {
  static const struct {
    load_fn *load;
    const char *name;
  } files[] = {{load_idx, "plain.idx"},
               {load_idx, "packed.idx"},
               {load_png, "written"},
               {load_archive, "a.st"},
               {load_net, "net"}};
  size_t i = *(size_t *)what;
  return files[i].load(c, path_of(files[i].name));
}

static moon_status act_save_net(moon_ctx *c, void *net) {
  (void)c;
  return moon_net_save(net, path_of("starved"));
}

static moon_status act_encode_net(moon_ctx *c, void *net) {
  moon_tensor *t = NULL;
  (void)c;
  moon_status status = moon_net_to_bytes(net, &t);
  CHECK((status == MOON_OK) == (t != NULL));
  moon_tensor_release(t);
  return status;
}

static moon_status act_add_net(moon_ctx *c, void *net) {
  moon_archive *a = NULL;
  moon_status status = moon_archive_new(c, &a);
  if (status == MOON_OK) status = moon_net_to_archive(net, a);
  CHECK(!a || status == MOON_OK || (!moon_archive_tensor(a, 0, NULL, NULL) && !moon_archive_entry(a, 0, NULL, NULL)));
  moon_archive_release(a);
  return status;
}

static moon_status act_write_png(moon_ctx *c, void *image) {
  (void)c;
  return moon_png_write(image, path_of("starved"));
}

static moon_status act_encode_png(moon_ctx *c, void *image) {
  moon_tensor *t = NULL;
  (void)c;
  moon_status status = moon_png_encode(image, &t);
  moon_tensor_release(t);
  return status;
}

static void test_starvation(void) {
  static bytes b, z;
  moon_ctx *c = NULL;
  moon_tensor *image = NULL;
  make_idx(&b, 0x0B, 3, (uint32_t[]){1, 3, 1}, six, 6);
  write_file("plain.idx", b.data, b.size);
  z.size = 0;
  gzip(&z, b.data, b.size);
  write_file("packed.idx", z.data, z.size);
  allowed = SIZE_MAX;
  moon_ctx_new(&c, &(moon_config){.alloc = rationed});
  moon_net *net = sample_net(c);
  moon_tensor_new(c, &image, MOON_FLOAT32, 2, (size_t[]){5, 7});
  for (size_t i = 0; i < 5; i++) starve(c, act_load, &i);
  starve(c, act_save_net, net);
  starve(c, act_encode_net, net);
  starve(c, act_add_net, net);
  starve(c, act_write_png, image);
  starve(c, act_encode_png, image);
  moon_tensor_release(image);
  moon_net_release(net);
  moon_ctx_release(c);
}

/* ---- */

/* ---- any file ---- */

static bool contains(const char *path, const char *text) {
  char content[64] = "";
  FILE *f = fopen(path, "rb");
  size_t n = f ? fread(content, 1, sizeof content - 1, f) : 0;
  if (f) fclose(f);
  return f && n == strlen(text) && strcmp(content, text) == 0;
}

/* Write the parts one after the other. A failed write leaves the old file and no temporary. */
static void test_parts(void) {
  const moon_bytes parts[] = {{"one, ", 5}, {"", 0}, {"two", 3}}, other = {"other", 5};
  const char *path = path_of("parts.txt");
  CHECK(moon_file_write(ctx, path, parts, 3) == MOON_OK && contains(path, "one, two"));
  CHECK(moon_file_write(ctx, path, NULL, 0) == MOON_OK && contains(path, ""));
  CHECK(moon_file_write(ctx, path, parts, 1) == MOON_OK && contains(path, "one, "));
  CHECK(chmod(path, 0600) == 0 && moon_file_write(ctx, path_of("none/parts.txt"), &other, 1) == MOON_EIO);
  CHECK(strstr(moon_error(ctx), "none/parts.txt") != NULL && moon_file_write(ctx, folder, &other, 1) == MOON_EIO);
  struct stat info;
  path = path_of("parts.txt");
  CHECK(contains(path, "one, ") && moon_file_write(ctx, path, &other, 1) == MOON_OK && contains(path, "other"));
  CHECK(stat(path, &info) == 0 && (info.st_mode & 0777) == 0600 && left_over() == 0);
}

int main(void) {
  if (!mkdtemp(folder) || mkfifo(path_of("fifo"), 0600) || moon_ctx_new(&ctx, NULL) != MOON_OK) {
    perror(folder);
    return 2;
  }
  write_file("empty", "", 0);
  size_t used = moon_memory_used(ctx);
  test_writing();
  test_parts();
  test_idx();
  test_png();
  test_archive();
  test_net();
  test_starvation();
  CHECK(left_over() == 0);
  CHECK(moon_memory_used(ctx) <= used + (1 << 20)); /* BLIS keeps buffers for the shapes of the predictions */
  moon_ctx_release(ctx);
  remove_folder();
  return check_report();
}
