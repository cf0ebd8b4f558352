/* options.c - the command line of `moonglass-anomaly score`. */
#include "options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct flag {
  const char *name;
  bool *value;
} flag;

/* The place of text in the list, which ends with NULL; -1: it is not there. */
static int find(const char *const *list, const char *text) {
  for (int i = 0; list[i]; i++)
    if (strcmp(list[i], text) == 0) return i;
  return -1;
}

static outcome set_option(options *o, const char *name, const char *value) {
  static const char *const formats[] = {"csv", "f32", "u8", "idx", NULL}, *const ways[] = {"stop", "skip", NULL};
  if (strcmp(name, "--format") == 0) {
    int i = find(formats, value);
    if (i < 0) return say_failure("--format is '%s', expected csv, f32, u8 or idx", value);
    o->format = (format)i;
  } else if (strcmp(name, "--on-bad") == 0) {
    int i = find(ways, value);
    if (i < 0) return say_failure("--on-bad is '%s', expected stop or skip", value);
    o->skip = i == 1;
  } else {
    char *end;
    o->threshold = strtod(value, &end);
    o->has_threshold = true;
    if (end == value || *end != '\0' || !isfinite(o->threshold))
      return say_failure("--threshold is '%s', expected a number", value);
  }
  return GOING;
}

static outcome set_operand(options *o, const char *value) {
  if (!o->detector)
    o->detector = value;
  else if (!o->rows)
    o->rows = value;
  else
    return say_failure("'%s': an argument too many; score takes a detector and a file of rows", value);
  return GOING;
}

/* What options mean together. */
static outcome check(options *o) {
  if (!o->detector) return say_failure("score: no detector is given (--help)");
  if (o->rows && strcmp(o->rows, "-") == 0) o->rows = NULL;
  if (o->follow && !o->rows)
    return say_failure("--follow needs the name of a file; a pipe is followed until it is closed, without an option");
  if (o->format != FORMAT_CSV && (o->follow || o->skip))
    return say_failure("--follow and --on-bad skip are for --format csv");
  if (o->format == FORMAT_IDX && !o->rows) return say_failure("--format idx needs the name of a file");
  return GOING;
}

outcome options_read(options *o, char **arguments) {
  static const char *const valued[] = {"--format", "--on-bad", "--threshold", NULL};
  *o = (options){0};
  const flag flags[] = {{"--follow", &o->follow}, {"--json", &o->json}, {"--only", &o->only}, {"--why", &o->why}};
  outcome result = GOING;
  for (char **a = arguments; *a && result == GOING; a++) {
    size_t i = 0, count = sizeof flags / sizeof *flags;
    while (i < count && strcmp(*a, flags[i].name) != 0) i++;
    if (strcmp(*a, "--help") == 0) return FINISHED;
    if (i < count)
      *flags[i].value = true;
    else if (**a != '-' || strcmp(*a, "-") == 0)
      result = set_operand(o, *a);
    else if (find(valued, *a) < 0)
      result = say_failure("score: there is no option %s (--help lists them)", *a);
    else if (!a[1])
      result = say_failure("%s: its value is missing (--help)", *a);
    else {
      result = set_option(o, a[0], a[1]);
      a++;
    }
  }
  return result == GOING ? check(o) : result;
}
