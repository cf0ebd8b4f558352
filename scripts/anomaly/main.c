/* main.c - the program `moonglass-anomaly`: finds anomalies in rows of numbers. */
#include <errno.h>
#include <fcntl.h>
#include <moonglass.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fit.h"
#include "help.h"
#include "options.h"
#include "say.h"
#include "score.h"

/* Print a text on the standard output. Returns the exit status. */
static int print(const char *text) {
  bool printed = fputs(text, stdout) >= 0 && fflush(stdout) == 0;
  if (!printed) say("cannot write to the standard output: %s", strerror(errno));
  return printed ? STATUS_OK : STATUS_FAILED;
}

/* A file that is opened must not become one of the three standard files because that was closed. */
static void fill_standard_files(void) {
  for (int fd = open("/dev/null", O_RDWR); fd >= 0 && fd <= STDERR_FILENO; fd = open("/dev/null", O_RDWR)) continue;
}

static int run_score(char **arguments) {
  options o;
  outcome result = options_read(&o, arguments);
  if (result == FINISHED) return print(help_text);
  return result == FAILED ? STATUS_ARGUMENTS : score_run(&o);
}

static int run_fit(char **arguments) {
  int status = fit_run(arguments);
  return status == FIT_HELP ? print(help_text) : status;
}

int main(int argc, char **argv) {
  bool closed = fcntl(STDOUT_FILENO, F_GETFD) < 0;
  const char *command = argc > 1 ? argv[1] : "";
  fill_standard_files();
  if (closed) return say_failure("the standard output is closed"), STATUS_FAILED;
  if (strcmp(command, "--help") == 0 || strcmp(command, "help") == 0) return print(help_text);
  if (strcmp(command, "--version") == 0) return print("moonglass-anomaly ") | print(moon_version()) | print("\n");
  if (strcmp(command, "score") == 0) return run_score(argv + 2);
  if (strcmp(command, "fit") == 0) return run_fit(argv + 2);
  if (*command)
    say("there is no command '%s', expected fit or score (--help)", command);
  else
    say("expected a command, fit or score (--help)");
  return STATUS_ARGUMENTS;
}
