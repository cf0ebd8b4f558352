/* number.c - decimal numbers as text, rounded correctly to the nearest double (of two that are as near: the even one).
**
** Three ways, each exact: one operation of doubles (number.h); integers of 128 bits, for up to 19 digits and powers of
** ten up to 27; whole numbers of any size, for all others. The last one divides bit by bit, as at school. */
#include "number.h"

#include <stddef.h>
#include <string.h>

const double mooni_powers_of_ten[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* ---- rounding ---- */

/* The double nearest to m * 2^(exponent - 63), and a little more if `more`. m has its top bit. */
static double assemble(uint64_t m, int exponent, bool more) {
  const int drop = exponent < -1022 ? 11 + (-1022 - exponent) : 11; /* bits that a double has no room for */
  double value;
  if (drop > 64) return 0;
  uint64_t kept = drop < 64 ? m >> drop : 0, rest = drop < 64 ? m << (64 - drop) : m;
  const uint64_t half = (uint64_t)1 << 63;
  if (rest > half || (rest == half && (more || (kept & 1)))) kept++;
  /* A kept that has become one bit longer makes the exponent larger by one: just so are doubles stored. */
  if (exponent >= -1022) kept += (uint64_t)(exponent + 1022) << 52;
  if (exponent > 1023 || kept > (uint64_t)0x7ff << 52) kept = (uint64_t)0x7ff << 52; /* infinity */
  memcpy(&value, &kept, sizeof value);
  return value;
}

static int bits_of(uint64_t v) { return 64 - __builtin_clzll(v); }

/* ---- integers of 128 bits ---- */

__extension__ typedef unsigned __int128 wide;

static const uint64_t powers_of_five[] = {
    1,
    5,
    25,
    125,
    625,
    3125,
    15625,
    78125,
    390625,
    1953125,
    9765625,
    48828125,
    244140625,
    1220703125,
    6103515625,
    30517578125,
    152587890625,
    762939453125,
    3814697265625,
    19073486328125,
    95367431640625,
    476837158203125,
    2384185791015625,
    11920928955078125,
    59604644775390625,
    298023223876953125,
    1490116119384765625,
    7450580596923828125,
};

/* The product has at most 64 + 63 bits, all exact. */
static double scale_up(uint64_t w, int e) {
  wide product = (wide)w * powers_of_five[e];
  uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
  if (!high) return assemble(low << (64 - bits_of(low)), bits_of(low) - 1 + e, false);
  int shift = 64 - bits_of(high);
  uint64_t m = shift ? high << shift | low >> (64 - shift) : high;
  return assemble(m, 127 - shift + e, shift ? low << shift != 0 : low != 0);
}

/* w is shifted so far that its quotient has 63 or 64 bits: the processor divides such in one step. */
static double scale_down(uint64_t w, int e) {
  const uint64_t five = powers_of_five[e];
  const int shift = 64 + bits_of(five) - 1 - bits_of(w);
  const wide dividend = (wide)w << shift;
  uint64_t quotient = (uint64_t)(dividend / five);
  bool more = (uint64_t)dividend != quotient * five; /* the remainder is below 2^64 */
  int top = 64 - bits_of(quotient);
  return assemble(quotient << top, 63 - top - shift - e, more);
}

double mooni_number_scale(uint64_t w, int e) { return !w ? 0 : e < 0 ? scale_down(w, -e) : scale_up(w, e); }

/* ---- whole numbers of any size ---- */

/* 768 digits decide on which side of the middle between two doubles a number lies; of those behind them only whether
** all are 0. With the power of ten that a double so written needs, up to 10^1100, this is enough room. */
enum { DIGITS = 772, LIMBS = 256 };

typedef struct big {
  int n; /* without zeros at the top */
  uint32_t limb[LIMBS];
} big;

static void multiply_add(big *b, uint32_t factor, uint32_t more) {
  uint64_t carry = more;
  for (int i = 0; i < b->n; i++, carry >>= 32) {
    carry += (uint64_t)b->limb[i] * factor;
    b->limb[i] = (uint32_t)carry;
  }
  if (carry) b->limb[b->n++] = (uint32_t)carry;
}

static void multiply_by_power(big *b, int e) {
  for (; e >= 9; e -= 9) multiply_add(b, 1000000000, 0);
  for (; e > 0; e--) multiply_add(b, 10, 0);
}

static int length_of(const big *b) { return 32 * (b->n - 1) + bits_of(b->limb[b->n - 1]); }

static void shift_left(big *b, int count) {
  const int limbs = count / 32, bits = count % 32;
  memmove(b->limb + limbs, b->limb, (size_t)b->n * sizeof *b->limb);
  memset(b->limb, 0, (size_t)limbs * sizeof *b->limb);
  b->n += limbs;
  multiply_add(b, (uint32_t)1 << bits, 0);
}

static bool is_less(const big *a, const big *b) {
  if (a->n != b->n) return a->n < b->n;
  int i = a->n - 1;
  while (i > 0 && a->limb[i] == b->limb[i]) i--;
  return a->limb[i] < b->limb[i];
}

/* a -= b, which is not larger */
static void subtract(big *a, const big *b) {
  int64_t borrow = 0;
  for (int i = 0; i < a->n; i++, borrow >>= 32) {
    borrow += (int64_t)a->limb[i] - (i < b->n ? b->limb[i] : 0);
    a->limb[i] = (uint32_t)borrow;
  }
  while (a->n > 0 && !a->limb[a->n - 1]) a->n--;
}

/* a / b, both above 0 */
static double divide(big *a, big *b) {
  int exponent = length_of(a) - length_of(b);
  if (exponent < 0) shift_left(a, -exponent);
  if (exponent > 0) shift_left(b, exponent);
  if (is_less(a, b)) {
    exponent--;
    shift_left(a, 1);
  }
  uint64_t quotient = 0;
  for (int i = 0; i < 64; i++) {
    quotient <<= 1;
    if (a->n && !is_less(a, b)) {
      quotient |= 1;
      subtract(a, b);
    }
    if (a->n && i < 63) shift_left(a, 1);
  }
  return assemble(quotient, exponent, a->n > 0);
}

/* ---- the text ---- */

typedef struct decimal {
  big digits;    /* the first DIGITS of the number, as a whole number */
  int64_t count; /* of digits behind leading zeros */
  int64_t e;     /* the value is the digits * 10^e */
  bool more;     /* digits that are not 0 follow */
} decimal;

static void add_digit(decimal *d, int digit) {
  if (!d->count && !digit) return;
  d->count++;
  if (d->count <= DIGITS)
    multiply_add(&d->digits, 10, (uint32_t)digit);
  else
    d->more = d->more || digit;
}

static bool is_digit(const char *p, const char *end) { return p < end && *p >= '0' && *p <= '9'; }

/* The exponent at p, which must reach to the end. */
static bool read_exponent(const char *p, const char *end, int64_t *e) {
  const bool down = p < end && *p == '-';
  p += down || (p < end && *p == '+');
  if (p == end) return false;
  int64_t value = 0;
  for (; is_digit(p, end); p++)
    if (value < (int64_t)1 << 40) value = value * 10 + (*p - '0'); /* far above the bytes of any text */
  *e += down ? -value : value;
  return p == end;
}

/* Read digits, point and exponent; false if that is not all. */
static bool read_decimal(decimal *d, const char *p, const char *end, int point) {
  const char *from = p;
  for (; is_digit(p, end); p++) add_digit(d, *p - '0');
  intptr_t seen = p - from;
  if (p < end && (unsigned char)*p == point) {
    for (from = ++p; is_digit(p, end); p++) add_digit(d, *p - '0');
    d->e = from - p;
    seen += p - from;
  }
  if (!seen) return false;
  if (d->count > DIGITS) d->e += d->count - DIGITS;
  return p == end || ((*p | 0x20) == 'e' && read_exponent(p + 1, end, &d->e));
}

static double value_of(decimal *d) {
  const int64_t kept = d->count < DIGITS ? d->count : DIGITS, top = kept + d->e; /* the value is below 10^top */
  if (!d->count || top < -330) return 0;
  if (top > 310) return __builtin_inf();
  if (d->more) { /* one digit more, on the same side of any middle */
    multiply_add(&d->digits, 10, 1);
    d->e--;
  }
  big power = {1, {1}};
  multiply_by_power(d->e < 0 ? &power : &d->digits, (int)(d->e < 0 ? -d->e : d->e));
  return divide(&d->digits, &power);
}

mooni_number mooni_number_read(const char *text, const char *end, int point, double *value) {
  decimal d = {.digits = {0}};
  const bool negative = text < end && *text == '-';
  text += negative || (text < end && *text == '+');
  if (!read_decimal(&d, text, end, point)) return MOONI_NO_NUMBER;
  double size = value_of(&d);
  if (size - size != 0) return MOONI_TOO_LARGE;
  *value = negative ? -size : size;
  return MOONI_NUMBER;
}
