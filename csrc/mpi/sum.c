/* sum.c - the sums of floats over all ranks. We add in rank order, ((r0 + r1) + r2) + ..., and not as the MPI chooses:
** then every rank has the same bits, and so it has under each MPI, for each number of values and for each way to send
** them. MPI_Allreduce promises none of this, and it allocates n values in each call, whose pages cost more than the
** sums. Where all ranks are on one host, they sum in shared memory (shared.c), in the same order.
**
** Each rank gets one slice of the values from all others, adds it, and sends it back to them: 2 (p - 1) messages, and
** 2 (p - 1) / p of the values. Few values are all sent to all ranks instead, which add all of them. */
#include "run.h"

enum {
  most_ranks = 64, /* beyond it, messages between all pairs cost too much */
  few = 512,       /* values */
  tag_terms = 1,
  tag_sums = 2,
};

/* What a rank sends to another one and receives from it. */
typedef struct parcel {
  float *out, *in;
  size_t sent, received; /* values */
} parcel;

/* Send and receive at the same time. parcels [p]; that of this rank is not read. */
static int exchange(mpi_run *run, const parcel *parcels, int tag) {
  MPI_Request requests[2 * most_ranks];
  MPI_Status statuses[2 * most_ranks];
  int n = 0, status = MPI_SUCCESS;
  for (int i = 1; i < run->size && status == MPI_SUCCESS; i++) { /* each rank begins with another partner */
    int from = (run->rank + run->size - i) % run->size;
    const parcel *p = &parcels[from];
    if (p->received) status = MPI_Irecv(p->in, (int)p->received, MPI_FLOAT, from, tag, run->comm, &requests[n++]);
  }
  for (int i = 1; i < run->size && status == MPI_SUCCESS; i++) {
    int to = (run->rank + i) % run->size;
    const parcel *p = &parcels[to];
    if (p->sent) status = MPI_Isend(p->out, (int)p->sent, MPI_FLOAT, to, tag, run->comm, &requests[n++]);
  }
  int waited = MPI_Waitall(n, requests, statuses);
  return status != MPI_SUCCESS ? status : waited;
}

/* y += x. [n] Groups of 8 become vector instructions. */
static void add(float *restrict y, const float *restrict x, size_t n) {
  size_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (size_t k = i; k < i + 8; k++) y[k] += x[k];
  for (; i < n; i++) y[i] += x[i];
}

/* own becomes the sum in rank order of the terms of all ranks, of which its own is one. terms [p] of [n] */
static void add_terms(mpi_run *run, float *own, float *const *terms, size_t n) {
  float *sum = run->rank == 0 ? own : terms[0];
  for (int r = 1; r < run->size; r++) {
    if (r == run->rank) { /* a + b and b + a are the same bits */
      add(own, sum, n);
      sum = own;
    } else {
      add(sum, terms[r], n);
    }
  }
}

/* Few values: all are sent to all. */
static int sum_few(mpi_run *run, float *values, size_t n) {
  parcel parcels[most_ranks];
  float *terms[most_ranks];
  for (int r = 0; r < run->size; r++) {
    terms[r] = run->buffer + (size_t)r * n;
    parcels[r] = (parcel){values, terms[r], n, n};
  }
  int status = exchange(run, parcels, tag_terms);
  if (status == MPI_SUCCESS) add_terms(run, values, terms, n);
  return status;
}

/* Many values: each rank adds a slice. */
static int sum_slices(mpi_run *run, float *values, size_t n) {
  parcel parcels[most_ranks], sums[most_ranks];
  float *terms[most_ranks], *free = run->buffer;
  size_t p = (size_t)run->size, me = (size_t)run->rank;
  float *own = values + n * me / p;
  size_t width = n * (me + 1) / p - n * me / p;
  for (size_t r = 0; r < p; r++) {
    float *theirs = values + n * r / p;
    size_t wide = n * (r + 1) / p - n * r / p;
    terms[r] = free;
    if (r != me) free += width;
    parcels[r] = (parcel){theirs, terms[r], wide, width};
    sums[r] = (parcel){own, theirs, width, wide};
  }
  int status = exchange(run, parcels, tag_terms);
  if (status != MPI_SUCCESS) return status;
  add_terms(run, own, terms, width);
  return exchange(run, sums, tag_sums);
}

int mpi_sum_floats(mpi_run *run, float *values, size_t n) {
  const size_t most = run->size > most_ranks ? (size_t)1 << 28 : MPI_BUFFER;
  int status = MPI_SUCCESS;
  if (run->shared) return mpi_shared_sum(run->shared, values, n), MPI_SUCCESS;
  for (size_t done = 0; done < n && status == MPI_SUCCESS; done += most) {
    size_t part = n - done < most ? n - done : most;
    if (run->size > most_ranks)
      status = MPI_Allreduce(MPI_IN_PLACE, values + done, (int)part, MPI_FLOAT, MPI_SUM, run->comm);
    else if (run->size > 1)
      status = (part <= few ? sum_few : sum_slices)(run, values + done, part);
    mpi_move(run);
  }
  return status;
}
