/* session.c - the table of sessions. Each has a thread of its own, which runs its Lua state. */
#include "session.h"

#include <stdlib.h>
#include <time.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "clock.h"

enum { ENDING_MOST = 16 }; /* sessions that end at the same time */

/* A visitor's hand makes some commands a second, dragging a bar at most one for each frame. */
static const double COMMANDS_A_SECOND = 60, COMMANDS_AT_ONCE = 120;

bool sessions_init(sessions *t, const state_config *config, int most, double idle_seconds) {
  *t = (sessions){.config = config, .most = most, .idle = (uint64_t)(idle_seconds * (double)CLOCK_SECOND)};
  return pthread_mutex_init(&t->lock, NULL) == 0;
}

/* ---- one session ---- */

static void *run(void *ud) {
  session *s = ud;
  state_run(&s->state);
  atomic_store(&s->finished, true);
  return NULL;
}

static session *session_new(const state_config *config) {
  session *s = calloc(1, sizeof *s);
  if (!s || !guard_token(s->token) || !state_init(&s->state, config)) {
    free(s);
    return NULL;
  }
  atomic_init(&s->references, 2); /* the table's, and the caller's */
  atomic_init(&s->used_at, clock_now());
  if (bucket_init(&s->commands, COMMANDS_A_SECOND, COMMANDS_AT_ONCE)) {
    if (pthread_create(&s->thread, NULL, run, s) == 0) return s;
    bucket_destroy(&s->commands);
  }
  state_destroy(&s->state);
  free(s);
  return NULL;
}

void session_release(session *s) {
  if (!s || atomic_fetch_sub(&s->references, 1) != 1) return;
  bucket_destroy(&s->commands);
  state_destroy(&s->state);
  free(s);
}

void session_touch(session *s) { atomic_store(&s->used_at, clock_now()); }

/* ---- the table; its lock is held ---- */

static void end(sessions *t, session *s, const char *reason) {
  if (!s->ending) t->live--;
  s->ending = true;
  state_end(&s->state, reason);
}

/* Take out the sessions whose threads are done. */
static void forget_finished(sessions *t) {
  int before = t->all;
  for (session **link = &t->first; *link;) {
    session *s = *link;
    if (!atomic_load(&s->finished)) {
      link = &s->next;
      continue;
    }
    if (!s->ending) t->live--; /* it has ended by itself */
    t->all--;
    *link = s->next;
    pthread_join(s->thread, NULL);
    session_release(s);
  }
#ifdef __GLIBC__
  if (t->all < before) malloc_trim(0); /* the memory of a session goes back to the system */
#endif
}

static session *idlest(const sessions *t) {
  session *found = NULL;
  for (session *s = t->first; s; s = s->next)
    if (!s->ending && !atomic_load(&s->state.events.watching) &&
        (!found || atomic_load(&s->used_at) < atomic_load(&found->used_at)))
      found = s;
  return found;
}

/* Is there a place for one more? NULL, or why not. */
static const char *make_place(sessions *t) {
  forget_finished(t);
  if (t->closed) return "the server is ending";
  if (t->all >= t->most + ENDING_MOST) return "too many sessions are ending; try again in a second";
  if (t->live < t->most) return NULL;
  session *s = idlest(t);
  if (!s) return "all places are taken; close a tab with this page, or try again later";
  end(t, s, "replaced");
  return NULL;
}

/* ---- the table, from outside ---- */

session *sessions_open(sessions *t, const char **words) {
  session *s = NULL;
  pthread_mutex_lock(&t->lock);
  *words = make_place(t);
  if (!*words) {
    s = session_new(t->config);
    if (!s) *words = "the system has no memory or no thread for one more session; try again later";
  }
  if (s) {
    s->next = t->first;
    t->first = s;
    t->live++, t->all++;
  }
  pthread_mutex_unlock(&t->lock);
  return s;
}

session *sessions_find(sessions *t, const char *token) {
  session *found = NULL;
  pthread_mutex_lock(&t->lock);
  for (session *s = t->first; s; s = s->next)
    if (guard_same(s->token, token) && !atomic_load(&s->state.ended)) found = s;
  if (found) atomic_fetch_add(&found->references, 1);
  pthread_mutex_unlock(&t->lock);
  return found;
}

void sessions_tick(sessions *t) {
  pthread_mutex_lock(&t->lock);
  uint64_t now = clock_now();
  for (session *s = t->first; s; s = s->next) {
    if (atomic_load(&s->state.events.watching)) session_touch(s);
    if (s->ending)
      end(t, s, ""); /* once more: Lua may have caught the error of an interrupted call, and made another */
    else if (now > atomic_load(&s->used_at) + t->idle)
      end(t, s, "idle");
  }
  forget_finished(t);
  pthread_mutex_unlock(&t->lock);
}

void sessions_close(sessions *t) {
  pthread_mutex_lock(&t->lock);
  t->closed = true;
  for (session *s = t->first; s; s = s->next) end(t, s, "shutdown");
  int left = t->all;
  pthread_mutex_unlock(&t->lock);
  for (; left > 0; left = t->all) {
    struct timespec pause = {0, 5 * 1000 * 1000};
    nanosleep(&pause, NULL);
    sessions_tick(t);
  }
}

void sessions_destroy(sessions *t) { pthread_mutex_destroy(&t->lock); }
