/* hostile_test.c - small files of every format, cut at every byte and with each bit flipped: refused, or read for what
** they then say. Headers that claim more than memory holds are refused before it is allocated. Every loader and saver
** gets paths that are not regular files. */
#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "../../csrc/engine/core/memory.h"
#include "../../csrc/moonglass.h"
#include "bytes.h"
#include "check.h"
#include "folder.h"

static moon_ctx *ctx;

/* ---- bytes allocated with malloc, by any library ---- */

static size_t malloc_held, malloc_peak;

static void counted(size_t more, size_t less) {
  malloc_held = malloc_held + more > less ? malloc_held + more - less : 0;
  if (malloc_held > malloc_peak) malloc_peak = malloc_held;
}

#if defined(__SANITIZE_ADDRESS__)
/* With a sanitizer, its malloc stays and reports the figure. */
int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void *, size_t), void (*)(const volatile void *));
size_t __sanitizer_get_allocated_size(const volatile void *);
static void on_malloc(const volatile void *p, size_t size) { (void)p, counted(size, 0); }
static void on_free(const volatile void *p) { counted(0, p ? __sanitizer_get_allocated_size(p) : 0); }
static void count_malloc(void) { CHECK(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0); }
#else
#define VISIBLE __attribute__((visibility("default")))
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void __libc_free(void *);

VISIBLE void *malloc(size_t size) {
  void *p = __libc_malloc(size);
  if (p) counted(malloc_usable_size(p), 0);
  return p;
}

VISIBLE void *calloc(size_t n, size_t size) {
  void *p = __libc_calloc(n, size);
  if (p) counted(malloc_usable_size(p), 0);
  return p;
}

VISIBLE void *realloc(void *old, size_t size) {
  size_t was = old ? malloc_usable_size(old) : 0;
  void *p = __libc_realloc(old, size);
  if (p || !size) counted(p ? malloc_usable_size(p) : 0, was);
  return p;
}

VISIBLE void free(void *p) {
  if (p) counted(0, malloc_usable_size(p));
  __libc_free(p);
}
static void count_malloc(void) {}
#endif

/* ---- helpers ---- */

static const char *write_file(const char *name, const bytes *b) { return write_to(path_of(name), b->data, b->size); }

static bool failed(moon_status got, moon_status want, const char *message, const char *what) {
  if (got == want && strstr(moon_error(ctx), message)) return true;
  fprintf(stderr, "%s: got '%s' (%s), expected '%s' (%s)\n", what, moon_status_name(got), moon_error(ctx),
          moon_status_name(want), message);
  return false;
}

/* raw: the rows, each after its filter byte. */
static void make_png(bytes *b, uint32_t width, uint32_t height, uint8_t depth, uint8_t colour, uint8_t interlace,
                     const void *raw, size_t raw_size) {
  static bytes head, packed;
  b->size = head.size = 0;
  put(b, "\x89PNG\r\n\x1a\n", 8);
  put_big(&head, width);
  put_big(&head, height);
  put(&head, (uint8_t[]){depth, colour, 0, 0, interlace}, 5);
  put_chunk(b, "IHDR", head.data, head.size);
  if (colour == 3) put_chunk(b, "PLTE", "\1\2\3\4\5\6\xff\xfe\xfd", 9);
  uLongf n = sizeof packed.data;
  CHECK(compress(packed.data, &n, raw, raw_size) == Z_OK);
  put_chunk(b, "IDAT", packed.data, n);
  put_chunk(b, "IEND", NULL, 0);
}

static void make_safetensors(bytes *b, const char *header, size_t length, size_t data) {
  b->size = 0;
  for (int i = 0; i < 8; i++) put(b, &(uint8_t){(uint8_t)((uint64_t)length >> 8 * i)}, 1);
  put(b, header, strlen(header));
  memset(b->data + b->size, 0, data);
  b->size += data;
}

static void make_npy(bytes *b, const char *descr, const char *order, const char *shape, const void *data, size_t n) {
  char header[128];
  int size = snprintf(header, sizeof header, "{'descr':'%s','fortran_order':%s,'shape':%s}", descr, order, shape);
  b->size = 0;
  put(b, "\x93NUMPY\1", 8);
  put(b, (uint8_t[]){(uint8_t)size, 0}, 2);
  put(b, header, (size_t)size);
  put(b, data, n);
}

/* ---- the formats ---- */

/* Load a file. On success, and if `saved` is not NULL, store the contents as bytes: in the file's format, or type,
** shape and elements. */
typedef moon_status load_fn(const char *path, bytes *saved);

static void put_tensor(bytes *b, const moon_tensor *t) {
  b->size = 0;
  put(b, (uint8_t[]){(uint8_t)moon_tensor_dtype(t), (uint8_t)moon_tensor_rank(t)}, 2);
  put(b, moon_tensor_shape(t), (size_t)moon_tensor_rank(t) * sizeof(size_t));
  put(b, moon_tensor_data(t), moon_tensor_bytes(t));
}

static moon_status load_tensor(moon_status (*load)(moon_ctx *, moon_tensor **, const char *), const char *path,
                               bytes *saved) {
  moon_tensor *t = NULL;
  moon_status status = load(ctx, &t, path);
  CHECK((status == MOON_OK) == (t != NULL));
  if (t && saved) put_tensor(saved, t);
  moon_tensor_release(t);
  return status;
}

static moon_status load_idx(const char *path, bytes *saved) { return load_tensor(moon_idx_load, path, saved); }
static moon_status load_npy(const char *path, bytes *saved) { return load_tensor(moon_npy_load, path, saved); }
static moon_status load_png(const char *path, bytes *saved) { return load_tensor(moon_png_read, path, saved); }

static void put_text(bytes *b, const char *text) { put(b, text, strlen(text) + 1); }

/* The contents of an archive: names, element types, shapes, elements, texts. */
static void put_archive(bytes *b, const moon_archive *a) {
  static bytes part;
  const char *name, *text;
  moon_tensor *t;
  b->size = 0;
  for (size_t i = 0; moon_archive_tensor(a, i, &name, &t); i++) {
    put_tensor(&part, t);
    put_text(b, name);
    put(b, part.data, part.size);
  }
  for (size_t i = 0; moon_archive_entry(a, i, &name, &text); i++) {
    put_text(b, name);
    put_text(b, text);
  }
}

static moon_status load_archive(const char *path, bytes *said) {
  moon_archive *a = NULL;
  moon_status status = moon_archive_load(ctx, &a, path);
  CHECK((status == MOON_OK) == (a != NULL));
  if (a && said) put_archive(said, a);
  moon_archive_release(a);
  return status;
}

/* The contents of a net: the bytes of its saved file. */
static moon_status load_net(const char *path, bytes *said) {
  moon_net *net = NULL;
  moon_archive *a = NULL;
  moon_status status = moon_net_load(ctx, &net, path);
  CHECK((status == MOON_OK) == (net != NULL));
  if (net && said) {
    CHECK(moon_archive_new(ctx, &a) == MOON_OK && moon_net_to_archive(net, a) == MOON_OK);
    put_archive(said, a);
  }
  moon_archive_release(a);
  moon_net_release(net);
  return status;
}

static moon_status load_detector(const char *path, bytes *said) {
  moon_detector *d = NULL;
  moon_archive *a = NULL;
  moon_status status = moon_detector_load(ctx, &d, path);
  CHECK((status == MOON_OK) == (d != NULL));
  if (d && said) {
    CHECK(moon_archive_new(ctx, &a) == MOON_OK && moon_detector_to_archive(d, a) == MOON_OK);
    put_archive(said, a);
  }
  moon_archive_release(a);
  moon_detector_release(d);
  return status;
}

/* All rows of a CSV file, one after the other, as floats; lines that are no rows are an error. */
static moon_status load_csv(const char *path, bytes *said) {
  moon_csv *csv = NULL;
  moon_tensor *row = NULL;
  size_t got = 1;
  moon_status status = moon_csv_open(ctx, &csv, path, NULL);
  CHECK((status == MOON_OK) == (csv != NULL));
  if (said) said->size = 0;
  if (csv) status = moon_tensor_new(ctx, &row, MOON_FLOAT32, 2, (size_t[]){1, moon_csv_width(csv)});
  while (status == MOON_OK && got) {
    status = moon_csv_read(csv, row, NULL, &got);
    if (status == MOON_OK && got && said) put(said, moon_tensor_data(row), moon_tensor_bytes(row));
  }
  moon_tensor_release(row);
  moon_csv_close(csv);
  return status;
}

/* ---- cut and flipped ---- */

static void cut_from(size_t first, const char *what, load_fn *load, const bytes *whole) {
  static bytes b;
  b = *whole;
  for (b.size = first; b.size < whole->size; b.size++) {
    size_t used = moon_memory_used(ctx);
    CHECK(failed(load(write_file("cut", &b), NULL), MOON_EFORMAT, "/cut': ", what));
    CHECK(moon_memory_used(ctx) == used);
  }
}

static void cut_everywhere(const char *what, load_fn *load, const bytes *whole) { cut_from(0, what, load, whole); }

/* The effect of a flipped bit. */
typedef enum verdict { REFUSED, IGNORED, TAKEN, OTHER } verdict;

/* IGNORED: the contents are the same. TAKEN: one element, or one byte of a text, differs. OTHER: more differs. */
static verdict judge(load_fn *load, const bytes *flipped, const bytes *said) {
  static bytes now;
  size_t used = moon_memory_used(ctx);
  moon_status status = load(write_file("flipped", flipped), &now);
  if (status != MOON_OK) CHECK(failed(status, MOON_EFORMAT, "/flipped': ", "flipped"));
  CHECK(moon_memory_used(ctx) == used);
  if (status != MOON_OK) return REFUSED;
  if (same_bytes(&now, said)) return IGNORED;
  if (now.size != said->size) return OTHER;
  size_t first = 0, last = now.size;
  while (now.data[first] == said->data[first]) first++;
  while (now.data[last - 1] == said->data[last - 1]) last--;
  return last - first <= 4 ? TAKEN : OTHER;
}

/* Flip every bit. For each file the counts of accepted flips are known: `ignored` bits mean nothing, `taken` bits are
** data that the format does not protect, `other` bits give another element type or number. */
static void flip_everywhere(const char *what, load_fn *load, const bytes *whole, size_t ignored, size_t taken,
                            size_t other) {
  static bytes b, said;
  size_t count[4] = {0};
  b = *whole;
  CHECK(load(write_file("flipped", &b), &said) == MOON_OK);
  for (size_t i = 0; i < 8 * whole->size; i++) {
    b.data[i / 8] ^= (uint8_t)(1 << i % 8);
    verdict v = judge(load, &b, &said);
    if (v == OTHER && getenv("SHOW_FLIPS"))
      fprintf(stderr, "%s: byte %zu, bit %zu, '%c' as '%c'\n", what, i / 8, i % 8, whole->data[i / 8], b.data[i / 8]);
    count[v]++;
    b.data[i / 8] ^= (uint8_t)(1 << i % 8);
  }
  if (count[IGNORED] != ignored || count[TAKEN] != taken || count[OTHER] != other)
    fprintf(stderr, "%s: of %zu bits %zu refused, %zu ignored, %zu taken, %zu other; expected %zu, %zu, %zu\n", what,
            8 * whole->size, count[REFUSED], count[IGNORED], count[TAKEN], count[OTHER], ignored, taken, other);
  CHECK(count[IGNORED] == ignored && count[TAKEN] == taken && count[OTHER] == other);
}

static void test_idx(void) {
  static bytes b, z;
  /* Each bit of a byte is data. 08 with its last bit flipped is 09: signed bytes, of the same size. */
  make_idx(&b, 0x08, 2, (uint32_t[]){2, 3}, "\0\1\x7f\x80\xfe\xff", 6);
  cut_everywhere("idx of bytes", load_idx, &b);
  flip_everywhere("idx of bytes", load_idx, &b, 0, 48, 1);
  z.size = 0;
  gzip(&z, b.data, b.size);
  cut_everywhere("idx.gz", load_idx, &z);
  /* Ignored in a gzip header: the time (32 bits), the text flag (1), the level (8), the system (8). */
  flip_everywhere("idx.gz", load_idx, &z, 49, 0, 0);
  /* 0d with its last bit flipped is 0c: whole numbers of the same size. */
  make_idx(&b, 0x0D, 1, (uint32_t[]){3}, "\x3f\x80\0\0\xc0\x20\0\0\x7f\xc0\0\0", 12);
  cut_everywhere("idx of floats", load_idx, &b);
  flip_everywhere("idx of floats", load_idx, &b, 0, 96, 1);
}

/* Each chunk has a checksum, so every flip is refused. */
static void test_npy(void) {
  static bytes b;
  make_npy(&b, "|u1", "True", "(2,3)", "\0\1\x7f\x80\xfe\xff", 6);
  cut_everywhere("npy of bytes", load_npy, &b);
  flip_everywhere("npy of bytes", load_npy, &b, 1, 48, 0); /* '|' with a flipped bit is '<', the same for bytes */
  make_npy(&b, "<f4", "False", "(3,)", "\0\0\x80\x3f\0\0\x20\xc0\0\0\xc0\x7f", 12);
  cut_everywhere("npy of floats", load_npy, &b);
  flip_everywhere("npy of floats", load_npy, &b, 0, 96, 1); /* '<' with a flipped bit is '>': no checksum tells */
}

static void test_png(void) {
  static const struct {
    const char *what;
    uint8_t depth, colour, interlace;
    const char *raw;
    size_t size;
  } files[] = {
      {"png, grey", 8, 0, 0, "\0\1\2\3\0\4\5\6", 8},
      {"png, palette", 2, 3, 0, "\0\x60\0\x24", 4},
      {"png, 16 bits", 16, 2, 0,
       "\0\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf\x10\x11\x12\0\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf\x10\x11\x12", 38},
      {"png, interlaced", 8, 0, 1, "\0\1\0\3\0\2\0\4\5\6", 10},
      {"png, grey and alpha", 8, 4, 0, "\0\1\2\3\4\5\6\0\1\2\3\4\5\6", 14},
  };
  static bytes b;
  for (size_t i = 0; i < MOONI_COUNT(files); i++) {
    make_png(&b, 3, 2, files[i].depth, files[i].colour, files[i].interlace, files[i].raw, files[i].size);
    cut_everywhere(files[i].what, load_png, &b);
    flip_everywhere(files[i].what, load_png, &b, 0, 0, 0);
  }
}

static moon_layer *make_layer(const char *kind, const moon_option *v, size_t n) {
  moon_layer *layer = NULL;
  CHECK(moon_layer_new(ctx, &layer, kind, v, n) == MOON_OK);
  return layer;
}

/* 2-1-2 with noise; the second weight is tied to the first. */
static moon_net *small_net(void) {
  moon_option noise[] = {{.name = "sigma", .kind = MOON_NUMBER, .number = 0.5}};
  moon_option in[] = {{.name = "in", .kind = MOON_COUNT, .number = 2},
                      {.name = "out", .kind = MOON_COUNT, .number = 1},
                      {.name = "activation", .kind = MOON_TEXT, .text = "relu"}};
  moon_option out[] = {{.name = "in", .kind = MOON_COUNT, .number = 1},
                       {.name = "out", .kind = MOON_COUNT, .number = 2},
                       {.name = "tied", .kind = MOON_LAYER}};
  moon_layer *layers[3] = {make_layer("gaussian_noise", noise, 1), make_layer("dense", in, 3)};
  out[2].layer = layers[1];
  layers[2] = make_layer("dense", out, 3);
  moon_net *net = NULL;
  CHECK(moon_net_new(ctx, &net, layers, 3) == MOON_OK && moon_net_set_encoder(net, 2) == MOON_OK);
  for (int i = 0; i < 3; i++) moon_layer_release(layers[i]);
  return net;
}

/* A net in a file as the Python package writes it: the format has no checksum. */
static void test_safetensors(void) {
  static bytes b;
  const char *net_header =
      "{\"__metadata__\":{\"moonglass\":\"{\\\"version\\\":1,\\\"encoder\\\":1,\\\"layers\\\":["
      "{\\\"kind\\\":\\\"dense\\\",\\\"options\\\":{\\\"in\\\":2,\\\"out\\\":1,\\\"activation\\\":\\\"relu\\\"}},"
      "{\\\"kind\\\":\\\"dropout\\\",\\\"options\\\":{\\\"p\\\":0.5}},"
      "{\\\"kind\\\":\\\"dense\\\",\\\"options\\\":{\\\"in\\\":1,\\\"out\\\":2,\\\"tied\\\":0}}]}\",\"format\":\"pt\"},"
      "\"0.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
      "\"0.bias\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]},"
      "\"3.weight\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[12,20]},"
      "\"3.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[20,28]}} ";
  const char *header = "{\"__metadata__\":{\"key\":\"a text\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":"
                       "[0,8]},\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[8,11]}}";
  make_safetensors(&b, header, strlen(header), 11);
  cut_everywhere("safetensors", load_archive, &b);
  /* Taken: 88 bits of data; the rest are bits of names, key and text. */
  flip_everywhere("safetensors", load_archive, &b, 0, 162, 0);
  make_safetensors(&b, net_header, strlen(net_header), 28);
  cut_everywhere("net", load_net, &b);
  /* Ignored: the value of "format", and the case of "relu". Taken: the biases, and two bits of the architecture. Other:
  ** a 5 that becomes 1, 4 or 7, which are written with more digits; and the signs of the weights, which are 0 and occur
  ** twice. */
  flip_everywhere("net", load_net, &b, 62, 98, 5);
}

/* A file of Moonglass with every kind of entry. Each flip is refused, changes nothing, or changes one element. */
static void test_own_net(void) {
  static bytes b, said;
  moon_seed(ctx, 1);
  moon_net *small = small_net();
  CHECK(moon_net_save(small, path_of("net")) == MOON_OK);
  moon_net_release(small);
  read_file(path_of("net"), &b);
  cut_everywhere("own net", load_net, &b);
  CHECK(load_archive(path_of("net"), &said) == MOON_OK);
  for (size_t i = 0; i < 8 * b.size; i++) {
    b.data[i / 8] ^= (uint8_t)(1 << i % 8);
    CHECK(judge(load_archive, &b, &said) != OTHER);
    b.data[i / 8] ^= (uint8_t)(1 << i % 8);
  }
}

/* A detector with all that it can have. What a flipped bit leaves of its file is a detector, or refused. */
static void test_detector(void) {
  static bytes b, now;
  const double offset[] = {1, -2}, scale[] = {0.5, 1e-3}, spread[] = {0.25, 3}, low[] = {0, -1}, high[] = {1, 1};
  const char *const columns[] = {"a", "b=x"}, *const values[] = {"x"};
  const moon_csv_category category = {"b", values, 1};
  moon_net *small = small_net();
  const moon_detector_config c = {.size = sizeof c,
                                  .nets = &small,
                                  .net_count = 1,
                                  .score = "scaled",
                                  .offset = offset,
                                  .scale = scale,
                                  .spread = spread,
                                  .low = low,
                                  .high = high,
                                  .margin = 2,
                                  .missing = "fill",
                                  .columns = columns,
                                  .categories = &category,
                                  .category_count = 1};
  moon_detector *d = NULL;
  CHECK(moon_detector_new(ctx, &d, &c) == MOON_OK && moon_detector_set_threshold(d, 0.5) == MOON_OK);
  CHECK(moon_detector_save(d, path_of("detector")) == MOON_OK);
  moon_detector_release(d);
  moon_net_release(small);
  read_file(path_of("detector"), &b);
  cut_everywhere("detector", load_detector, &b);
  for (size_t i = 0; i < 8 * b.size; i++) {
    b.data[i / 8] ^= (uint8_t)(1 << i % 8);
    const size_t used = moon_memory_used(ctx);
    moon_status status = load_detector(write_file("flipped", &b), &now);
    CHECK(status == MOON_OK || failed(status, MOON_EFORMAT, "/flipped': ", "detector"));
    CHECK(moon_memory_used(ctx) == used);
    b.data[i / 8] ^= (uint8_t)(1 << i % 8);
  }
}

/* A text that is cut has the rows before the cut, and the last one with the number that is left of it, or an error. A
** gzip that is cut is an error. */
static void test_csv(void) {
  static bytes b, z, whole, part;
  static const char text[] = "a,b\n1,20\n-3.5,1e1\n";
  b.size = 0;
  put(&b, text, sizeof text - 1);
  CHECK(load_csv(write_file("csv", &b), &whole) == MOON_OK && whole.size == 4 * sizeof(float));
  for (b.size = 0; b.size < sizeof text - 1; b.size++) {
    const size_t used = moon_memory_used(ctx);
    moon_status status = load_csv(write_file("cut", &b), &part);
    const size_t rows = b.size < 9 ? 0 : 1; /* that are whole */
    CHECK(status == MOON_OK || failed(status, MOON_EFORMAT, "/cut'", "csv"));
    CHECK(b.size < 4 || (part.size >= rows * 2 * sizeof(float) && !memcmp(part.data, whole.data, 8 * rows)));
    CHECK(moon_memory_used(ctx) == used);
  }
  b.size = sizeof text - 1;
  z.size = 0;
  gzip(&z, b.data, b.size);
  cut_from(2, "csv.gz", load_csv, &z); /* one byte does not tell a gzip file: it is a text */
  /* Ignored: the 49 bits of idx.gz, and 6 between the last code and the checksum. */
  flip_everywhere("csv.gz", load_csv, &z, 55, 0, 0);
}

/* ---- headers that claim too much ---- */

enum { LITTLE = 1 << 18 }; /* more than a refusal needs: a chunk, a compressed chunk, zlib's window */

/* Refused with this message, after allocating less than a quarter of a megabyte. */
static void refuse(const char *what, load_fn *load, const bytes *b, const char *message) {
  const char *path = write_file("promise", b);
  size_t held = malloc_held;
  moon_ctx *was = ctx;
  CHECK(moon_ctx_new(&ctx, NULL) == MOON_OK);
  malloc_peak = malloc_held;
  CHECK(failed(load(path, NULL), MOON_EFORMAT, message, what));
  if (malloc_peak > held + LITTLE) fprintf(stderr, "%s: %zu bytes were taken\n", what, malloc_peak - held);
  CHECK(malloc_peak <= held + LITTLE);
  CHECK(moon_memory_peak(ctx) <= LITTLE);
  CHECK(moon_memory_used(ctx) == 0);
  moon_ctx_release(ctx);
  ctx = was;
}

static void test_idx_promises(void) {
  static bytes b, z;
  static uint8_t zeros[1 << 20];
  make_idx(&b, 0x08, 3, (uint32_t[]){1u << 31, 28, 28}, zeros, 784);
  refuse("2^31 images", load_idx, &b, "header promises 1683627180032 bytes of data, the file holds 784");
  make_idx(&b, 0x0E, 3, (uint32_t[]){1u << 31, 1u << 31, 2}, zeros, 784);
  refuse("2^66 bytes", load_idx, &b, "more than memory can hold");
  make_idx(&b, 0x08, 1, (uint32_t[]){UINT32_MAX}, zeros, 784);
  refuse("2^32 - 1 bytes", load_idx, &b, "truncated: header promises 4294967295");
  make_idx(&b, 0x08, 3, (uint32_t[]){1u << 31, 28, 28}, zeros, 784);
  z.size = 0;
  gzip(&z, b.data, b.size);
  refuse("2^31 images, packed", load_idx, &z, "header promises 1683627180032 bytes of data, more than the");
  /* A decompression bomb: it unpacks to a thousand times its size, and the header claims less. */
  make_idx(&b, 0x08, 1, (uint32_t[]){1000}, NULL, 0);
  z.size = 0;
  gzip(&z, b.data, b.size);
  for (int i = 0; i < 30; i++) gzip(&z, zeros, sizeof zeros);
  refuse("30 MB behind a header of 1000 bytes", load_idx, &z, "trailing bytes: header promises 1000 bytes");
  /* A file full of empty gzip members: reading ends, and they add nothing. */
  make_idx(&b, 0x08, 1, (uint32_t[]){1000}, NULL, 0);
  z.size = 0;
  gzip(&z, b.data, b.size);
  while (z.size < sizeof z.data - 64) gzip(&z, zeros, 0);
  refuse("3,000 empty members", load_idx, &z, "truncated: header promises 1000 bytes of data, the file holds 0");
}

static void test_npy_promises(void) {
  static bytes b;
  static const uint8_t zeros[784] = {0};
  make_npy(&b, "|u1", "False", "(2147483648,28,28)", zeros, 784);
  refuse("2^31 images", load_npy, &b, "header promises 1683627180032 bytes of data, the file holds 784");
  make_npy(&b, "<f8", "True", "(2147483648,2147483648,4)", zeros, 784);
  refuse("2^67 bytes", load_npy, &b, "more than memory can hold");
  make_npy(&b, "|b1", "False", "(9223372036854775807,)", zeros, 784);
  refuse("2^63 - 1 flags", load_npy, &b, "truncated: header promises 9223372036854775807");
}

static void test_png_promises(void) {
  static bytes b, text;
  static uint8_t zeros[1 << 20];
  uLongf n = sizeof text.data - 16;
  make_png(&b, 1000000, 1000000, 8, 6, 0, "\0", 1);
  refuse("10^12 pixels of 4 channels", load_png, &b,
         "1000000 x 1000000 pixels, 4 channels: expected at most 2147483648");
  make_png(&b, 1000000, 1000000, 1, 0, 0, "\0", 1);
  refuse("10^12 pixels of 1 bit", load_png, &b, "1000000 x 1000000 pixels, 1 channels: expected at most 2147483648");
  make_png(&b, 1000000, 2000, 8, 0, 0, "\0", 1);
  refuse("2 GB", load_png, &b, "header promises 1000000 x 2000 pixels, more than the");
  make_png(&b, 40000, 40000, 1, 0, 0, "\0", 1);
  refuse("1.6 GB in bits", load_png, &b, "header promises 40000 x 40000 pixels, more than the");
  make_png(&b, 0x7fffffff, 0x7fffffff, 16, 6, 0, "\0", 1);
  refuse("2^31 - 1 squared", load_png, &b, "damaged PNG: ");
  /* Compressed text chunks that unpack to a thousand times their size are skipped. */
  static bytes tail;
  enum { HEAD = 33 }; /* the signature and IHDR */
  make_png(&b, 1, 1, 8, 0, 0, "\0\1", 2);
  tail.size = 0;
  put(&tail, b.data + HEAD, b.size - HEAD);
  b.size = HEAD;
  text.size = 0;
  put(&text, "Comment\0", 9);
  CHECK(compress2(text.data + text.size, &n, zeros, sizeof zeros, 9) == Z_OK);
  text.size += n;
  for (int i = 0; i < 20; i++) put_chunk(&b, "zTXt", text.data, text.size);
  put(&b, tail.data, tail.size);
  size_t held = malloc_held;
  malloc_peak = malloc_held;
  CHECK(load_png(write_file("texts", &b), NULL) == MOON_OK);
  CHECK(malloc_peak <= held + LITTLE);
}

static void test_safetensors_promises(void) {
  static bytes b;
  char *deep = calloc(1, 60001);
  make_safetensors(&b, "{}", SIZE_MAX, 0);
  refuse("a header of 2^64 - 1 bytes", load_archive, &b, "a header of 18446744073709551615 bytes, expected 2 to");
  make_safetensors(&b, "{}", 100000000, 0);
  refuse("a header of 100 MB in 10 bytes", load_archive, &b, "truncated: expected a header of 100000000 bytes");
  static const char *const claims[] = {"[1099511627776],\"data_offsets\":[0,4398046511104]",
                                       "[2147483648,2147483648],\"data_offsets\":[0,18446744073709551615]",
                                       "[2305843009213693952],\"data_offsets\":[0,9223372036854775807]"};
  static const char *const messages[] = {"truncated: header promises 4398046511104", "", ""};
  for (size_t i = 0; i < MOONI_COUNT(claims); i++) {
    char header[160];
    snprintf(header, sizeof header, "{\"a\":{\"dtype\":\"F32\",\"shape\":%s}}", claims[i]);
    make_safetensors(&b, header, strlen(header), 8);
    refuse(claims[i], load_archive, &b, messages[i]);
  }
  /* An architecture larger than its tensors: a dense layer of 10^9 x 10^9. */
  const char *net =
      "{\"__metadata__\":{\"moonglass\":\"{\\\"version\\\":1,\\\"encoder\\\":0,\\\"layers\\\":[{\\\"kind\\\":"
      "\\\"dense\\\",\\\"options\\\":{\\\"in\\\":1000000000,\\\"out\\\":1000000000}}]}\"}}";
  make_safetensors(&b, net, strlen(net), 0);
  refuse("a dense layer of 10^18 weights", load_net, &b, "tensor '0.weight' [1000000000 x 1000000000] is missing");
  memcpy(deep, "{\"a\":", 5);
  memset(deep + 5, '[', 59995);
  make_safetensors(&b, deep, 60000, 0);
  free(deep);
  /* The parser would need memory and stack for each bracket. */
  size_t held = malloc_held;
  malloc_peak = malloc_held;
  CHECK(failed(load_archive(write_file("deep", &b), NULL), MOON_EFORMAT, "nested more than 64 deep", "60,000 deep"));
  CHECK(malloc_peak <= held + (1 << 20));
}

/* ---- paths ---- */

static char long_path[5001];

/* Devices are reached through links, so that a faulty saver cannot replace a real device. */
static const struct {
  const char *what, *path, *reading, *writing;
} paths[] = {
    {"nothing", NULL, "the path is empty", "the path is empty"},
    {"an empty path", "", "the path is empty", "the path is empty"},
    {"a folder", ".", "Is a directory", "Is a directory"},
    {"a folder with a slash", "folder/", "Is a directory", "Is a directory"},
    {"a FIFO", "fifo", "not a regular file", "not a regular file"},
    {"a link to a FIFO", "to_fifo", "not a regular file", "not a regular file"},
    {"a device without an end", "zero", "not a regular file", "not a regular file"},
    {"a device without room", "full", "not a regular file", "not a regular file"},
    {"a terminal", "tty", "", "not a regular file"},
    {"a file of the kernel's", "/proc/self/mem", "", ""},
    {"a link that leads to no folder", "dangling", "No such file", "No such file"},
    {"a link to a folder", "to_folder", "Is a directory", "Is a directory"},
    {"a link whose text ends in a slash", "slashed", "No such file", "Is a directory"},
    {"a link to itself", "itself", "Too many levels of symbolic links", "Too many levels of symbolic links"},
    {"links in a circle", "circle_1", "Too many levels of symbolic links", "Too many levels of symbolic links"},
    {"a folder that is a circle", "circle_1/x", "Too many levels of symbolic links",
     "Too many levels of symbolic links"},
    {"5,000 bytes", long_path, "File name too long", "File name too long"},
    {"no such folder", "none/x", "No such file", "No such file"},
    {"a file taken for a folder", "plain/x", "Not a directory", "Not a directory"},
    {"a file with a slash", "plain/", "Not a directory", ""},
};

static moon_tensor *image;
static moon_archive *archive;
static moon_net *net;

static moon_status save_png(const char *path) { return moon_png_write(image, path); }
static moon_status save_archive(const char *path) { return moon_archive_save(archive, path); }
static moon_status save_net(const char *path) { return moon_net_save(net, path); }

static void make_paths(void) {
  static bytes plain = {5, "plain"};
  memset(long_path, 'p', sizeof long_path - 1);
  for (size_t i = 99; i < sizeof long_path - 2; i += 100) long_path[i] = '/';
  write_file("plain", &plain);
  if (chdir(folder) || mkfifo("fifo", 0600) || mkdir("folder", 0700) || symlink("fifo", "to_fifo") ||
      symlink("nowhere/x", "dangling") || symlink("folder", "to_folder") || symlink("none/", "slashed") ||
      symlink("itself", "itself") || symlink("circle_2", "circle_1") || symlink("circle_1", "circle_2") ||
      symlink("/dev/zero", "zero") || symlink("/dev/full", "full") || symlink("/dev/tty", "tty")) {
    perror(folder);
    exit(2);
  }
}

static int names_in_folder(void) {
  int n = 0;
  DIR *d = opendir(folder);
  for (; d && readdir(d) != NULL; n++) continue;
  if (d) closedir(d);
  return n;
}

static void test_paths(void) {
  static load_fn *const loaders[] = {load_idx, load_npy, load_png, load_archive, load_net, load_detector, load_csv};
  static moon_status (*const savers[])(const char *) = {save_png, save_archive, save_net};
  make_paths();
  int names = names_in_folder();
  size_t used = moon_memory_used(ctx);
  alarm(60); /* a call that waits for a FIFO is killed, which is a failure */
  for (size_t i = 0; i < MOONI_COUNT(paths); i++) {
    for (size_t k = 0; k < MOONI_COUNT(loaders); k++) {
      moon_status status = loaders[k](paths[i].path, NULL);
      /* A file of /proc is a regular file of 0 bytes: a format error. */
      if (!strcmp(paths[i].what, "a file of the kernel's") && status == MOON_EFORMAT) status = MOON_EIO;
      CHECK(failed(status, MOON_EIO, paths[i].reading, paths[i].what));
    }
    for (size_t k = 0; k < MOONI_COUNT(savers); k++)
      CHECK(failed(savers[k](paths[i].path), MOON_EIO, paths[i].writing, paths[i].what));
  }
  alarm(0);
  struct stat about;
  CHECK(lstat("dangling", &about) == 0 && S_ISLNK(about.st_mode));
  CHECK(lstat("itself", &about) == 0 && S_ISLNK(about.st_mode));
  CHECK(lstat("full", &about) == 0 && S_ISLNK(about.st_mode));
  CHECK(lstat("fifo", &about) == 0 && S_ISFIFO(about.st_mode));
  CHECK(moon_memory_used(ctx) == used);
  CHECK(names_in_folder() == names);
}

/* ---- */

int main(void) {
  count_malloc();
  if (!mkdtemp(folder) || moon_ctx_new(&ctx, NULL) != MOON_OK) {
    perror(folder);
    return 2;
  }
  net = small_net();
  CHECK(moon_archive_new(ctx, &archive) == MOON_OK);
  CHECK(moon_tensor_new(ctx, &image, MOON_UINT8, 2, (size_t[]){2, 2}) == MOON_OK);
  test_idx();
  test_npy();
  test_png();
  test_safetensors();
  test_own_net();
  test_detector();
  test_csv();
  test_idx_promises();
  test_npy_promises();
  test_png_promises();
  test_safetensors_promises();
  test_paths();
  moon_net_release(net);
  moon_archive_release(archive);
  moon_tensor_release(image);
  moon_ctx_release(ctx);
  remove_folder();
  return check_report();
}
