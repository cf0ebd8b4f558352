/* say.c - what the program says on the standard error. A line is one write, so lines of two threads do not mix.
** Names of columns and cells come from files: control characters in them, which a terminal would obey, become '?'. */
#include "say.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

/* A longer message is cut. */
static void say_line(const char *format, va_list arguments) {
  char line[4096] = "moonglass-anomaly: ";
  const size_t name = sizeof "moonglass-anomaly: " - 1;
  int n = vsnprintf(line + name, sizeof line - name - 1, format, arguments);
  if (n < 0) return;
  size_t length = name + (size_t)n;
  if (length > sizeof line - 2) length = sizeof line - 2;
  for (size_t i = name; i < length; i++)
    if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) line[i] = '?';
  line[length++] = '\n';
  if (write(STDERR_FILENO, line, length) < 0) return; /* there is nobody to tell */
}

void say(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say_line(format, arguments);
  va_end(arguments);
}

outcome say_failure(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  say_line(format, arguments);
  va_end(arguments);
  return FAILED;
}
