/* data.h - the pictures that all sessions share. A thread reads them while the server starts. */
#ifndef PLAYGROUND_DATA_H
#define PLAYGROUND_DATA_H

#include <lua.h>
#include <moonglass.h>
#include <pthread.h>
#include <stdbool.h>

enum { DATA_NAMED = 1, DATA_READ };

typedef struct data {
  const char *folder;    /* NULL: the library's own places */
  lua_State *L;          /* that the tensors belong to */
  moon_tensor *parts[4]; /* images and labels of training and test; NULL: there are none */
  char name[64];         /* "MNIST" */
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t progress;
  int stage;
} data;

/* Begin to read. False: no thread could be started. */
bool data_init(data *d, const char *folder);

/* Its name, as soon as it is known; NULL: there is no set. */
const char *data_name(data *d);

/* Wait until everything is read. True: there are pictures. */
bool data_wait(data *d);

/* When no session uses it any more. */
void data_destroy(data *d);

#endif
