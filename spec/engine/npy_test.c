/* npy_test.c - NPY files from C: every type of numbers, both orders, three versions; what is refused, and in which
** words; mapped arrays; round trips. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "loading.h"

LOADER(npy, moon_tensor, moon_npy_load, moon_tensor_release)

/* ---- helpers ---- */

/* A file of a version with this header, as it stands, and these bytes. */
static const char *file_of(int version, const char *header, const void *data, size_t size) {
  static bytes b;
  size_t n = strlen(header);
  b.size = 0;
  put(&b, "\x93NUMPY", 6);
  put(&b, (uint8_t[]){(uint8_t)version, 0, (uint8_t)n, (uint8_t)(n >> 8), 0, 0}, version == 1 ? 4 : 6);
  put(&b, header, n);
  put(&b, data, size);
  return write_to(path_of("array.npy"), b.data, b.size);
}

/* The usual header. */
static const char *header_of(const char *descr, const char *order, const char *shape) {
  static char text[256];
  snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n", descr, order, shape);
  return text;
}

static void expect(const char *path, moon_dtype dtype, int rank, const size_t *shape, const double *values) {
  moon_tensor *t = NULL;
  WORKS(moon_npy_load(ctx, &t, path));
  if (!t) return;
  CHECK(moon_tensor_dtype(t) == dtype && moon_tensor_rank(t) == rank);
  for (int i = 0; i < rank && i < moon_tensor_rank(t); i++) CHECK(moon_tensor_shape(t)[i] == shape[i]);
  for (size_t i = 0; i < moon_tensor_numel(t); i++) CHECK(moon_tensor_get(t, i) == values[i]);
  moon_tensor_release(t);
}

#define SHAPE(...) \
  (int)(sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t)), (size_t[]) { __VA_ARGS__ }
#define VALUES(...) \
  (double[]) { __VA_ARGS__ }

/* ---- what is read ---- */

static void test_types(void) {
  static const struct {
    const char *descr, *data;
    size_t size;
    double values[2];
  } cases[] = {
      {"|b1", "\0\2", 2, {0, 1}},
      {"|i1", "\x7f\x80", 2, {127, -128}},
      {"<u1", "\x7f\x80", 2, {127, 128}},
      {"<i2", "\1\0\xfe\xff", 4, {1, -2}},
      {">i2", "\0\1\xff\xfe", 4, {1, -2}},
      {"<u2", "\1\0\xff\xff", 4, {1, 65535}},
      {">u2", "\0\1\xff\xff", 4, {1, 65535}},
      {"<i4", "\0\0\1\0\xfe\xff\xff\xff", 8, {65536, -2}},
      {">i4", "\0\1\0\0\xff\xff\xff\xfe", 8, {65536, -2}},
      {"<u4", "\0\0\1\0\xff\xff\xff\xff", 8, {65536, 4294967296.0}},
      {">u4", "\0\1\0\0\xff\xff\xff\0", 8, {65536, 4294967040.0}},
      {"<i8", "\1\0\0\1\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 16, {16777216, -1}}, /* 2^24 + 1 is not a float32 */
      {">i8", "\0\0\0\0\0\0\0\7\x80\0\0\0\0\0\0\0", 16, {7, -0x1p63}},
      {"<u8", "\7\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x80", 16, {7, 0x1p63}},
      {">u8", "\0\0\0\0\0\0\0\7\x80\0\0\0\0\0\0\0", 16, {7, 0x1p63}},
      {"<f2", "\x00\x3c\x01\x80", 4, {1, -0x1p-24}},
      {">f2", "\x3c\x00\x7c\x00", 4, {1, INFINITY}},
      {"<f4", "\0\0\x80\x3f\0\0\x20\xc0", 8, {1, -2.5}},
      {">f4", "\x3f\x80\0\0\xc0\x20\0\0", 8, {1, -2.5}},
      {"<f8", "\0\0\0\0\0\0\xe8\xbf\x9c\x75\x00\x88\x3c\xe4\x37\x7e", 16, {-0.75, INFINITY}},
      {">f8", "\xbf\xe8\0\0\0\0\0\0\x3f\xb9\x99\x99\x99\x99\x99\x9a", 16, {-0.75, 0.1f}},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (int version = 1; version <= 3; version++) {
      const char *path = file_of(version, header_of(cases[i].descr, "False", "(2,)"), cases[i].data, cases[i].size);
      expect(path, strcmp(cases[i].descr, "<u1") ? MOON_FLOAT32 : MOON_UINT8, SHAPE(2), cases[i].values);
    }
}

static void test_shapes(void) {
  static const uint8_t b[24] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23};
  expect(file_of(1, header_of("|u1", "False", "()"), "\5", 1), MOON_UINT8, 0, NULL, VALUES(5));
  expect(file_of(1, header_of("|u1", "True", "(3,)"), b, 3), MOON_UINT8, SHAPE(3), VALUES(0, 1, 2));
  expect(file_of(1, header_of("|u1", "False", "(2, 3)"), b, 6), MOON_UINT8, SHAPE(2, 3), VALUES(0, 1, 2, 3, 4, 5));
  expect(file_of(1, header_of("|u1", "True", "(2, 3)"), b, 6), MOON_UINT8, SHAPE(2, 3), VALUES(0, 2, 4, 1, 3, 5));
  expect(file_of(1, header_of("|i1", "True", "(2, 3)"), b, 6), MOON_FLOAT32, SHAPE(2, 3), VALUES(0, 2, 4, 1, 3, 5));
  expect(file_of(1, header_of("|i1", "True", "(1, 2, 1, 3)"), b, 6), MOON_FLOAT32, SHAPE(1, 2, 1, 3),
         VALUES(0, 2, 4, 1, 3, 5));
  expect(file_of(1, header_of("|i1", "True", "(2, 3, 4)"), b, 24), MOON_FLOAT32, SHAPE(2, 3, 4),
         VALUES(0, 6, 12, 18, 2, 8, 14, 20, 4, 10, 16, 22, 1, 7, 13, 19, 3, 9, 15, 21, 5, 11, 17, 23));
  expect(file_of(1, header_of("<f4", "True", "(0, 28)"), b, 0), MOON_FLOAT32, SHAPE(0, 28), NULL);
  expect(file_of(1, header_of("<f4", "True", "(0, 0, 5)"), b, 0), MOON_FLOAT32, SHAPE(0, 0, 5), NULL);
}

/* Columns of more rows than a tile has, and rows of more columns: element [i][k] is i + 3 k, modulo 251. */
static void test_tiles(void) {
  static const size_t shapes[][2] = {{1500, 130}, {2, 40000}, {1024, 64}, {1025, 65}, {60000, 2}};
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
    size_t height = shapes[s][0], width = shapes[s][1];
    char shape[64];
    snprintf(shape, sizeof shape, "(%zu, %zu)", height, width);
    const char *text = header_of("|u1", "True", shape);
    uint8_t *b = malloc(10 + strlen(text) + height * width), *p = b;
    memcpy(p, "\x93NUMPY\1\0", 8);
    p[8] = (uint8_t)strlen(text), p[9] = 0;
    memcpy(p + 10, text, strlen(text));
    p += 10 + strlen(text);
    for (size_t k = 0; k < width; k++)
      for (size_t i = 0; i < height; i++) *p++ = (uint8_t)((i + 3 * k) % 251);
    moon_tensor *t = NULL;
    WORKS(moon_npy_load(ctx, &t, write_to(path_of("tiles.npy"), b, (size_t)(p - b))));
    size_t wrong = 0;
    for (size_t i = 0; t && i < height; i++)
      for (size_t k = 0; k < width; k++) wrong += moon_tensor_byte(t)[i * width + k] != (i + 3 * k) % 251;
    CHECK(t && wrong == 0);
    moon_tensor_release(t);
    free(b);
  }
}

/* Headers that Python reads, and numpy would not write. */
static void test_headers(void) {
  static const char *const headers[] = {
      "{'shape':(2,),'descr':'|u1','fortran_order':False}",
      " {\"descr\" :\t\"|u1\" , \"fortran_order\" : True , \"shape\" : ( 2 , ) , } \n",
      "{'descr': '|u1', 'fortran_order': False, 'shape': (2L,), }        \n",
      "\n{'descr': '|u1',\n'fortran_order': False,\r\n'shape': (2,)}",
  };
  for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
    expect(file_of(1 + (int)i % 3, headers[i], "\3\4", 2), MOON_UINT8, SHAPE(2), VALUES(3, 4));
}

/* ---- what is refused ---- */

#define REFUSED(header, words) FAILS(load_npy(ctx, file_of(1, header, "\1\2\3\4", 4)), MOON_EFORMAT, words)
#define REFUSED_TYPE(descr, words) REFUSED(header_of(descr, "False", "(4,)"), words)
#define REFUSED_SHAPE(shape, words) REFUSED(header_of("|u1", "False", shape), words)

static void test_refused_types(void) {
  REFUSED_TYPE("<c8", "it holds complex numbers (descr '<c8'), expected numbers of 1 to 8 bytes: save numpy.stack(");
  REFUSED_TYPE("|O", "it holds Python objects, as a pickle (descr '|O'), expected numbers of 1 to 8 bytes");
  REFUSED_TYPE("<U3", "it holds texts");
  REFUSED_TYPE("|S4", "it holds texts");
  REFUSED_TYPE("<M8[ns]", "it holds dates (descr '<M8[ns]'), expected numbers of 1 to 8 bytes: save a.astype('int64')");
  REFUSED_TYPE("<m8[D]", "it holds spans of time");
  REFUSED_TYPE("|V2", "it holds records");
  REFUSED_TYPE("<f16", "it holds numbers of more than 8 bytes (descr '<f16')");
  REFUSED("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", "it holds records of several fields");
  REFUSED("{'descr': ('<f4', (2,)), 'fortran_order': False, 'shape': (1,)}", "it holds records of several fields");
  REFUSED_TYPE("", "unknown descr '' (known: b1, i1,");
  REFUSED_TYPE("u1", "unknown descr 'u1'");
  REFUSED_TYPE("=u1", "unknown descr '=u1'");
  REFUSED_TYPE("|i2", "unknown descr '|i2'");
  REFUSED_TYPE("<i3", "unknown descr '<i3'");
  REFUSED_TYPE("<", "unknown descr '<'");
  REFUSED_TYPE("|u1\\x00", "header: expected a quote at byte 14, found '\\'");
  REFUSED_TYPE("\xc3\xa9", "header: expected a quote at byte 11, found byte 0xc3");
  REFUSED_TYPE("<f4<f4<f4<f4<f4<f4<f4<f4<f4<f4<f4<f4", "header: expected a quote at byte 42");
  REFUSED("{'descr': 5, 'fortran_order': False, 'shape': (4,)}", "expected an element type at byte 10, found '5'");
}

static void test_refused_shapes(void) {
  REFUSED_SHAPE("(5,)", "/array.npy': truncated: header promises 5 bytes of data, the file holds 4");
  REFUSED_SHAPE("(3,)", "trailing bytes: header promises 3 bytes of data, the file holds 4");
  REFUSED_SHAPE("()", "trailing bytes: header promises 1 bytes of data, the file holds 4");
  REFUSED_SHAPE("(0, 4)", "trailing bytes: header promises 0 bytes");
  REFUSED_SHAPE("(4)", "expected a comma in the tuple of one number");
  REFUSED_SHAPE("4", "expected a tuple");
  REFUSED_SHAPE("[4]", "expected a tuple at byte 50, found '['");
  REFUSED_SHAPE("(-4,)", "expected a whole number of 0 or more at byte 51, found '-'");
  REFUSED_SHAPE("(4.0,)", "expected a comma");
  REFUSED_SHAPE("(,)", "expected a whole number");
  REFUSED_SHAPE("(2 2)", "expected a comma");
  REFUSED_SHAPE("(04,)", "expected no digit behind 0");
  REFUSED_SHAPE("(True,)", "expected a whole number");
  REFUSED_SHAPE("(10000000000000000004,)", "expected at most 19 digits");
  REFUSED_SHAPE("(1, 1, 1, 2, 2)", "an array of more than 4 dimensions: save a.reshape(len(a), -1), which has 2");
  REFUSED_SHAPE("(4294967296, 4294967296, 4)", "the header's [4294967296 x 4294967296 x 4] is more than memory can");
  FAILS(load_npy(ctx, file_of(1, header_of("<f8", "False", "(0, 4294967296, 4294967296, 4)"), "", 0)), MOON_EFORMAT,
        "more elements than memory can hold");
  REFUSED_SHAPE("(9000000000000000000,)", "truncated: header promises 9000000000000000000 bytes");
}

static void test_refused_headers(void) {
  REFUSED("", "header: expected '{' at byte 0, found its end");
  REFUSED("x", "header: expected '{' at byte 0, found 'x'");
  REFUSED("{}", "header: the key 'descr' is missing");
  REFUSED("{'descr': '|u1'}", "header: the key 'fortran_order' is missing");
  REFUSED("{'descr': '|u1', 'fortran_order': False}", "header: the key 'shape' is missing");
  REFUSED("{'descr': '|u1', 'descr': '|u1'}", "header: the key 'descr' twice");
  REFUSED("{'descr': '|u1', 'more': 1}", "header: unknown key 'more' (known: descr, fortran_order, shape)");
  REFUSED("{'descr' '|u1'}", "expected a colon");
  REFUSED("{'descr': '|u1' 'shape'", "expected a comma or '}' at byte 16");
  REFUSED("{'descr': '|u1', ", "expected a key in quotes at byte 17, found its end");
  REFUSED("{'descr': '|u1", "expected a quote at byte 14, found its end");
  REFUSED("{'descr': '|u1', 'fortran_order': false", "expected True or False at byte 34, found 'f'");
  REFUSED("{'descr': '|u1', 'fortran_order': Tru", "expected True or False");
  REFUSED("{descr: '|u1'}", "expected a key in quotes");
  REFUSED("{'descr': '|u1', 'fortran_order': False, 'shape': (4,)} x", "expected spaces only at byte 56, found 'x'");
  REFUSED("{'descr': '|u1', 'fortran_order': False, 'shape': (4,)}\n\1", "expected spaces only at byte 56");
  REFUSED("{'descr': '|u1', 'fortran_order': False, 'shape': (4", "expected a comma at byte 52, found its end");
}

static const char *raw(const void *data, size_t size) { return write_to(path_of("raw.npy"), data, size); }

static void test_refused_files(void) {
  static uint8_t large[70000 + 12] = "\x93NUMPY\2\0\x70\x11\1\0";
  FAILS(load_npy(ctx, raw("", 0)), MOON_EFORMAT, "/raw.npy': not an NPY file: begins with nothing");
  FAILS(load_npy(ctx, raw("\x93NUM", 4)), MOON_EFORMAT, "begins with 93 4e 55 4d, expected 93 4e 55 4d 50 59");
  FAILS(load_npy(ctx, raw("PK\3\4\5\6\7\10\11\12", 10)), MOON_EFORMAT, "a zip archive such as .npz: save each");
  FAILS(load_npy(ctx, raw("\x1f\x8b\10\0\0\0", 6)), MOON_EFORMAT, "gzip: unpack it by gunzip");
  FAILS(load_npy(ctx, raw("\x80\4\x95", 3)), MOON_EFORMAT, "a pickle perhaps");
  FAILS(load_npy(ctx, raw("\x93NUMPY", 6)), MOON_EFORMAT,
        "truncated: a header begins after 10 bytes, the file holds 6");
  FAILS(load_npy(ctx, raw("\x93NUMPY\2\0\1\0", 10)), MOON_EFORMAT, "truncated: a header begins after 12 bytes");
  FAILS(load_npy(ctx, raw("\x93NUMPY\4\0\1\0\0\0", 12)), MOON_EFORMAT, "NPY version 4.0, expected 1.0, 2.0 or 3.0");
  FAILS(load_npy(ctx, raw("\x93NUMPY\1\1\1\0\0\0", 12)), MOON_EFORMAT, "NPY version 1.1");
  FAILS(load_npy(ctx, raw("\x93NUMPY\0\0\1\0\0\0", 12)), MOON_EFORMAT, "NPY version 0.0");
  FAILS(load_npy(ctx, raw("\x93NUMPY\1\0\7\0{}", 12)), MOON_EFORMAT, "expected a header of 7 bytes, the file holds 2");
  FAILS(load_npy(ctx, raw("\x93NUMPY\2\0\xff\xff\xff\xff{}", 14)), MOON_EFORMAT, "a header of 4294967295 bytes");
  FAILS(load_npy(ctx, raw(large, sizeof large)), MOON_EFORMAT, "a header of 70000 bytes, expected at most 65536");
}

static void test_refused_paths(void) {
  FAILS(load_npy(ctx, ""), MOON_EIO, "cannot read '': the path is empty");
  FAILS(load_npy(ctx, path_of("none")), MOON_EIO, "No such file");
  FAILS(load_npy(ctx, folder), MOON_EIO, "Is a directory");
  FAILS(load_npy(ctx, "/dev/zero"), MOON_EIO, "not a regular file");
  alarm(60); /* a call that waits for the FIFO is killed */
  FAILS(load_npy(ctx, path_of("fifo")), MOON_EIO, "not a regular file");
  moon_tensor *t = NULL;
  WORKS(moon_tensor_new(ctx, &t, MOON_FLOAT32, SHAPE(2)));
  FAILS(moon_npy_save(t, path_of("fifo")), MOON_EIO, "not a regular file");
  FAILS(moon_npy_save(t, path_of("none/x")), MOON_EIO, "No such file");
  FAILS(moon_npy_save(t, NULL), MOON_EIO, "the path is empty");
  alarm(0);
  moon_tensor_release(t);
}

/* ---- large files, and writing ---- */

static void test_mapped(void) {
  moon_tensor *t = NULL, *u = NULL;
  enum { ROWS = 512, WIDTH = 513 };
  WORKS(moon_tensor_new(ctx, &t, MOON_FLOAT32, SHAPE(ROWS, WIDTH)));
  for (size_t i = 0; i < ROWS * WIDTH; i++) moon_tensor_set(t, i, (double)i);
  const char *path = path_of("large.npy");
  WORKS(moon_npy_save(t, path));
  size_t used = moon_memory_used(ctx);
  WORKS(moon_npy_load(ctx, &u, path_of("large.npy")));
  CHECK(moon_memory_used(ctx) < used + 4096);
  CHECK(u && moon_tensor_same_shape(t, u));
  CHECK(u && !memcmp(moon_tensor_data(t), moon_tensor_data(u), moon_tensor_bytes(t)));
  if (u) moon_tensor_set(u, 0, 5); /* in memory only */
  moon_tensor_release(u);
  u = NULL;
  WORKS(moon_npy_load(ctx, &u, path_of("large.npy")));
  CHECK(u && moon_tensor_get(u, 0) == 0);
  moon_tensor_release(u);
  moon_tensor_release(t);
}

static void test_written(void) {
  static const size_t shape[] = {3, 1, 2, 4};
  static bytes b;
  for (int rank = 0; rank <= 4; rank++)
    for (int dtype = 0; dtype < 2; dtype++) {
      moon_tensor *t = NULL, *u = NULL;
      WORKS(moon_tensor_new(ctx, &t, dtype ? MOON_UINT8 : MOON_FLOAT32, rank, shape));
      for (size_t i = 0; i < moon_tensor_numel(t); i++) moon_tensor_set(t, i, (double)i + (dtype ? 0 : 0.5));
      WORKS(moon_npy_save(t, path_of("written.npy")));
      read_file(path_of("written.npy"), &b);
      CHECK((b.size - moon_tensor_bytes(t)) % 64 == 0 && b.data[b.size - moon_tensor_bytes(t) - 1] == '\n');
      WORKS(moon_npy_load(ctx, &u, path_of("written.npy")));
      CHECK(u && moon_tensor_dtype(u) == moon_tensor_dtype(t) && moon_tensor_same_shape(t, u));
      CHECK(u && !memcmp(moon_tensor_data(t), moon_tensor_data(u), moon_tensor_bytes(t)));
      moon_tensor_release(t);
      moon_tensor_release(u);
    }
}

int main(void) {
  if (!mkdtemp(folder) || mkfifo(path_of("fifo"), 0600) || moon_ctx_new(&ctx, NULL) != MOON_OK) {
    perror(folder);
    return 2;
  }
  size_t used = moon_memory_used(ctx);
  test_types();
  test_shapes();
  test_tiles();
  test_headers();
  test_refused_types();
  test_refused_shapes();
  test_refused_headers();
  test_refused_files();
  test_refused_paths();
  test_mapped();
  test_written();
  CHECK(moon_memory_used(ctx) == used && left_over() == 0);
  moon_ctx_release(ctx);
  remove_folder();
  return check_report();
}
