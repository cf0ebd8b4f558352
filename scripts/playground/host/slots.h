/* slots.h - the newest frame of each event. The session's thread puts frames in; each stream reads those that are newer
** than its cursor. An older frame that nobody has read is dropped: no reader can slow the writer, or grow memory. */
#ifndef PLAYGROUND_SLOTS_H
#define PLAYGROUND_SLOTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text.h"

enum { SLOTS_MOST = 32, SLOTS_STREAMS = 4, SLOTS_NAME = 24 };

/* One event as it is sent. It is never changed. */
typedef struct frame {
  atomic_int references;
  uint64_t number; /* the order in which frames were put in, from 1 */
  size_t size;
  char name[SLOTS_NAME];
  char text[];
} frame;

typedef struct slots {
  pthread_mutex_t lock; /* never held while a socket is written */
  pthread_cond_t changed;
  frame *latest[SLOTS_MOST];
  int count;
  uint64_t streams[SLOTS_STREAMS]; /* tickets of the open streams; 0: free */
  uint64_t next_ticket;
  const char *closed;         /* NULL, or why */
  atomic_uint_least64_t put;  /* number of the newest frame */
  atomic_uint_least64_t read; /* the newest number that a stream has written */
  atomic_int watching;        /* open streams */
} slots;

bool slots_init(slots *s);
void slots_destroy(slots *s);

/* Put in an event with its JSON. NULL, or why it failed: words for people. */
const char *slots_put(slots *s, const char *name, const text *json);

/* Drop all frames. */
void slots_clear(slots *s);

/* The end of all streams, after the frames that are there. reason is a static text. */
void slots_close(slots *s, const char *reason);

/* Has a stream read the newest frame? Cheap, without the lock. */
bool slots_are_read(const slots *s);

/* Begin a stream: its ticket. If there are too many, the oldest one ends. End it. */
uint64_t slots_attach(slots *s);
void slots_detach(slots *s, uint64_t ticket);

/* Wait until there are frames newer than cursor, at most until that moment; write them to out in order, with a
** reference each, and return their number. 0 with *reason set: the stream is over. */
int slots_wait(slots *s, uint64_t ticket, uint64_t cursor, uint64_t until, frame *out[SLOTS_MOST], const char **reason);

/* Wait until that moment, or until the slots close. */
void slots_pause(slots *s, uint64_t until);

/* Everything up to this number was written. */
void slots_have_read(slots *s, uint64_t number);

void frame_release(frame *f);

#endif
