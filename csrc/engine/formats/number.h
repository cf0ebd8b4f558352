/* number.h - decimal numbers as text. They are rounded correctly, to the nearest double, whatever the locale. */
#ifndef MOONI_NUMBER_H
#define MOONI_NUMBER_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef enum mooni_number { MOONI_NUMBER, MOONI_NO_NUMBER, MOONI_TOO_LARGE } mooni_number;

/* Read a number that takes all of text..end: sign, digits with at most one point, exponent. No blanks, no words, no
** hexadecimal digits. point: '.' or ',' as an unsigned char; -1: whole digits only. Too large: beyond any double. */
mooni_number mooni_number_read(const char *text, const char *end, int point, double *value);

/* w * 10^e for -27 <= e <= 27, rounded correctly. */
double mooni_number_scale(uint64_t w, int e);

extern const double mooni_powers_of_ten[23]; /* those that a double has exactly */

/* Does each double near v round to the same float? v is 4 or more last places from the middle between two floats. */
static inline bool mooni_number_settled(double v) {
  enum { BEYOND = 29 }; /* bits that a float has no room for */
  uint64_t bits;
  memcpy(&bits, &v, sizeof bits);
  const uint64_t rest = bits & (((uint64_t)1 << BEYOND) - 1), half = (uint64_t)1 << (BEYOND - 1);
  return rest + 4 < half || rest > half + 4;
}

/* Read the number that begins at p, if it is of the common kind: up to 19 digits and a small exponent. Returns where it
** ends; NULL if it is of another kind, or none: then ask mooni_number_read. Behind the text must be a byte that is no
** part of a number, such as a zero byte. With up to 15 digits a double has both the digits and the power of ten
** exactly, so that one operation rounds once: W. D. Clinger, How to read floating point numbers accurately, 1990. With
** more digits, two operations that round are at most 2 last places off: that is enough if the float does not depend on
** it. So *value, as a float, is the nearest one to the nearest double; as a double it may be 2 last places off. */
static inline const char *mooni_number_fast(const char *p, int point, double *value) {
  const bool negative = *p == '-';
  const char *first = p += negative;
  uint64_t w = 0;
  unsigned digit;
  int e = 0;
  while ((digit = (unsigned char)*p - (unsigned)'0') <= 9) w = w * 10 + digit, p++;
  intptr_t digits = p - first;
  if ((unsigned char)*p == point) {
    const char *fraction = ++p;
    while ((digit = (unsigned char)*p - (unsigned)'0') <= 9) w = w * 10 + digit, p++;
    if (p - fraction > 19) return 0;
    e = -(int)(p - fraction);
    digits -= e;
  }
  if (digits < 1 || digits > 19) return 0;
  if ((*p | 0x20) == 'e') {
    int exponent = 0;
    const bool down = *++p == '-';
    p += down || *p == '+';
    first = p;
    while ((digit = (unsigned char)*p - (unsigned)'0') <= 9 && p - first < 4)
      exponent = exponent * 10 + (int)digit, p++;
    if (p == first || digit <= 9) return 0;
    e += down ? -exponent : exponent;
  }
  const bool exact = w <= (uint64_t)1 << 53;
  const bool near = e >= -22 && e <= (exact ? 22 : 18); /* w * 10^18 is below the largest float */
  double size = 0;
  if (near) size = e < 0 ? (double)w / mooni_powers_of_ten[-e] : (double)w * mooni_powers_of_ten[e];
  if (!near || !(exact || mooni_number_settled(size))) {
    if (e < -27 || e > 27) return 0;
    size = mooni_number_scale(w, e);
  }
  *value = negative ? -size : size;
  return p;
}

#endif
