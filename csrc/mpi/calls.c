/* calls.c - MPI's collective calls on as many values as there are; MPI counts in int. */
#include "run.h"

static const size_t most = (size_t)1 << 24; /* bytes in one call: the watch sees that they arrive */

void mpi_enter(mpi_run *run, mpi_call call) {
  atomic_store(&run->progress.call, call ? call : run->label);
  atomic_fetch_add(&run->progress.entered, 1);
  mpi_move(run);
}

void mpi_leave(mpi_run *run) {
  atomic_fetch_add(&run->progress.left, 1);
  mpi_move(run);
}

void mpi_move(mpi_run *run) { atomic_fetch_add(&run->progress.moved, 1); }

int mpi_cast_bytes(mpi_run *run, void *bytes, size_t n, int root) {
  int status = MPI_SUCCESS;
  for (size_t done = 0; done < n && status == MPI_SUCCESS; done += most) {
    size_t part = n - done < most ? n - done : most;
    status = MPI_Bcast((char *)bytes + done, (int)part, MPI_BYTE, root, run->comm);
    mpi_move(run);
  }
  return status;
}

/* MPICH over UCX's TCP can wait for ever in MPI_Finalize: ranks that have closed their connections no longer answer
** those that still close theirs (4.0.2 with UCX 1.13, from three ranks on). So there all ranks meet and then end
** without it, which hydra takes for a normal end. */
void mpi_end(void) {
#ifdef MPICH_VERSION
  if (!mpi_on_one_host(MPI_COMM_WORLD)) {
    MPI_Barrier(MPI_COMM_WORLD);
    return;
  }
#endif
  MPI_Finalize();
}
