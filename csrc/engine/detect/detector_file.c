/* detector_file.c - detectors to archives and back.
**
** With one net the archive is that of the net (formats/weights.c). With several, tensors and the text "moonglass" of
** each have its number: "0.0.weight", as in a torch.nn.ModuleList of torch.nn.Sequential, and "moonglass.0".
** What is the detector's own is JSON in the text entry "moonglass.detector":
**   {"version": 1, "nets": 1, "score": "mean", "missing": "skip", "margin": 3.0, "threshold": 0.1, "quantile": 0.99,
**    "rows": 1000, "alarms": 10, "columns": ["a", "b"], "categories": {"color": ["red", "blue"]}, "offset": [...],
**    "scale": [...], "spread": [...], "low": [...], "high": [...]}
** Only the version must be there. An unknown bound in low and high is null. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/error.h"
#include "../core/fpmode.h"
#include "../core/memory.h"
#include "../formats/archive.h"
#include "../formats/file.h"
#include "../formats/json.h"
#include "detector.h"

enum { VERSION = 1, NAME_MAX_BYTES = 256, SHOWN = 60 };
static const char NET_ENTRY[] = "moonglass";

/* ---- saving: the text ---- */

static void write_numbers(mooni_json_writer *w, const char *name, const double *list, size_t n) {
  if (!list) return;
  mooni_json_key(w, name);
  mooni_json_open(w, '[');
  for (size_t i = 0; i < n; i++) isnan(list[i]) ? mooni_json_null(w) : mooni_json_real(w, list[i]);
  mooni_json_close(w, ']');
}

static void write_texts(mooni_json_writer *w, const char *name, const char *const *list, size_t n) {
  if (!list) return;
  mooni_json_key(w, name);
  mooni_json_open(w, '[');
  for (size_t i = 0; i < n; i++) mooni_json_text(w, list[i]);
  mooni_json_close(w, ']');
}

static void write_categories(mooni_json_writer *w, const moon_detector_config *c) {
  if (!c->category_count) return;
  mooni_json_key(w, "categories");
  mooni_json_open(w, '{');
  for (size_t i = 0; i < c->category_count; i++)
    write_texts(w, c->categories[i].column, c->categories[i].values, c->categories[i].count);
  mooni_json_close(w, '}');
}

static moon_status describe(const moon_detector *d, char **text) {
  mooni_json_writer w = {.ctx = d->ctx};
  moon_detector_config c = {.size = sizeof c};
  moon_detector_describe(d, &c);
  mooni_json_open(&w, '{');
  mooni_json_key(&w, "version");
  mooni_json_integer(&w, VERSION);
  mooni_json_key(&w, "nets");
  mooni_json_integer(&w, (int64_t)c.net_count);
  mooni_json_key(&w, "score");
  mooni_json_text(&w, c.score);
  mooni_json_key(&w, "missing");
  mooni_json_text(&w, c.missing);
  mooni_json_key(&w, "margin");
  mooni_json_real(&w, c.margin);
  if (!isnan(d->threshold)) mooni_json_key(&w, "threshold");
  if (!isnan(d->threshold)) mooni_json_real(&w, d->threshold);
  if (c.quantile > 0) mooni_json_key(&w, "quantile");
  if (c.quantile > 0) mooni_json_real(&w, c.quantile);
  if (c.rows) mooni_json_key(&w, "rows");
  if (c.rows) mooni_json_integer(&w, (int64_t)c.rows);
  if (c.rows) mooni_json_key(&w, "alarms");
  if (c.rows) mooni_json_integer(&w, (int64_t)c.alarms);
  write_texts(&w, "columns", c.columns, d->width);
  write_categories(&w, &c);
  write_numbers(&w, "offset", c.offset, d->width);
  write_numbers(&w, "scale", c.scale, d->width);
  write_numbers(&w, "spread", c.spread, d->width);
  write_numbers(&w, "low", c.low, d->width);
  write_numbers(&w, "high", c.high, d->width);
  mooni_json_close(&w, '}');
  return mooni_json_finish(&w, text);
}

/* ---- saving: the archive ---- */

static void number(char name[NAME_MAX_BYTES], const char *before, size_t i, const char *after) {
  snprintf(name, NAME_MAX_BYTES, "%s%zu%s", before, i, after);
}

/* Copy the archive of net i into the whole. */
static moon_status add_numbered(moon_archive *archive, const moon_archive *net, size_t i) {
  char key[NAME_MAX_BYTES], prefix[NAME_MAX_BYTES], full[2 * NAME_MAX_BYTES];
  const char *name;
  moon_tensor *t;
  number(prefix, "", i, ".");
  number(key, "moonglass.", i, "");
  for (size_t k = 0; moon_archive_tensor(net, k, &name, &t); k++) {
    snprintf(full, sizeof full, "%s%s", prefix, name);
    MOONI_TRY(moon_archive_add(archive, full, t));
  }
  return moon_archive_set(archive, key, moon_archive_text(net, NET_ENTRY));
}

static moon_status add_net(moon_archive *archive, const moon_detector *d, size_t i) {
  moon_archive *part;
  if (d->net_count == 1) return moon_net_to_archive(d->nets[0], archive);
  MOONI_TRY(moon_archive_new(d->ctx, &part));
  moon_status status = moon_net_to_archive(d->nets[i], part);
  if (status == MOON_OK) status = add_numbered(archive, part, i);
  moon_archive_release(part);
  return status;
}

static moon_status add_all(moon_archive *archive, const moon_detector *d, const char *text) {
  const char *key, *own;
  if (!moon_archive_text(archive, "format")) MOONI_TRY(moon_archive_set(archive, "format", "pt"));
  for (size_t i = 0; i < d->net_count; i++) MOONI_TRY(add_net(archive, d, i));
  for (size_t i = 0; moon_archive_entry(d->texts, i, &key, &own); i++) MOONI_TRY(moon_archive_set(archive, key, own));
  return moon_archive_set(archive, MOONI_DETECTOR_ENTRY, text);
}

/* Into a new archive: a failure leaves nothing half done. */
static moon_status archive_of(const moon_detector *d, moon_archive **out) {
  char *text;
  MOONI_TRY(describe(d, &text));
  moon_status status = moon_archive_new(d->ctx, out);
  if (status == MOON_OK) {
    status = add_all(*out, d, text);
    if (status != MOON_OK) moon_archive_release(*out);
  }
  mooni_free(d->ctx, text);
  return status;
}

static moon_status add_archive(moon_archive *to, const moon_archive *from) {
  const char *name, *key, *text;
  moon_tensor *t;
  size_t items = to->item_count, entries = to->entry_count;
  moon_status status = MOON_OK;
  for (size_t i = 0; moon_archive_entry(from, i, &key, &text); i++)
    if (moon_archive_text(to, key) && strcmp(key, "format") != 0)
      return mooni_fail(to->ctx, MOON_ERANGE, "archive: there is a text '%.*s' already", SHOWN, key);
  for (size_t i = 0; status == MOON_OK && moon_archive_tensor(from, i, &name, &t); i++)
    status = moon_archive_add(to, name, t);
  for (size_t i = 0; status == MOON_OK && moon_archive_entry(from, i, &key, &text); i++)
    if (!moon_archive_text(to, key)) status = moon_archive_set(to, key, text);
  if (status != MOON_OK) mooni_archive_cut(to, items, entries);
  return status;
}

moon_status moon_detector_to_archive(const moon_detector *d, moon_archive *archive) {
  MOONI_IEEE;
  moon_archive *own;
  MOONI_TRY(archive_of(d, &own));
  moon_status status = add_archive(archive, own);
  moon_archive_release(own);
  return status;
}

moon_status moon_detector_save(const moon_detector *d, const char *path) {
  MOONI_IEEE;
  moon_archive *archive;
  MOONI_TRY(archive_of(d, &archive));
  moon_status status = moon_archive_save(archive, path);
  moon_archive_release(archive);
  return status;
}

moon_status moon_detector_to_bytes(const moon_detector *d, moon_tensor **bytes) {
  MOONI_IEEE;
  moon_archive *archive;
  MOONI_TRY(archive_of(d, &archive));
  moon_status status = moon_archive_encode(archive, bytes);
  moon_archive_release(archive);
  return status;
}

/* ---- loading: the text ---- */

/* What is read for the config: all of it is freed when the detector is made. */
typedef struct reading {
  moon_ctx *ctx;
  size_t width;
  moon_detector_config config;
  double threshold;
  double *offset, *scale, *spread, *low, *high;
  const char **columns, **values;
  moon_csv_category *categories;
} reading;

static moon_status bad(const reading *r, const char *field, const char *expected, const mooni_json *got) {
  return mooni_fail(r->ctx, MOON_EFORMAT, "%s: expected %s, got %s", field, expected, mooni_json_kind(got));
}

static bool is_number(const mooni_json *v) {
  return v && (v->type == MOONI_JSON_INTEGER || v->type == MOONI_JSON_REAL);
}

static moon_status want_list(const reading *r, const char *field, const mooni_json *v, size_t n) {
  if (v->type != MOONI_JSON_ARRAY) return bad(r, field, "an array", v);
  if (v->count == n) return MOON_OK;
  return mooni_fail(r->ctx, MOON_EFORMAT, "%s: expected %zu elements, as the net is wide, got %zu", field, n, v->count);
}

/* nulls: null is allowed, and becomes NaN. */
static moon_status read_numbers(const reading *r, double **out, const char *field, const mooni_json *v, bool nulls) {
  if (!v) return MOON_OK;
  MOONI_TRY(want_list(r, field, v, r->width));
  double *to = *out = mooni_calloc(r->ctx, r->width, sizeof *to);
  if (!to) return mooni_nomem(r->ctx, r->width * sizeof *to);
  size_t i = 1;
  for (const mooni_json *e = v->first; e; e = e->next, i++) {
    if (!is_number(e) && !(nulls && e->type == MOONI_JSON_NULL))
      return mooni_fail(r->ctx, MOON_EFORMAT, "%s: element %zu: expected a number%s, got %s", field, i,
                        nulls ? " or null" : "", mooni_json_kind(e));
    *to++ = is_number(e) ? e->number : (double)NAN;
  }
  return MOON_OK;
}

static moon_status read_texts(const reading *r, const char **to, const char *field, const mooni_json *v) {
  size_t i = 1;
  for (const mooni_json *e = v->first; e; e = e->next, i++) {
    *to = mooni_json_text_of(e);
    if (!*to++)
      return mooni_fail(r->ctx, MOON_EFORMAT, "%s: element %zu: expected a text, got %s", field, i, mooni_json_kind(e));
  }
  return MOON_OK;
}

static moon_status read_columns(reading *r, const mooni_json *v) {
  if (!v) return MOON_OK;
  MOONI_TRY(want_list(r, "columns", v, r->width));
  r->columns = mooni_calloc(r->ctx, r->width, sizeof *r->columns);
  if (!r->columns) return mooni_nomem(r->ctx, r->width * sizeof *r->columns);
  return read_texts(r, r->columns, "columns", v);
}

static moon_status read_categories(reading *r, const mooni_json *v) {
  size_t values = 0;
  if (!v) return MOON_OK;
  if (v->type != MOONI_JSON_OBJECT) return bad(r, "categories", "an object", v);
  for (const mooni_json *e = v->first; e; e = e->next) values += e->count;
  r->values = mooni_calloc(r->ctx, values + 1, sizeof *r->values);
  r->categories = mooni_calloc(r->ctx, v->count + 1, sizeof *r->categories);
  if (!r->values || !r->categories) return mooni_nomem(r->ctx, (values + v->count) * sizeof *r->values);
  const char **next = r->values;
  for (const mooni_json *e = v->first; e; e = e->next) {
    if (e->type != MOONI_JSON_ARRAY) return bad(r, "categories: values", "an array", e);
    r->categories[r->config.category_count++] = (moon_csv_category){e->key, next, e->count};
    MOONI_TRY(read_texts(r, next, "categories: values", e));
    next += e->count;
  }
  return MOON_OK;
}

static moon_status check_fields(const reading *r, const mooni_json *root) {
  static const char *const known[] = {"version",  "nets",  "score",  "missing", "margin",  "threshold",
                                      "quantile", "rows",  "alarms", "spread",  "columns", "categories",
                                      "offset",   "scale", "low",    "high"};
  for (const mooni_json *v = root->first; v; v = v->next) {
    size_t i = 0;
    while (i < MOONI_COUNT(known) && strcmp(known[i], v->key) != 0) i++;
    if (i == MOONI_COUNT(known)) return mooni_fail(r->ctx, MOON_EFORMAT, "unknown field '%.*s'", SHOWN, v->key);
  }
  return MOON_OK;
}

/* The version first: another one may have other fields. */
static moon_status read_head(const reading *r, const mooni_json *root, size_t *nets) {
  const mooni_json *version = mooni_json_get(root, "version"), *count = mooni_json_get(root, "nets");
  if (root->type != MOONI_JSON_OBJECT) return bad(r, "the whole", "an object", root);
  if (!version || version->type != MOONI_JSON_INTEGER) return bad(r, "version", "a whole number", version);
  if (version->integer != VERSION)
    return mooni_fail(r->ctx, MOON_EFORMAT, "version: %lld, expected %d: a later Moonglass has written it",
                      (long long)version->integer, VERSION);
  MOONI_TRY(check_fields(r, root));
  if (!count) return MOON_OK;
  if (count->type != MOONI_JSON_INTEGER) return bad(r, "nets", "a whole number", count);
  if (count->integer < 1 || count->integer > MOONI_DETECTOR_NETS)
    return mooni_fail(r->ctx, MOON_EFORMAT, "nets: %lld, expected 1 to %d", (long long)count->integer,
                      MOONI_DETECTOR_NETS);
  *nets = (size_t)count->integer;
  return MOON_OK;
}

/* *out stays as it is if the field is absent. */
static moon_status read_number(const reading *r, double *out, const char *field, const mooni_json *root) {
  const mooni_json *v = mooni_json_get(root, field);
  if (v && !is_number(v)) return bad(r, field, "a number", v);
  if (v) *out = v->number;
  return MOON_OK;
}

static moon_status read_text(const reading *r, const char **out, const char *field, const mooni_json *root) {
  const mooni_json *v = mooni_json_get(root, field);
  *out = mooni_json_text_of(v);
  return v && !*out ? bad(r, field, "a text", v) : MOON_OK;
}

static moon_status read_count(const reading *r, size_t *out, const char *field, const mooni_json *root) {
  const mooni_json *v = mooni_json_get(root, field);
  if (v && (v->type != MOONI_JSON_INTEGER || v->integer < 0)) return bad(r, field, "a count", v);
  if (v) *out = (size_t)v->integer;
  return MOON_OK;
}

static moon_status read_settings(reading *r, const mooni_json *root) {
  moon_detector_config *c = &r->config;
  MOONI_TRY(read_text(r, &c->score, "score", root));
  MOONI_TRY(read_text(r, &c->missing, "missing", root));
  MOONI_TRY(read_number(r, &c->margin, "margin", root));
  MOONI_TRY(read_number(r, &r->threshold, "threshold", root));
  MOONI_TRY(read_number(r, &c->quantile, "quantile", root));
  MOONI_TRY(read_count(r, &c->rows, "rows", root));
  return read_count(r, &c->alarms, "alarms", root);
}

static moon_status read_fields(reading *r, const mooni_json *root) {
  moon_detector_config *c = &r->config;
  MOONI_TRY(read_settings(r, root));
  MOONI_TRY(read_columns(r, mooni_json_get(root, "columns")));
  MOONI_TRY(read_categories(r, mooni_json_get(root, "categories")));
  MOONI_TRY(read_numbers(r, &r->offset, "offset", mooni_json_get(root, "offset"), false));
  MOONI_TRY(read_numbers(r, &r->scale, "scale", mooni_json_get(root, "scale"), false));
  MOONI_TRY(read_numbers(r, &r->spread, "spread", mooni_json_get(root, "spread"), false));
  MOONI_TRY(read_numbers(r, &r->low, "low", mooni_json_get(root, "low"), true));
  MOONI_TRY(read_numbers(r, &r->high, "high", mooni_json_get(root, "high"), true));
  c->offset = r->offset;
  c->scale = r->scale;
  c->spread = r->spread;
  c->low = r->low;
  c->high = r->high;
  c->columns = r->columns;
  c->categories = r->categories;
  return MOON_OK;
}

/* ---- loading: the nets ---- */

/* The part of the archive that is net i, with its names of a net alone. */
static moon_status take_numbered(const moon_archive *archive, moon_archive *part, size_t i) {
  char key[NAME_MAX_BYTES], prefix[NAME_MAX_BYTES];
  const char *name;
  moon_tensor *t;
  number(prefix, "", i, ".");
  number(key, "moonglass.", i, "");
  const char *text = moon_archive_text(archive, key);
  if (!text) return mooni_fail(part->ctx, MOON_EFORMAT, "no text entry '%s'", key);
  for (size_t k = 0; moon_archive_tensor(archive, k, &name, &t); k++)
    if (strncmp(name, prefix, strlen(prefix)) == 0) MOONI_TRY(mooni_archive_append(part, name + strlen(prefix), t));
  return moon_archive_set(part, NET_ENTRY, text);
}

static moon_status load_numbered(moon_ctx *ctx, moon_net **out, const moon_archive *archive, size_t i) {
  moon_archive *part;
  MOONI_TRY(moon_archive_new(ctx, &part));
  moon_status status = take_numbered(archive, part, i);
  if (status == MOON_OK) status = moon_net_from_archive(ctx, out, part);
  moon_archive_release(part);
  return status == MOON_OK || status == MOON_ENOMEM ? status : mooni_prepend(ctx, status, "net %zu: ", i + 1);
}

/* A tensor of none of the nets. */
static moon_status check_strays(moon_ctx *ctx, const moon_archive *archive, size_t nets) {
  const char *name;
  for (size_t i = 0; moon_archive_tensor(archive, i, &name, NULL); i++) {
    char *end;
    if (*name < '0' || *name > '9') continue;
    unsigned long long n = strtoull(name, &end, 10);
    if (n >= nets || *end != '.')
      return mooni_fail(ctx, MOON_EFORMAT, "tensor '%.*s' belongs to none of the %zu nets", SHOWN, name, nets);
  }
  return MOON_OK;
}

static moon_status load_nets(moon_ctx *ctx, moon_net **nets, size_t *made, const moon_archive *archive, size_t count) {
  if (count == 1) {
    MOONI_TRY(moon_net_from_archive(ctx, &nets[0], archive));
    *made = 1;
    return MOON_OK;
  }
  MOONI_TRY(check_strays(ctx, archive, count));
  for (; *made < count; ++*made) MOONI_TRY(load_numbered(ctx, &nets[*made], archive, *made));
  return MOON_OK;
}

/* ---- loading: the whole ---- */

/* Texts that are neither the nets' nor the detector's. */
static moon_status take_texts(moon_detector *d, const moon_archive *archive) {
  const char *key, *text;
  for (size_t i = 0; moon_archive_entry(archive, i, &key, &text); i++)
    if (!mooni_detector_reserves(key)) MOONI_TRY(mooni_archive_append_text(d->texts, key, text));
  return MOON_OK;
}

/* A field that is not allowed is a format error here. */
static moon_status make(reading *r, moon_detector **out, const moon_archive *archive) {
  moon_detector *d;
  moon_status status = moon_detector_new(r->ctx, &d, &r->config);
  if (status != MOON_OK) return status == MOON_ENOMEM ? status : MOON_EFORMAT;
  d->threshold = r->threshold;
  status = take_texts(d, archive);
  if (status == MOON_OK)
    *out = d;
  else
    moon_detector_release(d);
  return status;
}

static moon_status build(reading *r, moon_detector **out, const moon_archive *archive, const mooni_json *root) {
  size_t count = 1, made = 0;
  moon_net *nets[MOONI_DETECTOR_NETS];
  if (root) MOONI_TRY(read_head(r, root, &count));
  moon_status status = load_nets(r->ctx, nets, &made, archive, count);
  if (status == MOON_OK) {
    r->width = moon_net_inputs(nets[0]);
    if (root) status = read_fields(r, root);
    r->config.nets = nets;
    r->config.net_count = count;
  }
  if (status == MOON_OK) status = make(r, out, archive);
  while (made) moon_net_release(nets[--made]);
  return status;
}

static void drop(reading *r) {
  const void *const blocks[] = {r->offset, r->scale, r->spread, r->low, r->high, r->columns, r->values, r->categories};
  for (size_t i = 0; i < MOONI_COUNT(blocks); i++) mooni_free(r->ctx, (void *)(uintptr_t)blocks[i]);
}

bool moon_archive_has_detector(const moon_archive *archive) {
  return moon_archive_text(archive, MOONI_DETECTOR_ENTRY) != NULL;
}

moon_status moon_detector_from_archive(moon_ctx *ctx, moon_detector **out, const moon_archive *archive) {
  MOONI_IEEE;
  mooni_json *root = NULL;
  reading r = {.ctx = ctx, .threshold = (double)NAN, .config = {.size = sizeof r.config}};
  const char *text = moon_archive_text(archive, MOONI_DETECTOR_ENTRY);
  if (text) MOONI_TRY(mooni_json_parse(ctx, &root, text, strlen(text), "the text entry 'moonglass.detector'"));
  moon_status status = build(&r, out, archive, root);
  drop(&r);
  mooni_free(ctx, root);
  return status;
}

moon_status moon_detector_load(moon_ctx *ctx, moon_detector **out, const char *path) {
  moon_archive *archive;
  MOONI_TRY(moon_archive_load(ctx, &archive, path));
  moon_status status = moon_detector_from_archive(ctx, out, archive);
  moon_archive_release(archive);
  return mooni_in_file(ctx, status, path);
}

moon_status moon_detector_from_bytes(moon_ctx *ctx, moon_detector **out, const void *bytes, size_t size) {
  moon_archive *archive;
  MOONI_TRY(moon_archive_decode(ctx, &archive, bytes, size));
  moon_status status = moon_detector_from_archive(ctx, out, archive);
  moon_archive_release(archive);
  return status;
}
