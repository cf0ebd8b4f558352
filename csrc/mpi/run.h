/* run.h - what the files of the module over MPI share. They are compiled once for each MPI. */
#ifndef MOONGLASS_RUN_H
#define MOONGLASS_RUN_H

#include <lauxlib.h>
#include <lua.h>
#include <mpi.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../moonglass.h"
#include "shared.h"

enum {
  MPI_BUFFER = 1 << 16, /* values that are summed at a time */
  MPI_RANKS = 64,       /* that sum by sum.c; more leave it to MPI_Allreduce */
};

/* The calls between all ranks, as messages name them. */
typedef enum mpi_call { CALL_NONE, CALL_REDUCE, CALL_BROADCAST, CALL_AGREE, CALL_BARRIER } mpi_call;

/* Where the thread that calls MPI is: it writes, the watch reads. In a call while entered > left. */
typedef struct mpi_progress {
  _Atomic uint64_t entered, left; /* calls */
  _Atomic uint32_t call;          /* mpi_call: the last one entered */
} mpi_progress;

typedef struct mpi_watch mpi_watch;

/* How often a rank has come to a meeting of its host, on a cache line of its own. */
typedef struct mpi_arrival {
  _Alignas(128) _Atomic uint32_t count;
} mpi_arrival;

/* One process of the run. */
typedef struct mpi_run {
  MPI_Comm comm;           /* our own, so that no message of the host's meets ours */
  float *buffer;           /* [MPI_BUFFER], for sums */
  float *areas[MPI_RANKS]; /* of each rank of this host, two of MPI_BUFFER that take turns; NULL: on another host */
  mpi_arrival *arrivals;   /* [MPI_RANKS], with the areas */
  int turn;
  int patience; /* looks at another rank's arrival before the core is given to others */
  int rank, size;
  bool open;          /* MPI may be called */
  bool ours;          /* we initialised MPI, so we finalise it */
  mpi_watch *watch;   /* NULL: none */
  mpi_shared *shared; /* NULL: none */
  int low;            /* a descriptor below those of MPI; -1: none. See mpi_link_lower */
  mpi_progress progress;
  _Atomic double timeout; /* seconds */
} mpi_run;

/* ---- calls.c ---- */

/* Around each collective call. */
void mpi_enter(mpi_run *run, mpi_call call);
void mpi_leave(mpi_run *run);

/* In place: the bytes of rank `root`. */
int mpi_cast_bytes(mpi_run *run, void *bytes, size_t n, int root);

/* Finalise MPI, as far as it can be trusted to come back. */
void mpi_end(void);

/* ---- near.c ---- */

/* All ranks: share memory with those of the same host, if they can. */
void mpi_near_begin(mpi_run *run);

/* All ranks of this host have come here, and see what the others have written. */
void mpi_near_meet(mpi_run *run);

/* ---- sum.c ---- */

/* In place: the sums over all ranks, with the same bits in each. MPI_SUCCESS, or MPI's error. */
int mpi_sum_floats(mpi_run *run, float *values, size_t n);

#endif
