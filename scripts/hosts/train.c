/* train.c - a host without Lua that trains: images in, an autoencoder out.
**
**   train [options] IMAGES-idx3-ubyte MODEL.safetensors
**
** The net is inputs-hidden-code-hidden-inputs, with ReLU inside and a sigmoid at the end, trained by Adam on binary
** cross-entropy: the lecture's deep autoencoder. With the same seed, the same number of threads and the same batches,
** scripts in Lua get the same bits (spec/programs/hosts_spec.lua). Ctrl-C ends the training; the net is saved. */
#include <errno.h>
#include <moonglass.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] = "usage: train [options] IMAGES-idx3-ubyte MODEL.safetensors\n"
                           "  --hidden N    units of the layer on each side of the code (default 128)\n"
                           "  --code N      numbers in the code (default 32)\n"
                           "  --epochs N    passes over the images (default 5)\n"
                           "  --batch N     images a step (default 32)\n"
                           "  --threads N   threads that compute (default 1)\n"
                           "  --seed N      of the first weights and of the order of the images (default 0)\n"
                           "  --help        this text\n";

typedef struct options {
  long hidden, code, epochs, batch, threads, seed;
  const char *images, *model;
} options;

typedef struct training {
  options o;
  moon_tensor *images, *x; /* as in the file, and as [rows x width] */
  moon_net *net;
  moon_dataset *data;
  moon_loss *loss;
  moon_optim *adam;
} training;

/* The one global: a signal handler has no argument. */
static moon_ctx *ctx;

static void on_interrupt(int signal) {
  (void)signal;
  moon_interrupt(ctx);
}

/* ---- the command line ---- */

static bool read_count(long *value, const char *text, long low, long high) {
  char *end;
  errno = 0;
  *value = strtol(text, &end, 10);
  return errno == 0 && end != text && *end == '\0' && *value >= low && *value <= high;
}

/* 0, 2 after an error message, or -1 after the help. */
static int read_options(options *o, char **argv) {
  *o = (options){.hidden = 128, .code = 32, .epochs = 5, .batch = 32, .threads = 1};
  const struct {
    const char *name;
    long *value, low, high;
  } counts[] = {{"--hidden", &o->hidden, 1, 1000000}, {"--code", &o->code, 1, 1000000},
                {"--epochs", &o->epochs, 1, 1000000}, {"--batch", &o->batch, 1, 1000000},
                {"--threads", &o->threads, 1, 256},   {"--seed", &o->seed, 0, 2147483647}};
  enum { COUNTS = sizeof counts / sizeof *counts };
  for (char **a = argv + 1; *a; a++) {
    size_t i = 0;
    while (i < COUNTS && strcmp(*a, counts[i].name) != 0) i++;
    if (strcmp(*a, "--help") == 0) {
      fputs(help, stdout);
      return -1;
    } else if (i < COUNTS && a[1]) {
      if (!read_count(counts[i].value, *++a, counts[i].low, counts[i].high)) {
        fprintf(stderr, "train: %s is '%s', expected a whole number from %ld to %ld\n", counts[i].name, *a,
                counts[i].low, counts[i].high);
        return 2;
      }
    } else if (strncmp(*a, "--", 2) == 0 || o->model) {
      fprintf(stderr, "train: %s: no such option, its value is missing, or one argument too many (see --help)\n", *a);
      return 2;
    } else {
      *(o->images ? &o->model : &o->images) = *a;
    }
  }
  if (o->model) return 0;
  fputs("train: expected a file of images and the name of the net to write (see --help)\n", stderr);
  return 2;
}

/* ---- images ---- */

/* The images as rows [n x width], without a copy. */
static moon_status load_images(training *t) {
  moon_status status = moon_idx_load(ctx, &t->images, t->o.images);
  if (status != MOON_OK) return status;
  size_t n = moon_tensor_rank(t->images) ? moon_tensor_shape(t->images)[0] : 0;
  size_t shape[] = {n, n ? moon_tensor_numel(t->images) / n : 0};
  status = moon_tensor_view(&t->x, t->images, 0, 2, shape);
  return status == MOON_OK ? moon_dataset_new(ctx, &t->data, t->x, NULL) : status;
}

/* ---- the net ---- */

static moon_status make_dense(moon_layer **layer, size_t in, size_t out, const char *activation) {
  const moon_option given[] = {{.name = "in", .kind = MOON_COUNT, .number = (double)in},
                               {.name = "out", .kind = MOON_COUNT, .number = (double)out},
                               {.name = "activation", .kind = MOON_TEXT, .text = activation}};
  return moon_layer_new(ctx, layer, "dense", given, 3);
}

/* The net keeps the layers alive. Its first half is marked as the encoder, so that hosts and scripts can encode. */
static moon_status make_net(training *t) {
  size_t inputs = moon_tensor_shape(t->x)[1];
  const size_t widths[] = {inputs, (size_t)t->o.hidden, (size_t)t->o.code, (size_t)t->o.hidden, inputs};
  moon_layer *layers[4] = {NULL};
  moon_status status = MOON_OK;
  for (size_t i = 0; i < 4 && status == MOON_OK; i++)
    status = make_dense(&layers[i], widths[i], widths[i + 1], i < 3 ? "relu" : "sigmoid");
  if (status == MOON_OK) status = moon_net_new(ctx, &t->net, layers, 4);
  if (status == MOON_OK) status = moon_net_set_encoder(t->net, 2);
  for (size_t i = 0; i < 4; i++) moon_layer_release(layers[i]);
  return status;
}

/* ---- training ---- */

/* One pass over all rows, in a new order. *mean is the mean loss of a row, before each update. */
static moon_status run_epoch(training *t, uint64_t epoch, double *mean) {
  size_t rows = moon_dataset_rows(t->data), batch = (size_t)t->o.batch;
  double sum = 0;
  moon_dataset_shuffle(t->data, (uint64_t)t->o.seed, epoch);
  for (size_t first = 0; first < rows; first += batch) {
    size_t count = rows - first < batch ? rows - first : batch;
    double loss;
    moon_status status = moon_net_step_rows(t->net, &loss, t->data, first, count, t->loss, t->adam);
    if (status != MOON_OK) return status;
    sum += loss * (double)count;
  }
  *mean = sum / (double)rows;
  return MOON_OK;
}

/* MOON_EINTERRUPT: Ctrl-C. The net is then as the last whole step left it. */
static moon_status run_epochs(training *t) {
  for (long epoch = 1; epoch <= t->o.epochs; epoch++) {
    double loss;
    moon_status status = run_epoch(t, (uint64_t)epoch, &loss);
    if (status != MOON_OK) return status;
    printf("epoch %ld/%ld  loss %.4f\n", epoch, t->o.epochs, loss);
    fflush(stdout);
  }
  return MOON_OK;
}

static moon_status run(training *t) {
  moon_status status = load_images(t);
  if (status == MOON_OK) status = make_net(t);
  if (status == MOON_OK) status = moon_loss_new(ctx, &t->loss, "bce", NULL, 0);
  if (status == MOON_OK) status = moon_optim_new(ctx, &t->adam, "adam", NULL, 0);
  if (status == MOON_OK) status = run_epochs(t);
  if (status == MOON_EINTERRUPT) {
    puts("interrupted: what was learnt so far is saved");
    status = MOON_OK;
  }
  return status == MOON_OK ? moon_net_save(t->net, t->o.model) : status;
}

static void clean_up(training *t) {
  moon_optim_release(t->adam);
  moon_loss_release(t->loss);
  moon_dataset_release(t->data);
  moon_net_release(t->net);
  moon_tensor_release(t->x);
  moon_tensor_release(t->images);
}

int main(int argc, char **argv) {
  training t = {0};
  (void)argc;
  int answer = read_options(&t.o, argv);
  if (answer != 0) return answer < 0 ? 0 : answer;
  const moon_config config = {.threads = (int)t.o.threads, .seed = (uint64_t)t.o.seed};
  if (moon_ctx_new(&ctx, &config) != MOON_OK) {
    fputs("train: out of memory\n", stderr);
    return 1;
  }
  signal(SIGINT, on_interrupt);
  moon_status status = run(&t);
  if (status != MOON_OK) fprintf(stderr, "train: %s\n", moon_error(ctx));
  clean_up(&t);
  signal(SIGINT, SIG_DFL); /* before the context is gone */
  moon_ctx_release(ctx);
  return status != MOON_OK;
}
