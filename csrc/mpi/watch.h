/* watch.h - the watch: a thread in each rank that ends the run when a rank can no longer take part. It never calls
** MPI. */
#ifndef MOONGLASS_WATCH_H
#define MOONGLASS_WATCH_H

#include "link.h"
#include "run.h"

/* ---- watch.c ---- */

/* Connect to rank 0 (rank 0: to all), and start the thread. Every rank calls it at the same time. False, with the
** reason in why, if this rank is not watched. */
bool mpi_watch_start(mpi_run *run, char *why, size_t size);

/* The script has ended. Rank 0 waits until all have. Then MPI may be finalised. */
void mpi_watch_goodbye(mpi_run *run);

/* After MPI is finalised: end the thread. */
void mpi_watch_stop(mpi_run *run);

/* The script has failed: end the run. */
_Noreturn void mpi_watch_fail(mpi_run *run, const char *text);

/* ---- launcher.c: the process that started us ---- */

typedef struct mpi_launcher {
  int parent;              /* getppid() */
  int pid;                 /* of the launcher, if there are programs between; else 0 */
  unsigned long long born; /* when it started: a process id is used again */
} mpi_launcher;

mpi_launcher mpi_launcher_find(void);
bool mpi_launcher_lives(const mpi_launcher *l);

/* ---- judge.c: who is at fault ---- */

/* What a watch knows of a rank. Rank 0 has one for each, itself included; the others only use that of rank 0. Times are
** in seconds. */
typedef struct mpi_peer {
  mpi_link link;
  char host[64];
  int pid;
  mpi_place place;
  double heard, beat;        /* when it was heard last, and when it last told its place */
  bool computes;             /* between its last two beats it did */
  double still;              /* for how long its place has not changed */
  double idle, busy, missed; /* while others wait for it: it computes nothing; it computes; its script has ended */
  bool bye;                  /* its script has ended */
  bool gone;                 /* its link has ended */
  char *failure;             /* its script's message; NULL: none */
} mpi_peer;

typedef enum mpi_fault {
  FAULT_NONE,
  FAULT_GONE,   /* its process has ended */
  FAULT_SILENT, /* it is stopped, or cut off */
  FAULT_IDLE,   /* the others wait for it, and it computes nothing */
  FAULT_BUSY,   /* the others wait for it, and it has computed for very long */
  FAULT_ENDED,  /* the others wait for it, and its script has ended */
  FAULT_STEP,   /* all wait, in different calls */
  FAULT_STUCK   /* all wait, in the same call */
} mpi_fault;

typedef struct mpi_verdict {
  mpi_fault fault;
  int rank;
} mpi_verdict;

enum {
  MPI_PATIENCE = 20, /* a rank that computes while others wait has so many times the timeout */
  MPI_OUTAGE = 4     /* and so has a call that all are in, in which nothing arrives: TCP sends again what is lost */
};

/* Take what a rank has told of its place. */
void mpi_note_place(mpi_peer *p, const mpi_place *place, double now);

/* Is the rank in a call, and so waits for those that have not entered it? */
bool mpi_waits(const mpi_peer *p);

/* Account for dt seconds that have passed since the last call, and look for a fault. */
mpi_verdict mpi_judge(mpi_peer *peers, int size, double now, double dt, double timeout);

/* ---- words.c: the message ---- */

/* Write the message about a fault, or about the failures of scripts. */
void mpi_describe(char *out, size_t size, mpi_verdict v, const mpi_peer *peers, int ranks, double timeout);
void mpi_describe_failures(char *out, size_t size, const mpi_peer *peers, int ranks);

/* ---- end.c ---- */

/* Print the message, and end the run. NULL: the launcher is gone, and nobody reads messages; end this process. */
_Noreturn void mpi_end_run(const char *message);

/* Another rank has printed the reason and ends the run: write out what the script has printed, and end this process
** if the launcher does not. */
_Noreturn void mpi_end_quietly(double seconds);

#endif
