/* Connect hosts by a link with a delay, losses and a rate, for kernels without netem: wire HOSTS DELAY_US LOSS_PPM
 * MBITS. It makes a TAP device port1, port2, ... for each host, prints "ready", and then is their switch: it reads
 * frames, loses some, and hands each to the device that has its destination when its time has come. hosts.py moves each
 * device into a host's namespace. The program ends with the process that has started it. */
#define _GNU_SOURCE /* ppoll */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { MOST_HOSTS = 16, FRAME = 2048, QUEUE = 1000, ADDRESS = 6 };

typedef struct frame {
  int64_t due; /* nanoseconds */
  size_t size;
  unsigned char bytes[FRAME];
} frame;

/* A host's port, with the frames that it has sent and that are on their way. */
typedef struct port {
  int fd;
  unsigned char address[ADDRESS]; /* learnt from what it sends */
  int64_t free_at;                /* when its line has sent the last frame */
  size_t first, count;
  frame *queue;
} port;

static port ports[MOST_HOSTS];
static size_t hosts;
static int64_t delay_ns, loss_ppm, mbits;

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Whether to lose this frame: an own generator, so that runs lose alike. */
static int is_lost(void) {
  static uint64_t state = 88172645463325252u;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (int64_t)(state % 1000000) < loss_ppm;
}

static int open_port(port *p, size_t number) {
  struct ifreq wish;
  memset(&wish, 0, sizeof wish);
  wish.ifr_flags = IFF_TAP | IFF_NO_PI;
  snprintf(wish.ifr_name, sizeof wish.ifr_name, "port%zu", number + 1);
  p->queue = calloc(QUEUE, sizeof *p->queue);
  p->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  return p->queue != NULL && p->fd >= 0 && ioctl(p->fd, TUNSETIFF, &wish) == 0;
}

/* Read all frames of a port into its queue. What does not fit is lost, as in any switch. */
static void receive(port *p) {
  static unsigned char spare[FRAME];
  for (;;) {
    frame *f = p->count < QUEUE ? &p->queue[(p->first + p->count) % QUEUE] : NULL;
    ssize_t size = read(p->fd, f != NULL ? f->bytes : spare, FRAME);
    if (size < 2 * ADDRESS) return;
    if (f == NULL) continue;
    memcpy(p->address, f->bytes + ADDRESS, ADDRESS);
    if (is_lost()) continue;
    int64_t time = now(), start = p->free_at > time ? p->free_at : time;
    p->free_at = mbits > 0 ? start + (int64_t)size * 8000 / mbits : start;
    f->due = p->free_at + delay_ns;
    f->size = (size_t)size;
    p->count++;
  }
}

/* Hand a frame to the port that has its destination; to all others if it is for many, or for an unknown one. */
static void deliver(const port *from, const frame *f) {
  port *only = NULL;
  for (size_t i = 0; i < hosts; i++) {
    if (memcmp(ports[i].address, f->bytes, ADDRESS) == 0) only = &ports[i];
  }
  for (size_t i = 0; i < hosts; i++) {
    /* A device that is down refuses the frame: it is lost. */
    if (&ports[i] != from && (only == NULL || only == &ports[i]) && write(ports[i].fd, f->bytes, f->size) < 0) continue;
  }
}

/* Deliver what is due; returns the nanoseconds until the next frame is, or -1 if none is on its way. */
static int64_t send_due(void) {
  int64_t next = -1;
  for (size_t i = 0; i < hosts; i++) {
    port *p = &ports[i];
    while (p->count > 0) {
      int64_t wait = p->queue[p->first].due - now();
      if (wait > 0) {
        if (next < 0 || wait < next) next = wait;
        break;
      }
      deliver(p, &p->queue[p->first]);
      p->first = (p->first + 1) % QUEUE;
      p->count--;
    }
  }
  return next;
}

int main(int argc, char **argv) {
  if (argc != 5 || (hosts = strtoul(argv[1], NULL, 10)) < 1 || hosts > MOST_HOSTS) {
    fprintf(stderr, "usage: wire HOSTS DELAY_US LOSS_PPM MBITS (0: no limit), with at most %d hosts\n", MOST_HOSTS);
    return 2;
  }
  delay_ns = strtoll(argv[2], NULL, 10) * 1000;
  loss_ppm = strtoll(argv[3], NULL, 10);
  mbits = strtoll(argv[4], NULL, 10);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_TIMERSLACK, 1000ul);
  /* Before the ranks, which may wait busily: a link does not wait for a core. Where that is refused, it does. */
  sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 10});
  struct pollfd waits[MOST_HOSTS];
  for (size_t i = 0; i < hosts; i++) {
    if (!open_port(&ports[i], i)) {
      fprintf(stderr, "wire: cannot make a TAP device: %s\n", strerror(errno));
      return 1;
    }
    waits[i] = (struct pollfd){.fd = ports[i].fd, .events = POLLIN};
  }
  puts("ready");
  fflush(stdout);
  for (;;) {
    int64_t next = send_due();
    struct timespec wait = {next / 1000000000, next % 1000000000};
    if (ppoll(waits, hosts, next < 0 ? NULL : &wait, NULL) < 0 && errno != EINTR) return 1;
    for (size_t i = 0; i < hosts; i++) {
      if (waits[i].revents != 0) receive(&ports[i]);
    }
  }
}
