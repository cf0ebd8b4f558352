/* end.c - ending the run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "watch.h"

static void pause_for(double seconds) {
  struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
  while (nanosleep(&t, &t) != 0) {}
}

/* What the script has printed last is in a buffer still. The script's thread may hold the lock: then it stays there. */
static void flush_output(void) {
  if (ftrylockfile(stdout) != 0) return;
  fflush(stdout);
  funlockfile(stdout);
}

static void say(const char *message) {
  for (size_t n = strlen(message); n;) {
    ssize_t written = write(STDERR_FILENO, message, n);
    if (written <= 0) return; /* the launcher may be gone */
    message += written;
    n -= (size_t)written;
  }
}

void mpi_end_quietly(double seconds) {
  flush_output();
  pause_for(seconds);
  _exit(1);
}

/* Ask the launcher to end all ranks, also those that are stopped. MPI_Abort is not for a second thread: in MPICH it
** works on the connections that the first one waits on. What it sends to the launcher in the end is one line. Open
** MPI's launcher ends all as soon as one has ended with a status. */
static void abort_all(void) {
#ifdef MPICH_VERSION
  const char *fd = getenv("PMI_FD");
  if (fd) dprintf(atoi(fd), "cmd=abort exitcode=1\n");
#endif
}

void mpi_end_run(const char *message) {
  flush_output();
  if (!message) _exit(1);
  say(message);
  pause_for(0.3); /* so that the others have written out what they have */
  abort_all();
#ifdef MPICH_VERSION
  pause_for(2);
#endif
  _exit(1);
}
