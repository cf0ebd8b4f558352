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

enum { MPI_BUFFER = 1 << 16 }; /* values that are summed at a time */

/* The calls between all ranks, as messages name them. */
typedef enum mpi_call { CALL_NONE, CALL_REDUCE, CALL_BROADCAST, CALL_AGREE, CALL_BARRIER } mpi_call;

/* Where the thread that calls MPI is: it writes, the watch reads. In a call while entered > left. */
typedef struct mpi_progress {
  _Atomic uint64_t entered, left; /* calls */
  _Atomic uint64_t moved;         /* grows when a call is entered or left, or a part of its values has arrived */
  _Atomic uint32_t call;          /* mpi_call: the last one entered */
} mpi_progress;

typedef struct mpi_watch mpi_watch;

/* One process of the run. */
typedef struct mpi_run {
  MPI_Comm comm; /* our own, so that no message of the host's meets ours */
  float *buffer; /* [MPI_BUFFER], for sums */
  int rank, size;
  bool open;          /* MPI may be called */
  bool ours;          /* we initialised MPI, so we finalise it */
  mpi_watch *watch;   /* NULL: none */
  mpi_shared *shared; /* NULL: none */
  int low;            /* a descriptor below those of MPI; -1: none. See mpi_link_lower */
  mpi_call label;     /* what the script has called last, if that takes several calls of MPI */
  mpi_progress progress;
  _Atomic double timeout; /* seconds */
} mpi_run;

/* ---- calls.c ---- */

/* Around each collective call. CALL_NONE: it is a part of what run->label names. */
void mpi_enter(mpi_run *run, mpi_call call);
void mpi_leave(mpi_run *run);

/* Within a call: a part of its values has arrived. */
void mpi_move(mpi_run *run);

/* In place: the bytes of rank `root`. */
int mpi_cast_bytes(mpi_run *run, void *bytes, size_t n, int root);

/* Finalise MPI, as far as it can be trusted to come back. */
void mpi_end(void);

/* ---- sum.c ---- */

/* In place: the sums over all ranks, with the same bits in each. MPI_SUCCESS, or MPI's error. */
int mpi_sum_floats(mpi_run *run, float *values, size_t n);

#endif
