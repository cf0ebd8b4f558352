/* elementwise.c - functions of one and of two numbers, over arrays. The output may be exactly one of the inputs. Any
** other overlap was refused earlier, so ivdep is true. */
#include <math.h>

#include "vmath.h"

/* y[i] = EXPR of x, p and q. */
#define UNARY(name, EXPR)                                                          \
  static void unary_##name(float *y, const float *a, size_t n, float p, float q) { \
    (void)p, (void)q;                                                              \
    _Pragma("GCC ivdep") for (size_t i = 0; i < n; i++) {                          \
      float x = a[i];                                                              \
      y[i] = (EXPR);                                                               \
    }                                                                              \
  }

UNARY(neg, -x)
UNARY(exp, v_exp(x))
UNARY(log, v_log(x))
UNARY(sqrt, sqrtf(x))
UNARY(abs, v_abs(x))
UNARY(sign, v_sign(x))
UNARY(square, x *x)
UNARY(floor, floorf(x))
UNARY(pow, powf(x, p))
UNARY(isnan, x != x ? 1.0f : 0.0f)

/* NaN stays NaN: both comparisons are false. */
static inline float clamp(float x, float low, float high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}
UNARY(clamp, clamp(x, p, q))

const mooni_unary MOONI_K(unary)[] = {
    {"neg", unary_neg},     {"exp", unary_exp},   {"log", unary_log},       {"sqrt", unary_sqrt},
    {"abs", unary_abs},     {"sign", unary_sign}, {"square", unary_square}, {"floor", unary_floor},
    {"clamp", unary_clamp}, {"pow", unary_pow},   {"isnan", unary_isnan},   {NULL, NULL},
};

/* y[i] = EXPR of x and z: one loop for each combination of steps, so that each is a plain vector loop. */
#define LOOP(EXPR, X, Z)                                \
  _Pragma("GCC ivdep") for (size_t i = 0; i < n; i++) { \
    float x = (X), z = alpha * (Z);                     \
    y[i] = (EXPR);                                      \
  }

#define BINARY(name, EXPR)                                                                                           \
  static void binary_##name(float *y, const float *a, size_t as, const float *b, size_t bs, size_t n, float alpha) { \
    if (n == 0) return;                                                                                              \
    float a0 = a[0], b0 = b[0];                                                                                      \
    if (as && bs)                                                                                                    \
      LOOP(EXPR, a[i], b[i])                                                                                         \
    else if (as)                                                                                                     \
      LOOP(EXPR, a[i], b0)                                                                                           \
    else if (bs)                                                                                                     \
      LOOP(EXPR, a0, b[i])                                                                                           \
    else                                                                                                             \
      LOOP(EXPR, a0, b0)                                                                                             \
  }

BINARY(add, x + z)
BINARY(sub, x - z)
BINARY(mul, x *z)
BINARY(div, x / z)
BINARY(eq, x == z ? 1.0f : 0.0f)
BINARY(ne, x != z ? 1.0f : 0.0f)
BINARY(lt, x < z ? 1.0f : 0.0f)
BINARY(le, x <= z ? 1.0f : 0.0f)
BINARY(gt, x > z ? 1.0f : 0.0f)
BINARY(ge, x >= z ? 1.0f : 0.0f)
/* NaN on either side gives NaN: x != x is true for NaN alone, and a NaN z fails every comparison. */
BINARY(max, x > z || x != x ? x : z)
BINARY(min, x < z || x != x ? x : z)
BINARY(fill_nan, x != x ? z : x)

const mooni_binary MOONI_K(binary)[] = {
    {"add", binary_add},
    {"sub", binary_sub},
    {"mul", binary_mul},
    {"div", binary_div},
    {"eq", binary_eq},
    {"ne", binary_ne},
    {"lt", binary_lt},
    {"le", binary_le},
    {"gt", binary_gt},
    {"ge", binary_ge},
    {"max", binary_max},
    {"min", binary_min},
    {"fill_nan", binary_fill_nan},
    {NULL, NULL},
};
