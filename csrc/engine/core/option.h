/* option.h - named options of layers, losses and optimisers. */
#ifndef MOONI_OPTION_H
#define MOONI_OPTION_H

#include "../../moonglass.h"

enum {
  MOONI_POSITIONAL = 1, /* may be given by position */
  MOONI_REQUIRED = 2,
  MOONI_SETTABLE = 4,   /* may change after construction */
  MOONI_OPEN_LOW = 8,   /* the lower bound itself is not allowed */
  MOONI_OPEN_HIGH = 16, /* nor is the upper bound */
  MOONI_ADDED = 32      /* the first files do not have it: not saved while it has its default; no range, no layer */
};
enum { MOONI_TEXT = 64 }; /* bytes of a text option, with its zero byte */

/* One option: its field in the object, its default, and what is allowed. By kind the field is a double, size_t, bool,
** char[MOONI_TEXT], double[2] (NaN: not given) or moon_layer *. */
typedef struct mooni_option_spec {
  const char *name;
  moon_option_kind kind;
  unsigned flags;
  size_t offset;
  double number, low, high;   /* default and bounds of a number */
  const char *text;           /* default of a text */
  const char *const *choices; /* allowed texts, NULL at the end; or NULL: any text */
  moon_family names;          /* a text that must be a registered name of this family; 0: it need not be */
  const char *help;
} mooni_option_spec;

/* Allocate an object of `size` bytes, 0 but for the fields of options, which get the given values or the defaults.
** `what` begins the messages: "adam". On failure *object is NULL. */
moon_status mooni_options_new(moon_ctx *ctx, void **object, size_t size, const char *what,
                              const mooni_option_spec *spec, const moon_option *options, size_t count);
moon_status mooni_options_get(moon_ctx *ctx, const void *object, const char *what, const mooni_option_spec *spec,
                              const char *name, moon_option *value);
moon_status mooni_options_set(moon_ctx *ctx, void *object, const char *what, const mooni_option_spec *spec,
                              const moon_option *value);

#endif
