/* options.c - the command line: a table of options, from which the help is made too. */
#include "options.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum kind { FLAG, TEXT, WHOLE, NUMBER } kind;

static const struct option {
  const char *name, *value, *help;
  kind kind;
  size_t field;
  double least, most;
} table[] = {
#define FIELD(f) offsetof(options, f)
    {"--port", "N", "the port; 0: any free one (8080, or the next free one)", WHOLE, FIELD(port), 0, 65535},
    {"--address", "A", "the IPv4 address to listen on; 0.0.0.0: all (127.0.0.1)", TEXT, FIELD(address), 0, 0},
    {"--name", "HOST", "a name under which visitors reach this server, besides its address", TEXT, FIELD(name), 0, 0},
    {"--data", "FOLDER", "the four files of MNIST or Fashion-MNIST (where the library finds one)", TEXT, FIELD(data), 0,
     0},
    {"--threads", "N", "threads of each session's training (1)", WHOLE, FIELD(threads), 1, 256},
    {"--sessions", "N", "visitors at once (8)", WHOLE, FIELD(sessions), 1, 1000},
    {"--memory", "MB", "that a session may hold (256)", NUMBER, FIELD(memory), 8, 1e6},
    {"--idle", "SECONDS", "after which an unused session ends (900)", NUMBER, FIELD(idle), 1, 1e6},
    {"--open", NULL, "open the page in a browser, if there is a display", FLAG, FIELD(open), 0, 0},
    {"--help", NULL, "print this", FLAG, FIELD(help), 0, 0},
#undef FIELD
};

enum { COUNT = sizeof table / sizeof *table };

void options_print_help(void) {
  puts("usage: moonglass-playground [options]\n\nServes the playground, a page that trains small nets and "
       "autoencoders.\n");
  for (int i = 0; i < COUNT; i++) {
    char left[32];
    snprintf(left, sizeof left, "%s %s", table[i].name, table[i].value ? table[i].value : "");
    printf("  %-18s %s\n", left, table[i].help);
  }
}

static bool complain(const char *name, const char *expected, const char *came) {
  fprintf(stderr, "moonglass-playground: %s: expected %s, got %s\n", name, expected, came ? came : "nothing");
  return false;
}

static bool store_number(options *o, const struct option *p, const char *text) {
  char *end, expected[96];
  double value = text ? strtod(text, &end) : 0;
  bool ok = text && *text && *end == '\0' && value >= p->least && value <= p->most;
  if (p->kind == WHOLE) ok = ok && value == (double)(int)value;
  snprintf(expected, sizeof expected, "a %snumber from %g to %g", p->kind == WHOLE ? "whole " : "", p->least, p->most);
  if (!ok) return complain(p->name, expected, text);
  if (p->kind == WHOLE)
    *(int *)((char *)o + p->field) = (int)value;
  else
    *(double *)((char *)o + p->field) = value;
  return true;
}

/* Store one option; *used: how many arguments it took. */
static bool store(options *o, const struct option *p, char **argv, int *used) {
  *used = p->kind == FLAG ? 1 : 2;
  if (p->kind == FLAG) {
    *(bool *)((char *)o + p->field) = true;
    return true;
  }
  if (p->kind != TEXT) return store_number(o, p, argv[1]);
  if (!argv[1] || !*argv[1]) return complain(p->name, p->value, NULL);
  *(const char **)((char *)o + p->field) = argv[1];
  return true;
}

bool options_read(options *o, char **argv) {
  struct in_addr number;
  *o = (options){.address = "127.0.0.1", .port = -1, .threads = 1, .sessions = 8, .memory = 256, .idle = 900};
  for (int used; *argv; argv += used) {
    int i = 0;
    while (i < COUNT && strcmp(*argv, table[i].name) != 0) i++;
    if (i == COUNT) return complain(*argv, "an option (--help lists them)", "another word");
    if (!store(o, &table[i], argv, &used)) return false;
  }
  if (inet_pton(AF_INET, o->address, &number) != 1) return complain("--address", "an IPv4 address", o->address);
  return true;
}
