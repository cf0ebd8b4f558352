/* detector.c - making a detector, and what it is made of. */
#include "detector.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../core/error.h"
#include "../core/memory.h"
#include "../core/sort.h"
#include "../formats/archive.h"
#include "../formats/json.h"

enum {
  NUMBER = 24, /* bytes of a column's number */
  SHOWN = 60,  /* bytes of a name in a message */
  MARGIN = 3   /* ranges */
};

static const char *const score_names[] = {"mean", "max", "scaled", NULL};
static const char *const missing_names[] = {"skip", "fill", "refuse", NULL};

/* ---- checks ---- */

static moon_status check_finite(moon_ctx *ctx, const char *field, const double *list, size_t n, bool positive) {
  for (size_t i = 0; list && i < n; i++)
    if (!isfinite(list[i]) || (positive && !(list[i] > 0)))
      return mooni_fail(ctx, MOON_ERANGE, "detector: %s of column %zu is %g, expected a finite number%s", field, i + 1,
                        list[i], positive ? " above 0" : "");
  return MOON_OK;
}

/* An unknown bound is NaN, and so is the other one. */
static moon_status check_range(moon_ctx *ctx, const double *low, const double *high, double margin, size_t n) {
  if (!low != !high)
    return mooni_fail(ctx, MOON_ERANGE, "detector: %s is missing, expected both low and high", low ? "high" : "low");
  if (!isfinite(margin) || margin < 0)
    return mooni_fail(ctx, MOON_ERANGE, "detector: margin is %g, expected 0 or more", margin);
  for (size_t i = 0; low && i < n; i++) {
    bool known = isfinite(low[i]) && isfinite(high[i]) && low[i] <= high[i];
    if (!known && !(isnan(low[i]) && isnan(high[i])))
      return mooni_fail(ctx, MOON_ERANGE,
                        "detector: low and high of column %zu are %g and %g, expected two numbers in this order, or "
                        "NaN for both",
                        i + 1, low[i], high[i]);
  }
  return MOON_OK;
}

static moon_status check_calibration(moon_ctx *ctx, double quantile, size_t rows, size_t alarms) {
  if (!(quantile >= 0 && quantile < 1))
    return mooni_fail(ctx, MOON_ERANGE, "detector: quantile is %g, expected 0 to below 1", quantile);
  if (alarms <= rows) return MOON_OK;
  return mooni_fail(ctx, MOON_ERANGE, "detector: alarms is %zu, expected at most the %zu rows", alarms, rows);
}

static moon_status check_names(moon_ctx *ctx, const char *const *names, size_t n) {
  for (size_t i = 0; names && i < n; i++) {
    if (!names[i] || !*names[i]) return mooni_fail(ctx, MOON_ERANGE, "detector: columns: name %zu is empty", i + 1);
    if (!mooni_is_utf8(names[i]))
      return mooni_fail(ctx, MOON_ERANGE, "detector: columns: name %zu is not UTF-8", i + 1);
  }
  return MOON_OK;
}

static moon_status check_category(moon_ctx *ctx, const moon_csv_category *c, size_t i) {
  if (!c->column || !*c->column || !mooni_is_utf8(c->column))
    return mooni_fail(ctx, MOON_ERANGE, "detector: categories: the name of column %zu is empty or not UTF-8", i + 1);
  if (!c->count || !c->values)
    return mooni_fail(ctx, MOON_ERANGE, "detector: categories: '%.*s' has no values", SHOWN, c->column);
  for (size_t k = 0; k < c->count; k++)
    if (!c->values[k] || !mooni_is_utf8(c->values[k]))
      return mooni_fail(ctx, MOON_ERANGE, "detector: categories: value %zu of '%.*s' is not UTF-8", k + 1, SHOWN,
                        c->column);
  return MOON_OK;
}

/* The width of the rows. */
static moon_status check_nets(moon_ctx *ctx, const moon_detector_config *c, size_t *width) {
  if (!c->nets || !c->net_count || c->net_count > MOONI_DETECTOR_NETS)
    return mooni_fail(ctx, MOON_ERANGE, "detector: %zu nets, expected 1 to %d", c->nets ? c->net_count : 0,
                      MOONI_DETECTOR_NETS);
  for (size_t i = 0; i < c->net_count; i++) {
    const moon_net *net = c->nets[i];
    if (!net) return mooni_fail(ctx, MOON_ERANGE, "detector: net %zu is NULL", i + 1);
    if (net->ctx != ctx) return mooni_fail(ctx, MOON_ETYPE, "detector: net %zu belongs to another context", i + 1);
    if (!net->inputs || net->inputs != net->outputs)
      return mooni_fail(ctx, MOON_ESHAPE,
                        "detector: net %zu turns rows of %zu into rows of %zu, expected the same "
                        "width, which its layers fix",
                        i + 1, net->inputs, net->outputs);
    if (net->inputs != c->nets[0]->inputs)
      return mooni_fail(ctx, MOON_ESHAPE, "detector: net %zu takes rows of %zu, but net 1 takes rows of %zu", i + 1,
                        net->inputs, c->nets[0]->inputs);
  }
  *width = c->nets[0]->inputs;
  return MOON_OK;
}

/* The index of a name among the three known ones; the first is the default. */
static moon_status find(moon_ctx *ctx, int *index, const char *const *known, const char *field, const char *name) {
  *index = 0;
  while (name && known[*index] && strcmp(name, known[*index]) != 0) ++*index;
  if (known[*index]) return MOON_OK;
  return mooni_fail(ctx, MOON_ERANGE, "detector: unknown %s '%.*s' (known: %s, %s, %s)", field, SHOWN, name, known[0],
                    known[1], known[2]);
}

static moon_status check_config(moon_ctx *ctx, const moon_detector_config *c, size_t *width, int *score, int *missing) {
  if (!c || c->size < sizeof *c)
    return mooni_fail(ctx, MOON_ERANGE, "detector: size is %zu, expected sizeof(moon_detector_config), %zu",
                      c ? c->size : 0, sizeof *c);
  MOONI_TRY(check_nets(ctx, c, width));
  MOONI_TRY(find(ctx, score, score_names, "score", c->score));
  MOONI_TRY(find(ctx, missing, missing_names, "missing", c->missing));
  MOONI_TRY(check_calibration(ctx, c->quantile, c->rows, c->alarms));
  MOONI_TRY(check_finite(ctx, "offset", c->offset, *width, false));
  MOONI_TRY(check_finite(ctx, "scale", c->scale, *width, true));
  MOONI_TRY(check_finite(ctx, "spread", c->spread, *width, true));
  MOONI_TRY(check_range(ctx, c->low, c->high, c->margin, *width));
  MOONI_TRY(check_names(ctx, c->columns, *width));
  if (c->category_count && !c->categories) return mooni_fail(ctx, MOON_ERANGE, "detector: categories is NULL");
  for (size_t i = 0; i < c->category_count; i++) MOONI_TRY(check_category(ctx, &c->categories[i], i));
  return MOON_OK;
}

/* ---- filling ---- */

static void fill(double *list, const double *from, size_t n, double otherwise) {
  for (size_t i = 0; i < n; i++) list[i] = from ? from[i] : otherwise;
}

static void set_bounds(moon_detector *d) {
  for (size_t i = 0; i < d->width; i++) {
    double reach = d->margin * (d->high[i] - d->low[i]);
    bool known = !isnan(d->low[i]);
    d->least[i] = known && d->low[i] - reach > -FLT_MAX ? d->low[i] - reach : -FLT_MAX;
    d->most[i] = known && d->high[i] + reach < FLT_MAX ? d->high[i] + reach : FLT_MAX;
  }
}

static void set_shares(moon_detector *d) {
  bool scaled = d->score == MOONI_SCORE_SCALED && d->learned;
  for (size_t i = 0; i < d->width; i++) {
    double share = scaled ? 1 / d->spread[i] : 1;
    d->share[i] = share < FLT_MAX ? (float)share : FLT_MAX;
  }
}

static moon_status new_numbers(moon_detector *d, double **list) {
  *list = mooni_calloc(d->ctx, d->width, sizeof **list);
  return *list ? MOON_OK : mooni_nomem(d->ctx, d->width * sizeof **list);
}

static moon_status take_numbers(moon_detector *d, const moon_detector_config *c) {
  double **const lists[] = {&d->offset, &d->scale, &d->inverse, &d->spread, &d->low, &d->high, &d->least, &d->most};
  for (size_t i = 0; i < MOONI_COUNT(lists); i++) MOONI_TRY(new_numbers(d, lists[i]));
  d->share = mooni_calloc(d->ctx, d->width, sizeof *d->share);
  if (!d->share) return mooni_nomem(d->ctx, d->width * sizeof *d->share);
  d->scaled = c->offset || c->scale;
  d->learned = c->spread != NULL;
  d->ranged = c->low != NULL;
  d->margin = c->margin == 0 ? MARGIN : c->margin;
  d->threshold = (double)NAN;
  fill(d->offset, c->offset, d->width, 0);
  fill(d->scale, c->scale, d->width, 1);
  for (size_t i = 0; i < d->width; i++) d->inverse[i] = 1 / d->scale[i];
  fill(d->spread, c->spread, d->width, (double)NAN);
  fill(d->low, c->low, d->width, (double)NAN);
  fill(d->high, c->high, d->width, (double)NAN);
  set_bounds(d);
  set_shares(d);
  return MOON_OK;
}

/* list = copies of n texts. What it has of them is released with the detector even if one fails. */
static moon_status copy_texts(moon_ctx *ctx, char ***list, const char *const *texts, size_t n) {
  *list = mooni_calloc(ctx, n, sizeof **list);
  if (!*list) return mooni_nomem(ctx, n * sizeof **list);
  for (size_t i = 0; i < n; i++) {
    (*list)[i] = mooni_strdup(ctx, texts[i]);
    if (!(*list)[i]) return mooni_nomem(ctx, strlen(texts[i]) + 1);
  }
  return MOON_OK;
}

static void drop_texts(moon_ctx *ctx, char **list, size_t n) {
  for (size_t i = 0; list && i < n; i++) mooni_free(ctx, list[i]);
  mooni_free(ctx, list);
}

static moon_status number_columns(moon_detector *d) {
  d->numbers = mooni_calloc(d->ctx, d->width, NUMBER);
  if (!d->numbers) return mooni_nomem(d->ctx, d->width * NUMBER);
  for (size_t i = 0; i < d->width; i++) snprintf(d->numbers + i * NUMBER, NUMBER, "%zu", i + 1);
  return MOON_OK;
}

static bool text_before(const void *a, const void *b, const void *ud) {
  (void)ud;
  return strcmp(*(char *const *)a, *(char *const *)b) < 0;
}

static moon_status want_different(moon_detector *d) {
  size_t bytes = d->width * sizeof *d->columns;
  char **sorted = mooni_alloc(d->ctx, bytes);
  if (!sorted) return mooni_nomem(d->ctx, bytes);
  memcpy(sorted, d->columns, bytes);
  mooni_sort(sorted, d->width, sizeof *sorted, text_before, NULL);
  size_t i = 1;
  while (i < d->width && strcmp(sorted[i - 1], sorted[i]) != 0) i++;
  const char *twice = i < d->width ? sorted[i] : NULL;
  mooni_free(d->ctx, sorted);
  if (!twice) return MOON_OK;
  return mooni_fail(d->ctx, MOON_ERANGE, "detector: columns: '%.*s' is there twice", SHOWN, twice);
}

static moon_status take_columns(moon_detector *d, const moon_detector_config *c) {
  if (!c->columns) return number_columns(d);
  MOONI_TRY(copy_texts(d->ctx, &d->columns, c->columns, d->width));
  return want_different(d);
}

static moon_status take_categories(moon_detector *d, const moon_detector_config *c) {
  if (!c->category_count) return MOON_OK;
  d->categories = mooni_calloc(d->ctx, c->category_count, sizeof *d->categories);
  d->category_view = mooni_calloc(d->ctx, c->category_count, sizeof *d->category_view);
  if (!d->categories || !d->category_view) return mooni_nomem(d->ctx, c->category_count * sizeof *d->categories);
  for (size_t i = 0; i < c->category_count; i++) {
    const moon_csv_category *from = &c->categories[i];
    mooni_category *to = &d->categories[d->category_count++];
    to->count = from->count;
    to->column = mooni_strdup(d->ctx, from->column);
    if (!to->column) return mooni_nomem(d->ctx, strlen(from->column) + 1);
    MOONI_TRY(copy_texts(d->ctx, &to->values, from->values, from->count));
    d->category_view[i] = (moon_csv_category){to->column, (const char *const *)to->values, to->count};
  }
  return MOON_OK;
}

static moon_status take_nets(moon_detector *d, const moon_detector_config *c) {
  d->nets = mooni_calloc(d->ctx, c->net_count, sizeof(moon_net *));
  if (!d->nets) return mooni_nomem(d->ctx, c->net_count * sizeof(moon_net *));
  for (size_t i = 0; i < c->net_count; i++) d->nets[d->net_count++] = moon_net_retain(c->nets[i]);
  return MOON_OK;
}

/* ---- its life ---- */

static moon_status take_all(moon_detector *d, const moon_detector_config *c) {
  MOONI_TRY(take_nets(d, c));
  MOONI_TRY(take_numbers(d, c));
  MOONI_TRY(take_columns(d, c));
  MOONI_TRY(take_categories(d, c));
  return moon_archive_new(d->ctx, &d->texts);
}

moon_status moon_detector_new(moon_ctx *ctx, moon_detector **out, const moon_detector_config *config) {
  size_t width = 0;
  int score = 0, missing = 0;
  MOONI_TRY(check_config(ctx, config, &width, &score, &missing));
  moon_detector *d = mooni_calloc(ctx, 1, sizeof *d);
  if (!d) return mooni_nomem(ctx, sizeof *d);
  d->refs = 1;
  d->ctx = moon_ctx_retain(ctx);
  d->width = width;
  d->score = (mooni_score)score;
  d->missing = (mooni_missing)missing;
  d->quantile = config->quantile;
  d->rows = config->rows;
  d->alarms = config->alarms;
  moon_status status = take_all(d, config);
  if (status == MOON_OK)
    *out = d;
  else
    moon_detector_release(d);
  return status;
}

moon_detector *moon_detector_retain(moon_detector *d) {
  d->refs++;
  return d;
}

void moon_detector_release(moon_detector *d) {
  if (!d || --d->refs) return;
  moon_ctx *ctx = d->ctx;
  mooni_detector_drop_lanes(d);
  for (size_t i = 0; i < d->net_count; i++) moon_net_release(d->nets[i]);
  for (size_t i = 0; i < d->category_count; i++) {
    mooni_free(ctx, d->categories[i].column);
    drop_texts(ctx, d->categories[i].values, d->categories[i].count);
  }
  drop_texts(ctx, d->columns, d->width);
  moon_archive_release(d->texts);
  void *blocks[] = {d->nets,  d->offset, d->scale, d->inverse, d->spread,     d->low,           d->high,
                    d->least, d->most,   d->share, d->numbers, d->categories, d->category_view, d};
  for (size_t i = 0; i < MOONI_COUNT(blocks); i++) mooni_free(ctx, blocks[i]);
  moon_ctx_release(ctx);
}

static moon_status copy_entries(moon_archive *to, const moon_archive *from) {
  const char *key, *text;
  for (size_t i = 0; moon_archive_entry(from, i, &key, &text); i++) MOONI_TRY(moon_archive_set(to, key, text));
  return MOON_OK;
}

static moon_status share_with(const moon_detector *d, moon_ctx *ctx, moon_detector **out, moon_net **nets) {
  moon_detector_config c = {.size = sizeof c};
  moon_status status = MOON_OK;
  size_t shared = 0;
  moon_detector_describe(d, &c);
  for (; status == MOON_OK && shared < d->net_count; shared += status == MOON_OK)
    status = moon_net_share(d->nets[shared], ctx, &nets[shared]);
  c.nets = nets;
  if (status == MOON_OK) status = moon_detector_new(ctx, out, &c);
  while (shared) moon_net_release(nets[--shared]);
  if (status != MOON_OK) return status;
  (*out)->threshold = d->threshold;
  status = copy_entries((*out)->texts, d->texts);
  if (status != MOON_OK) moon_detector_release(*out);
  return status;
}

moon_status moon_detector_share(const moon_detector *d, moon_ctx *ctx, moon_detector **out) {
  moon_detector *made;
  moon_net **nets = mooni_calloc(ctx, d->net_count, sizeof(moon_net *));
  if (!nets) return mooni_nomem(ctx, d->net_count * sizeof(moon_net *));
  moon_status status = share_with(d, ctx, &made, nets);
  mooni_free(ctx, nets);
  if (status == MOON_OK) *out = made;
  return status;
}

/* ---- what it has ---- */

moon_ctx *moon_detector_ctx(const moon_detector *d) { return d->ctx; }
size_t moon_detector_columns(const moon_detector *d) { return d->width; }
double moon_detector_threshold(const moon_detector *d) { return d->threshold; }

const char *moon_detector_column(const moon_detector *d, size_t i) {
  if (i >= d->width) return NULL;
  return d->columns ? d->columns[i] : d->numbers + i * NUMBER;
}

static void describe(const moon_detector *d, moon_detector_config *c) {
  *c = (moon_detector_config){.size = c->size, .nets = d->nets, .net_count = d->net_count};
  c->score = score_names[d->score];
  c->missing = missing_names[d->missing];
  c->quantile = d->quantile;
  c->rows = d->rows;
  c->alarms = d->alarms;
  c->offset = d->scaled ? d->offset : NULL;
  c->scale = d->scaled ? d->scale : NULL;
  c->spread = d->learned ? d->spread : NULL;
  c->low = d->ranged ? d->low : NULL;
  c->high = d->ranged ? d->high : NULL;
  c->margin = d->margin;
  c->columns = (const char *const *)d->columns;
  c->categories = d->category_view;
  c->category_count = d->category_count;
}

/* A caller may have an older, shorter struct. */
void moon_detector_describe(const moon_detector *d, moon_detector_config *config) {
  moon_detector_config whole = {.size = config->size};
  describe(d, &whole);
  memcpy(config, &whole, whole.size < sizeof whole ? whole.size : sizeof whole);
}

moon_status moon_detector_set_threshold(moon_detector *d, double threshold) {
  if (isinf(threshold))
    return mooni_fail(d->ctx, MOON_ERANGE, "detector: threshold is infinite, expected a number, or NaN for none");
  d->threshold = threshold;
  d->quantile = 0;
  d->rows = d->alarms = 0;
  return MOON_OK;
}

moon_status moon_detector_set_calibration(moon_detector *d, double quantile, size_t rows, size_t alarms) {
  MOONI_TRY(check_calibration(d->ctx, quantile, rows, alarms));
  d->quantile = quantile;
  d->rows = rows;
  d->alarms = alarms;
  return MOON_OK;
}

moon_status moon_detector_set_spread(moon_detector *d, const double *spread) {
  MOONI_TRY(check_finite(d->ctx, "spread", spread, d->width, true));
  d->learned = spread != NULL;
  fill(d->spread, spread, d->width, (double)NAN);
  set_shares(d);
  return MOON_OK;
}

moon_status moon_detector_set_range(moon_detector *d, const double *low, const double *high, double margin) {
  MOONI_TRY(check_range(d->ctx, low, high, margin, d->width));
  d->ranged = low != NULL;
  d->margin = margin == 0 ? MARGIN : margin;
  fill(d->low, low, d->width, (double)NAN);
  fill(d->high, high, d->width, (double)NAN);
  set_bounds(d);
  return MOON_OK;
}

const char *moon_detector_text(const moon_detector *d, const char *key) { return moon_archive_text(d->texts, key); }

/* "moonglass", "moonglass.0", "format" and this format's own entry. */
bool mooni_detector_reserves(const char *key) {
  static const char begin[] = "moonglass";
  if (strcmp(key, "format") == 0 || strcmp(key, MOONI_DETECTOR_ENTRY) == 0) return true;
  if (strncmp(key, begin, sizeof begin - 1) != 0) return false;
  const char *rest = key + sizeof begin - 1;
  return !*rest || (*rest == '.' && rest[1] >= '0' && rest[1] <= '9');
}

moon_status moon_detector_set_text(moon_detector *d, const char *key, const char *text) {
  if (!key || mooni_detector_reserves(key))
    return mooni_fail(d->ctx, MOON_ERANGE, "detector: the text '%.*s' belongs to the format, expected another key",
                      SHOWN, key ? key : "NULL");
  return moon_archive_set(d->texts, key, text);
}
