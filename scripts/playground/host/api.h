/* api.h - what the server answers: the page's files and the requests of the page. */
#ifndef PLAYGROUND_API_H
#define PLAYGROUND_API_H

#include "answer.h"
#include "guard.h"
#include "session.h"

typedef struct api {
  sessions *table;
  data *set;
  int most_sessions; /* at once */
  bucket opened;
  atomic_int streams; /* open ones; the other threads answer requests */
} api;

/* false: there is no memory. */
bool api_init(api *a, sessions *table, data *set, int most_sessions);
void api_destroy(api *a);

/* Streams at once; each has a thread of the server. */
int api_most_streams(const api *a);

/* Answers a request; returns the status. */
typedef int api_handler(api *a, connection *c);

/* The handler of a path and its methods. */
api_handler *api_find(const char *path, const char **methods);

#endif
