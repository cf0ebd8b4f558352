/* watch.c - the watch of a rank: a thread that tells rank 0's watch once a second where its script is, and hears from
** it that it is there. Rank 0's watch judges; if rank 0 itself is gone or silent, the others end the run. */
#include "watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ACCEPT_S = 20, MOST_MESSAGE = 4 * MPI_MOST_TEXT };

struct mpi_watch {
  mpi_run *run;
  mpi_peer *peers; /* of all ranks; those but rank 0 have a link to rank 0 only, in peers[0] */
  struct pollfd *polls;
  mpi_launcher launcher;
  pthread_t thread;
  pthread_mutex_t lock; /* of the fields below */
  pthread_cond_t changed;
  int wake[2]; /* a pipe: a byte ends the wait of the thread */
  char *failure;
  bool leaving, all_left, stopping;
  double failing; /* when the first failure became known; 0: none. Of the thread, as what follows */
  bool told_leaving, told_failure;
};

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double cpu_us(clockid_t clock) {
  struct timespec t = {0};
  clock_gettime(clock, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

/* ---- what a rank tells ---- */

static mpi_frame frame_of(const mpi_watch *w, mpi_word word) {
  const mpi_progress *p = &w->run->progress;
  mpi_frame f = {.word = word, .rank = w->run->rank, .pid = getpid()};
  f.place.left = atomic_load(&p->left); /* first: it must not be ahead of entered */
  f.place.moved = atomic_load(&p->moved);
  f.place.call = atomic_load(&p->call);
  f.place.entered = atomic_load(&p->entered);
  f.place.cpu = (uint64_t)(cpu_us(CLOCK_PROCESS_CPUTIME_ID) - cpu_us(CLOCK_THREAD_CPUTIME_ID));
  return f;
}

/* Rank 0 tells all others, the others tell rank 0. */
static void tell(mpi_watch *w, mpi_word word, const char *text) {
  int wait = word == WORD_BEAT ? 0 : 500;
  if (w->run->rank) {
    mpi_link_write(&w->peers[0].link, frame_of(w, word), text, wait);
    return;
  }
  for (int i = 1; i < w->run->size; i++) mpi_link_write(&w->peers[i].link, frame_of(w, word), text, wait);
}

/* ---- ends ---- */

_Noreturn static void end_with(mpi_watch *w, const char *message) {
  tell(w, WORD_END, NULL);
  mpi_end_run(message);
}

/* Of the ranks that miss rank 0 the first says so; the others give it time to. */
_Noreturn static void end_by(mpi_watch *w, mpi_verdict v, double timeout) {
  char message[2048];
  int rank = w->run->rank;
  if (!mpi_launcher_lives(&w->launcher)) mpi_end_run(NULL);
  if (rank > 1) {
    struct timespec wait = {rank < 4 ? 5 * (rank - 1) : 15, 0};
    nanosleep(&wait, NULL);
  }
  mpi_describe(message, sizeof message, v, w->peers, w->run->size, timeout);
  end_with(w, message);
}

/* Rank 0: the scripts of some ranks have failed. The others have a second for theirs, so that the same error of all is
** one message. */
static void end_if_all_failed(mpi_watch *w, double now) {
  bool all = true;
  if (!w->failing) return;
  for (int i = 0; i < w->run->size; i++) all &= w->peers[i].failure || w->peers[i].gone || w->peers[i].bye;
  if (!all && now < w->failing + 1) return;
  char *message = malloc(MOST_MESSAGE);
  if (message) mpi_describe_failures(message, MOST_MESSAGE, w->peers, w->run->size);
  end_with(w, message ? message : "moonglass: a rank has failed, and there is no memory for its message\n");
}

/* ---- what a rank hears ---- */

static void take_failure(mpi_watch *w, mpi_peer *p, const char *text, double now) {
  if (!p->failure) p->failure = strdup(text ? text : "an error without a message");
  if (!w->failing) w->failing = now;
}

static void take_frame(mpi_watch *w, mpi_peer *p, double now) {
  const mpi_frame *f = &p->link.frame;
  p->heard = now;
  switch (f->word) {
    case WORD_BYE: p->bye = true; /* fallthrough */
    case WORD_BEAT: mpi_note_place(p, &f->place, now); break;
    case WORD_FAIL: take_failure(w, p, p->link.text, now); break;
    case WORD_END: mpi_end_quietly(1);
    default: break;
  }
}

static void read_link(mpi_watch *w, mpi_peer *p, double now) {
  mpi_got got;
  if (p->gone || p->link.fd < 0) return;
  while ((got = mpi_link_read(&p->link)) == GOT_FRAME) take_frame(w, p, now);
  if (got != GOT_END) return;
  p->gone = true;
  mpi_link_close(&p->link);
}

/* ---- what the script asks for ---- */

/* Under the lock. */
static void take_orders(mpi_watch *w, double now) {
  bool root = w->run->rank == 0;
  if (w->failure && !w->told_failure) {
    w->told_failure = true;
    if (root)
      take_failure(w, &w->peers[0], w->failure, now);
    else
      tell(w, WORD_FAIL, w->failure);
  }
  if (w->leaving && !w->told_leaving) {
    w->told_leaving = true;
    if (root)
      w->peers[0].bye = true;
    else
      tell(w, WORD_BYE, NULL);
  }
  if (!root || w->all_left) return;
  for (int i = 0; i < w->run->size; i++)
    if (!w->peers[i].bye) return;
  tell(w, WORD_BYE, NULL);
  w->all_left = true;
  pthread_cond_broadcast(&w->changed);
}

/* ---- the thread ---- */

static void judge(mpi_watch *w, double now, double dt) {
  double timeout = atomic_load(&w->run->timeout);
  mpi_verdict v = {FAULT_NONE, 0};
  if (dt > 0 && !mpi_launcher_lives(&w->launcher)) mpi_end_run(NULL);
  if (w->run->rank == 0) {
    mpi_frame own = frame_of(w, WORD_BEAT);
    w->peers[0].heard = now;
    if (dt > 0) mpi_note_place(&w->peers[0], &own.place, now);
    end_if_all_failed(w, now);
    if (!w->failing) v = mpi_judge(w->peers, w->run->size, now, dt, timeout);
  } else if (w->peers[0].gone ? !w->peers[0].bye : now - w->peers[0].heard > timeout) {
    v.fault = w->peers[0].gone ? FAULT_GONE : FAULT_SILENT;
  }
  if (v.fault) end_by(w, v, timeout);
}

static void wait_for_news(mpi_watch *w, int ms) {
  int n = 0;
  char byte[16];
  w->polls[n++] = (struct pollfd){w->wake[0], POLLIN, 0};
  for (int i = 0; i < w->run->size; i++)
    if (w->peers[i].link.fd >= 0) w->polls[n++] = (struct pollfd){w->peers[i].link.fd, POLLIN, 0};
  if (poll(w->polls, (nfds_t)n, ms) > 0 && w->polls[0].revents && read(w->wake[0], byte, sizeof byte) < 0) return;
}

/* If this process was stopped itself, the others must be heard again first. */
static void forget_pause(mpi_watch *w, double now) {
  for (int i = 0; i < w->run->size; i++) w->peers[i].heard = now;
}

static bool stops(mpi_watch *w, double now) {
  pthread_mutex_lock(&w->lock);
  take_orders(w, now);
  bool stopping = w->stopping;
  pthread_mutex_unlock(&w->lock);
  return stopping;
}

static void *watch(void *ud) {
  mpi_watch *w = ud;
  double beat = now_s(), before = beat;
  /* When a rank is killed, the launcher may end the others at once. If we may, we are faster, and say why. */
  struct sched_param first = {sched_get_priority_min(SCHED_RR)};
  pthread_setschedparam(pthread_self(), SCHED_RR, &first);
  forget_pause(w, beat);
  for (;;) {
    double tick = atomic_load(&w->run->timeout) / 8, now = now_s();
    if (tick > 1) tick = 1;
    wait_for_news(w, now < beat + tick ? (int)((beat + tick - now) * 1000) + 1 : 0);
    now = now_s();
    if (now > before + tick + 2) forget_pause(w, beat = now);
    before = now;
    for (int i = 0; i < w->run->size; i++) read_link(w, &w->peers[i], now);
    if (stops(w, now)) return NULL;
    double dt = now - beat;
    if (dt >= tick) {
      tell(w, WORD_BEAT, NULL);
      beat = now;
    }
    judge(w, now, dt >= tick ? dt : 0);
  }
}

/* ---- beginning ---- */

static void know(mpi_peer *p, const char *host, int pid) {
  snprintf(p->host, sizeof p->host, "%s", host);
  p->pid = pid;
}

/* Rank 0: a link to each other rank, within some seconds. Those that are missing say why themselves. */
static void accept_all(mpi_watch *w, const mpi_card *card, int listening) {
  double until = now_s() + ACCEPT_S;
  know(&w->peers[0], card->host, card->pid);
  for (int missing = w->run->size - 1; missing > 0 && now_s() < until;) {
    struct pollfd p = {listening, POLLIN, 0};
    mpi_link link;
    if (poll(&p, 1, 200) <= 0 || !mpi_link_accept(listening, card, w->run->size, &link)) continue;
    mpi_peer *peer = &w->peers[link.frame.rank];
    if (peer->link.fd < 0) missing--;
    mpi_link_close(&peer->link);
    know(peer, link.text, link.frame.pid);
    peer->link = link;
  }
}

/* All ranks learn where rank 0 listens, also those that have no memory for a watch: the others wait for them here. */
static bool join(mpi_run *run, mpi_watch *w, char *why, size_t size) {
  mpi_card card = {0};
  int listening = run->rank == 0 && w ? mpi_link_listen(&card) : -1;
  if (run->rank == 0 && !w) snprintf(card.why, sizeof card.why, "rank 0 has no memory for its watch");
  bool ok = mpi_cast_bytes(run, &card, sizeof card, 0) == MPI_SUCCESS && !card.why[0] && w;
  if (!ok) {
    snprintf(why, size, "%s", card.why[0] ? card.why : w ? "MPI_Bcast failed" : "no memory for the watch");
  } else if (run->rank == 0) {
    accept_all(w, &card, listening);
  } else {
    know(&w->peers[0], card.host, card.pid);
    ok = mpi_link_connect(&w->peers[0].link, &card, run->rank, why, size);
  }
  if (listening >= 0) close(listening);
  if (ok && run->size > 1) { /* rank 1 says that rank 0 is gone */
    mpi_link_lower(&w->peers[run->rank == 0].link, run->low);
    run->low = -1;
  }
  return ok;
}

static mpi_watch *new_watch(mpi_run *run) {
  mpi_watch *w = calloc(1, sizeof *w);
  if (!w) return NULL;
  w->run = run;
  w->peers = calloc((size_t)run->size, sizeof *w->peers);
  w->polls = calloc((size_t)run->size + 1, sizeof *w->polls);
  w->launcher = mpi_launcher_find();
  if (!w->peers || !w->polls || pipe2(w->wake, O_CLOEXEC | O_NONBLOCK) != 0) {
    free(w->peers);
    free(w->polls);
    free(w);
    return NULL;
  }
  for (int i = 0; i < run->size; i++) w->peers[i].link.fd = -1;
  pthread_mutex_init(&w->lock, NULL);
  pthread_cond_init(&w->changed, NULL);
  return w;
}

static void free_watch(mpi_watch *w) {
  for (int i = 0; i < w->run->size; i++) {
    mpi_link_close(&w->peers[i].link);
    free(w->peers[i].failure);
  }
  close(w->wake[0]);
  close(w->wake[1]);
  pthread_mutex_destroy(&w->lock);
  pthread_cond_destroy(&w->changed);
  free(w->peers);
  free(w->polls);
  free(w->failure);
  free(w);
}

/* The thread takes no signals: they are the host's. */
static int start_thread(mpi_watch *w) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  int error = pthread_create(&w->thread, NULL, watch, w);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return error;
}

bool mpi_watch_start(mpi_run *run, char *why, size_t size) {
  mpi_watch *w = new_watch(run);
  bool ok = join(run, w, why, size);
  int error = ok ? start_thread(w) : 0;
  if (error) snprintf(why, size, "cannot start the watch's thread: %s", strerror(error));
  if (!ok || error) {
    if (w) free_watch(w);
    return false;
  }
  run->watch = w;
  return true;
}

/* ---- orders ---- */

static void wake(mpi_watch *w) {
  if (write(w->wake[1], "", 1) < 0) return; /* full: it wakes anyway */
}

void mpi_watch_goodbye(mpi_run *run) {
  mpi_watch *w = run->watch;
  if (!w) return;
  pthread_mutex_lock(&w->lock);
  w->leaving = true;
  wake(w);
  while (run->rank == 0 && !w->all_left) pthread_cond_wait(&w->changed, &w->lock);
  pthread_mutex_unlock(&w->lock);
}

void mpi_watch_stop(mpi_run *run) {
  mpi_watch *w = run->watch;
  if (!w) return;
  pthread_mutex_lock(&w->lock);
  w->stopping = true;
  wake(w);
  pthread_mutex_unlock(&w->lock);
  pthread_join(w->thread, NULL);
  free_watch(w);
  run->watch = NULL;
}

void mpi_watch_fail(mpi_run *run, const char *text) {
  mpi_watch *w = run->watch;
  fflush(NULL);
  pthread_mutex_lock(&w->lock);
  w->failure = strdup(text);
  wake(w);
  pthread_mutex_unlock(&w->lock);
  struct timespec wait = {10, 0};
  nanosleep(&wait, NULL);
  fprintf(stderr, "moonglass: rank %d of %d: %s\n", run->rank, run->size, text);
  _exit(1);
}
