/* http.h - the web server: addresses, answers, headers. */
#ifndef PLAYGROUND_HTTP_H
#define PLAYGROUND_HTTP_H

#include "session.h"

typedef struct http http;

typedef struct http_config {
  const char *address, *name; /* see guard.h */
  int port;                   /* 0: any that is free */
  int sessions;               /* at once: the server has threads for their streams */
  sessions *table;
  data *set;
} http_config;

/* Start it. NULL: the port is not free, or there is no memory; words has room for the reason. */
http *http_start(const http_config *config, char *words, size_t room);

/* The port that it listens on. */
int http_port(const http *h);

/* Stop it; its threads end first. */
void http_stop(http *h);

#endif
