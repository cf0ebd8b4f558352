/* judge.c - which rank is at fault, from what the watch of rank 0 knows.
**
** A rank may compute as long as it likes, while nobody waits for it. Others wait if they are in a call that it has not
** entered. From then on the clock runs: a second counts fully if the rank computes nothing, and as a part of a second
** if it does, since a long evaluation on one rank is no fault. */
#include "watch.h"

static const double computing = 0.005; /* the share of a core from which on a rank computes */
static const double ended = 1;         /* seconds that others may wait for a rank whose script has ended: news travel */

bool mpi_waits(const mpi_peer *p) { return p->place.entered > p->place.left; }

void mpi_note_place(mpi_peer *p, const mpi_place *place, double now) {
  bool entered = place->entered != p->place.entered;
  if (now > p->beat) p->computes = (double)(place->cpu - p->place.cpu) > computing * 1e6 * (now - p->beat);
  if (entered) p->idle = p->busy = 0;
  if (place->moved != p->place.moved) p->still = 0;
  p->place = *place;
  p->beat = now;
}

/* Is somebody in a call that this rank has not entered? */
static bool is_awaited(const mpi_peer *peers, int size, const mpi_peer *p) {
  if (mpi_waits(p)) return false;
  for (int i = 0; i < size; i++)
    if (mpi_waits(&peers[i]) && peers[i].place.entered > p->place.entered) return true;
  return false;
}

static bool all_wait(const mpi_peer *peers, int size) {
  for (int i = 0; i < size; i++)
    if (!mpi_waits(&peers[i])) return false;
  return true;
}

static bool in_same_call(const mpi_place *a, const mpi_place *b) {
  return a->entered == b->entered && a->call == b->call;
}

/* All are in calls, and wait for each other. Does nothing arrive any more, and are the calls different? */
static mpi_verdict judge_calls(const mpi_peer *peers, int size, double timeout) {
  double still = peers[0].still;
  int other = 0;
  for (int i = 1; i < size; i++) {
    if (peers[i].still < still) still = peers[i].still;
    if (!other && !in_same_call(&peers[i].place, &peers[0].place)) other = i;
  }
  if (other && still > timeout) return (mpi_verdict){FAULT_STEP, other};
  return (mpi_verdict){still > MPI_OUTAGE * timeout ? FAULT_STUCK : FAULT_NONE, 0};
}

/* How long others have waited for this rank. */
static mpi_fault judge_wait(mpi_peer *p, double dt, double timeout) {
  if (p->bye) {
    p->missed += dt;
    return p->missed > ended ? FAULT_ENDED : FAULT_NONE;
  }
  *(p->computes ? &p->busy : &p->idle) += dt;
  if (p->idle + p->busy / MPI_PATIENCE <= timeout) return FAULT_NONE;
  return p->busy > p->idle ? FAULT_BUSY : FAULT_IDLE;
}

mpi_verdict mpi_judge(mpi_peer *peers, int size, double now, double dt, double timeout) {
  for (int i = 0; i < size; i++)
    if (peers[i].gone && !peers[i].bye) return (mpi_verdict){FAULT_GONE, i};
  for (int i = 0; i < size; i++)
    if (!peers[i].gone && now - peers[i].heard > timeout) return (mpi_verdict){FAULT_SILENT, i};
  for (int i = 0; i < size; i++) {
    mpi_peer *p = &peers[i];
    p->still += dt;
    if (!is_awaited(peers, size, p)) {
      p->idle = p->busy = p->missed = 0;
      continue;
    }
    mpi_fault fault = judge_wait(p, dt, timeout);
    if (fault) return (mpi_verdict){fault, i};
  }
  return all_wait(peers, size) ? judge_calls(peers, size, timeout) : (mpi_verdict){FAULT_NONE, 0};
}
