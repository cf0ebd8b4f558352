/* pace.c - training comes before frames, by three rules. The work is measured as time of the thread: it does not grow
** while others have the core.
**
** - Frames take at most a ninth of the session's work: the next one is due when training has had eight times as long as
**   this one took.
** - It is not due before 30 ms after this one began, so that a stream always has one to write, 30 times a second.
** - A browser without a GPU draws on the cores that train. While the session has less than 85 % of a core, its frames
**   come less often, down to 16 a second. */
#include "pace.h"

#include "clock.h"

static const uint64_t SHORTEST = 30 * CLOCK_MS, LONGEST = 60 * CLOCK_MS;
enum { ENOUGH = 85 }; /* percent */

bool pace_is_due(const pace *p) { return clock_now() >= p->next && clock_of_thread() >= p->trained_until; }

/* How far apart frames are to be, after one that lasted so long, of which the thread worked so long. */
static uint64_t adapted(uint64_t apart, uint64_t lasted, uint64_t worked) {
  apart = 100 * worked < ENOUGH * lasted ? apart + apart / 8 : apart - apart / 8;
  return apart < SHORTEST ? SHORTEST : apart > LONGEST ? LONGEST : apart;
}

void pace_begin(pace *p) {
  uint64_t now = clock_now(), worked = clock_of_thread();
  p->apart = p->began ? adapted(p->apart, now - p->began, worked - p->worked) : SHORTEST;
  p->began = now, p->worked = worked;
  p->next = now + p->apart;
}

void pace_end(pace *p) {
  uint64_t now = clock_of_thread();
  p->trained_until = now + 8 * (now - p->worked);
}

void pace_rest(pace *p) { p->trained_until = p->began = 0; }
