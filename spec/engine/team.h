/* team.h - several ranks in one process: each is a thread with a context of its own. Their reducer sums in the order of
** the ranks, at a barrier, so that all get the same bits. */
#ifndef TEAM_H
#define TEAM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../../csrc/moonglass.h"
#include "check.h"

enum { MAX_RANKS = 8 };

/* CHECK for code that runs in several threads. */
static pthread_mutex_t team_lock = PTHREAD_MUTEX_INITIALIZER;
#define TEAM_CHECK(condition)         \
  do {                                \
    bool holds_ = (condition);        \
    pthread_mutex_lock(&team_lock);   \
    if (!holds_)                      \
      CHECK(!#condition);             \
    else                              \
      check_passed++;                 \
    pthread_mutex_unlock(&team_lock); \
  } while (0)

typedef struct team {
  size_t ranks;
  pthread_barrier_t barrier;
  float *values[MAX_RANKS], *sum;
  size_t n[MAX_RANKS], room;
  size_t calls;   /* of the reducer so far */
  bool differ;    /* in some call the ranks had different numbers of values */
  size_t fail_at; /* this call, from 1, returns fail_with in every rank; 0: none */
  moon_status fail_with;
} team;

typedef struct team_rank {
  team *team;
  size_t rank;
} team_rank;

static void team_add_up(team *t) {
  if (t->n[0] > t->room) t->sum = realloc(t->sum, (t->room = t->n[0]) * sizeof *t->sum);
  for (size_t r = 0; r < t->ranks; r++) t->differ |= t->n[r] != t->n[0];
  for (size_t r = 0; r < t->ranks && !t->differ; r++)
    for (size_t i = 0; i < t->n[0]; i++) t->sum[i] = r ? t->sum[i] + t->values[r][i] : t->values[r][i];
  t->calls++;
}

static moon_status team_reduce(void *ud, float *values, size_t n) {
  const team_rank *own = ud;
  team *t = own->team;
  t->values[own->rank] = values;
  t->n[own->rank] = n;
  pthread_barrier_wait(&t->barrier);
  if (own->rank == 0) team_add_up(t);
  pthread_barrier_wait(&t->barrier);
  if (t->differ) return MOON_ESTATE;
  if (t->calls == t->fail_at) return t->fail_with;
  memcpy(values, t->sum, n * sizeof *values);
  return MOON_OK;
}

/* Wait until all ranks are here. */
static __attribute__((unused)) void team_meet(team *t) { pthread_barrier_wait(&t->barrier); }

static moon_reducer team_reducer(team_rank *own) {
  return (moon_reducer){sizeof(moon_reducer), own->rank, own->team->ranks, team_reduce, own};
}

/* Run rank_main for each of n structures of `size` bytes, which begin with a team_rank, at the same time. */
static void team_run(team *t, void *(*rank_main)(void *), void *each, size_t size) {
  pthread_t thread[MAX_RANKS];
  pthread_barrier_init(&t->barrier, NULL, (unsigned)t->ranks);
  for (size_t r = 0; r < t->ranks; r++) {
    team_rank *own = (team_rank *)(void *)((char *)each + r * size);
    *own = (team_rank){t, r};
    TEAM_CHECK(pthread_create(&thread[r], NULL, rank_main, own) == 0);
  }
  for (size_t r = 0; r < t->ranks; r++) pthread_join(thread[r], NULL);
  pthread_barrier_destroy(&t->barrier);
  free(t->sum);
  CHECK(!t->differ);
}

#endif
