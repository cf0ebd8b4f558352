/* explain.c - the columns that a row's score comes from. */
#include <math.h>

#include "../core/error.h"
#include "../core/fpmode.h"
#include "../core/memory.h"
#include "../core/sort.h"
#include "detector.h"

/* What each column has of the sum of all errors. If some are infinite, these share alone. */
static void set_shares(moon_reason *list, const float *features, size_t n) {
  double sum = 0;
  size_t infinite = 0;
  for (size_t i = 0; i < n; i++) infinite += isinf(features[i]) != 0;
  for (size_t i = 0; i < n; i++) sum += (double)features[i];
  for (size_t i = 0; i < n; i++)
    list[i].share = infinite  ? (isinf(features[i]) ? 1 / (double)infinite : 0)
                    : sum > 0 ? (double)features[i] / sum
                              : 0;
}

static bool reason_before(const void *a, const void *b, const void *ud) {
  const moon_reason *x = a, *y = b;
  (void)ud;
  if (x->outside != y->outside) return x->outside;
  if (x->share != y->share) return x->share > y->share;
  return x->index < y->index;
}

static void list_columns(const moon_detector *d, moon_reason *list, const float *raw, const double *expected) {
  for (size_t i = 0; i < d->width; i++) {
    double x = (double)raw[i];
    list[i].column = moon_detector_column(d, i);
    list[i].index = i;
    list[i].value = x;
    list[i].expected = expected[i];
    list[i].outside = x < d->least[i] || x > d->most[i];
  }
}

moon_status moon_detector_explain(moon_detector *d, moon_reason *reasons, size_t count, const moon_tensor *x) {
  MOONI_IEEE;
  size_t n = d->width, bytes = n * (sizeof *reasons + sizeof(double) + 2 * sizeof(float));
  if (!count || count > n) return mooni_fail(d->ctx, MOON_ERANGE, "explain: count is %zu, expected 1 to %zu", count, n);
  moon_reason *list = mooni_alloc(d->ctx, bytes);
  if (!list) return mooni_nomem(d->ctx, bytes);
  double *expected = (double *)(void *)(list + n);
  float *features = (float *)(void *)(expected + n), *raw = features + n;
  moon_status status = mooni_detector_look(d, features, expected, raw, x);
  if (status == MOON_OK) {
    list_columns(d, list, raw, expected);
    set_shares(list, features, n);
    mooni_sort(list, n, sizeof *list, reason_before, NULL);
    for (size_t i = 0; i < count; i++) reasons[i] = list[i];
  }
  mooni_free(d->ctx, list);
  return status;
}
