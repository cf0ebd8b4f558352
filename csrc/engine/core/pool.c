/* pool.c - worker threads that compute the parts of a job.
**
** A job has phases, each of as many parts as there are workers. A phase begins when all parts of the phase before are
** done. The parts are fixed; who computes them is not. Worker i first takes part i, unless somebody has, because its
** data are in that core's cache; then it takes whatever nobody has begun. So nobody waits for a worker that has lost
** its core to another process. Only a worker that loses its core within a part delays the others, until it gets a core
** again.
**
** A phase ends thousands of times a second, so waiting begins with spinning: waking a thread costs more than most
** waits, and tends to put the sleeper on the waker's core, where both then stay. But a core may be taken away, and
** spinning then delays the very thread that is waited for. So after some microseconds workers yield, where the
** scheduler can move them to a free core, and only then sleep. The caller sleeps at once and keeps the rest of its time
** slice: it waits for a part that somebody has begun and lost the core for. Nobody spins who finds another worker on
** the same core. */
#define _GNU_SOURCE
#include "pool.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "ctx.h"
#include "error.h"
#include "memory.h"

enum { SPINS = 1000, YIELDS = 3000, GRACE = 20 }; /* looks */

/* Phases and parts are counted from the pool's first job on, phases from 1. */
typedef _Atomic uint64_t counter;

typedef struct mooni_pool pool;

/* A worker. Each is on a separate cache line. */
typedef struct member {
  _Alignas(64) counter taken; /* the last phase in which somebody took part `index` */
  atomic_bool asleep;
  sem_t bell;
  atomic_int cpu; /* its core at the last wait */
  size_t index;
  pool *pool;
  pthread_t thread;
} member;

struct mooni_pool {
  size_t count; /* of workers, the caller included */
  pid_t owner;  /* threads do not survive a fork */
  mooni_job *job;
  void *arg;
  uint64_t first;  /* phase of the job */
  member *members; /* [0] is the caller's */

  _Alignas(64) counter posted; /* the last phase of the present job */
  atomic_size_t asleep;
  atomic_bool stop;

  _Alignas(64) counter done; /* parts that have been computed */
};

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* ---- waiting ---- */

typedef bool condition(pool *p, uint64_t phase);

static bool is_over(pool *p, uint64_t phase) { return atomic_load(&p->done) >= phase * p->count; }

static bool has_begun(pool *p, uint64_t phase) {
  return (atomic_load(&p->posted) >= phase && is_over(p, phase - 1)) || atomic_load(&p->stop);
}

/* Is another worker on this core? It could not run while we spin. */
static bool on_same_core(member *m) {
  const pool *p = m->pool;
  int cpu = sched_getcpu();
  bool same = false;
  atomic_store_explicit(&m->cpu, cpu, memory_order_relaxed);
  for (size_t i = 0; i < p->count; i++)
    same |= i != m->index && atomic_load_explicit(&p->members[i].cpu, memory_order_relaxed) == cpu;
  return same;
}

static bool holds_soon(member *m, condition *holds, uint64_t phase) {
  int looks = m->index ? SPINS + YIELDS : SPINS;
  if (holds(m->pool, phase)) return true;
  for (int i = on_same_core(m) ? SPINS : 0; i < looks; i++) {
    if (holds(m->pool, phase)) return true;
    if (i < SPINS)
      relax();
    else
      sched_yield();
  }
  return false;
}

/* A sleeper sets its flag before it looks a last time, and whoever changes the condition does that before looking for
** flags: no wake-up is lost. Each bell is rung once a sleep, and ringing never blocks. */
static void wait_until(member *m, condition *holds, uint64_t phase) {
  pool *p = m->pool;
  if (holds_soon(m, holds, phase)) return;
  atomic_fetch_add(&p->asleep, 1);
  do {
    atomic_store(&m->asleep, true);
    if (holds(p, phase) && atomic_exchange(&m->asleep, false)) break;
    while (sem_wait(&m->bell) != 0) continue; /* interrupted by a signal handler */
  } while (!holds(p, phase));
  atomic_fetch_sub(&p->asleep, 1);
}

static void wake_all(pool *p) {
  if (!atomic_load(&p->asleep)) return;
  for (size_t i = 0; i < p->count; i++) {
    member *m = &p->members[i];
    if (atomic_load(&m->asleep) && atomic_exchange(&m->asleep, false)) sem_post(&m->bell);
  }
}

/* ---- computing ---- */

/* True for whoever takes the part of this phase first. A latecomer, still at an earlier phase, gets nothing. */
static bool take(pool *p, size_t part, uint64_t phase) {
  uint64_t before = phase - 1;
  counter *taken = &p->members[part].taken;
  return atomic_load_explicit(taken, memory_order_relaxed) == before &&
         atomic_compare_exchange_strong(taken, &before, phase);
}

static void compute(pool *p, size_t part, uint64_t phase) {
  if (!take(p, part, phase)) return;
  p->job(p->arg, phase - p->first, part);
  if (atomic_fetch_add(&p->done, 1) + 1 == phase * p->count) wake_all(p);
}

/* The worker's own part, then those of others. These had as long to begin them, and get a moment more in case the own
** part was short. */
static void compute_parts(member *m, uint64_t phase) {
  pool *p = m->pool;
  compute(p, m->index, phase);
  for (size_t i = 1; i < p->count; i++) {
    size_t other = (m->index + i) % p->count;
    for (int look = 0; look < GRACE && !is_over(p, phase); look++) relax();
    compute(p, other, phase);
  }
}

/* The phase that may be computed now; the last one if all are done. */
static uint64_t present_phase(pool *p) {
  uint64_t next = atomic_load(&p->done) / p->count + 1, posted = atomic_load(&p->posted);
  return next < posted ? next : posted;
}

/* After each job the worker yields: if another process needs its core, better now than within a part. */
static void *worker_main(void *arg) {
  member *m = arg;
  pool *p = m->pool;
  for (uint64_t phase = 0;;) {
    wait_until(m, has_begun, phase + 1);
    if (atomic_load(&p->stop)) return NULL;
    phase = present_phase(p);
    compute_parts(m, phase);
    if (phase == atomic_load(&p->posted)) sched_yield();
  }
}

void mooni_pool_run(moon_ctx *ctx, size_t parts, size_t phases, mooni_job *job, void *arg) {
  pool *p = ctx->pool;
  if (parts <= 1) {
    for (size_t phase = 0; phase < phases; phase++) job(arg, phase, 0);
    return;
  }
  p->job = job;
  p->arg = arg;
  p->first = atomic_load(&p->posted) + 1;
  atomic_store(&p->posted, p->first + phases - 1);
  wake_all(p);
  for (uint64_t phase = p->first; phase < p->first + phases; phase++) {
    compute_parts(&p->members[0], phase);
    wait_until(&p->members[0], is_over, phase);
  }
}

/* ---- the threads' life ---- */

/* Signals belong to the host: its own threads handle them. */
int mooni_start_thread(pthread_t *thread, size_t stack, void *(*run)(void *), void *arg) {
  pthread_attr_t attributes;
  sigset_t all;
  int error = pthread_attr_init(&attributes);
  if (error) return error;
  sigfillset(&all);
  pthread_attr_setsigmask_np(&attributes, &all);
  if (stack) error = pthread_attr_setstacksize(&attributes, stack);
  if (!error) error = pthread_create(thread, &attributes, run, arg);
  pthread_attr_destroy(&attributes);
  return error;
}

/* started: how many members have a thread; all, unless one could not be started. */
static void stop_threads(pool *p, size_t started) {
  atomic_store(&p->stop, true);
  wake_all(p);
  for (size_t i = 1; i < started; i++) pthread_join(p->members[i].thread, NULL);
  for (size_t i = 0; i < p->count; i++) sem_destroy(&p->members[i].bell);
}

static void free_pool(moon_ctx *ctx, pool *p) {
  mooni_free(ctx, p->members);
  mooni_free(ctx, p);
}

void mooni_pool_stop(moon_ctx *ctx) {
  pool *p = ctx->pool;
  ctx->pool = NULL;
  if (!p) return;
  if (p->owner == getpid())
    stop_threads(p, p->count); /* else this is the child of a fork, which has none of these threads */
  free_pool(ctx, p);
}

static moon_status new_pool(moon_ctx *ctx, pool **out, size_t count) {
  pool *p = mooni_calloc(ctx, 1, sizeof *p);
  if (!p) return mooni_nomem(ctx, sizeof *p);
  p->members = mooni_calloc(ctx, count, sizeof *p->members);
  if (!p->members) {
    mooni_free(ctx, p);
    return mooni_nomem(ctx, count * sizeof *p->members);
  }
  p->count = count;
  p->owner = getpid();
  for (size_t i = 0; i < count; i++) {
    p->members[i].index = i;
    p->members[i].pool = p;
    sem_init(&p->members[i].bell, 0, 0);
  }
  *out = p;
  return MOON_OK;
}

moon_status mooni_pool_plan(moon_ctx *ctx, size_t count) {
  pool *p = NULL;
  if (count <= 1) return MOON_OK;
  if (ctx->pool && ctx->pool->count == count && ctx->pool->owner == getpid()) return MOON_OK;
  mooni_pool_stop(ctx);
  MOONI_TRY(new_pool(ctx, &p, count));
  for (size_t i = 1; i < count; i++) {
    int error = mooni_start_thread(&p->members[i].thread, 0, worker_main, &p->members[i]);
    if (!error) continue;
    stop_threads(p, i);
    free_pool(ctx, p);
    return mooni_fail(ctx, MOON_ESTATE, "cannot start %zu worker threads: %s", count, strerror(error));
  }
  ctx->pool = p;
  return MOON_OK;
}
