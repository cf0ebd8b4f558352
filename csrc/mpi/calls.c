/* calls.c - MPI's collective calls on as many values as there are; MPI counts in int. */
#include "run.h"

static const size_t most = (size_t)1 << 28; /* values in one call */

int mpi_sum_floats(mpi_run *run, float *values, size_t n) {
  int status = MPI_SUCCESS;
  for (size_t done = 0; done < n && status == MPI_SUCCESS; done += most) {
    size_t part = n - done < most ? n - done : most;
    status = MPI_Allreduce(MPI_IN_PLACE, values + done, (int)part, MPI_FLOAT, MPI_SUM, run->comm);
  }
  return status;
}

int mpi_cast_bytes(mpi_run *run, void *bytes, size_t n, int root) {
  int status = MPI_SUCCESS;
  for (size_t done = 0; done < n && status == MPI_SUCCESS; done += most) {
    size_t part = n - done < most ? n - done : most;
    status = MPI_Bcast((char *)bytes + done, (int)part, MPI_BYTE, root, run->comm);
  }
  return status;
}
