/* session.h - the table of sessions: opening, finding, ending them. */
#ifndef PLAYGROUND_SESSION_H
#define PLAYGROUND_SESSION_H

#include "guard.h"
#include "state.h"

typedef struct session {
  char token[TOKEN_SIZE + 1];
  state state;
  bucket commands;
  atomic_int references;
  atomic_uint_least64_t used_at; /* the last command, or moment with a stream */
  atomic_bool finished;          /* its thread has nothing more to do */
  bool ending;                   /* the rest: under the table's lock */
  pthread_t thread;
  struct session *next;
} session;

typedef struct sessions {
  const state_config *config;
  int most;      /* sessions at once */
  uint64_t idle; /* nanoseconds after which an unused session ends */
  pthread_mutex_t lock;
  session *first;
  int live, all; /* without those that are ending; with them */
  bool closed;
} sessions;

bool sessions_init(sessions *t, const state_config *config, int most, double idle_seconds);

/* A new session, with a reference. NULL with words: no place is free. If all are taken, the one that has been unused
** for the longest time, and that nobody watches, gives way. */
session *sessions_open(sessions *t, const char **words);

/* The session of a token, with a reference; NULL: there is none. */
session *sessions_find(sessions *t, const char *token);
void session_release(session *s);

/* It is in use now. */
void session_touch(session *s);

/* End those that are idle; forget those that have ended. To be called a few times a second. */
void sessions_tick(sessions *t);

/* End all, and wait for their threads. Streams may still hold references. */
void sessions_close(sessions *t);
void sessions_destroy(sessions *t);

#endif
