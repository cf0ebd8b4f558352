/* picture.c - pictures of any size and colours as bytes of a wanted size; and which format a file has.
**
** A pixel of the result is the average of the area that it covers in the picture, where pixels count by the part that
** is covered: exact for every pair of sizes. All sums are whole numbers, and the one division is rounded. */
#include "picture.h"

#include <string.h>

#include "../core/error.h"
#include "../core/memory.h"
#include "../core/tensor.h"
#include "file.h"

/* ---- formats ---- */

/* Bytes that files of a kind have at a place. */
static const struct {
  const char *kind;
  size_t at, size;
  const char *bytes;
} kinds[] = {
    {"PNG", 0, 8, "\x89PNG\r\n\x1a\n"},
    {"JPEG", 0, 3, "\xff\xd8\xff"},
    {"GIF", 0, 4, "GIF8"},
    {"TIFF", 0, 4, "II*\0"},
    {"TIFF", 0, 4, "MM\0*"},
    {"WebP", 8, 4, "WEBP"},
    {"HEIC", 4, 7, "ftyphei"},
    {"HEIC", 4, 8, "ftypmif1"},
    {"AVIF", 4, 7, "ftypavi"},
    {"JPEG 2000", 0, 8, "\0\0\0\x0cjP  "},
    {"JPEG XL", 0, 8, "\0\0\0\x0cJXL "},
    {"Photoshop", 0, 4, "8BPS"},
};

/* "BM", a size, four zero bytes, the place of the pixels, and a header of one of these sizes. */
static bool is_bmp(const uint8_t *b, size_t size) {
  return size >= 18 && b[0] == 'B' && b[1] == 'M' && !memcmp(b + 6, "\0\0\0\0", 4) &&
         memchr("\x0c\x28\x34\x38\x6c\x7c", b[14], 6) && !memcmp(b + 15, "\0\0\0", 3);
}

/* "P" and a digit, a space, and a number or a comment. */
static bool is_pnm(const uint8_t *b, size_t size) {
  return size >= 4 && b[0] == 'P' && b[1] >= '1' && b[1] <= '6' && (b[2] == '\n' || b[2] == ' ') &&
         (b[3] == '#' || (b[3] >= '0' && b[3] <= '9'));
}

const char *mooni_picture_kind(const uint8_t *bytes, size_t size) {
  for (size_t i = 0; i < MOONI_COUNT(kinds); i++)
    if (kinds[i].at + kinds[i].size <= size && !memcmp(bytes + kinds[i].at, kinds[i].bytes, kinds[i].size))
      return kinds[i].kind;
  return is_bmp(bytes, size) ? "BMP" : is_pnm(bytes, size) ? "PNM" : NULL;
}

moon_status moon_picture_kind(moon_ctx *ctx, const char **kind, const char *path) {
  uint8_t bytes[MOONI_PICTURE_BEGIN];
  mooni_reader file;
  MOONI_TRY(mooni_reader_open(&file, ctx, path));
  size_t size = file.size < sizeof bytes ? file.size : sizeof bytes;
  moon_status status = mooni_reader_read(&file, bytes, size);
  mooni_reader_close(&file);
  if (status == MOON_OK) *kind = mooni_picture_kind(bytes, size);
  return status;
}

/* ---- sizes ---- */

/* A pixel's value is a whole number of parts: 255 for the opacity, 1000 for the shares of the colours in grey. */
enum { PARTS = 255 * 1000 };

typedef struct image {
  size_t height, width, channels;
  uint8_t *bytes;
} image;

static moon_status measure(image *p, const moon_tensor *t, bool target) {
  char text[MOONI_SHAPE_TEXT];
  int rank = moon_tensor_rank(t);
  const size_t *shape = moon_tensor_shape(t);
  size_t channels = rank == 3 ? shape[2] : 1;
  bool fits = target ? rank == 2 || channels == 3 : channels >= 1 && channels <= 4;
  if (moon_tensor_dtype(t) != MOON_UINT8 || (rank != 2 && rank != 3) || !fits || !moon_tensor_numel(t))
    return mooni_fail(moon_tensor_ctx(t), MOON_ESHAPE, "picture_resize: %s is %s, expected uint8 %s",
                      target ? "the result" : "the picture", mooni_tensor_text(text, t),
                      target ? "[h x w] or [h x w x 3]" : "[h x w] or [h x w x 1..4]");
  *p = (image){shape[0], shape[1], channels, moon_tensor_byte(t)};
  return MOON_OK;
}

/* line [width x channels] = a row of the picture, over white, in parts. Grey is 0.299 R + 0.587 G + 0.114 B (Rec. 601).
** A grey picture has three equal colours. */
static void read_line(uint32_t *line, const image *p, size_t row, size_t channels) {
  const uint8_t *at = p->bytes + row * p->width * p->channels;
  bool coloured = p->channels >= 3, clear = p->channels % 2 == 0;
  for (size_t x = 0; x < p->width; x++, at += p->channels) {
    uint32_t opacity = clear ? at[p->channels - 1] : 255, white = 255 * 1000 * (255 - opacity);
    if (channels == 1)
      *line++ = (coloured ? 299u * at[0] + 587u * at[1] + 114u * at[2] : 1000u * at[0]) * opacity + white;
    else
      for (size_t k = 0; k < 3; k++) *line++ = 1000u * at[coloured ? k : 0] * opacity + white;
  }
}

/* The pixels among n that pixel i of m covers: each of the n is m units long, and each of the m n units. */
typedef struct cover {
  size_t from, to, first, last; /* from, up to but without to; units of the first and the last one */
} cover;

static cover covered(size_t i, size_t m, size_t n) {
  size_t begin = i * n, end = begin + n, from = begin / m, to = (end + m - 1) / m;
  if (to - from == 1) return (cover){from, to, n, n};
  return (cover){from, to, (from + 1) * m - begin, end - (to - 1) * m};
}

static uint64_t units(const cover *c, size_t at, size_t whole) {
  return at == c->from ? c->first : at + 1 == c->to ? c->last : whole;
}

/* sums [width x channels] += weight times the averages of a line's pixels. */
static void add_line(uint64_t *sums, const image *y, const uint32_t *line, size_t width, uint64_t weight) {
  for (size_t i = 0; i < y->width; i++) {
    cover c = covered(i, y->width, width);
    for (size_t k = 0; k < y->channels; k++) {
      uint64_t sum = 0;
      for (size_t x = c.from; x < c.to; x++) sum += units(&c, x, y->width) * line[x * y->channels + k];
      *sums++ += weight * sum;
    }
  }
}

static void resize(const image *y, const image *p, uint64_t *sums, uint32_t *line, bool invert) {
  size_t width = y->width * y->channels;
  uint64_t total = (uint64_t)p->height * p->width * PARTS;
  for (size_t j = 0; j < y->height; j++) {
    cover c = covered(j, y->height, p->height);
    memset(sums, 0, width * sizeof *sums);
    for (size_t row = c.from; row < c.to; row++) {
      read_line(line, p, row, y->channels);
      add_line(sums, y, line, p->width, units(&c, row, y->height));
    }
    for (size_t i = 0; i < width; i++) {
      uint8_t value = (uint8_t)((sums[i] + total / 2) / total);
      y->bytes[j * width + i] = invert ? 255 - value : value;
    }
  }
}

moon_status moon_picture_resize(moon_tensor *y, const moon_tensor *picture, bool invert) {
  image to, from;
  moon_ctx *ctx = moon_tensor_ctx(y);
  MOONI_TRY(measure(&to, y, true));
  MOONI_TRY(measure(&from, picture, false));
  MOONI_TRY(mooni_want_writable(y, "picture_resize"));
  size_t sums = to.width * to.channels * sizeof(uint64_t), line = from.width * to.channels * sizeof(uint32_t);
  uint64_t *room = mooni_alloc(ctx, sums + line);
  if (!room) return mooni_nomem(ctx, sums + line);
  resize(&to, &from, room, (uint32_t *)(room + to.width * to.channels), invert);
  mooni_free(ctx, room);
  return MOON_OK;
}
