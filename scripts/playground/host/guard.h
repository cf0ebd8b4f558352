/* guard.h - who may ask: the names of this server in Host and Origin, tokens, rates. */
#ifndef PLAYGROUND_GUARD_H
#define PLAYGROUND_GUARD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Is this Host header a name of the server? Else a page of another name, made to lead to this address (DNS rebinding),
** could use the server from a visitor's browser. */
typedef struct guard {
  const char *address; /* that it is bound to, e.g. "127.0.0.1" */
  const char *name;    /* one more that visitors use, at any port, or NULL */
  atomic_int port;     /* known when the server listens; its threads are there before */
} guard;
bool guard_host(const guard *g, const char *host);

/* Is this Origin header that of our page, as it was loaded from host? A request without one is no page's. Only the name
** that was added may be reached by https, through a server in front. */
bool guard_origin(const guard *g, const char *origin, const char *host);

/* A token: 192 random bits in hexadecimal digits. False: the system has none. */
enum { TOKEN_SIZE = 48 };
bool guard_token(char token[TOKEN_SIZE + 1]);

/* Are the tokens equal? Takes the same time wherever they differ. */
bool guard_same(const char *token, const char *other);

/* A rate: so many a second, and after a pause so many at once. */
typedef struct bucket {
  pthread_mutex_t lock;
  double rate, most, level;
  uint64_t at;
} bucket;
bool bucket_init(bucket *b, double rate, double most);
void bucket_destroy(bucket *b);
bool bucket_take(bucket *b);

#endif
