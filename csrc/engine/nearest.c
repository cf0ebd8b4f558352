/* nearest.c - "did you mean": how far a name is from one that exists. */
#include <ctype.h>
#include <string.h>

#include "internal.h"

enum { LONGEST = 48 }; /* longer ones are no names */

static char lower(char c) { return (char)tolower((unsigned char)c); }

static unsigned char least(unsigned char a, unsigned char b) { return a < b ? a : b; }

/* Optimal string alignment (Damerau 1964, CACM 7): cost[i][j] is that of turning a's first i letters into b's first j,
** of which only the last three rows are kept. */
static size_t edits(const char *a, size_t m, const char *b, size_t n) {
  unsigned char cost[3][LONGEST + 1];
  for (size_t j = 0; j <= n; j++) cost[0][j] = (unsigned char)j;
  for (size_t i = 1; i <= m; i++) {
    unsigned char *row = cost[i % 3], *above = cost[(i + 2) % 3], *two_above = cost[(i + 1) % 3];
    row[0] = (unsigned char)i;
    for (size_t j = 1; j <= n; j++) {
      char x = lower(a[i - 1]), y = lower(b[j - 1]);
      row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (x != y));
      if (i > 1 && j > 1 && x == lower(b[j - 2]) && y == lower(a[i - 2])) row[j] = least(row[j], two_above[j - 2] + 1);
    }
  }
  return cost[m % 3][n];
}

/* Is a the beginning of b? Of fewer than three letters that is chance. */
static bool abbreviates(const char *a, size_t m, const char *b) {
  for (size_t i = 0; i < m; i++)
    if (lower(a[i]) != lower(b[i])) return false;
  return m >= 3;
}

size_t moon_name_distance(const char *a, const char *b) {
  size_t m = strlen(a), n = strlen(b), longer = m > n ? m : n;
  if (longer > LONGEST) return SIZE_MAX;
  size_t distance = edits(a, m, b, n);
  if (distance < longer && distance <= (longer < 6 ? 1 : longer / 3)) return distance;
  return abbreviates(a, m, b) ? LONGEST : SIZE_MAX;
}
