/* turns.c - a queue of sessions for the cores: first come, first served. */
#include "turns.h"

#include "clock.h"

/* Much longer than a batch of a small net, and than a switch of threads; 50 visitors on two cores wait 250 ms. */
static const uint64_t TURN = 10 * CLOCK_MS;

bool turns_init(turns *t, int count) {
  *t = (turns){.free = count};
  return pthread_mutex_init(&t->lock, NULL) == 0;
}

void turns_destroy(turns *t) { pthread_mutex_destroy(&t->lock); }

bool turn_init(turn *t, turns *of) {
  *t = (turn){.of = of};
  return pthread_cond_init(&t->granted, NULL) == 0;
}

void turn_destroy(turn *t) { pthread_cond_destroy(&t->granted); }

/* ---- the lock is held ---- */

/* Hand the free turns to the first in the queue. */
static void grant(turns *of) {
  while (of->free > 0 && of->first) {
    turn *t = of->first;
    of->first = t->next;
    if (!of->first) of->last = NULL;
    of->free--;
    atomic_fetch_sub(&of->waiting, 1);
    t->queued = false;
    t->until = clock_now() + TURN;
    atomic_store(&t->has, true);
    pthread_cond_signal(&t->granted);
  }
}

static void give(turn *t) {
  if (!t->has) return;
  atomic_store(&t->has, false);
  t->of->free++;
}

static void join_queue(turn *t) {
  turns *of = t->of;
  if (t->queued) return;
  t->next = NULL, t->queued = true;
  if (of->last)
    of->last->next = t;
  else
    of->first = t;
  of->last = t;
  atomic_fetch_add(&of->waiting, 1);
}

static void leave_queue(turn *t) {
  turns *of = t->of;
  turn **link = &of->first, *before = NULL;
  if (!t->queued) return;
  while (*link != t) before = *link, link = &before->next;
  *link = t->next;
  if (of->last == t) of->last = before;
  atomic_fetch_sub(&of->waiting, 1);
  t->queued = false;
}

/* ---- from outside ---- */

void turn_take(turn *t) {
  turns *of = t->of;
  /* Only this thread gives its turn away, so it may look without the lock whether it has one. */
  if (t->has && (!atomic_load_explicit(&of->waiting, memory_order_relaxed) || clock_now() < t->until)) return;
  pthread_mutex_lock(&of->lock);
  give(t);
  join_queue(t);
  grant(of);
  while (!t->has && !t->awake) pthread_cond_wait(&t->granted, &of->lock);
  t->awake = false;
  pthread_mutex_unlock(&of->lock);
}

void turn_give(turn *t) {
  pthread_mutex_lock(&t->of->lock);
  give(t);
  leave_queue(t);
  grant(t->of);
  pthread_mutex_unlock(&t->of->lock);
}

void turn_wake(turn *t) {
  pthread_mutex_lock(&t->of->lock);
  t->awake = true;
  pthread_cond_signal(&t->granted);
  pthread_mutex_unlock(&t->of->lock);
}
