/* csv_test.c - CSV files from C: numbers, errors between rows, the standard input, files that grow, places, gzip.
** What a text means is tested through Lua (api/csv_spec.lua, hostile/csv_damage_spec.lua). */
#define _GNU_SOURCE
#include <fcntl.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "../../csrc/engine/formats/number.h"
#include "loading.h"

static const moon_csv_config usual = {.size = sizeof usual};

static const char *file_of(const char *text) {
  const char *path = path_of("rows.csv");
  FILE *f = fopen(path, "wb");
  CHECK(f && fwrite(text, 1, strlen(text), f) == strlen(text) && fclose(f) == 0);
  return path;
}

static moon_csv *opened(const char *text, const moon_csv_config *config) {
  moon_csv *csv = NULL;
  WORKS(moon_csv_open(ctx, &csv, file_of(text), config));
  return csv;
}

static moon_tensor *matrix(size_t rows, size_t width) {
  moon_tensor *t = NULL;
  WORKS(moon_tensor_new(ctx, &t, MOON_FLOAT32, 2, (size_t[]){rows, width}));
  return t;
}

/* The next read gives these numbers, row by row. */
static void expect(moon_csv *csv, moon_tensor *x, size_t rows, const double *values) {
  size_t got = 99;
  WORKS(moon_csv_read(csv, x, NULL, &got));
  CHECK(got == rows);
  for (size_t i = 0; got == rows && i < rows * moon_csv_width(csv); i++) CHECK(moon_tensor_get(x, i) == values[i]);
}

static moon_status next(moon_csv *csv, moon_tensor *x) {
  size_t rows;
  return moon_csv_read(csv, x, NULL, &rows);
}

/* ---- numbers ---- */

static uint64_t random_bits(void) {
  static uint64_t s = 88172645463325252u;
  s ^= s << 13;
  s ^= s >> 7;
  return s ^= s << 17;
}

static void same_as_strtod(const char *text) {
  double expected = strtod(text, NULL), value = 0, fast;
  const mooni_number kind = mooni_number_read(text, text + strlen(text), '.', &value);
  CHECK(isinf(expected) ? kind == MOONI_TOO_LARGE : kind == MOONI_NUMBER && !memcmp(&value, &expected, sizeof value));
  const char *end = mooni_number_fast(text, '.', &fast);
  if (!end) return;
  const float as_float = (float)fast, wanted = (float)expected;
  CHECK(!*end && !memcmp(&as_float, &wanted, sizeof wanted));
  CHECK(fabs(fast - expected) <= 2 * (nextafter(fabs(expected), INFINITY) - fabs(expected)));
}

/* 19 digits around the middle between two floats, where the nearest double decides. */
static void test_middles(void) {
  char text[64];
  for (int i = 0; i < 20000; i++) {
    const float v = (float)(random_bits() >> 11) / (float)((uint64_t)1 << random_bits() % 60);
    double middle = ((double)v + (double)nextafterf(v, INFINITY)) / 2;
    for (int step = (int)(random_bits() % 13) - 6; step; step += step < 0 ? 1 : -1)
      middle = nextafter(middle, step < 0 ? -INFINITY : INFINITY);
    snprintf(text, sizeof text, "%.*g", 16 + (int)(random_bits() % 4), middle);
    same_as_strtod(text);
    snprintf(text, sizeof text, "%.*f", (int)(random_bits() % 19), middle);
    same_as_strtod(text);
  }
}

/* Numbers of any kind; those in the middle between two doubles; at the limits. */
static void test_numbers(void) {
  static const char *const texts[] = {"0",
                                      "-0",
                                      "1e23",
                                      "9007199254740993",
                                      "9007199254740992.5",
                                      "5e-324",
                                      "2.5e-324",
                                      "2.4703282292062327e-324",
                                      "2.4703282292062328e-324",
                                      "1.7976931348623157e308",
                                      "1.7976931348623159e308",
                                      "1e-400",
                                      "1e400",
                                      "2.2250738585072011e-308",
                                      ".5",
                                      "5.",
                                      "0.000000000000000000000000000000000001e36",
                                      "18446744073709551616",
                                      "1e99999999999999999999",
                                      "0e99999999999999999999",
                                      "1e-99999999999999999999"};
  char text[1200];
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) same_as_strtod(texts[i]);
  for (int i = 0; i < 20000; i++) {
    const uint64_t bits = random_bits();
    double v, above;
    memcpy(&v, &bits, sizeof v);
    if (!isfinite(v)) continue;
    snprintf(text, sizeof text, "%.*g", 1 + (int)(random_bits() % 25), v);
    same_as_strtod(text);
    snprintf(text, sizeof text, "%llu.%llue%d", (unsigned long long)(random_bits() >> random_bits() % 64),
             (unsigned long long)(random_bits() >> random_bits() % 64), (int)(random_bits() % 60) - 30);
    same_as_strtod(text);
    above = nextafter(v, INFINITY);
    if (i % 100 || fabs(v) > 1e200) continue;
    snprintf(text, sizeof text, "%.1000Lf", ((long double)v + (long double)above) / 2);
    same_as_strtod(text);
  }
}

static void test_no_numbers(void) {
  static const char *const texts[] = {"", "-", ".", "e5", "1e", "1e+", "0x10", "1_000", "1 2", "--1", "1.2.3", "inf"};
  double value;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
    CHECK(mooni_number_read(texts[i], texts[i] + strlen(texts[i]), '.', &value) == MOONI_NO_NUMBER);
  CHECK(mooni_number_read("1,5", "1,5" + 0, '.', &value) == MOONI_NO_NUMBER);
}

/* The locale's decimal comma changes nothing. */
static void test_locale(void) {
  if (!setlocale(LC_NUMERIC, "de_DE.UTF-8")) puts("skipped: there is no locale de_DE.UTF-8");
  moon_csv *csv = opened("a,b\n0.5,12345678901234567890.25e-19\n", NULL);
  moon_tensor *x = matrix(2, 2);
  expect(csv, x, 1, (double[]){0.5, (double)1.2345678901234567f});
  moon_csv_close(csv);
  moon_tensor_release(x);
  setlocale(LC_NUMERIC, "C");
}

/* ---- rows and errors ---- */

static void test_errors_between_rows(void) {
  moon_csv *csv = opened("a,b\n1,2\n3,x\n\"y\n\",4\n5,6\n7\n8,9\n", NULL);
  moon_tensor *x = matrix(8, 2);
  size_t lines[8];
  moon_csv_set_lines(csv, lines);
  expect(csv, x, 1, (double[]){1, 2});
  CHECK(lines[0] == 2 && moon_csv_line(csv) == 2);
  FAILS(next(csv, x), MOON_EFORMAT, "line 3, column 2 (b): found 'x', expected a number");
  CHECK(moon_csv_line(csv) == 3);
  FAILS(next(csv, x), MOON_EFORMAT, "line 4, column 1 (a): found 'y ', expected a number");
  expect(csv, x, 1, (double[]){5, 6});
  CHECK(lines[0] == 6);
  FAILS(next(csv, x), MOON_EFORMAT, "line 7: it has 1 cell, expected 2");
  expect(csv, x, 1, (double[]){8, 9});
  expect(csv, x, 0, NULL);
  expect(csv, x, 0, NULL);
  moon_csv_close(moon_csv_retain(csv));
  moon_csv_close(csv);
  moon_tensor_release(x);
}

static void test_misuse(void) {
  moon_csv *csv = opened("a,b\n1,2\n", NULL), *other = NULL;
  moon_tensor *x = matrix(2, 3), *y = matrix(2, 2);
  moon_csv_config config = usual;
  size_t n;
  FAILS(next(csv, x), MOON_ESHAPE, "csv: the result is [2 x 3], expected [rows x 2]");
  FAILS(moon_csv_read(csv, y, x, &n), MOON_ESTATE, "no column of labels was named");
  CHECK(!moon_csv_column(csv, 2) && !moon_csv_field(csv, 2) && !strcmp(moon_csv_field(csv, 1), "b"));
  config.size = 8;
  FAILS(moon_csv_open(ctx, &other, "x", &config), MOON_ERANGE, "expected sizeof(moon_csv_config)");
  config = usual;
  config.delimiter = '1';
  FAILS(moon_csv_open(ctx, &other, "x", &config), MOON_ERANGE, "csv: delimiter is '1'");
  config = usual;
  config.decimal = ';';
  FAILS(moon_csv_open(ctx, &other, "x", &config), MOON_ERANGE, "csv: decimal is ';'");
  CHECK(mkfifo(path_of("fifo"), 0600) == 0);
  FAILS(moon_csv_open(ctx, &other, path_of("fifo"), NULL), MOON_EIO, "not a regular file");
  FAILS(moon_csv_open(ctx, &other, path_of("none"), NULL), MOON_EIO, "No such file");
  FAILS(moon_csv_open(ctx, &other, folder, NULL), MOON_EIO, "Is a directory");
  moon_csv_close(csv);
  moon_csv_close(NULL);
  moon_tensor_release(x);
  moon_tensor_release(y);
}

/* A line longer than any is refused in the memory of a buffer, and then there is an end. */
static void test_long_lines(void) {
  const size_t size = (size_t)40 << 20;
  char *text = malloc(size + 1);
  memset(text, ' ', size);
  memcpy(text, "a,b\n1,\"", 7);
  text[size] = 0;
  const size_t used = moon_memory_used(ctx);
  moon_csv *csv = opened(text, NULL);
  moon_tensor *x = matrix(1, 2);
  CHECK(
      failed(next(csv, x), MOON_EFORMAT, "line 2: it is longer than 16 MB, or a quote in it is not closed", __LINE__));
  expect(csv, x, 0, NULL);
  CHECK(moon_memory_peak(ctx) < used + ((size_t)25 << 20));
  moon_csv_close(csv);
  moon_tensor_release(x);
  free(text);
}

/* ---- other sources of bytes ---- */

/* Rows come out of a pipe as they come in, and the standard input stays open. */
static void test_standard_input(void) {
  int ends[2], before = dup(0);
  moon_csv *csv = NULL;
  moon_tensor *x = matrix(8, 2);
  CHECK(pipe(ends) == 0 && dup2(ends[0], 0) == 0);
  CHECK(write(ends[1], "a,b\n1,2\n3,4\n5,", 14) == 14);
  WORKS(moon_csv_open(ctx, &csv, "-", NULL));
  expect(csv, x, 2, (double[]){1, 2, 3, 4});
  CHECK(write(ends[1], "6\n7,z\n8,9", 9) == 9);
  expect(csv, x, 1, (double[]){5, 6});
  FAILS(next(csv, x), MOON_EFORMAT, "'standard input': line 5, column 2 (b): found 'z'");
  moon_interrupt(ctx);
  FAILS(next(csv, x), MOON_EINTERRUPT, "");
  close(ends[1]);
  expect(csv, x, 1, (double[]){8, 9});
  expect(csv, x, 0, NULL);
  const moon_csv_place place = moon_csv_tell(csv);
  size_t most;
  FAILS(moon_csv_seek(csv, &place), MOON_ESTATE, "read from the beginning to the end only: it is a stream");
  FAILS(moon_csv_most_rows(csv, &most), MOON_ESTATE, "cannot be counted");
  moon_csv_close(csv);
  CHECK(fcntl(0, F_GETFD) >= 0);
  dup2(before, 0);
  close(before);
  close(ends[0]);
  moon_tensor_release(x);
}

static void append(const char *text) {
  FILE *f = fopen(path_of("rows.csv"), "ab");
  CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static void test_growing_file(void) {
  moon_csv_config config = usual;
  config.follow = true;
  moon_csv *csv = opened("a,b\n1,2\n3,", &config);
  moon_tensor *x = matrix(8, 2);
  expect(csv, x, 1, (double[]){1, 2});
  expect(csv, x, 0, NULL);
  append("4\nx");
  expect(csv, x, 1, (double[]){3, 4});
  expect(csv, x, 0, NULL);
  append(",5\n6,7\n");
  FAILS(next(csv, x), MOON_EFORMAT, "line 4, column 1 (a): found 'x'");
  expect(csv, x, 1, (double[]){6, 7});
  moon_csv_close(csv);
  moon_tensor_release(x);
}

static void test_places(void) {
  moon_csv *csv = opened("a,b\n1,2\n\"3\n\",4\n5,6\n7,8\n", &(moon_csv_config){.size = sizeof usual, .header = 1});
  moon_tensor *x = matrix(1, 2);
  size_t n = 0, most = 0;
  WORKS(moon_csv_skip(csv, 2, &n));
  CHECK(n == 2);
  const moon_csv_place place = moon_csv_tell(csv);
  CHECK(place.line == 5 && place.offset == 15);
  expect(csv, x, 1, (double[]){5, 6});
  WORKS(moon_csv_skip(csv, 9, &n));
  CHECK(n == 1);
  WORKS(moon_csv_seek(csv, &place));
  expect(csv, x, 1, (double[]){5, 6});
  expect(csv, x, 1, (double[]){7, 8});
  WORKS(moon_csv_most_rows(csv, &most));
  CHECK(most >= 4 && most <= 5);
  moon_csv_close(csv);
  moon_tensor_release(x);
}

static void test_gzip(void) {
  moon_csv *csv = NULL;
  moon_tensor *x = matrix(4, 1);
  const char *path = path_of("rows.csv.gz");
  const char *const values[] = {"yy", "x"};
  const moon_csv_category categories[] = {{"b", NULL, 0}, {"c", values, 2}};
  moon_csv_config config = {.size = sizeof config,
                            .columns = (const char *const[]){"b"},
                            .column_count = 1,
                            .label = "c",
                            .categories = categories,
                            .category_count = 2};
  gzFile gz = gzopen(path, "wb");
  CHECK(gz && gzputs(gz, "a,b,c\n1,u,x\n2,v,yy\n") > 0 && gzclose(gz) == Z_OK);
  WORKS(moon_csv_open(ctx, &csv, path, &config));
  moon_tensor *rows = matrix(4, 2), *labels = NULL;
  WORKS(moon_tensor_new(ctx, &labels, MOON_FLOAT32, 1, (size_t[]){4}));
  size_t n = 0, count = 0;
  CHECK(moon_csv_width(csv) == 2 && !strcmp(moon_csv_column(csv, 1), "b=v") && moon_csv_has_header(csv));
  WORKS(moon_csv_read(csv, rows, labels, &n));
  CHECK(n == 2 && moon_tensor_get(rows, 0) == 1 && moon_tensor_get(rows, 3) == 1 && moon_csv_missing(csv) == 0);
  CHECK(moon_tensor_get(labels, 0) == 1 && moon_tensor_get(labels, 1) == 0);
  CHECK(!strcmp(moon_csv_categories(csv, &count)[0].values[1], "v") && count == 1);
  CHECK(!strcmp(moon_csv_classes(csv, &count)[1], "x") && count == 2);
  const moon_csv_place place = moon_csv_tell(csv);
  FAILS(moon_csv_seek(csv, &place), MOON_ESTATE, "it is gzipped; unpack it first");
  moon_csv_close(csv);
  config.ignore = config.columns;
  config.ignore_count = 1;
  FAILS(moon_csv_open(ctx, &csv, path, &config), MOON_ERANGE, "columns and ignore are given, expected one of them");
  config.columns = NULL;
  config.category_count = 0;
  WORKS(moon_csv_open(ctx, &csv, path, &config));
  CHECK(moon_csv_width(csv) == 1 && !strcmp(moon_csv_column(csv, 0), "a"));
  moon_csv_close(csv);
  moon_tensor_release(labels);
  moon_tensor_release(rows);
  moon_tensor_release(x);
}

/* ---- names, texts, labels ---- */

static moon_status open_text(const char *text, const moon_csv_config *config) {
  moon_csv *csv = NULL;
  moon_status status = moon_csv_open(ctx, &csv, file_of(text), config);
  CHECK(!csv == (status != MOON_OK));
  moon_csv_close(csv);
  return status;
}

static void test_choices(void) {
  const char *const a[] = {"a"}, *const twice[] = {"x", "x"};
  moon_csv_category category = {"a", twice, 2};
  moon_csv_config config = {.size = sizeof config, .columns = a, .column_count = 1};
  FAILS(open_text("a,b,a\n1,2,3\n", &config), MOON_EFORMAT, "2 of its columns have the name 'a'; choose one by its");
  FAILS(open_text("\xfd"
                  "7zXZ\n",
                  NULL),
        MOON_EFORMAT, "not a CSV file: it is packed by xz");
  config.categories = &category;
  config.category_count = 1;
  FAILS(open_text("a,b\nx,2\n", &config), MOON_ERANGE, "the text 'x' is given twice");
  category.values = NULL;
  FAILS(open_text("a,b\n?,2\n,3\n", &config), MOON_EFORMAT, "its categorical columns have no texts");
  moon_csv *none = NULL;
  FAILS(moon_csv_open(ctx, &none, NULL, NULL), MOON_EIO, "the path is empty");
  FAILS(moon_csv_open(ctx, &none, "", NULL), MOON_EIO, "the path is empty");
}

/* A missing text is zeros, and counts as missing. */
static void test_missing_text(void) {
  const char *const values[] = {"x", "y"};
  const moon_csv_category category = {"a", values, 2};
  const moon_csv_config config = {.size = sizeof config, .categories = &category, .category_count = 1};
  moon_csv *csv = opened("a,b\nx,1\nNA,2\nz,3\n", &config);
  moon_tensor *x = matrix(3, 3);
  expect(csv, x, 3, (const double[]){1, 0, 1, 0, 0, 2, 0, 0, 3});
  CHECK(moon_csv_missing(csv) == 1);
  moon_csv_close(csv);
  moon_tensor_release(x);
}

static void test_labels(void) {
  const moon_csv_config config = {.size = sizeof config, .label = "y"};
  moon_csv *csv = opened("a,y\n1,5\n2,?\n3,bad\n4,6\n", &config);
  moon_tensor *x = matrix(2, 1), *labels = NULL, *wrong = matrix(2, 1);
  size_t rows = 9;
  WORKS(moon_tensor_new(ctx, &labels, MOON_FLOAT32, 1, (size_t[]){2}));
  FAILS(moon_csv_read(csv, x, wrong, &rows), MOON_ESHAPE, "the labels are [2 x 1], expected [2]");
  WORKS(moon_csv_read(csv, x, labels, &rows));
  CHECK(rows == 2 && moon_tensor_get(labels, 0) == 5 && isnan(moon_tensor_get(labels, 1)));
  FAILS(moon_csv_read(csv, x, labels, &rows), MOON_EFORMAT, "line 4, column 2 (y): found 'bad'");
  CHECK(strstr(moon_error(ctx), "expected a number, as the labels before it"));
  WORKS(moon_csv_read(csv, x, labels, &rows));
  CHECK(rows == 1 && moon_tensor_get(x, 0) == 4 && moon_tensor_get(labels, 0) == 6);
  moon_csv_close(csv);
  moon_tensor *list[] = {x, labels, wrong};
  for (size_t i = 0; i < sizeof list / sizeof *list; i++) moon_tensor_release(list[i]);
}

/* n rows, each with another text. */
static char *many_texts(size_t n) {
  const size_t room = 16 + 16 * n;
  char *text = malloc(room);
  size_t at = (size_t)snprintf(text, room, "a,y\n");
  for (size_t i = 0; i < n; i++) at += (size_t)snprintf(text + at, room - at, "%zu,t%zu\n", i, i);
  return text;
}

static void test_many_texts(void) {
  enum { CATEGORIES = 4096, CLASSES = 1 << 16 };
  const moon_csv_category category = {"y", NULL, 0};
  const moon_csv_config hot = {.size = sizeof hot, .categories = &category, .category_count = 1};
  const moon_csv_config labelled = {.size = sizeof labelled, .label = "y"};
  char *text = many_texts(CATEGORIES);
  WORKS(open_text(text, &hot));
  free(text);
  text = many_texts(CATEGORIES + 1);
  FAILS(open_text(text, &hot), MOON_EFORMAT, "expected at most 4096 different texts in a categorical column");
  free(text);
  text = many_texts(CLASSES + 1);
  moon_csv *csv = opened(text, &labelled);
  free(text);
  moon_tensor *x = matrix(CLASSES + 1, 1), *labels = NULL;
  size_t rows = 0, count = 0;
  WORKS(moon_tensor_new(ctx, &labels, MOON_FLOAT32, 1, (size_t[]){CLASSES + 1}));
  WORKS(moon_csv_read(csv, x, labels, &rows));
  CHECK(rows == CLASSES && moon_tensor_get(labels, CLASSES - 1) == CLASSES - 1);
  FAILS(moon_csv_read(csv, x, labels, &rows), MOON_EFORMAT, "expected at most 65536 different labels");
  CHECK(!strcmp(moon_csv_classes(csv, &count)[CLASSES - 1], "t65535") && count == CLASSES);
  moon_csv_close(csv);
  moon_tensor_release(labels);
  moon_tensor_release(x);
}

/* Categories have to be known before the standard input is read. */
static void test_texts_of_the_standard_input(void) {
  const int before = dup(0), file = open(file_of("a,b\nx,1\n"), O_RDONLY);
  const moon_csv_category category = {"a", NULL, 0};
  const moon_csv_config config = {.size = sizeof config, .categories = &category, .category_count = 1};
  moon_csv *csv = NULL;
  CHECK(before >= 0 && file >= 0 && dup2(file, 0) == 0);
  FAILS(moon_csv_open(ctx, &csv, "-", &config), MOON_ESTATE, "the standard input is read once only; give the values");
  CHECK(dup2(before, 0) == 0 && close(before) == 0 && close(file) == 0);
}

int main(void) {
  CHECK(mkdtemp(folder) && moon_ctx_new(&ctx, NULL) == MOON_OK);
  test_numbers();
  test_middles();
  test_no_numbers();
  test_locale();
  test_errors_between_rows();
  test_misuse();
  test_long_lines();
  test_standard_input();
  test_growing_file();
  test_places();
  test_gzip();
  test_choices();
  test_missing_text();
  test_labels();
  test_many_texts();
  test_texts_of_the_standard_input();
  CHECK(moon_memory_used(ctx) == 0);
  moon_ctx_release(ctx);
  remove_folder();
  return check_report();
}
