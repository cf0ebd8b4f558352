/* safetensors.c - archives in the safetensors format, as files or in memory: the length of a JSON header as 8
** little-endian bytes, the header, the tensors' bytes one after the other. What is read is untrusted: the header must
** describe the bytes behind it exactly, and no memory is taken for a tensor before that is known.
**
** Our files have a checksum in each tensor's description, "crc32", an additional field that other readers skip. It is
** gone when others write the tensor, whatever texts they keep. It is zlib's crc32 of all texts, each key and text with
** its zero byte; the tensor's name and dtype, likewise; its dimensions, as 8 little-endian bytes each; and its bytes.
** So, if the file has a tensor, no byte that means anything can change unnoticed. */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "../core/error.h"
#include "../core/fpmode.h"
#include "../core/memory.h"
#include "../core/sort.h"
#include "../core/tensor.h"
#include "archive.h"
#include "file.h"
#include "json.h"
#include "map.h"
#include "widen.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "safetensors files are little-endian, and this file copies floats as they are"
#endif

enum {
  HEADER_MAX = 100000000, /* bytes, as in the reference implementation */
  CHUNK = 1 << 16,        /* bytes converted at a time */
  NAME_SHOWN = 100        /* bytes of a name in a message */
};
static const char CRC[] = "crc32";

/* ---- element types ---- */

typedef struct element {
  const char *name;
  size_t size;
  moon_dtype dtype;
  mooni_widen *widen; /* NULL: no conversion */
} element;

static const element elements[] = {
    {"F32", 4, MOON_FLOAT32, NULL},
    {"U8", 1, MOON_UINT8, NULL},
    {"F16", 2, MOON_FLOAT32, mooni_widen_f16},
    {"BF16", 2, MOON_FLOAT32, mooni_widen_bf16},
    {"F64", 8, MOON_FLOAT32, mooni_widen_f64},
    {"I64", 8, MOON_FLOAT32, mooni_widen_i64},
    {"I32", 4, MOON_FLOAT32, mooni_widen_i32},
    {"I16", 2, MOON_FLOAT32, mooni_widen_i16},
    {"I8", 1, MOON_FLOAT32, mooni_widen_i8},
    {"U64", 8, MOON_FLOAT32, mooni_widen_u64},
    {"U32", 4, MOON_FLOAT32, mooni_widen_u32},
    {"U16", 2, MOON_FLOAT32, mooni_widen_u16},
    {"BOOL", 1, MOON_FLOAT32, mooni_widen_bool},
};

static const element *find_element(const char *name) {
  for (size_t i = 0; i < MOONI_COUNT(elements); i++)
    if (strcmp(elements[i].name, name) == 0) return &elements[i];
  return NULL;
}

/* ---- checksums ---- */

static uint32_t crc(uint32_t so_far, const void *bytes, size_t n) {
  return n ? (uint32_t)crc32_z(so_far, bytes, n) : so_far;
}

static uint32_t crc_text(uint32_t so_far, const char *text) { return crc(so_far, text, strlen(text) + 1); }

/* The checksum of all texts, with which each tensor's checksum begins. */
static uint32_t crc_of_entries(const moon_archive *a) {
  uint32_t sum = 0;
  for (size_t i = 0; i < a->entry_count; i++) sum = crc_text(crc_text(sum, a->entries[i].key), a->entries[i].text);
  return sum;
}

/* The checksum of all that comes before the tensor's bytes. */
static uint32_t crc_of_description(uint32_t entries, const char *name, const char *dtype, int rank,
                                   const size_t *shape) {
  uint32_t sum = crc_text(crc_text(entries, name), dtype);
  for (int i = 0; i < rank; i++) sum = crc(sum, &(uint64_t){shape[i]}, sizeof(uint64_t));
  return sum;
}

/* ---- reading: the header ---- */

/* A tensor as the header describes it. name belongs to the JSON. */
typedef struct claim {
  const char *name;
  const element *type;
  int rank;
  size_t shape[MOON_MAX_RANK];
  size_t begin, end; /* in the data */
  bool has_crc;
  int64_t crc;
} claim;

static moon_status bad_tensor(moon_ctx *ctx, const claim *c, const char *text) {
  return mooni_fail(ctx, MOON_EFORMAT, "tensor '%.*s': %s", NAME_SHOWN, c->name, text);
}

/* *out = a whole number >= 0; false for anything else. */
static bool whole(const mooni_json *value, size_t *out) {
  if (!value || value->type != MOONI_JSON_INTEGER || value->integer < 0) return false;
  *out = (size_t)value->integer;
  return (int64_t)*out == value->integer;
}

static moon_status parse_shape(moon_ctx *ctx, claim *c, const mooni_json *shape) {
  char text[64];
  if (!shape || shape->type != MOONI_JSON_ARRAY) return bad_tensor(ctx, c, "no array 'shape'");
  if (shape->count > MOON_MAX_RANK) {
    snprintf(text, sizeof text, "%zu dimensions, expected at most %d", shape->count, MOON_MAX_RANK);
    return bad_tensor(ctx, c, text);
  }
  for (const mooni_json *size = shape->first; size; size = size->next)
    if (!whole(size, &c->shape[c->rank++])) return bad_tensor(ctx, c, "a dimension is not a whole number of 0 or more");
  return MOON_OK;
}

/* Are the offsets as far apart as the shape needs? A dimension of zero does not excuse an overflow of the others. */
static moon_status check_offsets(moon_ctx *ctx, const claim *c) {
  char text[MOONI_SHAPE_TEXT];
  size_t want = c->type->size, bytes = c->type->size;
  bool fits = true;
  for (int i = 0; i < c->rank; i++) {
    fits = fits && mooni_mul(&want, want, c->shape[i] ? c->shape[i] : 1);
    bytes *= c->shape[i];
  }
  mooni_shape_text(text, c->rank, c->shape);
  if (!fits || want > PTRDIFF_MAX / sizeof(float))
    return mooni_fail(ctx, MOON_EFORMAT, "tensor '%.*s': %s is more than memory can hold", NAME_SHOWN, c->name, text);
  if (c->begin > c->end || c->end - c->begin != bytes)
    return mooni_fail(ctx, MOON_EFORMAT, "tensor '%.*s': data_offsets [%zu, %zu] for %s %s, which takes %zu bytes",
                      NAME_SHOWN, c->name, c->begin, c->end, c->type->name, text, bytes);
  return MOON_OK;
}

static moon_status parse_claim(moon_ctx *ctx, claim *c, const mooni_json *value) {
  *c = (claim){.name = value->key};
  if (value->type != MOONI_JSON_OBJECT) return bad_tensor(ctx, c, "not described by an object");
  const char *type = mooni_json_text_of(mooni_json_get(value, "dtype"));
  if (!type) return bad_tensor(ctx, c, "no text 'dtype'");
  c->type = find_element(type);
  if (!c->type)
    return mooni_fail(ctx, MOON_EFORMAT,
                      "tensor '%.*s': unknown dtype '%.20s' (known: F32, U8, F16, BF16, F64, I64, "
                      "I32, I16, I8, U64, U32, U16, BOOL)",
                      NAME_SHOWN, c->name, type);
  MOONI_TRY(parse_shape(ctx, c, mooni_json_get(value, "shape")));
  const mooni_json *offsets = mooni_json_get(value, "data_offsets");
  if (!offsets || offsets->type != MOONI_JSON_ARRAY || offsets->count != 2 || !whole(offsets->first, &c->begin) ||
      !whole(offsets->first->next, &c->end))
    return bad_tensor(ctx, c, "no 'data_offsets' of two whole numbers");
  const mooni_json *sum = mooni_json_get(value, CRC);
  c->has_crc = sum && sum->type == MOONI_JSON_INTEGER;
  c->crc = c->has_crc ? sum->integer : 0;
  return check_offsets(ctx, c);
}

static bool begins_before(const void *a, const void *b, const void *ud) {
  const claim *x = a, *y = b;
  (void)ud;
  return x->begin != y->begin ? x->begin < y->begin : x->end < y->end;
}

/* Sort by offset. Most files are sorted. */
static void sort_claims(claim *c, size_t n) {
  size_t i = 1;
  while (i < n && !begins_before(&c[i], &c[i - 1], NULL)) i++;
  if (i < n) mooni_sort(c, n, sizeof *c, begins_before, NULL);
}

/* The tensors must cover the data exactly: no hole, no overlap, nothing left. */
static moon_status check_tiling(moon_ctx *ctx, const claim *c, size_t n, size_t data) {
  size_t at = 0;
  for (size_t i = 0; i < n; at = c[i++].end) {
    if (c[i].begin == at) continue;
    return mooni_fail(ctx, MOON_EFORMAT, "tensor '%.*s': its data begins at %zu, expected %zu (%s)", NAME_SHOWN,
                      c[i].name, c[i].begin, at, c[i].begin < at ? "an overlap" : "a hole");
  }
  if (at > data)
    return mooni_fail(ctx, MOON_EFORMAT, "truncated: header promises %zu bytes of data, the file holds %zu", at, data);
  if (at < data)
    return mooni_fail(ctx, MOON_EFORMAT, "trailing bytes: header promises %zu bytes of data, the file holds %zu", at,
                      data);
  return MOON_OK;
}

static moon_status take_metadata(moon_archive *a, const mooni_json *metadata) {
  if (metadata->type != MOONI_JSON_OBJECT)
    return mooni_fail(a->ctx, MOON_EFORMAT, "%s is %s, expected an object", MOONI_METADATA, mooni_json_kind(metadata));
  for (const mooni_json *v = metadata->first; v; v = v->next) {
    if (v->type != MOONI_JSON_TEXT)
      return mooni_fail(a->ctx, MOON_EFORMAT, "%s: '%.*s' is %s, expected a text", MOONI_METADATA, NAME_SHOWN, v->key,
                        mooni_json_kind(v));
    MOONI_TRY(mooni_archive_append_text(a, v->key, v->text));
  }
  return MOON_OK;
}

/* All tensors of the header, sorted by their place in the data. */
static moon_status parse_claims(moon_archive *a, claim *claims, const mooni_json *header, size_t data) {
  size_t n = 0;
  for (const mooni_json *v = header->first; v; v = v->next)
    if (strcmp(v->key, MOONI_METADATA) == 0)
      MOONI_TRY(take_metadata(a, v));
    else
      MOONI_TRY(parse_claim(a->ctx, &claims[n++], v));
  sort_claims(claims, n);
  return check_tiling(a->ctx, claims, n, data);
}

/* ---- reading: the data ---- */

static moon_status read_widened(mooni_reader *file, const claim *c, float *y, uint8_t *chunk, uint32_t *sum) {
  for (size_t left = c->end - c->begin, n; left; left -= n) {
    n = left < CHUNK ? left : CHUNK;
    MOONI_TRY(mooni_reader_read(file, chunk, n));
    if (c->has_crc) *sum = crc(*sum, chunk, n);
    c->type->widen(y, chunk, n / c->type->size);
    y += n / c->type->size;
  }
  return MOON_OK;
}

static moon_status read_as_it_is(mooni_reader *file, const claim *c, void *bytes, uint32_t *sum) {
  size_t n = c->end - c->begin;
  MOONI_TRY(mooni_reader_read(file, bytes, n));
  if (c->has_crc) *sum = crc(*sum, bytes, n);
  return MOON_OK;
}

static moon_status check_crc(moon_ctx *ctx, const claim *c, uint32_t sum) {
  if (!c->has_crc || c->crc == (int64_t)sum) return MOON_OK;
  return mooni_fail(ctx, MOON_EFORMAT,
                    "damaged: the checksum of tensor '%.*s' and of the texts is %lu, the header has %lld", NAME_SHOWN,
                    c->name, (unsigned long)sum, (long long)c->crc);
}

/* Read the bytes of a tensor that is mapped, for their checksum. */
static moon_status read_past(mooni_reader *file, const claim *c, uint8_t *chunk, uint32_t *sum) {
  size_t end = file->at + (c->end - c->begin);
  for (size_t n; c->has_crc && file->at < end;) {
    n = end - file->at < CHUNK ? end - file->at : CHUNK;
    MOONI_TRY(mooni_reader_read(file, chunk, n));
    *sum = crc(*sum, chunk, n);
  }
  file->at = end;
  return MOON_OK;
}

/* How the tensors of a file are read. */
typedef struct reading {
  mooni_reader *file;
  uint8_t *chunk;   /* [CHUNK] */
  uint32_t entries; /* the checksum of the texts */
  bool map;         /* large tensors are mapped */
} reading;

/* *out is NULL, with MOON_OK, for a tensor that is to be read instead. */
static moon_status map_tensor(const reading *r, const claim *c, moon_tensor **out) {
  size_t size = c->end - c->begin;
  *out = NULL;
  if (!r->map || c->type->widen || size < MOONI_MAP_FROM || r->file->at % c->type->size) return MOON_OK;
  return mooni_map_tensor(r->file, out, c->type->dtype, r->file->at, c->rank, c->shape);
}

static moon_status read_tensor(moon_archive *a, const reading *r, const claim *c) {
  moon_tensor *t;
  moon_status status;
  uint32_t sum = crc_of_description(r->entries, c->name, c->type->name, c->rank, c->shape);
  MOONI_TRY(map_tensor(r, c, &t));
  if (t) {
    status = read_past(r->file, c, r->chunk, &sum);
  } else {
    MOONI_TRY(moon_tensor_new(a->ctx, &t, c->type->dtype, c->rank, c->shape));
    status = c->type->widen ? read_widened(r->file, c, moon_tensor_float(t), r->chunk, &sum)
                            : read_as_it_is(r->file, c, moon_tensor_data(t), &sum);
  }
  if (status == MOON_OK) status = check_crc(a->ctx, c, sum);
  if (status == MOON_OK) status = mooni_archive_append(a, c->name, t);
  moon_tensor_release(t);
  return status;
}

static moon_status read_data(moon_archive *a, mooni_reader *file, bool map, const claim *claims, size_t count) {
  reading r = {file, mooni_alloc(a->ctx, CHUNK), crc_of_entries(a), map};
  if (!r.chunk) return mooni_nomem(a->ctx, CHUNK);
  moon_status status = MOON_OK;
  for (size_t i = 0; i < count && status == MOON_OK; i++) status = read_tensor(a, &r, &claims[i]);
  mooni_free(a->ctx, r.chunk);
  return status;
}

static moon_status load_header(moon_archive *a, mooni_reader *file, bool map, const mooni_json *header) {
  size_t count = header->count - (mooni_json_get(header, MOONI_METADATA) != NULL);
  claim *claims = mooni_calloc(a->ctx, count + 1, sizeof *claims);
  if (!claims) return mooni_nomem(a->ctx, count * sizeof *claims);
  moon_status status = parse_claims(a, claims, header, file->size - file->at);
  if (status == MOON_OK) status = read_data(a, file, map, claims, count);
  mooni_free(a->ctx, claims);
  return status;
}

static moon_status read_header(moon_ctx *ctx, mooni_reader *file, mooni_json **header, size_t size) {
  char *text = mooni_alloc(ctx, size);
  if (!text) return mooni_nomem(ctx, size);
  moon_status status = mooni_reader_read(file, text, size);
  if (status == MOON_OK && text[0] != '{')
    status = mooni_fail(ctx, MOON_EFORMAT, "not a safetensors file: the header begins with byte 0x%02x, expected '{'",
                        (unsigned char)text[0]);
  if (status == MOON_OK) status = mooni_json_parse(ctx, header, text, size, "the header");
  mooni_free(ctx, text);
  return status;
}

static moon_status load(moon_archive *a, mooni_reader *file, bool map) {
  uint8_t bytes[8];
  uint64_t size = 0;
  mooni_json *header;
  if (file->size < sizeof bytes)
    return mooni_fail(a->ctx, MOON_EFORMAT, "truncated: expected a header length of 8 bytes, the file holds %zu",
                      file->size);
  MOONI_TRY(mooni_reader_read(file, bytes, sizeof bytes));
  for (int i = 8; i--;) size = size << 8 | bytes[i];
  if (size < 2 || size > HEADER_MAX)
    return mooni_fail(a->ctx, MOON_EFORMAT, "not a safetensors file: a header of %llu bytes, expected 2 to %d",
                      (unsigned long long)size, HEADER_MAX);
  if (size > file->size - sizeof bytes)
    return mooni_fail(a->ctx, MOON_EFORMAT, "truncated: expected a header of %llu bytes, the file holds %zu",
                      (unsigned long long)size, file->size - sizeof bytes);
  MOONI_TRY(read_header(a->ctx, file, &header, (size_t)size));
  moon_status status = load_header(a, file, map, header);
  mooni_free(a->ctx, header);
  return status;
}

static moon_status load_new(moon_ctx *ctx, moon_archive **out, mooni_reader *file, bool map) {
  moon_archive *a;
  MOONI_TRY(moon_archive_new(ctx, &a));
  moon_status status = load(a, file, map);
  if (status == MOON_OK)
    *out = a;
  else
    moon_archive_release(a);
  return status;
}

static moon_status load_file(moon_ctx *ctx, moon_archive **out, const char *path, bool map) {
  MOONI_IEEE;
  mooni_reader file;
  MOONI_TRY(mooni_reader_open(&file, ctx, path));
  moon_status status = load_new(ctx, out, &file, map);
  mooni_reader_close(&file);
  return mooni_in_file(ctx, status, path);
}

moon_status moon_archive_load(moon_ctx *ctx, moon_archive **out, const char *path) {
  return load_file(ctx, out, path, false);
}

moon_status moon_archive_map(moon_ctx *ctx, moon_archive **out, const char *path) {
  return load_file(ctx, out, path, true);
}

moon_status moon_archive_decode(moon_ctx *ctx, moon_archive **out, const void *bytes, size_t size) {
  MOONI_IEEE;
  mooni_reader file;
  mooni_reader_of(&file, ctx, bytes, size);
  return load_new(ctx, out, &file, false);
}

/* ---- writing ---- */

static void describe(mooni_json_writer *w, const mooni_item *item, size_t begin, uint32_t entries) {
  const moon_tensor *t = item->tensor;
  const char *dtype = moon_tensor_dtype(t) == MOON_UINT8 ? "U8" : "F32";
  uint32_t sum = crc_of_description(entries, item->name, dtype, moon_tensor_rank(t), moon_tensor_shape(t));
  mooni_json_key(w, item->name);
  mooni_json_open(w, '{');
  mooni_json_key(w, "dtype");
  mooni_json_text(w, dtype);
  mooni_json_key(w, "shape");
  mooni_json_open(w, '[');
  for (int i = 0; i < moon_tensor_rank(t); i++) mooni_json_integer(w, (int64_t)moon_tensor_shape(t)[i]);
  mooni_json_close(w, ']');
  mooni_json_key(w, "data_offsets");
  mooni_json_open(w, '[');
  mooni_json_integer(w, (int64_t)begin);
  mooni_json_integer(w, (int64_t)(begin + moon_tensor_bytes(t)));
  mooni_json_close(w, ']');
  mooni_json_key(w, CRC);
  mooni_json_integer(w, (int64_t)crc(sum, moon_tensor_data(t), moon_tensor_bytes(t)));
  mooni_json_close(w, '}');
}

static void describe_texts(mooni_json_writer *w, const moon_archive *a) {
  mooni_json_key(w, MOONI_METADATA);
  mooni_json_open(w, '{');
  for (size_t i = 0; i < a->entry_count; i++) {
    mooni_json_key(w, a->entries[i].key);
    mooni_json_text(w, a->entries[i].text);
  }
  mooni_json_close(w, '}');
}

/* A file: its parts, and what they are made of. */
typedef struct content {
  char *header;
  uint8_t length[8];  /* of the header */
  moon_bytes *parts;  /* length, header, padding, tensors */
  size_t count, size; /* size: of all parts */
} content;

/* Floats come before bytes, so that every float is at a multiple of four; else in order of addition. The header and the
** tensors' parts have the same order. */
static moon_status list_tensors(content *c, const moon_archive *a, mooni_json_writer *w) {
  static const moon_dtype order[] = {MOON_FLOAT32, MOON_UINT8};
  uint32_t entries = crc_of_entries(a);
  mooni_json_open(w, '{');
  if (a->entry_count) describe_texts(w, a);
  for (size_t d = 0; d < MOONI_COUNT(order); d++)
    for (size_t i = 0; i < a->item_count; i++) {
      const moon_tensor *t = a->items[i].tensor;
      if (moon_tensor_dtype(t) != order[d]) continue;
      describe(w, &a->items[i], c->size, entries);
      c->parts[c->count++] = (moon_bytes){moon_tensor_data(t), moon_tensor_bytes(t)};
      c->size += moon_tensor_bytes(t);
    }
  mooni_json_close(w, '}');
  return mooni_json_finish(w, &c->header);
}

static void drop_content(content *c, moon_ctx *ctx) {
  mooni_free(ctx, c->header);
  mooni_free(ctx, c->parts);
}

static moon_status list_parts(content *c, const moon_archive *a) {
  enum { BEFORE = 3 }; /* parts before the tensors' */
  static const char spaces[] = "        ";
  mooni_json_writer w = {.ctx = a->ctx};
  *c = (content){.parts = mooni_calloc(a->ctx, a->item_count + BEFORE, sizeof *c->parts), .count = BEFORE};
  if (!c->parts) return mooni_nomem(a->ctx, (a->item_count + BEFORE) * sizeof *c->parts);
  MOONI_TRY(list_tensors(c, a, &w));
  size_t length = strlen(c->header), padding = (8 - length % 8) % 8;
  if (length + 8 > HEADER_MAX)
    return mooni_fail(a->ctx, MOON_ERANGE, "archive: the names and texts take more than %d bytes", HEADER_MAX);
  for (int i = 0; i < 8; i++) c->length[i] = (uint8_t)((uint64_t)(length + padding) >> 8 * i);
  c->parts[0] = (moon_bytes){c->length, sizeof c->length};
  c->parts[1] = (moon_bytes){c->header, length};
  c->parts[2] = (moon_bytes){spaces, padding};
  c->size += sizeof c->length + length + padding;
  return MOON_OK;
}

moon_status moon_archive_save(const moon_archive *a, const char *path) {
  content c;
  moon_status status = list_parts(&c, a);
  if (status == MOON_OK) status = moon_file_write(a->ctx, path, c.parts, c.count);
  drop_content(&c, a->ctx);
  return status;
}

moon_status moon_archive_encode(const moon_archive *a, moon_tensor **bytes) {
  content c;
  moon_tensor *t;
  moon_status status = list_parts(&c, a);
  if (status == MOON_OK) status = moon_tensor_new(a->ctx, &t, MOON_UINT8, 1, &c.size);
  if (status == MOON_OK) {
    uint8_t *to = moon_tensor_byte(t);
    for (size_t i = 0; i < c.count; to += c.parts[i++].size)
      if (c.parts[i].size) memcpy(to, c.parts[i].data, c.parts[i].size);
    *bytes = t;
  }
  drop_content(&c, a->ctx);
  return status;
}
