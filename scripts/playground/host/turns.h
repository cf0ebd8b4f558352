/* turns.h - which sessions train now: as many as there are cores for. The others wait for their turns, so a command, or
** a new session, finds a core at once, however many visitors train. */
#ifndef PLAYGROUND_TURNS_H
#define PLAYGROUND_TURNS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct turn turn;

typedef struct turns {
  pthread_mutex_t lock;
  int free;           /* turns that nobody has */
  turn *first, *last; /* who waits */
  atomic_int waiting; /* how many; read without the lock, after each batch */
} turns;

/* A session's turn: used by its thread only, but for turn_wake. */
struct turn {
  turns *of;
  pthread_cond_t granted;
  atomic_bool has; /* all that follows is written under the lock of turns */
  uint64_t until;  /* when others may have it */
  bool queued;
  bool awake; /* it has something to do that needs no turn */
  turn *next;
};

bool turns_init(turns *t, int count);
void turns_destroy(turns *t);

bool turn_init(turn *t, turns *of);
void turn_destroy(turn *t);

/* Between two batches: have a turn. Gives way to those that wait, after a while, and waits for the next one. Returns
** without one if it is woken; it keeps its place in the queue. */
void turn_take(turn *t);

/* It trains no more for now: others may have its turn, or its place in the queue. */
void turn_give(turn *t);

/* Any thread: it has something to do besides training. Its turn_take returns, the present call or the next one. */
void turn_wake(turn *t);

#endif
