/* shared.h - sums through shared memory, for ranks that are all on one host. */
#ifndef MOONGLASS_SHARED_H
#define MOONGLASS_SHARED_H

#include <mpi.h>
#include <stdbool.h>
#include <stddef.h>

/* All ranks of comm call it: are they on one host? false also if MPI fails. */
bool mpi_on_one_host(MPI_Comm comm);

typedef struct mpi_shared mpi_shared;

/* All ranks of comm call it. NULL in all of them if they are on several hosts, or if there is no memory. */
mpi_shared *mpi_shared_open(MPI_Comm comm);

/* All ranks call it. */
void mpi_shared_close(mpi_shared *s);

/* In place: the sums over all ranks, in the order of the ranks. */
void mpi_shared_sum(mpi_shared *s, float *values, size_t n);

#endif
