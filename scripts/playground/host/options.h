/* options.h - the command line. */
#ifndef PLAYGROUND_OPTIONS_H
#define PLAYGROUND_OPTIONS_H

#include <stdbool.h>

typedef struct options {
  const char *address, *name, *data; /* name, data: NULL if not given */
  int port;                          /* -1: not given; 0: any that is free */
  int threads, sessions;
  double memory, idle; /* MB of a session, seconds */
  bool open, help;
} options;

/* False: a message has been written to the standard error. */
bool options_read(options *o, char **argv);

void options_print_help(void);

#endif
