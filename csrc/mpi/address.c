/* address.c - how the watches find each other: rank 0 listens on any free port, and the others try its addresses. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link.h"

enum { CONNECT_MS = 3000, ANSWER_MS = 15000 };

/* What two ranks have in common if they share a loopback: the boot of the machine and the network namespace. */
static void name_network(char *out, size_t size) {
  char boot[64] = "", space[48] = "";
  int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    ssize_t n = read(fd, boot, sizeof boot - 1);
    if (n > 0) boot[strcspn(boot, "\n")] = '\0';
    close(fd);
  }
  if (readlink("/proc/self/ns/net", space, sizeof space - 1) < 0) space[0] = '\0';
  snprintf(out, size, "%s %s", boot, space);
}

static void list_addresses(mpi_card *card) {
  struct ifaddrs *all;
  if (getifaddrs(&all) != 0) return;
  for (struct ifaddrs *a = all; a && card->count < MPI_MOST_ADDRESSES; a = a->ifa_next) {
    if (!a->ifa_addr || !(a->ifa_flags & IFF_UP) || (a->ifa_flags & IFF_LOOPBACK)) continue;
    int family = a->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    socklen_t size = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    char *text = card->address[card->count];
    if (getnameinfo(a->ifa_addr, size, text, sizeof *card->address, NULL, 0, NI_NUMERICHOST) == 0 &&
        !strchr(text, '%')) /* link-local: another host does not know our interface's name */
      card->count++;
  }
  freeifaddrs(all);
}

/* A listening socket for IPv6 and IPv4, or for IPv4 alone where there is no IPv6. */
static int listening_socket(void) {
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
  struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr.s_addr = INADDR_ANY};
  int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), off = 0;
  if (fd >= 0) {
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, (struct sockaddr *)&six, sizeof six) == 0 && listen(fd, SOMAXCONN) == 0) return fd;
    close(fd);
  }
  fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && bind(fd, (struct sockaddr *)&four, sizeof four) == 0 && listen(fd, SOMAXCONN) == 0) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

int mpi_link_listen(mpi_card *card) {
  struct sockaddr_in6 own;
  socklen_t size = sizeof own;
  int fd = listening_socket();
  if (fd < 0 || getsockname(fd, (struct sockaddr *)&own, &size) != 0 ||
      getrandom(&card->token, sizeof card->token, 0) != (ssize_t)sizeof card->token) {
    snprintf(card->why, sizeof card->why, "rank 0 cannot listen on a TCP port: %s", strerror(errno));
    if (fd >= 0) close(fd);
    return -1;
  }
  card->port = ntohs(own.sin6_port); /* at the same place in an IPv4 address */
  card->pid = getpid();
  gethostname(card->host, sizeof card->host - 1);
  name_network(card->network, sizeof card->network);
  list_addresses(card);
  return fd;
}

/* Wait for one frame. */
static bool await(mpi_link *link, int ms) {
  for (;;) {
    mpi_got got = mpi_link_read(link);
    if (got != GOT_NOTHING) return got == GOT_FRAME;
    struct pollfd p = {link->fd, POLLIN, 0};
    if (poll(&p, 1, ms) <= 0) return false;
  }
}

static void without_delay(int fd) {
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

bool mpi_link_accept(int listening, const mpi_card *card, int size, mpi_link *link) {
  *link = (mpi_link){.fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC)};
  if (link->fd < 0) return false;
  without_delay(link->fd);
  if (await(link, CONNECT_MS) && link->frame.word == WORD_HELLO && link->frame.token == card->token &&
      link->frame.rank > 0 && link->frame.rank < size && link->text &&
      mpi_link_write(link, (mpi_frame){.word = WORD_WELCOME, .token = card->token}, NULL, CONNECT_MS))
    return true;
  mpi_link_close(link);
  return false;
}

/* A connected socket, or -1 with errno. */
static int connect_to(const char *address, uint16_t port) {
  char service[8];
  struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *a;
  snprintf(service, sizeof service, "%u", (unsigned)port);
  if (getaddrinfo(address, service, &hints, &a) != 0) return errno = EINVAL, -1;
  int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error = errno;
  if (fd >= 0) {
    struct pollfd p = {fd, POLLOUT, 0};
    socklen_t size = sizeof error;
    error = connect(fd, a->ai_addr, a->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) error = poll(&p, 1, CONNECT_MS) > 0 ? 0 : ETIMEDOUT;
    if (!error) getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) close(fd);
  }
  freeaddrinfo(a);
  return errno = error, error ? -1 : fd;
}

static bool greet(mpi_link *link, const mpi_card *card, int rank, const char *address) {
  char host[64] = "";
  *link = (mpi_link){.fd = connect_to(address, card->port)};
  if (link->fd < 0) return false;
  without_delay(link->fd);
  gethostname(host, sizeof host - 1);
  mpi_frame hello = {.word = WORD_HELLO, .rank = rank, .pid = getpid(), .token = card->token};
  if (mpi_link_write(link, hello, host[0] ? host : "?", CONNECT_MS) && await(link, ANSWER_MS) &&
      link->frame.word == WORD_WELCOME && link->frame.token == card->token)
    return true;
  mpi_link_close(link);
  return errno = EPROTO, false;
}

bool mpi_link_connect(mpi_link *link, const mpi_card *card, int rank, char *why, size_t size) {
  char network[sizeof card->network];
  name_network(network, sizeof network);
  if (card->why[0]) return snprintf(why, size, "%s", card->why), false;
  if (strcmp(network, card->network) == 0 && greet(link, card, rank, "127.0.0.1")) return true;
  int used = snprintf(why, size, "no connection to rank 0 on host %s, port %u", card->host, (unsigned)card->port);
  for (int i = 0; i < card->count; i++) {
    if (greet(link, card, rank, card->address[i])) return true;
    if (used >= 0 && (size_t)used < size)
      used += snprintf(why + used, size - (size_t)used, "; %s: %s", card->address[i],
                       errno == EPROTO ? "something else answers there" : strerror(errno));
  }
  return false;
}
