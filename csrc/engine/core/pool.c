/* pool.c - worker threads that share the parts of a job.
**
** A job is some phases, each of as many parts as there are workers, and a phase begins when all parts of the one before
** it have been computed. Parts are fixed; who computes them is not. Worker i takes part i if nobody has, since its data
** lie in its core's cache, and then whatever nobody else has begun. So a worker that has no core, other processes
** having them all, is not waited for: whoever has one does its parts. Only one that loses its core within a part holds
** up the others, until it gets it back.
**
** A phase ends thousands of times a second, so those who wait spin at first: a wake-up costs more than most waits, and
** tends to put the sleeper on the core of the one who wakes it, where the two then stay. But a core may be taken away
** from us, and spinning holds up the very thread that is waited for. So, after some microseconds, workers yield to
** whoever wants to run, but stay where the scheduler can move them to a free core; only then do they sleep. The caller
** sleeps at once, with what it has left of its turn: what it waits for is a part that somebody has begun, and has lost
** the core for. And who finds that another of them is on its own core does not spin at all. */
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

/* Each on a cache line of its own. */
typedef struct member {
  _Alignas(64) counter taken; /* the last phase in which somebody took the part that has this one's number */
  atomic_bool asleep;
  sem_t bell;
  atomic_int cpu; /* where it was when it last had to wait */
  size_t index;
  pool *pool;
  pthread_t thread;
} member;

struct mooni_pool {
  size_t count; /* the caller is one of them */
  pid_t owner;  /* threads do not survive a fork */
  mooni_job *job;
  void *arg;
  uint64_t first;  /* of the job's phases */
  member *members; /* [0] is the caller's */

  _Alignas(64) counter posted; /* phases that there are to do, of all jobs so far */
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

/* Does another one sit on this core? Then it cannot come while we spin. */
static bool is_shared(member *m) {
  const pool *p = m->pool;
  int cpu = sched_getcpu();
  bool shared = false;
  atomic_store_explicit(&m->cpu, cpu, memory_order_relaxed);
  for (size_t i = 0; i < p->count; i++)
    shared |= i != m->index && atomic_load_explicit(&p->members[i].cpu, memory_order_relaxed) == cpu;
  return shared;
}

static bool holds_soon(member *m, condition *holds, uint64_t phase) {
  int looks = m->index ? SPINS + YIELDS : SPINS;
  if (holds(m->pool, phase)) return true;
  for (int i = is_shared(m) ? SPINS : 0; i < looks; i++) {
    if (holds(m->pool, phase)) return true;
    if (i < SPINS)
      relax();
    else
      sched_yield();
  }
  return false;
}

/* A sleeper says so before it looks a last time, and who changes what it looks at does that before looking for
** sleepers: no wake-up is lost. Each bell is rung once a sleep, and never blocks who rings it. */
static void wait_until(member *m, condition *holds, uint64_t phase) {
  pool *p = m->pool;
  if (holds_soon(m, holds, phase)) return;
  atomic_fetch_add(&p->asleep, 1);
  do {
    atomic_store(&m->asleep, true);
    if (holds(p, phase) && atomic_exchange(&m->asleep, false)) break;
    while (sem_wait(&m->bell) != 0) continue; /* a signal's handler has run */
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

/* Who takes a part gets it for this phase; a latecomer, for whom this is an earlier one, gets nothing. */
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

/* A worker's own part, then those of others, who have had as long to begin them, and a moment more where there was
** little to do. */
static void compute_parts(member *m, uint64_t phase) {
  pool *p = m->pool;
  compute(p, m->index, phase);
  for (size_t i = 1; i < p->count; i++) {
    size_t other = (m->index + i) % p->count;
    for (int look = 0; look < GRACE && !is_over(p, phase); look++) relax();
    compute(p, other, phase);
  }
}

/* The phase that may be computed now; the last one of all if there is none. */
static uint64_t present_phase(pool *p) {
  uint64_t next = atomic_load(&p->done) / p->count + 1, posted = atomic_load(&p->posted);
  return next < posted ? next : posted;
}

/* Behind each job a worker offers its core to others: if they want it, it had better lose it here than within a
** part. */
static void *work(void *arg) {
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

/* Signals are the host's: they go to the threads that it knows. */
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

/* Those that have started: all, unless one could not. */
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
  if (p->owner == getpid()) stop_threads(p, p->count); /* else this is a fork's child, in which they are not */
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
    int error = mooni_start_thread(&p->members[i].thread, 0, work, &p->members[i]);
    if (!error) continue;
    stop_threads(p, i);
    free_pool(ctx, p);
    return mooni_fail(ctx, MOON_ESTATE, "cannot start %zu worker threads: %s", count, strerror(error));
  }
  ctx->pool = p;
  return MOON_OK;
}
