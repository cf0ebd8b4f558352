/* png.c - PNG to byte tensors and back; the only file that includes png.h.
**
** A failing call of libpng leaves by longjmp. Each setjmp is in a function that only calls libpng and changes none of
** its variables afterwards: so no variable is lost, and the jump skips nothing but libpng's frames. */
#include <png.h>
#include <stdio.h>
#include <string.h>

#include "../core/error.h"
#include "../core/fpmode.h"
#include "../core/memory.h"
#include "../core/tensor.h"
#include "file.h"
#include "picture.h"

enum {
  SIDE_MAX = 1000000,   /* pixels of width or height */
  CHUNK_MAX = 8 << 20,  /* bytes of a chunk that holds no pixels */
  DEFLATE_RATIO = 1032, /* the most that deflate shrinks by */
  SIGNATURE = 8
};
static const uint64_t PIXELS_MAX = (uint64_t)1 << 31; /* bytes */

/* What libpng's callbacks work on: the bytes read, or the bytes written so far. */
typedef struct stream {
  moon_ctx *ctx;
  const uint8_t *in;
  uint8_t *out;
  size_t at, size;
  size_t refused; /* size of an allocation that the context refused; 0: none */
  char message[160];
} stream;

/* ---- libpng's callbacks ---- */

static void *take(png_structp png, png_alloc_size_t size) {
  stream *s = png_get_mem_ptr(png);
  void *p = mooni_alloc(s->ctx, size);
  if (!p) s->refused = size;
  return p;
}

static void give_back(png_structp png, void *p) {
  stream *s = png_get_mem_ptr(png);
  mooni_free(s->ctx, p);
}

static void on_error(png_structp png, const char *message) {
  stream *s = png_get_error_ptr(png);
  snprintf(s->message, sizeof s->message, "%s", message);
  png_longjmp(png, 1);
}

/* Warnings do not affect the pixels. */
static void on_warning(png_structp png, const char *message) { (void)png, (void)message; }

static void read_some(png_structp png, uint8_t *bytes, size_t size) {
  stream *s = png_get_io_ptr(png);
  if (size > s->size - s->at) png_error(png, "truncated");
  memcpy(bytes, s->in + s->at, size);
  s->at += size;
}

static void write_some(png_structp png, uint8_t *bytes, size_t size) {
  stream *s = png_get_io_ptr(png);
  if (size > s->size - s->at) {
    size_t room = s->size + s->size / 2 + size + 4096;
    uint8_t *bigger = mooni_alloc(s->ctx, room);
    if (!bigger) {
      s->refused = room;
      png_error(png, "out of memory");
    }
    if (s->at) memcpy(bigger, s->out, s->at);
    mooni_free(s->ctx, s->out);
    s->out = bigger;
    s->size = room;
  }
  memcpy(s->out + s->at, bytes, size);
  s->at += size;
}

static void flush_nothing(png_structp png) { (void)png; } /* never reached: libpng is not told to flush */

static moon_status failure(const stream *s) {
  if (s->refused) return mooni_nomem(s->ctx, s->refused);
  return mooni_fail(s->ctx, MOON_EFORMAT, "damaged PNG: %s", s->message);
}

/* ---- reading ---- */

typedef struct header {
  png_uint_32 width, height;
  int depth, channels, passes; /* depth: bits in the file; channels: of the result */
  uint64_t packed;             /* bytes of the rows in the file, before compression */
} header;

/* Read the header, and find the channels of 8 bits in the result: grey, grey and alpha, RGB or RGBA. What the pixels do
** not need (texts, profiles, suggested palettes) is skipped; its checksum is checked. */
static bool read_header(png_structp png, png_infop info, header *h) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_user_limits(png, SIDE_MAX, SIDE_MAX);
  png_set_chunk_malloc_max(png, CHUNK_MAX);
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
  png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  png_read_info(png, info);
  h->width = png_get_image_width(png, info);
  h->height = png_get_image_height(png, info);
  h->depth = png_get_bit_depth(png, info);
  h->channels = png_get_color_type(png, info) == PNG_COLOR_TYPE_PALETTE ? 3 : png_get_channels(png, info);
  if (png_get_valid(png, info, PNG_INFO_tRNS)) h->channels++;
  h->packed = (uint64_t)h->width * (unsigned)(h->depth * png_get_channels(png, info)) / 8 * h->height;
  return true;
}

/* Tell libpng to convert to these channels. From here on it holds a row. */
static bool expect_rows(png_structp png, png_infop info, header *h) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_palette_to_rgb(png);
  if (h->depth < 8) png_set_expand_gray_1_2_4_to_8(png);
  if (png_get_valid(png, info, PNG_INFO_tRNS)) png_set_tRNS_to_alpha(png);
  png_set_scale_16(png);
  h->passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  if (png_get_rowbytes(png, info) != (size_t)h->width * (size_t)h->channels) png_error(png, "rows of another size");
  return true;
}

/* Read all rows into pixels [height x stride], and the end of the file with its checksums. */
static bool read_rows(png_structp png, const header *h, uint8_t *pixels, size_t stride) {
  if (setjmp(png_jmpbuf(png))) return false;
  for (int pass = 0; pass < h->passes; pass++)
    for (size_t y = 0; y < h->height; y++) png_read_row(png, pixels + y * stride, NULL);
  png_read_end(png, NULL);
  return true;
}

/* Can so many pixels be in so small a file, and are they few enough for memory? */
static moon_status check_size(const stream *s, const header *h) {
  uint64_t bytes = (uint64_t)h->width * (unsigned)h->channels * h->height;
  if (bytes > PIXELS_MAX)
    return mooni_fail(s->ctx, MOON_EFORMAT,
                      "a PNG of %u x %u pixels, %d channels: expected at most %llu bytes of pixels", (unsigned)h->width,
                      (unsigned)h->height, h->channels, (unsigned long long)PIXELS_MAX);
  if (h->packed / DEFLATE_RATIO > s->size)
    return mooni_fail(s->ctx, MOON_EFORMAT,
                      "header promises %u x %u pixels, more than the %zu bytes of this PNG can unpack to",
                      (unsigned)h->width, (unsigned)h->height, s->size);
  return MOON_OK;
}

static moon_status read_image(stream *s, png_structp png, png_infop info, moon_tensor **out) {
  header h;
  moon_tensor *t;
  if (!read_header(png, info, &h)) return failure(s);
  MOONI_TRY(check_size(s, &h));
  if (!expect_rows(png, info, &h)) return failure(s);
  int rank = h.channels == 1 ? 2 : 3;
  MOONI_TRY(moon_tensor_new(s->ctx, &t, MOON_UINT8, rank, (size_t[]){h.height, h.width, (size_t)h.channels}));
  if (!read_rows(png, &h, moon_tensor_byte(t), (size_t)h.width * (size_t)h.channels)) {
    moon_tensor_release(t);
    return failure(s);
  }
  *out = t;
  return MOON_OK;
}

static moon_status check_signature(moon_ctx *ctx, const uint8_t *bytes, size_t size) {
  char begins[3 * SIGNATURE + 1] = "";
  if (size < SIGNATURE) return mooni_fail(ctx, MOON_EFORMAT, "not a PNG: %zu bytes", size);
  if (png_sig_cmp(bytes, 0, SIGNATURE) == 0) return MOON_OK;
  for (int i = 0; i < SIGNATURE; i++) snprintf(begins + 3 * i, 4, " %02x", bytes[i]);
  const char *kind = mooni_picture_kind(bytes, size);
  return mooni_fail(ctx, MOON_EFORMAT, "not a PNG: begins with%s, expected 89 50 4e 47 0d 0a 1a 0a%s%s%s", begins,
                    kind ? " (it is " : "", kind ? kind : "",
                    kind ? ": convert it, for example by ImageMagick's mogrify -format png FILE)" : "");
}

static moon_status decode(moon_ctx *ctx, moon_tensor **out, const void *bytes, size_t size) {
  stream s = {.ctx = ctx, .in = bytes, .size = size};
  MOONI_TRY(check_signature(ctx, bytes, size));
  png_structp png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &s, on_error, on_warning, &s, take, give_back);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  moon_status status;
  if (info) {
    png_set_read_fn(png, &s, read_some);
    status = read_image(&s, png, info, out);
  } else {
    status = mooni_nomem(ctx, s.refused);
  }
  png_destroy_read_struct(&png, &info, NULL);
  return status;
}

moon_status moon_png_decode(moon_ctx *ctx, moon_tensor **out, const void *bytes, size_t size) {
  MOONI_IEEE;
  moon_status status = decode(ctx, out, bytes, size);
  return status == MOON_EFORMAT ? mooni_prepend(ctx, status, "png: ") : status;
}

static moon_status read_file(mooni_reader *file, moon_tensor **out) {
  moon_ctx *ctx = file->ctx;
  if (file->size > PIXELS_MAX)
    return mooni_fail(ctx, MOON_EFORMAT, "a PNG of %zu bytes, expected at most %llu", file->size,
                      (unsigned long long)PIXELS_MAX);
  uint8_t *bytes = mooni_alloc(ctx, file->size);
  if (!bytes) return mooni_nomem(ctx, file->size);
  moon_status status = mooni_reader_read(file, bytes, file->size);
  if (status == MOON_OK) status = decode(ctx, out, bytes, file->size);
  mooni_free(ctx, bytes);
  return status;
}

moon_status moon_png_read(moon_ctx *ctx, moon_tensor **out, const char *path) {
  MOONI_IEEE;
  mooni_reader file;
  MOONI_TRY(mooni_reader_open(&file, ctx, path));
  moon_status status = read_file(&file, out);
  mooni_reader_close(&file);
  return mooni_in_file(ctx, status, path);
}

/* ---- writing ---- */

typedef struct picture {
  const moon_tensor *t;
  size_t width, height, channels;
  uint8_t *row; /* [width x channels], for floats */
} picture;

static moon_status measure(picture *p, const moon_tensor *t) {
  char text[MOONI_SHAPE_TEXT];
  moon_ctx *ctx = moon_tensor_ctx(t);
  const size_t *shape = moon_tensor_shape(t);
  int rank = moon_tensor_rank(t);
  if ((rank != 2 && rank != 3) || (rank == 3 && (shape[2] < 1 || shape[2] > 4)))
    return mooni_fail(ctx, MOON_ESHAPE, "png: image is %s, expected [h x w] or [h x w x 1..4]",
                      mooni_tensor_text(text, t));
  *p = (picture){t, shape[1], shape[0], rank == 3 ? shape[2] : 1, NULL};
  if (p->width < 1 || p->height < 1 || p->width > SIDE_MAX || p->height > SIDE_MAX)
    return mooni_fail(ctx, MOON_ESHAPE, "png: image is %s, expected sides of 1 to %d", mooni_tensor_text(text, t),
                      SIDE_MAX);
  return MOON_OK;
}

/* value x 255, rounded and clamped; NaN is black. */
static uint8_t shade(float v) { return v >= 1 ? 255 : v > 0 ? (uint8_t)(v * 255 + 0.5f) : 0; }

static const uint8_t *row_bytes(const picture *p, size_t y) {
  size_t n = p->width * p->channels;
  const float *x = moon_tensor_float(p->t);
  if (!x) return moon_tensor_byte(p->t) + y * n;
  for (size_t i = 0; i < n; i++) p->row[i] = shade(x[y * n + i]);
  return p->row;
}

static bool write_image(png_structp png, png_infop info, const picture *p) {
  static const int colours[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                                PNG_COLOR_TYPE_RGB_ALPHA};
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_user_limits(png, SIDE_MAX, SIDE_MAX);
  png_set_IHDR(png, info, (png_uint_32)p->width, (png_uint_32)p->height, 8, colours[p->channels - 1],
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  for (size_t y = 0; y < p->height; y++) png_write_row(png, row_bytes(p, y));
  png_write_end(png, NULL);
  return true;
}

/* Write to s->out, which the caller frees, also after a failure. */
static moon_status encode_rows(stream *s, const picture *p) {
  png_structp png = png_create_write_struct_2(PNG_LIBPNG_VER_STRING, s, on_error, on_warning, s, take, give_back);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  moon_status status = MOON_OK;
  if (info) {
    png_set_write_fn(png, s, write_some, flush_nothing);
    if (!write_image(png, info, p)) status = failure(s);
  } else {
    status = mooni_nomem(s->ctx, s->refused);
  }
  png_destroy_write_struct(&png, &info);
  return status;
}

static moon_status encode(stream *s, const moon_tensor *image) {
  picture p;
  *s = (stream){.ctx = moon_tensor_ctx(image)};
  MOONI_TRY(measure(&p, image));
  if (moon_tensor_dtype(image) == MOON_FLOAT32) {
    p.row = mooni_alloc(s->ctx, p.width * p.channels);
    if (!p.row) return mooni_nomem(s->ctx, p.width * p.channels);
  }
  moon_status status = encode_rows(s, &p);
  mooni_free(s->ctx, p.row);
  return status;
}

moon_status moon_png_encode(const moon_tensor *image, moon_tensor **bytes) {
  MOONI_IEEE;
  stream s;
  moon_tensor *t;
  moon_status status = encode(&s, image);
  if (status == MOON_OK) status = moon_tensor_new(s.ctx, &t, MOON_UINT8, 1, &s.at);
  if (status == MOON_OK) {
    memcpy(moon_tensor_byte(t), s.out, s.at);
    *bytes = t;
  }
  mooni_free(s.ctx, s.out);
  return status;
}

moon_status moon_png_write(const moon_tensor *image, const char *path) {
  MOONI_IEEE;
  stream s;
  mooni_writer w;
  moon_status status = encode(&s, image);
  if (status == MOON_OK) status = mooni_writer_open(&w, s.ctx, path);
  if (status == MOON_OK) {
    status = mooni_writer_write(&w, s.out, s.at);
    if (status == MOON_OK)
      status = mooni_writer_commit(&w);
    else
      mooni_writer_abort(&w);
  }
  mooni_free(s.ctx, s.out);
  return status;
}
