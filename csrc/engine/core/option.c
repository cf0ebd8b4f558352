/* option.c - named options. The table of a class is all that constructors, saving and the binding need to know. */
#include "option.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "fpmode.h"
#include "memory.h"
#include "names.h"

static const char *option_name(const void *spec, size_t i) { return ((const mooni_option_spec *)spec)[i].name; }

static const mooni_option_spec *find(const mooni_option_spec *spec, const char *name) {
  for (; spec->name; spec++)
    if (strcmp(spec->name, name) == 0) return spec;
  return NULL;
}

static moon_status unknown_option(moon_ctx *ctx, const char *what, const mooni_option_spec *spec, const char *name) {
  return mooni_prepend(ctx, mooni_unknown(ctx, "option", name, option_name, spec), "%s: ", what);
}

static void *field(const void *object, const mooni_option_spec *spec) {
  return (char *)(uintptr_t)object + spec->offset;
}

/* What a number must be: "a number above 0 and below 1" ... */
static void describe_bounds(char *text, size_t size, const mooni_option_spec *o) {
  char low[64] = "", high[64] = "";
  if (o->low > -INFINITY)
    snprintf(low, sizeof low, " %s %g", o->flags & MOONI_OPEN_LOW ? "above" : "of at least", o->low);
  if (o->high < INFINITY) {
    const char *how = o->flags & MOONI_OPEN_HIGH ? "below" : "at most";
    snprintf(high, sizeof high, "%s %s %g", *low ? " and" : "", how, o->high);
  }
  snprintf(text, size, "%s%s%s", o->kind == MOON_COUNT ? "a whole number" : "a number", low, high);
}

static bool in_bounds(const mooni_option_spec *o, double v) {
  if (!isfinite(v) || (o->kind == MOON_COUNT && v != floor(v))) return false;
  if (o->flags & MOONI_OPEN_LOW ? v <= o->low : v < o->low) return false;
  return !(o->flags & MOONI_OPEN_HIGH ? v >= o->high : v > o->high);
}

/* The engine computes in float32, where such a number would be infinite. */
static moon_status too_large(moon_ctx *ctx, const char *what, const mooni_option_spec *o, double v) {
  return mooni_fail(ctx, MOON_ERANGE, "%s: %s is %.14g, expected at most %.3g, the largest float32", what, o->name, v,
                    (double)FLT_MAX);
}

static moon_status check_number(moon_ctx *ctx, const char *what, const mooni_option_spec *o, double v) {
  char bounds[160];
  if (isfinite(v) && fabs(v) > FLT_MAX) return too_large(ctx, what, o, v);
  if (in_bounds(o, v)) return MOON_OK;
  describe_bounds(bounds, sizeof bounds, o);
  return mooni_fail(ctx, MOON_ERANGE, "%s: %s is %.14g, expected %s", what, o->name, isnan(v) ? fabs(v) : v, bounds);
}

static const char *choice_at(const void *choices, size_t i) { return ((const char *const *)choices)[i]; }

static bool is_choice(const char *const *choices, const char *text) {
  while (*choices && strcmp(*choices, text) != 0) choices++;
  return *choices != NULL;
}

static moon_status check_text(moon_ctx *ctx, const char *what, const mooni_option_spec *o, const char *text) {
  if (!text || strlen(text) >= MOONI_TEXT)
    return mooni_fail(ctx, MOON_ERANGE, "%s: %s: expected a text of at most %d bytes", what, o->name, MOONI_TEXT - 1);
  if (o->choices && !is_choice(o->choices, text))
    return mooni_prepend(ctx, mooni_unknown(ctx, o->name, text, choice_at, o->choices), "%s: ", what);
  return MOON_OK;
}

static const char *kind_text(moon_option_kind kind) {
  static const char *const texts[] = {"a number", "a whole number",    "true or false",
                                      "a text",   "a pair of numbers", "a layer"};
  return (size_t)kind < MOONI_COUNT(texts) ? texts[kind] : "of an unknown kind";
}

static moon_status check(moon_ctx *ctx, const char *what, const mooni_option_spec *o, const moon_option *v) {
  bool numeric = v->kind == MOON_NUMBER || v->kind == MOON_COUNT || v->kind == MOON_FLAG;
  bool wants_number = o->kind == MOON_NUMBER || o->kind == MOON_COUNT || o->kind == MOON_FLAG;
  if (wants_number ? !numeric : v->kind != o->kind)
    return mooni_fail(ctx, MOON_ETYPE, "%s: %s is %s, expected %s", what, o->name, kind_text(v->kind),
                      kind_text(o->kind));
  switch (o->kind) {
    case MOON_NUMBER:
    case MOON_COUNT: return check_number(ctx, what, o, v->number);
    case MOON_FLAG: return MOON_OK;
    case MOON_TEXT: return check_text(ctx, what, o, v->text);
    case MOON_RANGE:
      if (fabs(v->number) <= FLT_MAX && fabs(v->upper) <= FLT_MAX && v->number < v->upper) return MOON_OK;
      return mooni_fail(ctx, MOON_ERANGE, "%s: %s is {%g, %g}, expected two numbers, the lower first", what, o->name,
                        v->number, v->upper);
    case MOON_LAYER:
      if (v->layer) return MOON_OK;
      return mooni_fail(ctx, MOON_ETYPE, "%s: %s must be a layer", what, o->name);
  }
  return MOON_OK; /* never reached: every case returns */
}

static void store(void *object, const mooni_option_spec *o, const moon_option *v) {
  void *p = field(object, o);
  switch (o->kind) {
    case MOON_NUMBER: *(double *)p = v->number; break;
    case MOON_COUNT: *(size_t *)p = (size_t)v->number; break;
    case MOON_FLAG: *(bool *)p = v->number != 0; break;
    case MOON_TEXT: snprintf(p, MOONI_TEXT, "%s", v->text ? v->text : ""); break;
    case MOON_RANGE: ((double *)p)[0] = v->number, ((double *)p)[1] = v->upper; break;
    case MOON_LAYER: *(moon_layer **)p = v->layer; break;
  }
}

static moon_status fill(moon_ctx *ctx, void *object, const char *what, const mooni_option_spec *spec,
                        const moon_option *options, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!find(spec, options[i].name)) return unknown_option(ctx, what, spec, options[i].name);
  for (const mooni_option_spec *o = spec; o->name; o++) {
    moon_option value = {o->name, o->kind, o->number, o->number, o->text, NULL};
    const moon_option *given = NULL;
    for (size_t i = 0; i < count; i++)
      if (strcmp(options[i].name, o->name) == 0) given = &options[i];
    if (given)
      MOONI_TRY(check(ctx, what, o, given));
    else if (o->flags & MOONI_REQUIRED)
      return mooni_fail(ctx, MOON_ERANGE, "%s: %s is missing (%s)", what, o->name, o->help);
    store(object, o, given ? given : &value);
  }
  return MOON_OK;
}

moon_status mooni_options_new(moon_ctx *ctx, void **object, size_t size, const char *what,
                              const mooni_option_spec *spec, const moon_option *options, size_t count) {
  MOONI_IEEE;
  *object = mooni_calloc(ctx, 1, size);
  if (!*object) return mooni_nomem(ctx, size);
  moon_status status = fill(ctx, *object, what, spec, options, count);
  if (status == MOON_OK) return MOON_OK;
  mooni_free(ctx, *object);
  *object = NULL;
  return status;
}

moon_status mooni_options_get(moon_ctx *ctx, const void *object, const char *what, const mooni_option_spec *spec,
                              const char *name, moon_option *value) {
  const mooni_option_spec *o = find(spec, name);
  if (!o) return unknown_option(ctx, what, spec, name);
  const void *p = field(object, o);
  *value = (moon_option){o->name, o->kind, 0, 0, NULL, NULL};
  switch (o->kind) {
    case MOON_NUMBER: value->number = *(const double *)p; break;
    case MOON_COUNT: value->number = (double)*(const size_t *)p; break;
    case MOON_FLAG: value->number = *(const bool *)p; break;
    case MOON_TEXT: value->text = p; break;
    case MOON_RANGE: value->number = ((const double *)p)[0], value->upper = ((const double *)p)[1]; break;
    case MOON_LAYER: value->layer = *(moon_layer *const *)p; break;
  }
  return MOON_OK;
}

moon_status mooni_options_set(moon_ctx *ctx, void *object, const char *what, const mooni_option_spec *spec,
                              const moon_option *value) {
  MOONI_IEEE;
  const mooni_option_spec *o = find(spec, value->name);
  if (!o) return unknown_option(ctx, what, spec, value->name);
  if (!(o->flags & MOONI_SETTABLE))
    return mooni_fail(ctx, MOON_ESTATE, "%s: option '%s' is fixed at construction", what, o->name);
  bool none = o->kind == MOON_RANGE && value->kind == MOON_RANGE && isnan(value->number) && isnan(value->upper);
  if (!none || !isnan(o->number)) MOONI_TRY(check(ctx, what, o, value)); /* none: not given, as get says it */
  store(object, o, value);
  return MOON_OK;
}
