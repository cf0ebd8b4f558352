/* guard.c - who may ask. */
#include "guard.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "clock.h"

/* Does this server answer to the name? An address of its own always counts: only names can be made to lead elsewhere.
** Bound to all addresses, it cannot know which of them are its own, so any does. */
static bool is_name(const guard *g, const char *name) {
  struct in_addr number;
  if (strcasecmp(name, g->address) == 0) return true;
  if (g->name && strcasecmp(name, g->name) == 0) return true;
  bool everywhere = strcmp(g->address, "0.0.0.0") == 0;
  if (strcasecmp(name, "localhost") == 0) return everywhere || strncmp(g->address, "127.", 4) == 0;
  return everywhere && inet_pton(AF_INET, name, &number) == 1;
}

bool guard_host(const guard *g, const char *host) {
  char name[256];
  const char *colon = strrchr(host, ':');
  size_t length = colon ? (size_t)(colon - host) : strlen(host);
  char port[16];
  if (length >= sizeof name) return false;
  snprintf(name, sizeof name, "%.*s", (int)length, host);
  snprintf(port, sizeof port, "%d", atomic_load(&g->port));
  return is_name(g, name) && (colon ? strcmp(colon + 1, port) == 0 : atomic_load(&g->port) == 80);
}

bool guard_origin(const char *origin, const char *host) {
  static const char scheme[] = "http://";
  return !origin ||
         (strncmp(origin, scheme, sizeof scheme - 1) == 0 && strcasecmp(origin + sizeof scheme - 1, host) == 0);
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
