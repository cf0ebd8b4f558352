/* pool.c - worker threads that run one job together, with barriers in it.
**
** A barrier is passed thousands of times a second, so those who wait spin: a wake-up costs more than most waits, and tends
** to put the sleeper on the core of the one who wakes it, where the two then stay. But a core may be taken away from us,
** and spinning holds up the very thread that is waited for: so, after some microseconds, they yield to whoever wants to
** run, but stay where the scheduler can move them to a free core; only then do they sleep. And who finds that another of
** them is on its own core does not spin at all. */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

enum { SPINS = 1000, YIELDS = 3000 };

typedef struct member {
  mooni_team team;
  pthread_t thread;
  atomic_int cpu; /* where it was when it last came to a barrier */
} member;

struct mooni_pool {
  atomic_size_t count; /* the caller is one of them */
  pid_t owner;         /* threads do not survive a fork */
  mooni_job *job;
  void *arg;
  bool stop;

  atomic_uint arrived, phase, asleep;
  pthread_mutex_t mutex;
  pthread_cond_t passed;

  member *members; /* [0] is the caller's */
};

static inline void relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* Does another one sit on this core? Then it cannot come while we spin. */
static bool is_shared(mooni_pool *p, size_t index) {
  int cpu = sched_getcpu();
  bool shared = false;
  atomic_store_explicit(&p->members[index].cpu, cpu, memory_order_relaxed);
  for (size_t i = 0; i < p->count; i++)
    shared |= i != index && atomic_load_explicit(&p->members[i].cpu, memory_order_relaxed) == cpu;
  return shared;
}

static bool passed_soon(mooni_pool *p, size_t index, unsigned phase) {
  for (int i = is_shared(p, index) ? SPINS : 0; i < SPINS + YIELDS; i++) {
    if (atomic_load_explicit(&p->phase, memory_order_acquire) != phase) return true;
    if (i < SPINS)
      relax();
    else
      sched_yield();
  }
  return false;
}

/* The last to arrive moves the phase on, then wakes sleepers if there are any. A sleeper says so, under the mutex,
** before it looks at the phase a last time, and all of it is sequentially consistent: no wake-up is lost. */
static void wait_for_all(const mooni_team *team) {
  mooni_pool *p = team->pool;
  unsigned phase = atomic_load(&p->phase);
  if (atomic_fetch_add(&p->arrived, 1) + 1 == p->count) {
    atomic_store(&p->arrived, 0);
    atomic_store(&p->phase, phase + 1);
    if (atomic_load(&p->asleep)) {
      pthread_mutex_lock(&p->mutex);
      pthread_cond_broadcast(&p->passed);
      pthread_mutex_unlock(&p->mutex);
    }
    return;
  }
  if (passed_soon(p, team->index, phase)) return;
  pthread_mutex_lock(&p->mutex);
  atomic_fetch_add(&p->asleep, 1);
  while (atomic_load(&p->phase) == phase) pthread_cond_wait(&p->passed, &p->mutex);
  atomic_fetch_sub(&p->asleep, 1);
  pthread_mutex_unlock(&p->mutex);
}

void mooni_barrier(const mooni_team *team) {
  if (team->count > 1) wait_for_all(team);
}

static void *work(void *arg) {
  member *m = arg;
  mooni_pool *p = m->team.pool;
  for (;;) {
    wait_for_all(&m->team); /* for a job */
    if (p->stop) return NULL;
    p->job(p->arg, &m->team);
    wait_for_all(&m->team); /* until all have done theirs */
  }
}

static void free_pool(moon_ctx *ctx, mooni_pool *p) {
  mooni_free(ctx, p->members);
  mooni_free(ctx, p);
}

void mooni_pool_stop(moon_ctx *ctx) {
  mooni_pool *p = ctx->pool;
  ctx->pool = NULL;
  if (!p) return;
  if (p->owner == getpid()) { /* else this is a fork's child, in which the threads are not */
    p->stop = true;
    wait_for_all(&p->members[0].team);
    for (size_t i = 1; i < p->count; i++) pthread_join(p->members[i].thread, NULL);
    pthread_cond_destroy(&p->passed);
    pthread_mutex_destroy(&p->mutex);
  }
  free_pool(ctx, p);
}

/* Signals are the host's: they go to the threads that it knows. */
static int start_thread(member *m) {
  pthread_attr_t attributes;
  sigset_t all;
  int error = pthread_attr_init(&attributes);
  if (error) return error;
  sigfillset(&all);
  pthread_attr_setsigmask_np(&attributes, &all);
  error = pthread_create(&m->thread, &attributes, work, m);
  pthread_attr_destroy(&attributes);
  return error;
}

/* After a failure the threads that did start wait at the first barrier: let them through to their end. */
static void give_up(moon_ctx *ctx, mooni_pool *p, size_t started) {
  p->count = started;
  ctx->pool = p;
  mooni_pool_stop(ctx);
}

moon_status mooni_pool_plan(moon_ctx *ctx, size_t count) {
  if (count <= 1) return MOON_OK;
  if (ctx->pool && ctx->pool->count == count && ctx->pool->owner == getpid()) return MOON_OK;
  mooni_pool_stop(ctx);
  mooni_pool *p = mooni_calloc(ctx, 1, sizeof *p);
  if (!p) return mooni_nomem(ctx, sizeof *p);
  p->members = mooni_calloc(ctx, count, sizeof *p->members);
  if (!p->members) {
    mooni_free(ctx, p);
    return mooni_nomem(ctx, count * sizeof *p->members);
  }
  p->count = count;
  p->owner = getpid();
  pthread_mutex_init(&p->mutex, NULL);
  pthread_cond_init(&p->passed, NULL);
  for (size_t i = 0; i < count; i++) {
    p->members[i].team = (mooni_team){i, count, p};
    int error = i ? start_thread(&p->members[i]) : 0;
    if (!error) continue;
    give_up(ctx, p, i);
    return mooni_fail(ctx, MOON_ESTATE, "cannot start %zu worker threads: %s", count, strerror(error));
  }
  ctx->pool = p;
  return MOON_OK;
}

void mooni_pool_run(moon_ctx *ctx, size_t count, mooni_job *job, void *arg) {
  mooni_pool *p = ctx->pool;
  if (count <= 1) {
    job(arg, &(mooni_team){0, 1, NULL});
    return;
  }
  p->job = job;
  p->arg = arg;
  wait_for_all(&p->members[0].team);
  job(arg, &p->members[0].team);
  wait_for_all(&p->members[0].team);
}
