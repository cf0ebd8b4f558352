/* state.h - the Lua state of a session, which runs lua/session.lua on the session's thread. */
#ifndef PLAYGROUND_STATE_H
#define PLAYGROUND_STATE_H

#include <lua.h>
#include <moonglass.h>
#include <stdatomic.h>

#include "data.h"
#include "mailbox.h"
#include "pace.h"
#include "slots.h"
#include "turns.h"

typedef struct state_config {
  size_t memory; /* bytes that the state may hold */
  int threads;   /* of the engine */
  data *set;
  turns *turns; /* of all sessions */
} state_config;

typedef struct state {
  const state_config *config;
  mailbox mail;
  slots events;
  turn turn;
  atomic_bool ended;

  pthread_mutex_t lock; /* of the next three */
  moon_ctx *ctx;        /* while it may be interrupted */
  pthread_t thread;
  bool runs;

  /* The rest belongs to the session's thread. */
  lua_State *L;
  size_t used, peak;
  text json;       /* what is being written */
  json_t *command; /* what is being read */
  pace pace;       /* when the next frame is due */
} state;

bool state_init(state *s, const state_config *config);
void state_destroy(state *s);

/* Run the session until it ends. */
void state_run(state *s);

/* Make it end, with words of why for its streams; may be repeated. Any thread may call it. */
void state_end(state *s, const char *reason);

/* The state of a Lua state. */
state *state_of(lua_State *L);

#endif
