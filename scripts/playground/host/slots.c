/* slots.c - the newest frame of each event. */
#include "slots.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"

bool slots_init(slots *s) {
  *s = (slots){.next_ticket = 1};
  if (pthread_mutex_init(&s->lock, NULL) != 0) return false;
  if (clock_cond_init(&s->changed)) return true;
  pthread_mutex_destroy(&s->lock);
  return false;
}

void slots_destroy(slots *s) {
  slots_clear(s);
  pthread_cond_destroy(&s->changed);
  pthread_mutex_destroy(&s->lock);
}

void frame_release(frame *f) {
  if (f && atomic_fetch_sub(&f->references, 1) == 1) free(f);
}

/* ---- the writer ---- */

static frame *frame_new(const char *name, const text *json) {
  static const char event[] = "event: ", data[] = "\ndata: ", end[] = "\n\n";
  size_t length = strlen(name), size = sizeof event + length + sizeof data + json->size + sizeof end - 3;
  frame *f = malloc(sizeof *f + size + 1);
  if (!f) return NULL;
  char *to = f->text;
  atomic_init(&f->references, 1);
  f->size = size;
  memcpy(f->name, name, length + 1);
  to = (char *)memcpy(to, event, sizeof event - 1) + sizeof event - 1;
  to = (char *)memcpy(to, name, length) + length;
  to = (char *)memcpy(to, data, sizeof data - 1) + sizeof data - 1;
  to = (char *)memcpy(to, json->data, json->size) + json->size;
  memcpy(to, end, sizeof end);
  return f;
}

static bool is_name(const char *name) {
  size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz_");
  return length > 0 && length < SLOTS_NAME && name[length] == '\0';
}

/* Swap the frame in: the new one, or NULL if there is no place, comes back as the one to release. */
static frame *swap_in(slots *s, frame *f) {
  frame *old = NULL;
  int i = 0;
  pthread_mutex_lock(&s->lock);
  while (i < s->count && strcmp(s->latest[i]->name, f->name) != 0) i++;
  if (i == SLOTS_MOST) {
    old = f;
  } else {
    if (i == s->count)
      s->count++;
    else
      old = s->latest[i];
    f->number = atomic_load(&s->put) + 1;
    s->latest[i] = f;
    atomic_store(&s->put, f->number);
    pthread_cond_broadcast(&s->changed);
  }
  pthread_mutex_unlock(&s->lock);
  return old;
}

const char *slots_put(slots *s, const char *name, const text *json) {
  if (!is_name(name)) return "an event's name is 1 to 23 letters a to z or _";
  frame *f = frame_new(name, json);
  if (!f) return "out of memory";
  frame *old = swap_in(s, f);
  frame_release(old);
  return old == f ? "there are too many events" : NULL;
}

void slots_clear(slots *s) {
  pthread_mutex_lock(&s->lock);
  while (s->count > 0) frame_release(s->latest[--s->count]);
  atomic_store(&s->read, atomic_load(&s->put)); /* nothing is left that could be read */
  pthread_mutex_unlock(&s->lock);
}

void slots_close(slots *s, const char *reason) {
  pthread_mutex_lock(&s->lock);
  if (!s->closed) s->closed = reason;
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
}

bool slots_are_read(const slots *s) {
  return atomic_load_explicit(&s->watching, memory_order_relaxed) > 0 &&
         atomic_load_explicit(&s->read, memory_order_relaxed) >= atomic_load_explicit(&s->put, memory_order_relaxed);
}

/* ---- the readers ---- */

uint64_t slots_attach(slots *s) {
  pthread_mutex_lock(&s->lock);
  int oldest = 0;
  for (int i = 1; i < SLOTS_STREAMS; i++)
    if (s->streams[i] < s->streams[oldest]) oldest = i;
  if (!s->streams[oldest]) atomic_fetch_add(&s->watching, 1);
  uint64_t ticket = s->streams[oldest] = s->next_ticket++;
  pthread_cond_broadcast(&s->changed);
  pthread_mutex_unlock(&s->lock);
  return ticket;
}

static int place_of(const slots *s, uint64_t ticket) {
  int i = 0;
  while (i < SLOTS_STREAMS && s->streams[i] != ticket) i++;
  return i;
}

void slots_detach(slots *s, uint64_t ticket) {
  pthread_mutex_lock(&s->lock);
  int i = place_of(s, ticket);
  if (i < SLOTS_STREAMS) {
    s->streams[i] = 0;
    atomic_fetch_sub(&s->watching, 1);
  }
  pthread_mutex_unlock(&s->lock);
}

static int by_number(const void *a, const void *b) {
  uint64_t x = (*(frame *const *)a)->number, y = (*(frame *const *)b)->number;
  return x < y ? -1 : x > y;
}

static int newer(slots *s, uint64_t cursor, frame *out[SLOTS_MOST]) {
  int n = 0;
  for (int i = 0; i < s->count; i++)
    if (s->latest[i]->number > cursor) {
      atomic_fetch_add(&s->latest[i]->references, 1);
      out[n++] = s->latest[i];
    }
  qsort(out, (size_t)n, sizeof *out, by_number);
  return n;
}

int slots_wait(slots *s, uint64_t ticket, uint64_t cursor, uint64_t until, frame *out[SLOTS_MOST],
               const char **reason) {
  int n = 0;
  bool more = true;
  *reason = NULL;
  pthread_mutex_lock(&s->lock);
  while (more) {
    if (place_of(s, ticket) == SLOTS_STREAMS) {
      *reason = "replaced";
      break;
    }
    if ((n = newer(s, cursor, out)) > 0) break;
    if ((*reason = s->closed)) break;
    more = clock_wait(&s->changed, &s->lock, until);
  }
  pthread_mutex_unlock(&s->lock);
  return n;
}

void slots_pause(slots *s, uint64_t until) {
  pthread_mutex_lock(&s->lock);
  while (!s->closed && clock_wait(&s->changed, &s->lock, until)) continue;
  pthread_mutex_unlock(&s->lock);
}

void slots_have_read(slots *s, uint64_t number) {
  uint64_t before = atomic_load(&s->read);
  while (before < number && !atomic_compare_exchange_weak(&s->read, &before, number)) continue;
}
