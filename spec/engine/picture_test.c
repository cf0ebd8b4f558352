/* picture_test.c - pictures from C: sizes by area against a direct sum in double, colours, alpha; formats by their
** first bytes; names in a folder; refusals. */
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "bytes.h"
#include "loading.h"

static moon_tensor *tensor(int rank, const size_t *shape) {
  moon_tensor *t = NULL;
  CHECK(moon_tensor_new(ctx, &t, MOON_UINT8, rank, shape) == MOON_OK);
  return t;
}

/* The part of 0 to 1 of pixel k that [from, to) covers. */
static double part(double from, double to, size_t k) {
  double low = fmax(from, (double)k), high = fmin(to, (double)k + 1);
  return high > low ? high - low : 0;
}

/* The value of a pixel in a channel of the result, over white. */
static double value(const uint8_t *p, size_t channels, int channel, bool grey) {
  double opacity = channels % 2 ? 1 : p[channels - 1] / 255.0;
  double v = channels < 3 ? p[0] : grey ? 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2] : p[channel];
  return v * opacity + 255 * (1 - opacity);
}

static double average(const moon_tensor *t, size_t channels, double top, double bottom, double left, double right,
                      int channel, bool grey) {
  const size_t *shape = moon_tensor_shape(t);
  double sum = 0;
  for (size_t y = 0; y < shape[0]; y++)
    for (size_t x = 0; x < shape[1]; x++)
      sum += part(top, bottom, y) * part(left, right, x) *
             value(moon_tensor_byte(t) + (y * shape[1] + x) * channels, channels, channel, grey);
  return sum / ((bottom - top) * (right - left));
}

/* Every byte of y is within rounding of the average that belongs there. */
static void expect_averages(const moon_tensor *y, const moon_tensor *t, size_t channels, bool invert) {
  const size_t *to = moon_tensor_shape(y), *from = moon_tensor_shape(t);
  bool grey = moon_tensor_rank(y) == 2;
  double high = (double)from[0] / (double)to[0], wide = (double)from[1] / (double)to[1];
  size_t wrong = 0, n = grey ? 1 : 3;
  for (size_t i = 0; i < to[0]; i++)
    for (size_t j = 0; j < to[1]; j++)
      for (size_t k = 0; k < n; k++) {
        double want = average(t, channels, (double)i * high, (double)(i + 1) * high, (double)j * wide,
                              (double)(j + 1) * wide, (int)k, grey);
        double got = moon_tensor_get(y, (i * to[1] + j) * n + k);
        wrong += fabs((invert ? 255 - got : got) - want) > 0.5 + 1e-9;
      }
  CHECK(wrong == 0);
}

static void test_averages(void) {
  static const size_t sizes[][4] = {{9, 7, 3, 4},   {9, 7, 9, 7}, {3, 2, 7, 11},
                                    {28, 28, 1, 1}, {1, 1, 4, 5}, {10, 3, 5, 8}};
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (size_t channels = 1; channels <= 4; channels++)
      for (int colours = 0; colours < 2; colours++) {
        moon_tensor *t = tensor(3, (size_t[]){sizes[s][0], sizes[s][1], channels});
        moon_tensor *y = tensor(colours ? 3 : 2, (size_t[]){sizes[s][2], sizes[s][3], 3});
        for (size_t i = 0; i < moon_tensor_numel(t); i++) moon_tensor_byte(t)[i] = (uint8_t)(i * 37 + i * i % 101);
        WORKS(moon_picture_resize(y, t, channels == 2));
        expect_averages(y, t, channels, channels == 2);
        moon_tensor_release(t);
        moon_tensor_release(y);
      }
}

/* The same size gives the same bytes; a multiple and back, too. White and black stay what they are. */
static void test_exact(void) {
  moon_tensor *t = tensor(2, (size_t[]){16, 16}), *y = tensor(2, (size_t[]){48, 80}),
              *z = tensor(2, (size_t[]){16, 16});
  for (size_t i = 0; i < 256; i++) moon_tensor_byte(t)[i] = (uint8_t)i;
  WORKS(moon_picture_resize(z, t, false));
  CHECK(!memcmp(moon_tensor_data(z), moon_tensor_data(t), 256));
  WORKS(moon_picture_resize(y, t, true));
  WORKS(moon_picture_resize(z, y, true));
  CHECK(!memcmp(moon_tensor_data(z), moon_tensor_data(t), 256));
  moon_tensor_release(t);
  moon_tensor_release(y);
  moon_tensor_release(z);
}

static void test_refused(void) {
  moon_tensor *t = tensor(2, (size_t[]){4, 4}), *floats = NULL, *none = tensor(2, (size_t[]){0, 4});
  moon_tensor *five = tensor(3, (size_t[]){4, 4, 5}), *two = tensor(3, (size_t[]){4, 4, 2}),
              *list = tensor(1, (size_t[]){4});
  WORKS(moon_tensor_new(ctx, &floats, MOON_FLOAT32, 2, (size_t[]){4, 4}));
  FAILS(moon_picture_resize(t, floats, false), MOON_ESHAPE,
        "the picture is [4 x 4], expected uint8 [h x w] or [h x w x 1..4]");
  FAILS(moon_picture_resize(floats, t, false), MOON_ESHAPE,
        "the result is [4 x 4], expected uint8 [h x w] or [h x w x 3]");
  FAILS(moon_picture_resize(two, t, false), MOON_ESHAPE, "the result is [4 x 4 x 2]");
  FAILS(moon_picture_resize(t, five, false), MOON_ESHAPE, "the picture is [4 x 4 x 5]");
  FAILS(moon_picture_resize(t, none, false), MOON_ESHAPE, "the picture is [0 x 4]");
  FAILS(moon_picture_resize(none, t, false), MOON_ESHAPE, "the result is [0 x 4]");
  FAILS(moon_picture_resize(t, list, false), MOON_ESHAPE, "the picture is [4]");
  WORKS(moon_picture_resize(t, two, false));
  moon_tensor_freeze(t);
  FAILS(moon_picture_resize(t, two, false), MOON_ESTATE, "picture_resize");
  moon_tensor *all[] = {t, floats, none, five, two, list};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) moon_tensor_release(all[i]);
}

static void test_kinds(void) {
  static const struct {
    const char *kind, *bytes;
    size_t size;
  } cases[] = {
      {"PNG", "\x89PNG\r\n\x1a\n", 8},
      {"JPEG", "\xff\xd8\xff\xe0\0\x10JFIF", 10},
      {"GIF", "GIF89a", 6},
      {"TIFF", "II*\0\x08\0", 6},
      {"TIFF", "MM\0*\0\0", 6},
      {"WebP", "RIFF\x10\0\0\0WEBPVP8 ", 16},
      {"HEIC",
       "\0\0\0\x18"
       "ftypheic",
       12},
      {"AVIF",
       "\0\0\0\x18"
       "ftypavif",
       12},
      {"BMP", "BM\x36\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", 18},
      {"PNM", "P5\n28 28\n", 9},
      {NULL, "BMW and other cars are no bitmaps", 33},
      {NULL, "P5", 2},
      {NULL, "\x89PNG\r\n\x1a", 7},
      {NULL, "", 0},
  };
  const char *kind = "unset";
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    WORKS(moon_picture_kind(ctx, &kind, write_to(path_of("kind"), cases[i].bytes, cases[i].size)));
    CHECK(cases[i].kind ? kind && !strcmp(kind, cases[i].kind) : !kind);
    if (cases[i].kind && i) FAILS(load_png(ctx, path_of("kind")), MOON_EFORMAT, "not a PNG");
  }
  write_to(path_of("kind"), "\xff\xd8\xff\xe0\0\x10JFIF", 10);
  FAILS(load_png(ctx, path_of("kind")), MOON_EFORMAT, "(it is JPEG: convert it, for example by ImageMagick's mogrify");
  FAILS(moon_picture_kind(ctx, &kind, path_of("none")), MOON_EIO, "No such file");
  FAILS(moon_picture_kind(ctx, &kind, path_of("fifo")), MOON_EIO, "not a regular file");
}

/* The names, with bars for the zero bytes. */
static void expect_names(const char *path, const char *names) {
  moon_tensor *t = NULL;
  WORKS(moon_folder_list(ctx, &t, path));
  if (!t) return;
  CHECK(moon_tensor_dtype(t) == MOON_UINT8 && moon_tensor_rank(t) == 1 && moon_tensor_numel(t) == strlen(names));
  for (size_t i = 0; i < moon_tensor_numel(t); i++) CHECK(moon_tensor_byte(t)[i] == (names[i] == '|' ? 0 : names[i]));
  moon_tensor_release(t);
}

static void test_folder(void) {
  static const char *const names[] = {"b", "10", "a", "B", ".hidden", "2"};
  char long_name[256], one[272], all[512];
  moon_tensor *t = NULL;
  CHECK(mkdir(path_of("list"), 0700) == 0);
  expect_names(path_of("list"), "");
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    snprintf(one, sizeof one, "list/%s", names[i]);
    write_to(path_of(one), "", 0);
  }
  expect_names(path_of("list"), ".hidden|10|2|B|a|b|");
  memset(long_name, 'c', 255);
  long_name[255] = 0;
  snprintf(one, sizeof one, "list/%s", long_name);
  write_to(path_of(one), "", 0);
  snprintf(all, sizeof all, ".hidden|10|2|B|a|b|%s|", long_name);
  expect_names(path_of("list"), all);
  FAILS(moon_folder_list(ctx, &t, path_of("none")), MOON_EIO, "No such file or directory");
  FAILS(moon_folder_list(ctx, &t, path_of("fifo")), MOON_EIO, "Not a directory");
  FAILS(moon_folder_list(ctx, &t, ""), MOON_EIO, "cannot read ''");
  FAILS(moon_folder_list(ctx, &t, NULL), MOON_EIO, "cannot read ''");
  CHECK(t == NULL);
  snprintf(all, sizeof all, "rm -rf '%s'", path_of("list"));
  CHECK(system(all) == 0);
}

int main(void) {
  if (!mkdtemp(folder) || mkfifo(path_of("fifo"), 0600) || moon_ctx_new(&ctx, NULL) != MOON_OK) {
    perror(folder);
    return 2;
  }
  size_t used = moon_memory_used(ctx);
  test_averages();
  test_exact();
  test_refused();
  test_kinds();
  test_folder();
  CHECK(moon_memory_used(ctx) == used && left_over() == 0);
  moon_ctx_release(ctx);
  remove_folder();
  return check_report();
}
