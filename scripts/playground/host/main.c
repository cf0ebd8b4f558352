/* main.c - moonglass-playground: the playground's server, from its start to its end. */
#include <fcntl.h>
#include <moonglass.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "http.h"
#include "options.h"

extern char **environ;

enum { FIRST_PORT = 8080, PORTS = 20 };

static int complain(const char *words) {
  fprintf(stderr, "moonglass-playground: %s\n", words);
  return 1;
}

/* A closed standard stream would be the number of the next file or connection, and words for the person who runs the
** server would go to a visitor. */
static bool open_standard_streams(void) {
  int number;
  do number = open("/dev/null", O_RDWR);
  while (number >= 0 && number <= STDERR_FILENO);
  return number >= 0 && close(number) == 0;
}

/* SIGINT and SIGTERM are for the main thread, which waits for them. Threads that are started later block them too. */
static void block_signals(sigset_t *ends) {
  sigemptyset(ends);
  sigaddset(ends, SIGINT);
  sigaddset(ends, SIGTERM);
  pthread_sigmask(SIG_BLOCK, ends, NULL);
}

/* The server waits up to two seconds for connections on which nothing happens; the system closes them as well. */
static void at_once(int number) {
  (void)number;
  _exit(0);
}

static void limit_end(void) {
  struct itimerval timer = {.it_value.tv_usec = 700 * 1000};
  signal(SIGALRM, at_once);
  setitimer(ITIMER_REAL, &timer, NULL);
}

/* The browser is not to have this program's signals blocked. */
static void open_browser(char *url) {
  char program[] = "xdg-open", *arguments[] = {program, url, NULL};
  posix_spawnattr_t how;
  sigset_t none;
  pid_t child;
  if (!getenv("DISPLAY") && !getenv("WAYLAND_DISPLAY")) return;
  sigemptyset(&none);
  posix_spawnattr_init(&how);
  posix_spawnattr_setsigmask(&how, &none);
  posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK);
  if (posix_spawnp(&child, program, NULL, &how, arguments, environ) != 0)
    complain("cannot start xdg-open; open the address in a browser");
  posix_spawnattr_destroy(&how);
}

static http *start(const options *o, http_config *config) {
  char words[256];
  int first = o->port >= 0 ? o->port : FIRST_PORT, count = o->port >= 0 ? 1 : PORTS;
  for (int i = 0; i < count; i++) {
    config->port = first + i;
    http *h = http_start(config, words, sizeof words);
    if (h) return h;
  }
  fprintf(stderr, "moonglass-playground: cannot listen on %s, port %d: %s; choose another one by --port\n", o->address,
          config->port, words);
  return NULL;
}

static void serve(const options *o, http *h, sessions *table, const sigset_t *ends) {
  char url[300];
  const char *name = o->name ? o->name : o->address;
  snprintf(url, sizeof url, "http://%s:%d/", name, http_port(h));
  if (printf("%s\n", url) < 0 || fflush(stdout) != 0)
    fprintf(stderr, "moonglass-playground: cannot write to the standard output; the address is %s\n", url);
  if (o->open) open_browser(url);
  const struct timespec tick = {0, 100 * 1000 * 1000};
  while (sigtimedwait(ends, NULL, &tick) < 0) sessions_tick(table);
  limit_end();
  sessions_close(table);
}

/* As many sessions train at once as there are cores for their threads. */
static int turns_of(const options *o) {
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  return cores > o->threads ? (int)(cores / o->threads) : 1;
}

static int run(const options *o) {
  data set;
  sessions table;
  turns cores;
  sigset_t ends;
  block_signals(&ends);
  json_object_seed(0);
  if (!data_init(&set, o->data)) return complain("cannot start a thread");
  state_config config = {(size_t)(o->memory * 1e6), o->threads, &set, &cores};
  if (!turns_init(&cores, turns_of(o)) || !sessions_init(&table, &config, o->sessions, o->idle))
    return complain("out of memory");
  http_config server = {o->address, o->name, 0, o->sessions, &table, &set};
  http *h = start(o, &server);
  if (h) {
    serve(o, h, &table, &ends);
    http_stop(h);
  }
  sessions_destroy(&table);
  turns_destroy(&cores);
  data_destroy(&set);
  return h ? 0 : 1;
}

int main(int argc, char **argv) {
  options o;
  if (!open_standard_streams()) return 1;
  if (argc < 1 || !options_read(&o, argv + 1)) return 2;
  if (o.help) {
    options_print_help();
    return 0;
  }
#ifdef __GLIBC__
  mallopt(M_ARENA_MAX, 4); /* an arena for each thread would keep memory of sessions that are gone */
#endif
  return run(&o);
}
