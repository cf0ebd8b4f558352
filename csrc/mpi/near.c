/* near.c - memory that the ranks of one host share, for sums: two areas of MPI_BUFFER values for each rank. Copies
** through it take a tenth of the time of messages where the system allows no copy from process to process, as in most
** containers. Without such memory, everything is sent. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "run.h"

enum { name_size = 64 };

static void *map(int file, size_t bytes) {
  void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  return memory == MAP_FAILED ? NULL : memory;
}

/* Make the memory, and a name for it; NULL: there is none. The pages are allocated: writing to it cannot fail. */
static void *make(char *name, size_t bytes) {
  snprintf(name, name_size, "/moonglass-%ld", (long)getpid());
  int file = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (file < 0) {
    name[0] = '\0';
    return NULL;
  }
  if (posix_fallocate(file, 0, (off_t)bytes) == 0) return map(file, bytes);
  close(file);
  return NULL;
}

static void *find(const char *name, size_t bytes) {
  int file = name[0] ? shm_open(name, O_RDWR, 0) : -1;
  return file < 0 ? NULL : map(file, bytes);
}

/* The memory of all ranks of `near`, or NULL. Whether another host has none is agreed: all ranks send alike. */
static void *share(mpi_run *run, MPI_Comm near, size_t bytes) {
  char name[name_size] = "";
  int place, everywhere = 0;
  MPI_Comm_rank(near, &place);
  void *memory = place == 0 ? make(name, bytes) : NULL;
  MPI_Bcast(name, name_size, MPI_CHAR, 0, near);
  if (place != 0) memory = find(name, bytes);
  int fine = memory != NULL;
  MPI_Allreduce(&fine, &everywhere, 1, MPI_INT, MPI_MIN, run->comm);
  if (place == 0 && name[0]) shm_unlink(name); /* all have it by now: no name is left, whatever happens */
  if (everywhere) return memory;
  if (memory) munmap(memory, bytes);
  return NULL;
}

void mpi_near_begin(mpi_run *run) {
  if (run->size == 1 || run->size > MPI_RANKS) return;
  int n, ranks[MPI_RANKS];
  MPI_Comm near;
  if (MPI_Comm_split_type(run->comm, MPI_COMM_TYPE_SHARED, run->rank, MPI_INFO_NULL, &near) != MPI_SUCCESS) return;
  MPI_Comm_set_errhandler(near, MPI_ERRORS_RETURN);
  MPI_Comm_size(near, &n);
  const size_t width = 2 * MPI_BUFFER, first = MPI_RANKS * sizeof *run->arrivals;
  char *memory = share(run, near, first + (size_t)n * width * sizeof **run->areas);
  if (memory && n > 1 && MPI_Allgather(&run->rank, 1, MPI_INT, ranks, 1, MPI_INT, near) == MPI_SUCCESS) {
    run->arrivals = (mpi_arrival *)(void *)memory; /* all 0: the memory is new */
    run->patience = n > sysconf(_SC_NPROCESSORS_ONLN) ? 1000 : 10000000;
    for (int i = 0; i < n; i++) run->areas[ranks[i]] = (float *)(void *)(memory + first) + (size_t)i * width;
  }
  MPI_Comm_free(&near);
}

/* A rank that waits gives its core to others: soon if there are more ranks than cores, else late, since what runs there
** instead may keep it for milliseconds. */
void mpi_near_meet(mpi_run *run) {
  uint32_t now = atomic_load_explicit(&run->arrivals[run->rank].count, memory_order_relaxed) + 1;
  atomic_store_explicit(&run->arrivals[run->rank].count, now, memory_order_release);
  for (int r = 0; r < run->size; r++)
    for (int tries = 0; run->areas[r]; tries++) {
      uint32_t there = atomic_load_explicit(&run->arrivals[r].count, memory_order_acquire);
      if ((int32_t)(there - now) >= 0) break;
      if (tries > run->patience) sched_yield();
    }
}
