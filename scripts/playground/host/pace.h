/* pace.h - when a session's next frame is due. All functions run on the session's thread. */
#ifndef PLAYGROUND_PACE_H
#define PLAYGROUND_PACE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct pace {
  uint64_t next;          /* not before this moment, */
  uint64_t trained_until; /* nor before the thread has worked until this time of its own */
  uint64_t apart;         /* between the beginnings of two frames */
  uint64_t began, worked; /* the last frame's beginning, and the thread's own time then; 0: there is none */
} pace;

bool pace_is_due(const pace *p);

/* Around each frame. */
void pace_begin(pace *p);
void pace_end(pace *p);

/* The session does not train: a frame keeps it from nothing. */
void pace_rest(pace *p);

#endif
