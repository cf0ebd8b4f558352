/* sum.c - the sums of floats over all ranks. We add in rank order, ((r0 + r1) + r2) + ..., and not as the MPI chooses:
** then every rank has the same bits, and so it has under each MPI, for each number of values and for each way to send
** them. MPI_Allreduce promises none of this, and it allocates n values in each call, whose pages cost more than the
** sums. Where all ranks are on one host, they sum in shared memory (shared.c), in the same order.
**
** Each rank gets one slice of the values from all others, adds it, and gives it back to them. Ranks of the same host
** read it from memory that they share; to others it is sent, 2 (p - 1) messages and 2 (p - 1) / p of the values. Few
** values are all sent to all ranks instead, which add all of them. */
#include <string.h>

#include "run.h"

enum { few = 512, tag_terms = 1, tag_sums = 2 };

/* What a rank sends to another one and receives from it. */
typedef struct parcel {
  float *out, *in;
  size_t sent, received; /* values */
} parcel;

/* Send and receive at the same time. parcels [p]; that of this rank is not read. */
static int exchange(mpi_run *run, const parcel *parcels, int tag) {
  MPI_Request requests[2 * MPI_RANKS];
  MPI_Status statuses[2 * MPI_RANKS];
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

/* A rank's area in this turn. Two turns differ, so that what one rank writes another may still read the last one. */
static float *area_of(const mpi_run *run, int r) {
  return run->areas[r] ? run->areas[r] + (size_t)run->turn * MPI_BUFFER : NULL;
}

/* Few values: all ranks get all of them. */
static int sum_few(mpi_run *run, float *values, size_t n) {
  parcel parcels[MPI_RANKS] = {0};
  float *terms[MPI_RANKS], *shared = area_of(run, run->rank);
  for (int r = 0; r < run->size; r++) {
    terms[r] = run->buffer + (size_t)r * n;
    if (!area_of(run, r)) parcels[r] = (parcel){values, terms[r], n, n};
  }
  int status = exchange(run, parcels, tag_terms);
  if (status != MPI_SUCCESS) return status;
  if (shared) {
    memcpy(shared, values, n * sizeof *values);
    mpi_near_meet(run);
  }
  for (int r = 0; r < run->size && shared; r++)
    if (area_of(run, r)) memcpy(terms[r], area_of(run, r), n * sizeof *values);
  add_terms(run, values, terms, n);
  return MPI_SUCCESS;
}

/* The values that rank r adds are first..end-1 of n. */
typedef struct slice {
  size_t first, width;
} slice;

static slice slice_of(const mpi_run *run, size_t n, int r) {
  size_t p = (size_t)run->size, first = n * (size_t)r / p;
  return (slice){first, n * ((size_t)r + 1) / p - first};
}

/* Terms: from each other rank those of this rank's slice. In shared memory this rank may write to them: they are only
** its own to read. */
static int get_terms(mpi_run *run, float *values, size_t n, float **terms) {
  parcel parcels[MPI_RANKS] = {0};
  float *free = run->buffer, *shared = area_of(run, run->rank);
  slice own = slice_of(run, n, run->rank);
  for (int r = 0; r < run->size; r++) {
    slice theirs = slice_of(run, n, r);
    float *near = area_of(run, r);
    if (near) {
      terms[r] = near + own.first;
      if (r != run->rank) memcpy(shared + theirs.first, values + theirs.first, theirs.width * sizeof *values);
    } else {
      terms[r] = free;
      free += own.width;
      parcels[r] = (parcel){values + theirs.first, terms[r], theirs.width, own.width};
    }
  }
  int status = exchange(run, parcels, tag_terms);
  if (status == MPI_SUCCESS && shared) mpi_near_meet(run);
  return status;
}

/* Give this rank's sums to all others, and get theirs. */
static int give_sums(mpi_run *run, float *values, size_t n) {
  parcel parcels[MPI_RANKS] = {0};
  float *shared = area_of(run, run->rank);
  slice own = slice_of(run, n, run->rank);
  if (shared) {
    memcpy(shared + own.first, values + own.first, own.width * sizeof *values);
    mpi_near_meet(run);
  }
  for (int r = 0; r < run->size; r++) {
    slice theirs = slice_of(run, n, r);
    const float *near = area_of(run, r);
    if (!near)
      parcels[r] = (parcel){values + own.first, values + theirs.first, own.width, theirs.width};
    else if (r != run->rank)
      memcpy(values + theirs.first, near + theirs.first, theirs.width * sizeof *values);
  }
  return exchange(run, parcels, tag_sums);
}

/* Many values: each rank adds a slice. */
static int sum_slices(mpi_run *run, float *values, size_t n) {
  float *terms[MPI_RANKS];
  slice own = slice_of(run, n, run->rank);
  int status = get_terms(run, values, n, terms);
  if (status != MPI_SUCCESS) return status;
  add_terms(run, values + own.first, terms, own.width);
  return give_sums(run, values, n);
}

int mpi_sum_floats(mpi_run *run, float *values, size_t n) {
  const size_t most = run->size > MPI_RANKS ? (size_t)1 << 28 : MPI_BUFFER;
  int status = MPI_SUCCESS;
  if (run->shared) return mpi_shared_sum(run->shared, values, n), MPI_SUCCESS;
  for (size_t done = 0; done < n && status == MPI_SUCCESS; done += most) {
    size_t part = n - done < most ? n - done : most;
    if (run->size > MPI_RANKS)
      status = MPI_Allreduce(MPI_IN_PLACE, values + done, (int)part, MPI_FLOAT, MPI_SUM, run->comm);
    else if (run->size > 1)
      status = (part <= few ? sum_few : sum_slices)(run, values + done, part);
    run->turn = !run->turn;
  }
  return status;
}
