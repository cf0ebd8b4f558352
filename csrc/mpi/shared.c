/* shared.c - sums through shared memory, for ranks that are all on one host. An MPI copies every value in and out of
** its buffers several times; here a rank copies its own values once, and reads those of the others where they are.
**
** Each rank has two slots of CHUNK values. It copies values to one, meets the others, and sums what is in all slots of
** that turn. The next chunk uses the other slot: whoever has met the others there knows that they have read the first.
** So one meeting a chunk is enough. With many ranks each sums a slice for all, and they meet a second time.
** Sums are in the order of the ranks, everywhere: the same bits in each, each time. */
#include "shared.h"

#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
  CHUNK = 1 << 18, /* floats */
  GRAIN = 16,      /* floats of a cache line: where slices are cut */
  HEAD = 4096,     /* bytes before a rank's slots, for the meeting */
  FEW = 4,         /* ranks, up to which each reads all values of all */
  SPINS = 4000,    /* looks before a rank that waits sleeps: about a tenth of a millisecond */
  YIELDS = 100     /* the same where there are more ranks than cores */
};

typedef struct meeting {
  _Atomic uint32_t arrived;
  char other_line[60];
  _Atomic uint32_t number; /* of meetings that are over: ranks wait for it to change */
  _Atomic uint32_t asleep;
} meeting;

struct mpi_shared {
  MPI_Win window;
  int rank, size, turn;
  bool crowded; /* more ranks than cores: who waits leaves its core to others */
  meeting *meeting;
  float *slots[]; /* of each rank */
};

/* Between two looks. */
static void rest(bool crowded) {
  if (crowded) sched_yield();
#if defined(__x86_64__) || defined(__i386__)
  else
    __builtin_ia32_pause();
#endif
}

static void meet(mpi_shared *s) {
  meeting *m = s->meeting;
  uint32_t number = atomic_load(&m->number);
  if (atomic_fetch_add(&m->arrived, 1) + 1 == (uint32_t)s->size) {
    atomic_store(&m->arrived, 0);
    atomic_fetch_add(&m->number, 1);
    if (atomic_load(&m->asleep)) syscall(SYS_futex, &m->number, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    return;
  }
  for (int i = s->crowded ? SPINS - YIELDS : 0; i < SPINS; i++) {
    if (atomic_load_explicit(&m->number, memory_order_acquire) != number) return;
    rest(s->crowded);
  }
  atomic_fetch_add(&m->asleep, 1);
  while (atomic_load(&m->number) == number) syscall(SYS_futex, &m->number, FUTEX_WAIT, number, NULL, NULL, 0);
  atomic_fetch_sub(&m->asleep, 1);
}

static float *slot(const mpi_shared *s, int rank) { return s->slots[rank] + (size_t)s->turn * CHUNK; }

/* out = the sums of values first to last of all slots. Two at a time: that reads and writes out less often. */
static void add_slots(const mpi_shared *s, float *restrict out, size_t first, size_t last) {
  const float *restrict a = slot(s, 0), *restrict b = slot(s, 1);
  for (size_t i = first; i < last; i++) out[i] = a[i] + b[i];
  int r = 2;
  for (; r + 1 < s->size; r += 2) {
    a = slot(s, r);
    b = slot(s, r + 1);
    for (size_t i = first; i < last; i++) out[i] = (out[i] + a[i]) + b[i];
  }
  if (r == s->size) return;
  a = slot(s, r);
  for (size_t i = first; i < last; i++) out[i] += a[i];
}

/* Where rank r's slice of n values begins. */
static size_t cut(const mpi_shared *s, size_t n, int r) {
  size_t grains = (n + GRAIN - 1) / GRAIN, at = grains * (size_t)r / (size_t)s->size * GRAIN;
  return at < n ? at : n;
}

static void sum_slices(mpi_shared *s, float *values, size_t n) {
  size_t first = cut(s, n, s->rank), last = cut(s, n, s->rank + 1);
  add_slots(s, values, first, last);
  memcpy(slot(s, s->rank) + first, values + first, (last - first) * sizeof *values); /* only this rank read that */
  meet(s);
  for (int r = 0; r < s->size; r++) {
    first = cut(s, n, r);
    last = cut(s, n, r + 1);
    if (r != s->rank) memcpy(values + first, slot(s, r) + first, (last - first) * sizeof *values);
  }
}

void mpi_shared_sum(mpi_shared *s, float *values, size_t n) {
  for (size_t done = 0; done < n; done += CHUNK) {
    size_t part = n - done < CHUNK ? n - done : CHUNK;
    memcpy(slot(s, s->rank), values + done, part * sizeof *values);
    meet(s);
    if (s->size <= FEW)
      add_slots(s, values + done, 0, part);
    else
      sum_slices(s, values + done, part);
    s->turn = !s->turn;
  }
}

/* ---- beginning and end ---- */

bool mpi_on_one_host(MPI_Comm comm) {
  MPI_Comm host;
  int size, here = 0;
  MPI_Comm_size(comm, &size);
  if (MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host) != MPI_SUCCESS) return false;
  MPI_Comm_size(host, &here);
  MPI_Comm_free(&host);
  return here == size;
}

/* The memory of the host is one for all ranks, without calls of MPI between writing and reading. */
static bool is_unified(MPI_Win window) {
  int *model, found = 0;
  return MPI_Win_get_attr(window, MPI_WIN_MODEL, &model, &found) == MPI_SUCCESS && found && *model == MPI_WIN_UNIFIED;
}

/* Do all ranks say yes? */
static bool all_say(MPI_Comm comm, bool yes) {
  int all = yes;
  return MPI_Allreduce(MPI_IN_PLACE, &all, 1, MPI_INT, MPI_MIN, comm) == MPI_SUCCESS && all;
}

static bool find_slots(mpi_shared *s) {
  for (int r = 0; r < s->size; r++) {
    MPI_Aint bytes;
    int unit;
    char *part;
    if (MPI_Win_shared_query(s->window, r, &bytes, &unit, &part) != MPI_SUCCESS) return false;
    s->slots[r] = (float *)(part + HEAD);
    if (r == 0) s->meeting = (meeting *)part;
  }
  return is_unified(s->window);
}

mpi_shared *mpi_shared_open(MPI_Comm comm) {
  int size;
  char *part;
  MPI_Comm_size(comm, &size);
  const char *wanted = getenv("MOONGLASS_MPI_SHARED"); /* 0: leave sums to MPI */
  bool refused = wanted && strcmp(wanted, "0") == 0;
  if (size == 1 || !all_say(comm, !refused) || !all_say(comm, mpi_on_one_host(comm))) return NULL;
  mpi_shared *s = calloc(1, sizeof *s + (size_t)size * sizeof *s->slots);
  if (!all_say(comm, s)) return free(s), NULL;
  s->size = size;
  s->crowded = size > sysconf(_SC_NPROCESSORS_ONLN);
  MPI_Comm_rank(comm, &s->rank);
  MPI_Aint bytes = HEAD + 2 * (MPI_Aint)CHUNK * (MPI_Aint)sizeof(float);
  if (!all_say(comm, MPI_Win_allocate_shared(bytes, 1, MPI_INFO_NULL, comm, &part, &s->window) == MPI_SUCCESS))
    return free(s), NULL;
  memset(part, 0, (size_t)bytes); /* each its own: the pages are near its core */
  if (all_say(comm, find_slots(s))) return s;
  mpi_shared_close(s);
  return NULL;
}

void mpi_shared_close(mpi_shared *s) {
  if (!s) return;
  MPI_Win_free(&s->window);
  free(s);
}
