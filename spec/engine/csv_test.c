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
  if (end) CHECK(!*end && !memcmp(&fast, &expected, sizeof fast));
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

int main(void) {
  CHECK(mkdtemp(folder) && moon_ctx_new(&ctx, NULL) == MOON_OK);
  test_numbers();
  test_no_numbers();
  test_locale();
  test_errors_between_rows();
  test_misuse();
  test_long_lines();
  test_standard_input();
  test_growing_file();
  test_places();
  test_gzip();
  CHECK(moon_memory_used(ctx) == 0);
  moon_ctx_release(ctx);
  remove_folder();
  return check_report();
}
