/* guard.c - who may ask. */
#include "guard.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "clock.h"

enum { NAME_SIZE = 256 };

/* Is this a name of the server itself? An address of its own always counts: only names can be made to lead elsewhere.
** Bound to all addresses, it cannot know which of them are its own, so any does. */
static bool is_own(const guard *g, const char *name) {
  struct in_addr number;
  if (strcasecmp(name, g->address) == 0) return true;
  bool everywhere = strcmp(g->address, "0.0.0.0") == 0;
  if (strcasecmp(name, "localhost") == 0) return everywhere || strncmp(g->address, "127.", 4) == 0;
  return everywhere && inet_pton(AF_INET, name, &number) == 1;
}

/* Divide a Host header. *port: its digits, "" if there is none. False: there is no name, or no number. */
static bool divide(const char *host, char name[NAME_SIZE], const char **port) {
  const char *colon = strrchr(host, ':');
  size_t length = colon ? (size_t)(colon - host) : strlen(host);
  if (length == 0 || length >= NAME_SIZE) return false;
  snprintf(name, NAME_SIZE, "%.*s", (int)length, host);
  *port = colon ? colon + 1 : "";
  return (*port)[strspn(*port, "0123456789")] == '\0';
}

/* The name that was added may be that of a server in front of this one, with another port. */
static bool is_added(const guard *g, const char *name) { return g->name && strcasecmp(name, g->name) == 0; }

bool guard_host(const guard *g, const char *host) {
  char name[NAME_SIZE], own[16];
  const char *port;
  int number = atomic_load(&g->port);
  if (!divide(host, name, &port)) return false;
  if (is_added(g, name)) return true;
  snprintf(own, sizeof own, "%d", number);
  return is_own(g, name) && (*port ? strcmp(port, own) == 0 : number == 80);
}

static bool is_page_of(const char *origin, const char *scheme, const char *host) {
  size_t length = strlen(scheme);
  return strncmp(origin, scheme, length) == 0 && strcasecmp(origin + length, host) == 0;
}

bool guard_origin(const guard *g, const char *origin, const char *host) {
  char name[NAME_SIZE];
  const char *port;
  if (!origin || is_page_of(origin, "http://", host)) return true;
  return divide(host, name, &port) && is_added(g, name) && is_page_of(origin, "https://", host);
}

bool guard_token(char token[TOKEN_SIZE + 1]) {
  unsigned char bytes[TOKEN_SIZE / 2];
  if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) return false;
  for (size_t i = 0; i < sizeof bytes; i++) snprintf(token + 2 * i, 3, "%02x", bytes[i]);
  return true;
}

bool guard_same(const char *token, const char *other) {
  unsigned difference = 0;
  if (strlen(other) != TOKEN_SIZE) return false;
  for (int i = 0; i < TOKEN_SIZE; i++) difference |= (unsigned char)token[i] ^ (unsigned char)other[i];
  return difference == 0;
}

bool bucket_init(bucket *b, double rate, double most) {
  *b = (bucket){.rate = rate, .most = most, .level = most, .at = clock_now()};
  return pthread_mutex_init(&b->lock, NULL) == 0;
}

void bucket_destroy(bucket *b) { pthread_mutex_destroy(&b->lock); }

bool bucket_take(bucket *b) {
  pthread_mutex_lock(&b->lock);
  uint64_t now = clock_now();
  b->level += (double)(now - b->at) / (double)CLOCK_SECOND * b->rate;
  if (b->level > b->most) b->level = b->most;
  b->at = now;
  bool ok = b->level >= 1;
  if (ok) b->level -= 1;
  pthread_mutex_unlock(&b->lock);
  return ok;
}
