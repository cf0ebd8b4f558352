/* run.h - what the files of the module over MPI share. They are compiled once for each MPI. */
#ifndef MOONGLASS_RUN_H
#define MOONGLASS_RUN_H

#include <lauxlib.h>
#include <lua.h>
#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>

#include "../moonglass.h"

/* One process of the run. */
typedef struct mpi_run {
  MPI_Comm comm; /* our own, so that no message of the host's meets ours */
  int rank, size;
  bool open; /* MPI may be called */
  bool ours; /* we initialised MPI, so we finalise it */
} mpi_run;

/* In place: the sums over all ranks, with the same bits in each. MPI_SUCCESS, or MPI's error. */
int mpi_sum_floats(mpi_run *run, float *values, size_t n);

/* In place: the bytes of rank `root`. */
int mpi_cast_bytes(mpi_run *run, void *bytes, size_t n, int root);

/* Finalise MPI, as far as it can be trusted to come back. */
void mpi_end(void);

#endif
