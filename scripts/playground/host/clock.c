/* clock.c - the clocks. Deadlines are of the monotonic one, which a change of the system's time does not move. */
#include "clock.h"

#include <time.h>

static uint64_t read_clock(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (uint64_t)t.tv_sec * CLOCK_SECOND + (uint64_t)t.tv_nsec;
}

uint64_t clock_now(void) { return read_clock(CLOCK_MONOTONIC); }

uint64_t clock_of_thread(void) { return read_clock(CLOCK_THREAD_CPUTIME_ID); }

uint64_t clock_after(double seconds) { return clock_now() + (uint64_t)(seconds * (double)CLOCK_SECOND); }

bool clock_cond_init(pthread_cond_t *cond) {
  pthread_condattr_t attributes;
  if (pthread_condattr_init(&attributes) != 0) return false;
  bool ok = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 && pthread_cond_init(cond, &attributes) == 0;
  pthread_condattr_destroy(&attributes);
  return ok;
}

bool clock_wait(pthread_cond_t *cond, pthread_mutex_t *lock, uint64_t until) {
  struct timespec t = {(time_t)(until / CLOCK_SECOND), (long)(until % CLOCK_SECOND)};
  return pthread_cond_timedwait(cond, lock, &t) == 0;
}
