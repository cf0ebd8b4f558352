/* anomaly.c - a host without Lua, and a filter for the shell: rows in, and for each row the mean squared error of its
** reconstruction out. Anomalies have large errors.
**
**   anomaly MODEL.safetensors < rows.csv > scores
**
** Rows are scored in batches, so any number of them needs the memory of one batch. */
#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <moonglass.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: anomaly [options] MODEL.safetensors < rows > scores\n"
    "  --format csv|f32|u8   what a row is: numbers with commas between them, on a line (the default);\n"
    "                        float32 in this machine's order of bytes; or bytes, which count as value/255\n"
    "  --idx FILE            take the rows from an IDX file, plain or gzipped, and not from the standard input\n"
    "  --threshold T         after each score a tab, and 1 where it is above T, else 0\n"
    "  --only                with --threshold: only those above it, each as its row's number, a tab, its score\n"
    "  --batch N             rows to be read before they are scored (default 256; 1 answers each at once)\n"
    "  --help                this text\n";

typedef enum format { CSV, F32, U8 } format;

typedef struct options {
  const char *model, *idx;
  format format;
  bool flag, only;
  double threshold;
  size_t batch;
} options;

typedef struct filter {
  options o;
  moon_ctx *ctx;
  moon_net *net;
  size_t width;         /* numbers in a row */
  size_t done;          /* rows scored so far */
  void *rows;           /* [batch x width] */
  float *scores;        /* [batch] */
  moon_tensor *x, *out; /* rows and scores as tensors, without a copy */
} filter;

/* How a part of the work ended. CLOSED: the reader has closed the pipe, like `| head`; not a failure. */
typedef enum outcome { GOING, FINISHED, FAILED, CLOSED } outcome;

__attribute__((format(printf, 1, 2))) static outcome fail(const char *message, ...) {
  va_list arguments;
  va_start(arguments, message);
  fputs("anomaly: ", stderr);
  vfprintf(stderr, message, arguments);
  fputs("\n", stderr);
  va_end(arguments);
  return FAILED;
}

/* ---- the command line ---- */

/* Read the whole text as a finite number; false if it is not one. */
static bool read_number(double *value, const char *text) {
  char *end;
  *value = strtod(text, &end);
  return end != text && *end == '\0' && isfinite(*value);
}

static outcome set_option(options *o, const char *name, const char *value) {
  static const char *const formats[] = {"csv", "f32", "u8"};
  double number;
  if (strcmp(name, "--idx") == 0) {
    o->idx = value;
  } else if (strcmp(name, "--format") == 0) {
    size_t i = 0;
    while (i < 3 && strcmp(value, formats[i]) != 0) i++;
    if (i == 3) return fail("--format is '%s', expected csv, f32 or u8", value);
    o->format = (format)i;
  } else if (strcmp(name, "--threshold") == 0) {
    if (!read_number(&o->threshold, value)) return fail("--threshold is '%s', expected a number", value);
    o->flag = true;
  } else if (strcmp(name, "--batch") == 0) {
    if (!read_number(&number, value) || !(number >= 1 && number <= 1e6) || number != floor(number))
      return fail("--batch is '%s', expected a whole number of 1 to 1000000", value);
    o->batch = (size_t)number;
  } else {
    return fail("there is no option %s (--help lists them)", name);
  }
  return GOING;
}

static outcome read_options(options *o, char **argv) {
  *o = (options){.batch = 256};
  for (char **a = argv + 1; *a; a++) {
    if (strcmp(*a, "--help") == 0) {
      fputs(help, stdout);
      return FINISHED;
    } else if (strcmp(*a, "--only") == 0) {
      o->only = true;
    } else if (strncmp(*a, "--", 2) == 0) {
      if (!a[1]) return fail("%s: there is no such option, or its value is missing (--help lists them)", *a);
      if (set_option(o, a[0], a[1]) == FAILED) return FAILED;
      a++;
    } else if (o->model) {
      return fail("two nets are given, '%s' and '%s'; rows come by the standard input", o->model, *a);
    } else {
      o->model = *a;
    }
  }
  if (!o->model) return fail("no net is given (--help)");
  if (o->only && !o->flag) return fail("--only needs --threshold");
  if (o->idx && o->format != CSV) return fail("--format is for the standard input, not for --idx");
  return GOING;
}

/* ---- scores ---- */

static outcome write_failed(void) {
  return errno == EPIPE ? CLOSED : fail("cannot write the scores: %s", strerror(errno));
}

static outcome print_scores(const filter *f, const float *scores, size_t n) {
  for (size_t i = 0; i < n; i++) {
    double score = (double)scores[i];
    bool above = !(score <= f->o.threshold); /* NaN is above anything */
    int written = 0;
    if (f->o.only)
      written = above ? printf("%zu\t%.9g\n", f->done + i + 1, score) : 0;
    else if (f->o.flag)
      written = printf("%.9g\t%d\n", score, above);
    else
      written = printf("%.9g\n", score);
    if (written < 0) return write_failed();
  }
  return fflush(stdout) == 0 ? GOING : write_failed();
}

/* Score rows first..first+n-1 of x, at most a batch. */
static outcome score(filter *f, moon_tensor *x, size_t first, size_t n) {
  moon_tensor *rows = NULL, *scores = NULL;
  outcome result = GOING;
  if (n == 0) return GOING;
  moon_status status = moon_tensor_view(&rows, x, first * f->width, 2, (size_t[]){n, f->width});
  if (status == MOON_OK) status = moon_tensor_view(&scores, f->out, 0, 1, (size_t[]){n});
  if (status == MOON_OK) status = moon_net_errors(f->net, scores, rows, 0);
  result = status == MOON_OK ? print_scores(f, f->scores, n) : fail("%s", moon_error(f->ctx));
  f->done += n;
  moon_tensor_release(scores);
  moon_tensor_release(rows);
  return result;
}

/* ---- rows of text ---- */

/* The next field, without the blanks around it, into text; the character that ended it (',', '\n' or EOF) into *end.
** False if it is longer than any number need be. Only a field is held in memory, however long the line is. */
static bool read_field(char *text, size_t room, int *end) {
  size_t n = 0;
  bool fits = true;
  int c;
  while ((c = getc(stdin)) != ',' && c != '\n' && c != EOF) {
    if (n == 0 && isspace(c)) continue;
    if (n + 1 < room && c != '\0')
      text[n++] = (char)c;
    else if (!isspace(c))
      fits = false;
  }
  while (n > 0 && isspace((unsigned char)text[n - 1])) n--;
  text[n] = '\0';
  *end = c;
  return fits;
}

/* The next line into row. FINISHED: there was none. */
static outcome read_line(const filter *f, float *row, size_t line) {
  char text[64];
  int end = ',';
  for (size_t i = 0; end == ','; i++) {
    double value;
    bool fits = read_field(text, sizeof text, &end);
    if (ferror(stdin)) return fail("cannot read the rows: %s", strerror(errno));
    if (end == EOF && i == 0 && fits && !*text) return FINISHED;
    if (i == f->width) return fail("line %zu has more than %zu numbers, which the net takes", line, f->width);
    if (!fits || !read_number(&value, text) || fabs(value) > (double)FLT_MAX)
      return fail("line %zu, number %zu: expected a number", line, i + 1);
    row[i] = (float)value;
    if (end != ',' && i + 1 < f->width)
      return fail("line %zu has %zu numbers, expected %zu as the net has inputs", line, i + 1, f->width);
  }
  return GOING;
}

/* As many lines as a batch has rows. The rows before a bad line are scored. */
static outcome read_lines(filter *f, size_t *n) {
  outcome result = GOING;
  for (*n = 0; *n < f->o.batch && result == GOING; *n += result == GOING)
    result = read_line(f, (float *)f->rows + *n * f->width, f->done + *n + 1);
  return result;
}

/* ---- rows of bytes ---- */

static outcome read_bytes(filter *f, size_t *n) {
  size_t row = f->width * (f->o.format == U8 ? 1 : sizeof(float));
  size_t got = fread(f->rows, 1, f->o.batch * row, stdin);
  *n = got / row;
  if (ferror(stdin)) return fail("cannot read the rows: %s", strerror(errno));
  if (got % row)
    return fail("row %zu ends after %zu bytes, expected %zu as the net has %zu inputs", f->done + *n + 1, got % row,
                row, f->width);
  return *n < f->o.batch ? FINISHED : GOING;
}

/* ---- the two sources ---- */

/* Complete rows are scored, even if the rest is bad. */
static outcome filter_stream(filter *f) {
  outcome read = GOING, scored = GOING;
  while (read == GOING && scored == GOING) {
    size_t n;
    read = f->o.format == CSV ? read_lines(f, &n) : read_bytes(f, &n);
    scored = score(f, f->x, 0, n);
  }
  return scored == GOING ? read : scored;
}

static outcome filter_idx(filter *f) {
  moon_tensor *images = NULL;
  outcome result = GOING;
  if (moon_idx_load(f->ctx, &images, f->o.idx) != MOON_OK) return fail("%s", moon_error(f->ctx));
  size_t n = moon_tensor_rank(images) ? moon_tensor_shape(images)[0] : 0;
  if (n && moon_tensor_numel(images) / n != f->width)
    result = fail("%s: a row has %zu numbers, expected %zu as the net has inputs", f->o.idx,
                  moon_tensor_numel(images) / n, f->width);
  for (size_t i = 0; i < n && result == GOING; i += f->o.batch)
    result = score(f, images, i, n - i < f->o.batch ? n - i : f->o.batch);
  moon_tensor_release(images);
  return result;
}

/* ---- the program ---- */

static outcome prepare(filter *f) {
  if (moon_ctx_new(&f->ctx, NULL) != MOON_OK) return fail("out of memory");
  if (moon_net_load(f->ctx, &f->net, f->o.model) != MOON_OK) return fail("%s", moon_error(f->ctx));
  f->width = moon_net_inputs(f->net);
  if (f->width == 0 || f->width != moon_net_outputs(f->net))
    return fail("%s: the net makes %zu numbers of %zu, expected as many as it takes", f->o.model,
                moon_net_outputs(f->net), f->width);
  moon_dtype dtype = f->o.format == U8 ? MOON_UINT8 : MOON_FLOAT32;
  const size_t shape[] = {f->o.idx ? 0 : f->o.batch, f->width};
  f->rows = calloc(shape[0] * f->width + 1, sizeof(float));
  f->scores = calloc(f->o.batch, sizeof *f->scores);
  if (!f->rows || !f->scores) return fail("out of memory");
  if (moon_tensor_wrap(f->ctx, &f->x, dtype, 2, shape, f->rows, NULL, NULL) != MOON_OK ||
      moon_tensor_wrap(f->ctx, &f->out, MOON_FLOAT32, 1, &f->o.batch, f->scores, NULL, NULL) != MOON_OK)
    return fail("%s", moon_error(f->ctx));
  return GOING;
}

static void clean_up(filter *f) {
  moon_tensor_release(f->out);
  moon_tensor_release(f->x);
  moon_net_release(f->net);
  moon_ctx_release(f->ctx);
  free(f->scores);
  free(f->rows);
}

int main(int argc, char **argv) {
  filter f = {0};
  (void)argc;
  outcome result = read_options(&f.o, argv);
  if (result != GOING) return result == FINISHED ? 0 : 2;
  signal(SIGPIPE, SIG_IGN); /* a write then fails instead */
  result = prepare(&f);
  if (result == GOING) result = f.o.idx ? filter_idx(&f) : filter_stream(&f);
  clean_up(&f);
  return result == FAILED;
}
