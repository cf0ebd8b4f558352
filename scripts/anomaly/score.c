/* score.c - the command `moonglass-anomaly score`. The main thread reads rows into blocks, and a second one scores and
** writes them: two cores are busy, rows stay in order, and a row that arrives alone is answered at once. Each thread
** has a context of its own; the detector's weights are shared. A third waits for signals. */
#include "score.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "input.h"
#include "output.h"

enum { BLOCKS = 4, ROWS = 1024 };

/* A detector in a context of a thread's own, with a place for each row's results. */
typedef struct judge {
  moon_ctx *ctx;
  moon_detector *detector;
  float *scores, *outside;
  double threshold; /* NaN: there is none */
} judge;

typedef struct program {
  const options *o;
  moon_ctx *ctx; /* the main thread's */
  moon_detector *detector;
  judge judge;
  input in;
  output out;
  sigset_t signals;
  pthread_mutex_t output_lock; /* held while lines are written */

  /* The ring of blocks: the reader fills `read` of them, the judge has done `scored` of them. */
  pthread_mutex_t lock;
  pthread_cond_t changed;
  block blocks[BLOCKS];
  size_t read, scored;
  bool complete; /* nothing more is read */
} program;

static void report_skipped(const program *p) {
  size_t skipped = p->in.skipped, done = p->in.done;
  if (skipped) say("%zu of %zu rows were bad, and are left out", skipped, done);
}

/* ---- the second thread: scores ---- */

static outcome explain(program *p, verdict *v, moon_reason *reasons, moon_tensor *x, size_t i) {
  judge *j = &p->judge;
  moon_tensor *row = NULL;
  size_t width = p->in.width, count = width < OUTPUT_REASONS ? width : OUTPUT_REASONS;
  moon_status status = moon_tensor_view(&row, x, i * width, 1, &width);
  if (status == MOON_OK) status = moon_detector_explain(j->detector, reasons, count, row);
  moon_tensor_release(row);
  if (status != MOON_OK) return say_failure("%s", moon_error(j->ctx));
  v->reasons = reasons;
  v->reason_count = 1;
  while (v->reason_count < count && (reasons[v->reason_count].share >= 0.1f || reasons[v->reason_count].outside))
    v->reason_count++;
  return GOING;
}

static outcome add_rows(program *p, const block *b, moon_tensor *x) {
  judge *j = &p->judge;
  for (size_t i = 0; i < b->rows; i++) {
    verdict v = {.place = b->places[i], .score = (double)j->scores[i]};
    moon_reason reasons[OUTPUT_REASONS];
    /* a score that is no number is above any threshold */
    v.alarm = p->out.judged && (!(v.score <= j->threshold) || j->outside[i] > 0);
    if (p->o->why && v.alarm && explain(p, &v, reasons, x, i) != GOING) return FAILED;
    output_row(&p->out, &v);
  }
  pthread_mutex_lock(&p->output_lock);
  outcome result = output_flush(&p->out);
  pthread_mutex_unlock(&p->output_lock);
  return result;
}

static outcome score_block(program *p, const block *b) {
  judge *j = &p->judge;
  moon_tensor *x = NULL, *scores = NULL, *outside = NULL;
  moon_status status = moon_tensor_wrap(j->ctx, &x, b->dtype, 2, (size_t[]){b->rows, p->in.width}, b->cells, NULL,
                                        NULL);
  if (status == MOON_OK) status = moon_tensor_wrap(j->ctx, &scores, MOON_FLOAT32, 1, &b->rows, j->scores, NULL, NULL);
  if (status == MOON_OK) status = moon_tensor_wrap(j->ctx, &outside, MOON_FLOAT32, 1, &b->rows, j->outside, NULL, NULL);
  if (status == MOON_OK) status = moon_detector_score(j->detector, scores, x, 0);
  if (status == MOON_OK && p->out.judged) status = moon_detector_outside(j->detector, outside, x);
  outcome result = status == MOON_OK ? add_rows(p, b, x) : say_failure("%s", moon_error(j->ctx));
  moon_tensor_release(outside);
  moon_tensor_release(scores);
  moon_tensor_release(x);
  return result;
}

/* The reader may be waiting for a row that never comes. So if the rest cannot be written, the process ends here. */
static void *score_blocks(void *ud) {
  program *p = ud;
  for (;;) {
    pthread_mutex_lock(&p->lock);
    while (p->scored == p->read && !p->complete) pthread_cond_wait(&p->changed, &p->lock);
    bool more = p->scored < p->read;
    pthread_mutex_unlock(&p->lock);
    if (!more) return NULL;
    outcome result = score_block(p, &p->blocks[p->scored % BLOCKS]);
    if (result != GOING) _exit(result == CLOSED ? STATUS_OK : STATUS_FAILED);
    pthread_mutex_lock(&p->lock);
    p->scored++;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
  }
}

/* ---- the main thread: reads ---- */

static outcome read_blocks(program *p) {
  outcome result = GOING;
  while (result == GOING) {
    pthread_mutex_lock(&p->lock);
    while (p->read - p->scored == BLOCKS) pthread_cond_wait(&p->changed, &p->lock);
    pthread_mutex_unlock(&p->lock);
    result = input_read(&p->in, &p->blocks[p->read % BLOCKS]);
    pthread_mutex_lock(&p->lock);
    if (result == GOING) p->read++;
    p->complete = result != GOING;
    pthread_cond_signal(&p->changed);
    pthread_mutex_unlock(&p->lock);
  }
  return result;
}

/* ---- the third thread: signals ---- */

/* Ctrl-C is how a follow ends: lines that are being written become whole, and what was skipped is told. Then the
** process ends by the signal, as a shell expects. */
static void *await_signal(void *ud) {
  program *p = ud;
  int number = 0;
  struct timespec until;
  sigwait(&p->signals, &number);
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec++; /* who reads the output may not go on */
  pthread_mutex_timedlock(&p->output_lock, &until);
  report_skipped(p);
  signal(number, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &p->signals, NULL);
  raise(number);
  _exit(128 + number);
}

/* A program in the background of a script ignores Ctrl-C, and goes on to do so. */
static void await(program *p, int number) {
  struct sigaction before;
  if (sigaction(number, NULL, &before) == 0 && before.sa_handler != SIG_IGN) sigaddset(&p->signals, number);
}

static outcome start_thread(pthread_t *thread, void *(*run)(void *), program *p) {
  int status = pthread_create(thread, NULL, run, p);
  return status == 0 ? GOING : say_failure("cannot start a thread");
}

/* ---- the command ---- */

static outcome open_judge(program *p) {
  judge *j = &p->judge;
  j->threshold = p->o->has_threshold ? p->o->threshold : moon_detector_threshold(p->detector);
  p->out = (output){.o = p->o, .judged = !isnan(j->threshold)};
  if (p->o->only && !p->out.judged)
    return say_failure("--only: the detector has no threshold; give one by --threshold");
  if (p->o->why && !p->out.judged) return say_failure("--why: the detector has no threshold; give one by --threshold");
  j->scores = calloc(ROWS, sizeof(float));
  j->outside = calloc(ROWS, sizeof(float));
  if (!j->scores || !j->outside || moon_ctx_new(&j->ctx, NULL) != MOON_OK) return say_failure("out of memory");
  if (moon_detector_share(p->detector, j->ctx, &j->detector) != MOON_OK) return say_failure("%s", moon_error(p->ctx));
  return GOING;
}

static outcome open_blocks(program *p) {
  for (int i = 0; i < BLOCKS; i++) {
    block *b = &p->blocks[i];
    b->room = ROWS;
    b->places = calloc(ROWS, sizeof *b->places);
    b->cells = p->o->format == FORMAT_IDX ? NULL : calloc(ROWS * p->in.width, sizeof(float));
    if (!b->places || (!b->cells && p->o->format != FORMAT_IDX)) return say_failure("out of memory");
  }
  return GOING;
}

static outcome prepare(program *p) {
  if (moon_ctx_new(&p->ctx, NULL) != MOON_OK) return say_failure("out of memory");
  if (moon_detector_load(p->ctx, &p->detector, p->o->detector) != MOON_OK) return say_failure("%s", moon_error(p->ctx));
  p->in = (input){.o = p->o, .ctx = p->ctx, .detector = p->detector, .width = moon_detector_columns(p->detector)};
  if (open_judge(p) != GOING || open_blocks(p) != GOING) return FAILED;
  return input_open(&p->in);
}

static void clean_up(program *p) {
  input_close(&p->in);
  output_free(&p->out);
  for (int i = 0; i < BLOCKS; i++) {
    if (p->o->format != FORMAT_IDX) free(p->blocks[i].cells);
    free(p->blocks[i].places);
  }
  moon_detector_release(p->judge.detector);
  moon_ctx_release(p->judge.ctx);
  moon_detector_release(p->detector);
  moon_ctx_release(p->ctx);
  free(p->judge.outside);
  free(p->judge.scores);
}

/* Read, score, and tell what was wrong after the scores of the rows before it. */
static outcome run_threads(program *p) {
  pthread_t scorer;
  if (start_thread(&scorer, score_blocks, p) != GOING) return FAILED;
  outcome result = read_blocks(p);
  pthread_join(scorer, NULL);
  if (result == FAILED) say("%s", p->in.failure);
  report_skipped(p);
  return result;
}

int score_run(const options *o) {
  program p = {.o = o,
               .lock = PTHREAD_MUTEX_INITIALIZER,
               .output_lock = PTHREAD_MUTEX_INITIALIZER,
               .changed = PTHREAD_COND_INITIALIZER};
  pthread_t waiter;
  signal(SIGPIPE, SIG_IGN); /* a write then fails instead */
  sigemptyset(&p.signals);
  await(&p, SIGINT);
  await(&p, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &p.signals, NULL); /* in all threads but one, so it comes before any other starts */
  outcome result = start_thread(&waiter, await_signal, &p);
  if (result == GOING) result = prepare(&p);
  if (result == GOING) result = run_threads(&p);
  bool skipped = p.in.skipped > 0;
  clean_up(&p);
  return result == FAILED ? STATUS_FAILED : skipped ? STATUS_SKIPPED : STATUS_OK;
}
