/* bench.c - measures the engine from C. It prints one line of JSON, which README.md explains.
**
**   bench epoch    [options]    seconds of an epoch, and of its matrix products only, in turns
**   bench busy     [options]    the same with one thread and with --threads, in turns, beside busy processes
**   bench row      [options]    microseconds to run a single row through the net
**   bench serve    [options]    microseconds of a single row, and rows a second, with 1, 2 ... threads that share a net
**   bench startup  [options]    microseconds from nothing to a net that has made one step
**   bench run REPEAT COMMAND ...    milliseconds and peak memory of a command, from its start to its end
**
** Options: --sizes 784-128-32-128-784  --net plain (variational: the layer in the middle is a gaussian_code, and the
** loss is summed over the pixels; batch_norm: one between each dense layer and its relu)  --batch 32  --threads 1
** --rounds 3  --data DIR (else: random rows)  --rows 60000 (at most)  --floor 0 (no floor)
** --perf FIFO (tell perf, which waits there, when to count)
** --busy 0 (processes that each keep a core busy). */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../csrc/engine/core/error.h"
#include "../../csrc/engine/core/memory.h"
#include "../../csrc/engine/core/tensor.h"
#include "floor.h"

enum { MAX_LAYERS = 32, PER_SIZE = 3 }; /* a size may be that of several layers */
enum { MAX_ROUNDS = 1000, MAX_ROW_CALLS = 20000, MAX_SERVERS = 256, MAX_BUSY = 64, PATH = 4096 };

typedef struct options {
  const char *mode, *data, *perf, *net;
  size_t sizes[MAX_LAYERS + 1], count;
  size_t batch, rows, rounds, busy;
  int threads;
  bool floor;
} options;

/* Everything that a run needs. It begins as zeros, so that it can be released at any point. */
typedef struct bench {
  moon_ctx *ctx;
  moon_tensor *x;
  moon_dataset *data;
  moon_net *net;
  moon_loss *loss;
  moon_optim *opt;
} bench;

static void release(bench *b) {
  moon_optim_release(b->opt);
  moon_loss_release(b->loss);
  moon_net_release(b->net);
  moon_dataset_release(b->data);
  moon_tensor_release(b->x);
  moon_ctx_release(b->ctx);
}

/* ---- options ---- */

static bool read_count(size_t *out, const char *text, size_t low, size_t high) {
  char *end;
  unsigned long long v = strtoull(text, &end, 10);
  if (*text < '0' || *text > '9' || *end || v < low || v > high) return false;
  *out = (size_t)v;
  return true;
}

static bool read_sizes(options *o, const char *text) {
  char *end;
  for (o->count = 0; o->count <= MAX_LAYERS; text = end + 1) {
    unsigned long v = strtoul(text, &end, 10);
    if (end == text || !v || v > 1000000) return false;
    o->sizes[o->count++] = v;
    if (!*end) return o->count > 1;
    if (*end != '-') return false;
  }
  return false;
}

static bool is_variational(const options *o) { return !strcmp(o->net, "variational"); }
static bool is_normalised(const options *o) { return !strcmp(o->net, "batch_norm"); }
static bool is_plain(const options *o) { return !strcmp(o->net, "plain"); }

static bool read_option(options *o, const char *name, const char *value) {
  size_t n;
  if (!strcmp(name, "--sizes")) return read_sizes(o, value);
  if (!strcmp(name, "--batch")) return read_count(&o->batch, value, 1, 1 << 20);
  if (!strcmp(name, "--rows")) return read_count(&o->rows, value, 1, 1 << 30);
  if (!strcmp(name, "--rounds")) return read_count(&o->rounds, value, 1, MAX_ROUNDS);
  if (!strcmp(name, "--busy")) return read_count(&o->busy, value, 0, MAX_BUSY);
  if (!strcmp(name, "--net")) return o->net = value, is_plain(o) || is_variational(o) || is_normalised(o);
  if (!strcmp(name, "--data")) return o->data = value, true;
  if (!strcmp(name, "--perf")) return o->perf = value, true;
  if (!strcmp(name, "--threads") && read_count(&n, value, 1, 256)) return o->threads = (int)n, true;
  if (!strcmp(name, "--floor") && read_count(&n, value, 0, 1)) return o->floor = n, true;
  return false;
}

static bool read_options(options *o, int argc, char **argv) {
  *o = (options){.mode = argc > 1 ? argv[1] : "",
                 .net = "plain",
                 .sizes = {784, 128, 32, 128, 784},
                 .count = 5,
                 .batch = 32,
                 .rows = 60000,
                 .rounds = 3,
                 .threads = 1,
                 .floor = true};
  for (int i = 2; i < argc; i += 2) {
    if (i + 1 < argc && read_option(o, argv[i], argv[i + 1])) continue;
    fprintf(stderr, "bench: %s %s: not an option and its value; see the top of bench.c\n", argv[i],
            i + 1 < argc ? argv[i + 1] : "");
    return false;
  }
  o->floor &= is_plain(o); /* floor.c knows dense layers only */
  return true;
}

/* ---- the work ---- */

/* Rows like MNIST's for a CPU: bytes, four of five zero. */
static moon_status made_up(bench *b, size_t rows, size_t width) {
  uint64_t s = 88172645463325252u;
  MOONI_TRY(moon_tensor_new(b->ctx, &b->x, MOON_UINT8, 2, (size_t[]){rows, width}));
  uint8_t *x = moon_tensor_byte(b->x);
  for (size_t i = 0; i < rows * width; i++) {
    s ^= s << 13, s ^= s >> 7, s ^= s << 17;
    x[i] = (uint8_t)(s >> 40) > 205 ? (uint8_t)(s >> 48) : 0;
  }
  return MOON_OK;
}

static moon_status load(bench *b, const options *o) {
  moon_tensor *images;
  char path[PATH];
  snprintf(path, sizeof path, "%s/train-images-idx3-ubyte", o->data);
  if (access(path, R_OK) != 0) snprintf(path, sizeof path, "%s/train-images-idx3-ubyte.gz", o->data);
  MOONI_TRY(moon_idx_load(b->ctx, &images, path));
  size_t rows = mooni_rows(images), width = mooni_width(images);
  moon_status status = moon_tensor_view(&b->x, images, 0, 2, (size_t[]){rows < o->rows ? rows : o->rows, width});
  moon_tensor_release(images);
  return status;
}

/* The layers of a net while they are made. */
typedef struct stack {
  moon_ctx *ctx;
  moon_layer *layers[PER_SIZE * MAX_LAYERS];
  size_t count;
  moon_status status;
} stack;

static void add(stack *s, const char *kind, const moon_option *list, size_t count) {
  if (s->status == MOON_OK) s->status = moon_layer_new(s->ctx, &s->layers[s->count], kind, list, count);
  s->count += s->status == MOON_OK;
}

static void add_dense(stack *s, size_t in, size_t out, const char *activation) {
  moon_option list[] = {{.name = "in", .kind = MOON_COUNT, .number = (double)in},
                        {.name = "out", .kind = MOON_COUNT, .number = (double)out},
                        {.name = "activation", .kind = MOON_TEXT, .text = activation}};
  add(s, "dense", list, MOONI_COUNT(list));
}

/* A dense layer without an activation, batch_norm and the activation relu. */
static void add_normalised(stack *s, size_t in, size_t out) {
  moon_option width = {.name = "n", .kind = MOON_COUNT, .number = (double)out};
  moon_option relu = {.name = "activation", .kind = MOON_TEXT, .text = "relu"};
  add_dense(s, in, out, "linear");
  add(s, "batch_norm", &width, 1);
  add(s, "activation", &relu, 1);
}

static void add_coded(stack *s, size_t in, size_t out) {
  moon_option code = {.name = "k", .kind = MOON_COUNT, .number = (double)out};
  add_dense(s, in, 2 * out, "linear");
  add(s, "gaussian_code", &code, 1);
}

static moon_status make_net(bench *b, const options *o) {
  stack s = {.ctx = b->ctx, .status = MOON_OK};
  for (size_t i = 0; i + 1 < o->count; i++) {
    size_t in = o->sizes[i], out = o->sizes[i + 1];
    if (i + 2 == o->count)
      add_dense(&s, in, out, "sigmoid");
    else if (is_normalised(o))
      add_normalised(&s, in, out);
    else if (is_variational(o) && i + 1 == o->count / 2)
      add_coded(&s, in, out);
    else
      add_dense(&s, in, out, "relu");
  }
  if (s.status == MOON_OK) s.status = moon_net_new(b->ctx, &b->net, s.layers, s.count);
  while (s.count) moon_layer_release(s.layers[--s.count]);
  return s.status;
}

static moon_status make_training(bench *b, const options *o) {
  moon_option summed = {.name = "reduction", .kind = MOON_TEXT, .text = "batchmean"};
  MOONI_TRY(make_net(b, o));
  MOONI_TRY(moon_loss_new(b->ctx, &b->loss, "bce", &summed, is_variational(o)));
  return moon_optim_new(b->ctx, &b->opt, "adam", NULL, 0);
}

static moon_status make_data(bench *b, const options *o) {
  MOONI_TRY(o->data ? load(b, o) : made_up(b, o->rows, o->sizes[0]));
  return moon_dataset_new(b->ctx, &b->data, b->x, NULL);
}

static moon_status make_context(bench *b, const options *o) {
  moon_status status = moon_ctx_new(&b->ctx, &(moon_config){.threads = o->threads, .seed = 1});
  if (status != MOON_OK) fprintf(stderr, "bench: no context: %s\n", moon_status_name(status));
  return status;
}

/* ---- epoch ---- */

/* A shuffle and every batch, including the partial last one. */
static moon_status run_epoch(bench *b, size_t batch, uint64_t epoch, double *seconds, double *loss) {
  size_t rows = moon_dataset_rows(b->data);
  double begin = now(), total = 0, objective;
  moon_dataset_shuffle(b->data, 1, epoch);
  for (size_t first = 0; first < rows; first += batch) {
    size_t count = rows - first < batch ? rows - first : batch;
    MOONI_TRY(moon_net_step_rows(b->net, &objective, b->data, first, count, b->loss, b->opt));
    total += objective * (double)count;
  }
  *seconds = now() - begin;
  *loss = total / (double)rows;
  return MOON_OK;
}

/* As many steps as an epoch has, but at most about a second. */
static moon_status run_floor(bench *b, floor_set *f, double steps, double *seconds) {
  double us = 0;
  for (size_t i = 0; i < f->count; i++) us += f->gemms[i].us;
  double calls = us * steps > 1e6 ? 1e6 / us : steps;
  return floor_time(b->ctx, f, seconds, steps, calls < 2 ? 2 : (size_t)calls);
}

static bool tell_perf(const options *o, const char *what) {
  if (!o->perf) return true;
  int fd = open(o->perf, O_WRONLY);
  bool told = fd >= 0 && write(fd, what, strlen(what)) == (ssize_t)strlen(what);
  if (fd >= 0) close(fd);
  if (told) usleep(50000); /* perf looks at its FIFO when it gets there */
  return told;
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double least(const double *v, size_t n) {
  double low = v[0];
  for (size_t i = 1; i < n; i++)
    if (v[i] < low) low = v[i];
  return low;
}

static void print_list(const char *name, const double *v, size_t n) {
  printf(", \"%s\": [", name);
  for (size_t i = 0; i < n; i++) printf("%s%.7f", i ? ", " : "", v[i]);
  printf("]");
}

static void print_head(const bench *b, const options *o) {
  moon_build info;
  moon_build_info(b->ctx, &info);
  printf("{\"mode\": \"%s\", \"sizes\": \"", o->mode);
  for (size_t i = 0; i < o->count; i++) printf("%s%zu", i ? "-" : "", o->sizes[i]);
  printf("\", \"net\": \"%s\", \"batch\": %zu, \"threads\": %d, \"busy\": %zu, \"version\": \"%s\", \"blis\": \"%s\", "
         "\"blis_config\": "
         "\"%s\", "
         "\"simd\": \"%s\"",
         o->net, o->batch, moon_threads(b->ctx), o->busy, info.version, info.blis, info.blis_config, info.simd);
}

/* A layout as text, like "rrc": a, b and c row-major or column-major. */
static const char *layout_text(char text[4], int layout) {
  for (int i = 0; i < 3; i++) text[i] = layout >> i & 1 ? 'c' : 'r';
  text[3] = 0;
  return text;
}

static void print_gemm(const floor_gemm *g, int threads) {
  char text[4];
  printf("{\"layer\": %zu, \"pass\": \"%s\", \"m\": %zu, \"n\": %zu, \"k\": %zu, \"layout\": \"%s\", "
         "\"split\": \"%s\", \"us\": %.2f, \"gflops\": %.1f, \"trial_us\": {",
         g->layer, g->pass, g->m, g->n, g->k, layout_text(text, g->layout),
         threads == 1 ? "none"
         : g->by_rows ? "rows"
                      : "columns",
         g->us, 2e-3 * (double)(g->m * g->n) * (double)g->k / g->us);
  for (int i = 0; i < FLOOR_LAYOUTS; i++) printf("%s\"%s\": %.2f", i ? ", " : "", layout_text(text, i), g->trial[i]);
  printf("}}");
}

static void print_gemms(const floor_set *f) {
  printf(", \"gemms\": [");
  for (size_t i = 0; i < f->count; i++) {
    if (i) printf(", ");
    print_gemm(&f->gemms[i], f->threads);
  }
  printf("]");
}

/* One epoch as a warm-up, then epoch and floor in turns. */
static moon_status measure_epochs(bench *b, const options *o, floor_set *f) {
  double epochs[MAX_ROUNDS], floors[MAX_ROUNDS], first, loss;
  double steps = (double)moon_dataset_rows(b->data) / (double)o->batch;
  MOONI_TRY(run_epoch(b, o->batch, 0, &first, &loss));
  if (!tell_perf(o, "enable\n")) return mooni_fail(b->ctx, MOON_EIO, "cannot write to %s", o->perf);
  for (size_t i = 0; i < o->rounds; i++) {
    MOONI_TRY(run_epoch(b, o->batch, i + 1, &epochs[i], &loss));
    if (o->floor) MOONI_TRY(run_floor(b, f, steps, &floors[i]));
  }
  tell_perf(o, "disable\n");
  double best = least(epochs, o->rounds);
  print_head(b, o);
  printf(", \"rows\": %zu, \"steps\": %.3f, \"loss\": %.6f, \"first_s\": %.7f, \"epoch_s\": %.7f",
         moon_dataset_rows(b->data), steps, loss, first, best);
  print_list("epochs", epochs, o->rounds);
  if (o->floor) {
    double floor = least(floors, o->rounds);
    printf(", \"floor_s\": %.7f, \"share\": %.4f", floor, floor / best);
    print_list("floors", floors, o->rounds);
    print_gemms(f);
  }
  printf("}\n");
  return MOON_OK;
}

static moon_status epoch_mode(bench *b, const options *o) {
  floor_set f = {0};
  MOONI_TRY(make_data(b, o));
  MOONI_TRY(make_training(b, o));
  if (o->floor) MOONI_TRY(floor_new(b->ctx, &f, o->sizes, o->count, o->batch, o->threads));
  moon_status status = measure_epochs(b, o, &f);
  floor_free(b->ctx, &f);
  return status;
}

/* ---- busy ---- */

/* Other work on the machine: processes that each keep a core busy, and end when this process ends. */
static size_t start_busy(pid_t pids[MAX_BUSY], size_t count) {
  pid_t parent = getpid();
  for (size_t i = 0; i < count; i++) {
    pids[i] = fork();
    if (pids[i] < 0) return i;
    if (pids[i] == 0)
      for (volatile unsigned long n = 1;; n++)
        if (n % (1u << 24) == 0 && getppid() != parent) _exit(0);
  }
  return count;
}

static void stop_busy(const pid_t *pids, size_t count) {
  for (size_t i = 0; i < count; i++) {
    kill(pids[i], SIGKILL);
    waitpid(pids[i], NULL, 0);
  }
}

static double mean(const double *v, size_t n) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += v[i];
  return sum / (double)n;
}

/* One epoch each as a warm-up, then in turns. Means, because the scheduler is random. */
static moon_status measure_busy(bench *one, bench *many, const options *o) {
  double times[2][MAX_ROUNDS], loss;
  bench *turns[] = {one, many};
  for (size_t t = 0; t < 2; t++) MOONI_TRY(run_epoch(turns[t], o->batch, 0, &times[t][0], &loss));
  for (size_t i = 0; i < 2 * o->rounds; i++)
    MOONI_TRY(run_epoch(turns[i % 2], o->batch, i / 2 + 1, &times[i % 2][i / 2], &loss));
  double one_s = mean(times[0], o->rounds), many_s = mean(times[1], o->rounds);
  print_head(many, o);
  printf(", \"rows\": %zu, \"one_s\": %.7f, \"epoch_s\": %.7f, \"ratio\": %.3f", moon_dataset_rows(one->data), one_s,
         many_s, many_s / one_s);
  print_list("ones", times[0], o->rounds);
  print_list("epochs", times[1], o->rounds);
  printf("}\n");
  return MOON_OK;
}

static moon_status busy_mode(bench *b, const options *o) {
  bench one = {0};
  options alone = *o;
  pid_t pids[MAX_BUSY];
  alone.threads = 1;
  if (make_context(&one, &alone) != MOON_OK) return mooni_fail(b->ctx, MOON_ESTATE, "no second context");
  moon_status status = make_data(b, o);
  if (status == MOON_OK) status = make_training(b, o);
  if (status == MOON_OK) status = make_data(&one, &alone);
  if (status == MOON_OK) status = make_training(&one, &alone);
  size_t busy = start_busy(pids, o->busy);
  if (busy < o->busy) status = mooni_fail(b->ctx, MOON_ESTATE, "cannot fork");
  if (status == MOON_OK) status = measure_busy(&one, b, o);
  stop_busy(pids, busy);
  release(&one);
  return status;
}

/* ---- row, serve, startup ---- */

static moon_status measure_row(bench *b, const options *o, moon_tensor *y, const moon_tensor *x) {
  double *us = mooni_calloc(b->ctx, MAX_ROW_CALLS, sizeof *us);
  if (!us) return mooni_nomem(b->ctx, MAX_ROW_CALLS * sizeof *us);
  moon_status status = MOON_OK;
  for (int warm = 1; status == MOON_OK && warm >= 0; warm--)
    for (size_t i = 0; status == MOON_OK && i < MAX_ROW_CALLS; i++) {
      double begin = now();
      status = moon_net_predict(b->net, y, x, 0);
      us[i] = (now() - begin) * 1e6;
    }
  if (status == MOON_OK) {
    qsort(us, MAX_ROW_CALLS, sizeof *us, by_size);
    print_head(b, o);
    printf(", \"row_us\": %.2f, \"row_min_us\": %.2f, \"row_p99_us\": %.2f}\n", us[MAX_ROW_CALLS / 2], us[0],
           us[MAX_ROW_CALLS * 99 / 100]);
  }
  mooni_free(b->ctx, us);
  return status;
}

static moon_status row_mode(bench *b, const options *o) {
  moon_tensor *x = NULL, *y = NULL;
  MOONI_TRY(make_net(b, o));
  moon_status status = moon_tensor_new(b->ctx, &x, MOON_FLOAT32, 2, (size_t[]){1, o->sizes[0]});
  if (status == MOON_OK) status = moon_tensor_new(b->ctx, &y, MOON_FLOAT32, 2, (size_t[]){1, o->sizes[o->count - 1]});
  if (status == MOON_OK) status = moon_tensor_uniform(x, 0, 1);
  if (status == MOON_OK) status = measure_row(b, o, y, x);
  moon_tensor_release(x);
  moon_tensor_release(y);
  return status;
}

/* A thread with its own context and its share of the net. */
typedef struct server {
  pthread_t thread;
  pthread_barrier_t *together;
  const moon_net *net;
  moon_status status;
  double us[MAX_ROW_CALLS], begin, end;
} server;

/* As many warm-up calls as timed ones. The other threads wait for this one even if it has failed. */
static void serve_rows(server *s, moon_net *net, moon_tensor *y, const moon_tensor *x) {
  for (size_t i = 0; s->status == MOON_OK && i < MAX_ROW_CALLS; i++) s->status = moon_net_predict(net, y, x, 0);
  pthread_barrier_wait(s->together);
  s->begin = now();
  for (size_t i = 0; s->status == MOON_OK && i < MAX_ROW_CALLS; i++) {
    double begin = now();
    s->status = moon_net_predict(net, y, x, 0);
    s->us[i] = (now() - begin) * 1e6;
  }
  s->end = now();
}

static void *serve(void *arg) {
  server *s = arg;
  moon_ctx *ctx = NULL;
  moon_net *net = NULL;
  moon_tensor *x = NULL, *y = NULL;
  s->status = moon_ctx_new(&ctx, NULL);
  if (s->status == MOON_OK) s->status = moon_net_share(s->net, ctx, &net);
  if (s->status == MOON_OK)
    s->status = moon_tensor_new(ctx, &x, MOON_FLOAT32, 2, (size_t[]){1, moon_net_inputs(s->net)});
  if (s->status == MOON_OK)
    s->status = moon_tensor_new(ctx, &y, MOON_FLOAT32, 2, (size_t[]){1, moon_net_outputs(s->net)});
  if (s->status == MOON_OK) s->status = moon_tensor_uniform(x, 0, 1);
  serve_rows(s, net, y, x);
  moon_tensor_release(x);
  moon_tensor_release(y);
  moon_net_release(net);
  moon_ctx_release(ctx);
  return NULL;
}

/* `count` threads at once: the median of their medians, and the rows a second of all. */
static moon_status serve_at_once(bench *b, server *servers, size_t count, const moon_net *net, double *us,
                                 double *rate) {
  pthread_barrier_t together;
  double medians[MAX_SERVERS], begin, end;
  pthread_barrier_init(&together, NULL, (unsigned)count);
  for (size_t i = 0; i < count; i++) {
    servers[i] = (server){.together = &together, .net = net};
    if (pthread_create(&servers[i].thread, NULL, serve, &servers[i]) != 0) {
      fprintf(stderr, "bench: no thread number %zu\n", i + 1); /* those before it wait for it in vain */
      exit(1);
    }
  }
  moon_status status = MOON_OK;
  for (size_t i = 0; i < count; i++) {
    server *s = &servers[i];
    pthread_join(s->thread, NULL);
    if (s->status != MOON_OK) status = s->status;
    qsort(s->us, MAX_ROW_CALLS, sizeof *s->us, by_size);
    medians[i] = s->us[MAX_ROW_CALLS / 2];
    begin = i && begin < s->begin ? begin : s->begin;
    end = i && end > s->end ? end : s->end;
  }
  pthread_barrier_destroy(&together);
  qsort(medians, count, sizeof *medians, by_size);
  *us = medians[count / 2];
  *rate = (double)(count * MAX_ROW_CALLS) / (end - begin);
  return status == MOON_OK ? status : mooni_fail(b->ctx, status, "a server: %s", moon_status_name(status));
}

/* 1 thread, 2 ... all CPUs in turns; the best round of each counts. */
static moon_status measure_serving(bench *b, const options *o, server *servers, size_t most, const moon_net *net) {
  double us[MAX_SERVERS + 1], rate[MAX_SERVERS + 1], u, r;
  for (size_t round = 0; round < o->rounds; round++)
    for (size_t n = 1; n <= most; n++) {
      MOONI_TRY(serve_at_once(b, servers, n, net, &u, &r));
      us[n] = round && us[n] < u ? us[n] : u;
      rate[n] = round && rate[n] > r ? rate[n] : r;
    }
  print_head(b, o);
  printf(", \"serve\": [");
  for (size_t n = 1; n <= most; n++)
    printf("%s{\"threads\": %zu, \"row_us\": %.2f, \"rows_per_s\": %.0f}", n > 1 ? ", " : "", n, us[n], rate[n]);
  printf("]}\n");
  return MOON_OK;
}

static moon_status serve_mode(bench *b, const options *o) {
  moon_net *net = NULL;
  long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  size_t most = cpus < 1 ? 1 : cpus > MAX_SERVERS ? MAX_SERVERS : (size_t)cpus;
  MOONI_TRY(make_net(b, o));
  MOONI_TRY(moon_net_share(b->net, b->ctx, &net));
  server *servers = mooni_calloc(b->ctx, most, sizeof *servers);
  moon_status status = servers ? measure_serving(b, o, servers, most, net)
                               : mooni_nomem(b->ctx, most * sizeof *servers);
  mooni_free(b->ctx, servers);
  moon_net_release(net);
  return status;
}

static moon_status startup_mode(bench *b, const options *o, double born) {
  double context = now(), net, step;
  MOONI_TRY(make_training(b, o));
  net = now();
  MOONI_TRY(moon_net_plan(b->net, o->batch, 0, b->loss, b->opt));
  double planned = now();
  options one = *o;
  one.rows = o->batch;
  MOONI_TRY(make_data(b, &one));
  step = now();
  MOONI_TRY(moon_net_step_rows(b->net, NULL, b->data, 0, moon_dataset_rows(b->data), b->loss, b->opt));
  print_head(b, o);
  printf(", \"context_us\": %.1f, \"net_us\": %.1f, \"plan_us\": %.1f, \"step_us\": %.1f}\n", (context - born) * 1e6,
         (net - context) * 1e6, (planned - net) * 1e6, (now() - step) * 1e6);
  return MOON_OK;
}

/* ---- run ---- */

/* Wall milliseconds and peak resident megabytes of one run of a command, whose standard output is dropped. */
static int run_once(char **argv, double *ms, double *mb) {
  struct rusage usage;
  int status;
  double begin = now();
  pid_t pid = fork();
  if (pid == 0) {
    int null = open("/dev/null", O_RDWR);
    if (null >= 0) dup2(null, 0), dup2(null, 1);
    execvp(argv[0], argv);
    perror(argv[0]);
    _exit(127);
  }
  if (pid < 0 || wait4(pid, &status, 0, &usage) != pid) {
    perror("bench: run");
    return 1;
  }
  *ms = (now() - begin) * 1e3;
  *mb = (double)usage.ru_maxrss / 1024;
  if (WIFEXITED(status) && !WEXITSTATUS(status)) return 0;
  fprintf(stderr, "bench: %s ended with status %d\n", argv[0], WIFEXITED(status) ? WEXITSTATUS(status) : status);
  return 1;
}

static int run_mode(int argc, char **argv) {
  size_t repeat;
  double ms[MAX_ROUNDS], peak = 0;
  if (argc < 4 || !read_count(&repeat, argv[2], 1, MAX_ROUNDS)) {
    fprintf(stderr, "bench: usage: bench run REPEAT COMMAND ...\n");
    return 2;
  }
  for (size_t i = 0; i < repeat; i++) {
    double mb;
    if (run_once(argv + 3, &ms[i], &mb)) return 1;
    if (mb > peak) peak = mb;
  }
  qsort(ms, repeat, sizeof *ms, by_size);
  printf("{\"mode\": \"run\", \"repeat\": %zu, \"wall_ms\": %.3f, \"median_ms\": %.3f, \"peak_mb\": %.1f}\n", repeat,
         ms[0], ms[repeat / 2], peak);
  return 0;
}

int main(int argc, char **argv) {
  options o;
  bench b = {0};
  double born = now();
  moon_status status = MOON_OK;
  if (argc > 1 && !strcmp(argv[1], "run")) return run_mode(argc, argv);
  if (!read_options(&o, argc, argv)) return 2;
  if (make_context(&b, &o) != MOON_OK) return 1;
  if (!strcmp(o.mode, "epoch"))
    status = epoch_mode(&b, &o);
  else if (!strcmp(o.mode, "busy"))
    status = busy_mode(&b, &o);
  else if (!strcmp(o.mode, "row"))
    status = row_mode(&b, &o);
  else if (!strcmp(o.mode, "serve"))
    status = serve_mode(&b, &o);
  else if (!strcmp(o.mode, "startup"))
    status = startup_mode(&b, &o, born);
  else
    status = mooni_fail(b.ctx, MOON_ERANGE, "mode '%s' (known: epoch, busy, row, serve, startup, run)", o.mode);
  if (status != MOON_OK) fprintf(stderr, "bench: %s\n", moon_error(b.ctx));
  release(&b);
  return status != MOON_OK;
}
