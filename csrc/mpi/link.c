/* link.c - frames over TCP between the watches. Sockets are closed in programs that the process starts, so that a link
** ends with its process. */
#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void mpi_link_close(mpi_link *link) {
  if (link->fd >= 0) close(link->fd);
  free(link->text);
  *link = (mpi_link){.fd = -1};
}

void mpi_link_lower(mpi_link *link, int low) {
  if (low < 0 || link->fd < 0 || dup3(link->fd, low, O_CLOEXEC) < 0) return;
  close(link->fd);
  link->fd = low;
}

/* Read up to n bytes to p. Those that came, 0 if none are there, -1 at the end. */
static ssize_t take(int fd, void *p, size_t n) {
  ssize_t got = recv(fd, p, n, MSG_DONTWAIT);
  if (got > 0) return got;
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? 0 : -1;
}

mpi_got mpi_link_read(mpi_link *link) {
  enum { HEAD = sizeof link->frame };
  if (link->fd < 0) return GOT_END;
  if (link->have == HEAD + (size_t)link->frame.size && link->have >= HEAD) { /* the last one was read whole */
    free(link->text);
    link->text = NULL;
    link->have = 0;
  }
  while (link->have < HEAD || link->have < HEAD + (size_t)link->frame.size) {
    bool head = link->have < HEAD;
    char *to = head ? (char *)&link->frame + link->have : link->text + (link->have - HEAD);
    ssize_t got = take(link->fd, to, (head ? HEAD : HEAD + link->frame.size) - link->have);
    if (got <= 0) return got < 0 ? GOT_END : GOT_NOTHING;
    link->have += (size_t)got;
    if (link->have != HEAD || !link->frame.size) continue;
    if (link->frame.size > MPI_MOST_TEXT) return GOT_END;
    link->text = calloc(1, (size_t)link->frame.size + 1);
    if (!link->text) return GOT_END;
  }
  return GOT_FRAME;
}

static bool give(int fd, const char *p, size_t n, int wait) {
  while (n) {
    ssize_t sent = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) return false;
    if (sent > 0) {
      p += sent;
      n -= (size_t)sent;
    } else {
      struct pollfd room = {fd, POLLOUT, 0};
      if (poll(&room, 1, wait) <= 0) return false;
    }
  }
  return true;
}

bool mpi_link_write(mpi_link *link, mpi_frame frame, const char *text, int wait) {
  if (link->fd < 0) return false;
  size_t n = text ? strlen(text) : 0;
  if (n > MPI_MOST_TEXT) n = MPI_MOST_TEXT;
  frame.size = (uint32_t)n;

  return give(link->fd, (const char *)&frame, sizeof frame, wait) && (!n || give(link->fd, text, n, wait));
}
