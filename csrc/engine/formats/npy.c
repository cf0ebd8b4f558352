/* npy.c - NPY, numpy's format of one array: the bytes 93 "NUMPY", a version (1.0, 2.0 or 3.0), the length of a header
** in 2 bytes (version 1) or 4, little-endian; the header, which is the text of a Python dict with the keys descr (the
** element type), fortran_order and shape; then the elements. numpy's documentation of numpy.lib.format describes it.
** What is read is untrusted: the header may have nothing but these three, in Python's words, and must promise exactly
** the bytes behind it, before memory is taken. Large arrays of float32 and of bytes are mapped. */
#include <stdio.h>
#include <string.h>

#include "../core/error.h"
#include "../core/fpmode.h"
#include "../core/memory.h"
#include "../core/tensor.h"
#include "map.h"
#include "widen.h"

enum {
  MAGIC = 6,
  BEFORE = 12,          /* bytes before the longest header */
  HEADER_MAX = 1 << 16, /* bytes; numpy's headers of 4 dimensions have at most 182 */
  DIGITS_MAX = 19,      /* of a dimension: 64 bits hold them */
  TEXT_MAX = 32,        /* bytes of a text in a header */
  ELEMENTS = 1 << 16,   /* converted at a time */
  TILE_ROWS = 1024      /* of a matrix that is transposed: so many pages are touched at a time */
};
static const uint8_t magic[MAGIC] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

/* ---- element types ---- */

typedef struct element {
  const char *name; /* without the order of bytes */
  size_t size;
  moon_dtype dtype;
  mooni_widen *widen; /* NULL: bytes stay bytes */
} element;

static const element elements[] = {
    {"f4", 4, MOON_FLOAT32, mooni_widen_f32}, {"u1", 1, MOON_UINT8, NULL},
    {"f8", 8, MOON_FLOAT32, mooni_widen_f64}, {"f2", 2, MOON_FLOAT32, mooni_widen_f16},
    {"i1", 1, MOON_FLOAT32, mooni_widen_i8},  {"i2", 2, MOON_FLOAT32, mooni_widen_i16},
    {"i4", 4, MOON_FLOAT32, mooni_widen_i32}, {"i8", 8, MOON_FLOAT32, mooni_widen_i64},
    {"u2", 2, MOON_FLOAT32, mooni_widen_u16}, {"u4", 4, MOON_FLOAT32, mooni_widen_u32},
    {"u8", 8, MOON_FLOAT32, mooni_widen_u64}, {"b1", 1, MOON_FLOAT32, mooni_widen_bool},
};

/* What a tensor cannot hold, by the first letter, and what to save instead. */
static const struct {
  char letter;
  const char *what, *instead;
} foreign[] = {
    {'c', "complex numbers", "numpy.stack([a.real, a.imag], -1)"},
    {'O', "Python objects, as a pickle", "a.astype('float32')"},
    {'U', "texts", "numpy.unique(a, return_inverse=True)[1]"},
    {'S', "texts", "numpy.unique(a, return_inverse=True)[1]"},
    {'M', "dates", "a.astype('int64')"},
    {'m', "spans of time", "a.astype('int64')"},
    {'V', "records, or numbers of a type that numpy does not know", "a.astype('float32')"},
    {'f', "numbers of more than 8 bytes", "a.astype('float64')"},
};

static moon_status refuse_type(moon_ctx *ctx, const char *descr) {
  const char *letter = descr + (strchr("<>|=", *descr) && *descr);
  for (size_t i = 0; i < MOONI_COUNT(foreign); i++)
    if (*letter == foreign[i].letter)
      return mooni_fail(ctx, MOON_EFORMAT, "it holds %s (descr '%s'), expected numbers of 1 to 8 bytes: save %s",
                        foreign[i].what, descr, foreign[i].instead);
  return mooni_fail(
      ctx, MOON_EFORMAT,
      "header: unknown descr '%s' (known: b1, i1, i2, i4, i8, u1, u2, u4, u8, f2, f4, f8 behind '<', '>' or, "
      "for a byte, '|')",
      descr);
}

/* ---- the header ---- */

typedef struct header {
  const element *type;
  bool big, fortran; /* big-endian; the first index varies fastest */
  int rank;
  size_t shape[MOON_MAX_RANK];
  size_t at, promised; /* where the elements begin; their bytes */
} header;

/* The text of the header, and how much of it was read. */
typedef struct cursor {
  moon_ctx *ctx;
  const char *text;
  size_t at, size;
} cursor;

static moon_status expected(const cursor *c, const char *what) {
  unsigned char found = c->at < c->size ? (unsigned char)c->text[c->at] : 0;
  if (c->at == c->size)
    return mooni_fail(c->ctx, MOON_EFORMAT, "header: expected %s at byte %zu, found its end", what, c->at);
  return mooni_fail(c->ctx, MOON_EFORMAT,
                    found > ' ' && found < 0x7f ? "header: expected %s at byte %zu, found '%c'"
                                                : "header: expected %s at byte %zu, found byte 0x%02x",
                    what, c->at, found);
}

/* The next character that is no space; 0 at the end. It is not taken. */
static char look(cursor *c) {
  while (c->at < c->size && strchr(" \t\r\n", c->text[c->at]) && c->text[c->at]) c->at++;
  return c->at < c->size ? c->text[c->at] : 0;
}

static bool take(cursor *c, char wanted) {
  if (look(c) != wanted || !wanted) return false;
  c->at++;
  return true;
}

static moon_status take_text(cursor *c, char *text, const char *what) {
  char quote = look(c);
  size_t n = 0;
  if (quote != '\'' && quote != '"') return expected(c, what);
  for (c->at++; c->at < c->size && c->text[c->at] != quote; c->at++) {
    unsigned char next = (unsigned char)c->text[c->at];
    if (next < ' ' || next > 0x7e || next == '\\' || next == '\'' || next == '"' || n == TEXT_MAX - 1)
      return expected(c, "a quote");
    text[n++] = (char)next;
  }
  text[n] = 0;
  return take(c, quote) ? MOON_OK : expected(c, "a quote");
}

static moon_status take_type(cursor *c, header *h) {
  char descr[TEXT_MAX];
  if (look(c) == '[' || look(c) == '(')
    return mooni_fail(c->ctx, MOON_EFORMAT,
                      "it holds records of several fields, expected numbers: save "
                      "numpy.lib.recfunctions.structured_to_unstructured(a)");
  MOONI_TRY(take_text(c, descr, "an element type"));
  for (size_t i = 0; i < MOONI_COUNT(elements) && *descr; i++)
    if (strcmp(descr + 1, elements[i].name) == 0) h->type = &elements[i];
  if (!h->type || !(*descr == '<' || *descr == '>' || (*descr == '|' && h->type->size == 1)))
    return refuse_type(c->ctx, descr);
  h->big = *descr == '>';
  return MOON_OK;
}

static moon_status take_flag(cursor *c, bool *flag) {
  static const char *const words[] = {"False", "True"};
  look(c);
  for (size_t i = 0; i < MOONI_COUNT(words); i++) {
    size_t n = strlen(words[i]);
    if (c->size - c->at < n || memcmp(c->text + c->at, words[i], n)) continue;
    c->at += n;
    *flag = i;
    return MOON_OK;
  }
  return expected(c, "True or False");
}

static moon_status take_dimension(cursor *c, size_t *dimension) {
  size_t n = 0, digits = 0;
  bool zero = look(c) == '0';
  for (; c->at < c->size && c->text[c->at] >= '0' && c->text[c->at] <= '9'; c->at++, digits++) {
    if (digits == DIGITS_MAX || (zero && digits)) return expected(c, zero ? "no digit behind 0" : "at most 19 digits");
    n = 10 * n + (size_t)(c->text[c->at] - '0');
  }
  if (!digits) return expected(c, "a whole number of 0 or more");
  if (c->at < c->size && c->text[c->at] == 'L') c->at++; /* as Python 2 writes them */
  *dimension = n;
  return MOON_OK;
}

/* A tuple: (), (2,) or (2, 3); a comma may follow the last number. */
static moon_status take_shape(cursor *c, header *h) {
  bool comma = true;
  if (!take(c, '(')) return expected(c, "a tuple");
  while (!take(c, ')')) {
    if (!comma) return expected(c, "a comma");
    if (h->rank == MOON_MAX_RANK)
      return mooni_fail(c->ctx, MOON_EFORMAT,
                        "an array of more than %d dimensions: save a.reshape(len(a), -1), which has 2", MOON_MAX_RANK);
    MOONI_TRY(take_dimension(c, &h->shape[h->rank++]));
    comma = take(c, ',');
  }
  return h->rank == 1 && !comma ? expected(c, "a comma in the tuple of one number") : MOON_OK;
}

static moon_status take_pair(cursor *c, header *h, bool *seen) {
  static const char *const keys[] = {"descr", "fortran_order", "shape"};
  char key[TEXT_MAX];
  size_t i = 0;
  MOONI_TRY(take_text(c, key, "a key in quotes"));
  while (i < MOONI_COUNT(keys) && strcmp(key, keys[i])) i++;
  if (i == MOONI_COUNT(keys))
    return mooni_fail(c->ctx, MOON_EFORMAT, "header: unknown key '%s' (known: descr, fortran_order, shape)", key);
  if (seen[i]) return mooni_fail(c->ctx, MOON_EFORMAT, "header: the key '%s' twice", key);
  seen[i] = true;
  if (!take(c, ':')) return expected(c, "a colon");
  return i == 0 ? take_type(c, h) : i == 1 ? take_flag(c, &h->fortran) : take_shape(c, h);
}

static moon_status parse(cursor *c, header *h) {
  bool comma = true, seen[3] = {false};
  if (!take(c, '{')) return expected(c, "'{'");
  while (!take(c, '}')) {
    if (!comma) return expected(c, "a comma or '}'");
    MOONI_TRY(take_pair(c, h, seen));
    comma = take(c, ',');
  }
  if (!seen[0] || !seen[1] || !seen[2])
    return mooni_fail(c->ctx, MOON_EFORMAT, "header: the key '%s' is missing",
                      !seen[0]   ? "descr"
                      : !seen[1] ? "fortran_order"
                                 : "shape");
  look(c);
  return c->at == c->size ? MOON_OK : expected(c, "spaces only");
}

static moon_status not_npy(moon_ctx *ctx, const uint8_t *bytes, size_t size) {
  static const struct {
    const char *begin, *advice;
  } kinds[] = {{"PK", ", a zip archive such as .npz: save each of its arrays by numpy.save"},
               {"\x1f\x8b", ", gzip: unpack it by gunzip"},
               {"\x80", ", a pickle perhaps: save the array by numpy.save"}};
  const char *advice = "";
  char begins[3 * MAGIC + 1] = "";
  for (size_t i = 0; i < size && i < MAGIC; i++) snprintf(begins + 3 * i, 4, " %02x", bytes[i]);
  for (size_t i = 0; i < MOONI_COUNT(kinds); i++)
    if (size >= strlen(kinds[i].begin) && !memcmp(bytes, kinds[i].begin, strlen(kinds[i].begin)))
      advice = kinds[i].advice;
  return mooni_fail(ctx, MOON_EFORMAT, "not an NPY file: begins with%s, expected 93 4e 55 4d 50 59%s",
                    *begins ? begins : " nothing", advice);
}

/* Read what comes before the header's text. *size is its length. */
static moon_status read_prefix(mooni_reader *file, size_t *size) {
  moon_ctx *ctx = file->ctx;
  uint8_t b[BEFORE] = {0};
  size_t held = file->size < BEFORE ? file->size : BEFORE;
  MOONI_TRY(mooni_reader_read(file, b, held));
  if (held < MAGIC || memcmp(b, magic, MAGIC)) return not_npy(ctx, b, held);
  size_t before = held > MAGIC && b[MAGIC] > 1 ? BEFORE : BEFORE - 2;
  if (held < before)
    return mooni_fail(ctx, MOON_EFORMAT, "truncated: a header begins after %zu bytes, the file holds %zu", before,
                      held);
  if (b[MAGIC] < 1 || b[MAGIC] > 3 || b[MAGIC + 1])
    return mooni_fail(ctx, MOON_EFORMAT, "NPY version %d.%d, expected 1.0, 2.0 or 3.0", b[MAGIC], b[MAGIC + 1]);
  *size = (size_t)b[8] | (size_t)b[9] << 8;
  if (before == BEFORE) *size |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
  file->at = before;
  if (*size > file->size - before)
    return mooni_fail(ctx, MOON_EFORMAT, "truncated: expected a header of %zu bytes, the file holds %zu", *size,
                      file->size - before);
  if (*size > HEADER_MAX)
    return mooni_fail(ctx, MOON_EFORMAT, "a header of %zu bytes, expected at most %d", *size, HEADER_MAX);
  return MOON_OK;
}

static moon_status read_text(mooni_reader *file, header *h, size_t size) {
  char *text = mooni_alloc(file->ctx, size + 1);
  if (!text) return mooni_nomem(file->ctx, size + 1);
  moon_status status = mooni_reader_read(file, text, size);
  if (status == MOON_OK) status = parse(&(cursor){file->ctx, text, 0, size}, h);
  mooni_free(file->ctx, text);
  return status;
}

/* With one dimension beyond 1, or none, both orders are the same. */
static bool has_two_orders(const header *h) {
  int longer = 0;
  for (int i = 0; i < h->rank; i++) longer += h->shape[i] > 1;
  return longer > 1;
}

static moon_status read_header(mooni_reader *file, header *h) {
  size_t size = 0;
  bool fits = true;
  *h = (header){0};
  MOONI_TRY(read_prefix(file, &size));
  MOONI_TRY(read_text(file, h, size));
  h->at = file->at;
  h->promised = h->type->size;
  for (int i = 0; i < h->rank; i++) fits = fits && mooni_mul(&h->promised, h->promised, h->shape[i]);
  h->fortran = h->fortran && has_two_orders(h);
  char text[MOONI_SHAPE_TEXT];
  if (!fits)
    return mooni_fail(file->ctx, MOON_EFORMAT, "the header's %s is more than memory can hold",
                      mooni_shape_text(text, h->rank, h->shape));
  size_t holds = file->size - h->at;
  if (holds == h->promised) return MOON_OK;
  return mooni_fail(file->ctx, MOON_EFORMAT, "%s: header promises %zu bytes of data, the file holds %zu",
                    holds < h->promised ? "truncated" : "trailing bytes", h->promised, holds);
}

/* ---- the elements ---- */

/* Room for as many elements as are converted at a time, in the file's type and in the tensor's. */
typedef struct scratch {
  uint8_t *raw;
  void *values; /* uint8_t or float */
} scratch;

/* values [n] = the next n elements of the file. */
static moon_status convert(mooni_reader *file, const header *h, void *values, uint8_t *raw, size_t n) {
  if (!h->type->widen) return mooni_reader_read(file, values, n);
  MOONI_TRY(mooni_reader_read(file, raw, n * h->type->size));
  if (h->big) mooni_swap_bytes(raw, n, h->type->size);
  h->type->widen(values, raw, n);
  return MOON_OK;
}

static moon_status read_in_order(mooni_reader *file, const header *h, moon_tensor *t, const scratch *s) {
  if (h->type->dtype == MOON_UINT8) return mooni_reader_read(file, moon_tensor_byte(t), h->promised);
  if (h->type->widen == mooni_widen_f32 && !h->big) return mooni_reader_read(file, moon_tensor_float(t), h->promised);
  for (size_t done = 0, n, all = moon_tensor_numel(t); done < all; done += n) {
    n = all - done < ELEMENTS ? all - done : ELEMENTS;
    MOONI_TRY(convert(file, h, moon_tensor_float(t) + done, s->raw, n));
  }
  return MOON_OK;
}

/* A file in Fortran's order is a list of columns, each of shape[0] elements; here are some rows of some columns. */
typedef struct tile {
  size_t row, rows, column, columns;
} tile;

/* Where in a row of t [shape[0] x all the rest] a column's element belongs: in the file the second index varies
** fastest, in the row the last one. */
static size_t place(const header *h, size_t column) {
  size_t at = 0;
  for (int i = 1; i < h->rank; i++) {
    size_t stride = 1;
    for (int k = i + 1; k < h->rank; k++) stride *= h->shape[k];
    at += column % h->shape[i] * stride;
    column /= h->shape[i];
  }
  return at;
}

/* values [columns x rows] into t. */
static void put_tile(moon_tensor *t, const header *h, const void *values, const tile *w) {
  size_t width = mooni_width(t);
  float *floats = moon_tensor_float(t);
  uint8_t *bytes = moon_tensor_byte(t);
  for (size_t k = 0; k < w->columns; k++) {
    size_t to = w->row * width + place(h, w->column + k), from = k * w->rows;
    for (size_t i = 0; i < w->rows; i++, to += width, from++)
      if (floats)
        floats[to] = ((const float *)values)[from];
      else
        bytes[to] = ((const uint8_t *)values)[from];
  }
}

static moon_status read_tile(mooni_reader *file, const header *h, moon_tensor *t, const scratch *s, const tile *w) {
  size_t height = h->shape[0], size = mooni_element_size(h->type->dtype);
  size_t runs = w->rows == height ? 1 : w->columns, length = w->rows * w->columns / runs;
  for (size_t k = 0; k < runs; k++) {
    file->at = h->at + ((w->column + k) * height + w->row) * h->type->size;
    MOONI_TRY(convert(file, h, (uint8_t *)s->values + k * length * size, s->raw, length));
  }
  put_tile(t, h, s->values, w);
  return MOON_OK;
}

static moon_status read_transposed(mooni_reader *file, const header *h, moon_tensor *t, const scratch *s) {
  size_t height = h->shape[0], width = mooni_width(t);
  size_t rows = height < TILE_ROWS ? height : TILE_ROWS, columns = ELEMENTS / rows;
  for (size_t i = 0; i < height; i += rows)
    for (size_t k = 0; k < width; k += columns)
      MOONI_TRY(
          read_tile(file, h, t, s,
                    &(tile){i, height - i < rows ? height - i : rows, k, width - k < columns ? width - k : columns}));
  return MOON_OK;
}

static moon_status read_elements(mooni_reader *file, const header *h, moon_tensor *t) {
  moon_ctx *ctx = file->ctx;
  size_t n = moon_tensor_numel(t) < ELEMENTS ? moon_tensor_numel(t) : ELEMENTS;
  if (!n) return MOON_OK;
  size_t raw = n * h->type->size, bytes = raw + n * sizeof(float);
  uint8_t *room = mooni_alloc(ctx, bytes);
  if (!room) return mooni_nomem(ctx, bytes);
  scratch s = {room + n * sizeof(float), room};
  moon_status status = h->fortran ? read_transposed(file, h, t, &s) : read_in_order(file, h, t, &s);
  mooni_free(ctx, room);
  return status;
}

/* *out is NULL, with MOON_OK, for a file that is to be read instead. */
static moon_status map(const mooni_reader *file, const header *h, moon_tensor **out) {
  bool as_it_is = !h->type->widen || (h->type->widen == mooni_widen_f32 && !h->big && h->at % sizeof(float) == 0);
  *out = NULL;
  if (!as_it_is || h->fortran || h->promised < MOONI_MAP_FROM) return MOON_OK;
  return mooni_map_tensor(file, out, h->type->dtype, h->at, h->rank, h->shape);
}

static moon_status load(mooni_reader *file, moon_tensor **out) {
  header h;
  moon_tensor *t;
  MOONI_TRY(read_header(file, &h));
  MOONI_TRY(map(file, &h, &t));
  if (!t) {
    moon_status status = moon_tensor_new(file->ctx, &t, h.type->dtype, h.rank, h.shape);
    if (status != MOON_OK) return status == MOON_ESHAPE ? MOON_EFORMAT : status;
    status = read_elements(file, &h, t);
    if (status != MOON_OK) {
      moon_tensor_release(t);
      return status;
    }
  }
  *out = t;
  return MOON_OK;
}

moon_status moon_npy_load(moon_ctx *ctx, moon_tensor **out, const char *path) {
  MOONI_IEEE;
  mooni_reader file;
  MOONI_TRY(mooni_reader_open(&file, ctx, path));
  moon_status status = load(&file, out);
  mooni_reader_close(&file);
  return mooni_in_file(ctx, status, path);
}

/* ---- writing ---- */

/* The bytes before the elements into text [256]: as numpy pads them, to a multiple of 64. Returns their number. */
static size_t write_header(char *text, size_t room, const moon_tensor *t) {
  enum { ALIGN = 64, PREFIX = BEFORE - 2 };
  int rank = moon_tensor_rank(t);
  size_t n = PREFIX;
  memset(text, ' ', room);
  n += (size_t)snprintf(text + n, room - n, "{'descr': '%s', 'fortran_order': False, 'shape': (",
                        moon_tensor_dtype(t) == MOON_UINT8 ? "|u1" : "<f4");
  for (int i = 0; i < rank; i++)
    n += (size_t)snprintf(text + n, room - n, i ? ", %zu" : "%zu", moon_tensor_shape(t)[i]);
  n += (size_t)snprintf(text + n, room - n, rank == 1 ? ",), }" : "), }");
  size_t size = (n + 1 + ALIGN - 1) / ALIGN * ALIGN;
  text[n] = ' ';
  text[size - 1] = '\n';
  memcpy(text, magic, MAGIC);
  memcpy(text + MAGIC, (uint8_t[]){1, 0, (uint8_t)(size - PREFIX), (uint8_t)((size - PREFIX) >> 8)}, 4);
  return size;
}

moon_status moon_npy_save(const moon_tensor *t, const char *path) {
  char text[256];
  moon_bytes parts[] = {{text, write_header(text, sizeof text, t)}, {moon_tensor_data(t), moon_tensor_bytes(t)}};
  return moon_file_write(moon_tensor_ctx(t), path, parts, MOONI_COUNT(parts));
}
