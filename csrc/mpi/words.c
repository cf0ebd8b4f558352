/* words.c - the message about the end of a run: which rank, on which host, and why; what to do. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "watch.h"

/* Text that grows in a buffer; what does not fit is left out. */
typedef struct text {
  char *at;
  size_t left;
} text;

__attribute__((format(printf, 2, 3))) static void add(text *t, const char *format, ...) {
  va_list list;
  va_start(list, format);
  int n = vsnprintf(t->at, t->left, format, list);
  va_end(list);
  size_t used = n < 0 ? 0 : (size_t)n < t->left ? (size_t)n : t->left - 1;
  t->at += used;
  t->left -= used;
}

/* "rank 2 of 4 (host b, process 123)" */
static void add_rank(text *t, const mpi_peer *peers, int rank, int ranks) {
  add(t, "rank %d of %d (host %s, process %d)", rank, ranks, peers[rank].host, peers[rank].pid);
}

/* "rank 1", "ranks 0, 2, 3": those that are chosen; of many only the first. */
static void add_ranks(text *t, const mpi_peer *peers, int ranks, bool (*chosen)(const mpi_peer *, const void *),
                      const void *with) {
  enum { SHOWN = 8 };
  int n = 0, first = -1;
  for (int i = 0; i < ranks; i++)
    if (chosen(&peers[i], with) && !n++) first = i;
  add(t, n == 1 ? "rank %d" : "ranks %d", first);
  int shown = 1;
  for (int i = first + 1; first >= 0 && i < ranks && shown < SHOWN; i++)
    if (chosen(&peers[i], with)) {
      add(t, ", %d", i);
      shown++;
    }
  if (n > shown) add(t, " and %d others", n - shown);
}

static const char *call_name(uint64_t call) {
  static const char *const names[] = {"no call", "reduce", "broadcast", "agree", "barrier"};
  return names[call < sizeof names / sizeof *names ? call : 0];
}

/* "reduce (call 120)": the number is MPI's, of which a call of the script may take several. */
static void add_call(text *t, const mpi_peer *p) {
  add(t, "%s (call %llu)", call_name(p->place.call), (unsigned long long)p->place.entered);
}

static bool waits(const mpi_peer *p, const void *with) {
  (void)with;
  return mpi_waits(p);
}

/* "ranks 0, 2 wait for it in reduce" */
static void add_waiting(text *t, const mpi_peer *peers, int ranks) {
  int n = 0;
  uint64_t call = CALL_NONE;
  for (int i = 0; i < ranks; i++)
    if (mpi_waits(&peers[i])) {
      n++;
      call = peers[i].place.call;
    }
  add_ranks(t, peers, ranks, waits, NULL);
  add(t, " wait%s for it in %s", n == 1 ? "s" : "", call_name(call));
}

static void add_fault(text *t, mpi_verdict v, const mpi_peer *peers, int ranks, double timeout) {
  const mpi_peer *p = &peers[v.rank];
  switch (v.fault) {
    case FAULT_GONE:
      add(t, "its process has ended: killed, or by an exit that leaves MPI open (os.exit(code, true) closes it)");
      break;
    case FAULT_SILENT: add(t, "not heard of for %.0f s: it is stopped, or its host is down or cut off", timeout); break;
    case FAULT_IDLE:
    case FAULT_BUSY:
      add(t, "%s outside of MPI for %.0f s, while ", v.fault == FAULT_IDLE ? "idle" : "computing", p->idle + p->busy);
      add_waiting(t, peers, ranks);
      add(t, "; if it has reason to, raise mpi.timeout (%.0f s%s)", timeout,
          v.fault == FAULT_IDLE ? "" : ", and 20 times that for a rank that computes");
      break;
    case FAULT_ENDED:
      add(t, "its script has ended, while ");
      add_waiting(t, peers, ranks);
      add(t, "; every rank must make the same calls");
      break;
    case FAULT_STEP:
      add(t, "waits in ");
      add_call(t, p);
      add(t, ", and rank 0 in ");
      add_call(t, &peers[0]);
      add(t, ", for %.0f s; every rank must make the same calls", timeout);
      break;
    default:
      add(t, "all ranks have been in ");
      add_call(t, p);
      add(t, " for %.0f s, and nothing arrives: is the network between them down?", MPI_OUTAGE * timeout);
  }
}

void mpi_describe(char *out, size_t size, mpi_verdict v, const mpi_peer *peers, int ranks, double timeout) {
  text t = {out, size};
  add(&t, "moonglass: ");
  add_rank(&t, peers, v.rank, ranks);
  add(&t, ": ");
  add_fault(&t, v, peers, ranks, timeout);
  add(&t, "\n");
}

/* ---- failures of scripts ---- */

/* The length of a failure without its traceback, in which the same function may have another name in each process: Lua
** finds it in the first table that holds it. */
static size_t words_of(const char *failure) {
  const char *traceback = strstr(failure, "\nstack traceback:");
  return traceback ? (size_t)(traceback - failure) : strlen(failure);
}

static bool failed_so(const mpi_peer *p, const void *with) {
  size_t n = words_of(with);
  return p->failure && words_of(p->failure) == n && memcmp(p->failure, with, n) == 0;
}

static int count(const mpi_peer *peers, int ranks, const char *failure) {
  int n = 0;
  for (int i = 0; i < ranks; i++) n += failed_so(&peers[i], failure);
  return n;
}

static void add_failure(text *t, const mpi_peer *peers, int ranks, int rank, int n) {
  add(t, "moonglass: ");
  if (n == ranks && ranks > 1) {
    add(t, "all %d ranks", ranks);
  } else if (n == 1) {
    add_rank(t, peers, rank, ranks);
  } else {
    add_ranks(t, peers, ranks, failed_so, peers[rank].failure);
    add(t, " of %d", ranks);
  }
  add(t, ": %s\n", peers[rank].failure);
}

/* One paragraph for each message, the rarest first: an error of one rank often causes one of all others. */
void mpi_describe_failures(char *out, size_t size, const mpi_peer *peers, int ranks) {
  text t = {out, size};
  for (int n = 1; n <= ranks; n++)
    for (int i = 0; i < ranks; i++) {
      const char *failure = peers[i].failure;
      if (!failure || count(peers, i, failure) || count(peers, ranks, failure) != n) continue;
      add_failure(&t, peers, ranks, i, n);
    }
}
