/* vmath.h - exp, log and similar functions as branch-free expressions that the compiler can vectorise: a scalar expf
** for each pixel would cost more than the matrix products. Errors are in units in the last place of float32 (ulp). The
** functions rely on exact rounding steps: never compile them with -fassociative-math. */
#ifndef MOONI_VMATH_H
#define MOONI_VMATH_H

#include <math.h>
#include <string.h>

#include "kernels.h"

/* Sums are kept in float over STRETCH elements, in as many partial sums as the vector has lanes, and in double beyond:
** fast, and the error does not grow with the number of elements. */
enum { STRETCH = 1024 };

MOONI_INLINE float v_from_bits(int32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

MOONI_INLINE int32_t v_bits(float x) {
  int32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

/* choose ? a : b, by bit masks. A branch around an exp would prevent vectorisation; this cannot become one. */
MOONI_INLINE float v_select(bool choose, float a, float b) {
  int32_t mask = -(int32_t)choose;
  return v_from_bits((v_bits(a) & mask) | (v_bits(b) & ~mask));
}

/* NaN becomes low. */
MOONI_INLINE float v_clamp(float x, float low, float high) {
  x = v_select(x > low, x, low);
  return v_select(x < high, x, high);
}

/* e^r - 1 for |r| <= ln2 / 2, by its Taylor series. */
MOONI_INLINE float v_expm1_near_0(float r) {
  float p = 1.f / 5040;
  p = p * r + 1.f / 720;
  p = p * r + 1.f / 120;
  p = p * r + 1.f / 24;
  p = p * r + 1.f / 6;
  p = p * r + 0.5f;
  return p * r * r + r;
}

/* x = n ln2 + r with |r| <= ln2 / 2. Returns expm1(r), and 2^n as two factors: one factor could not reach 2^128 or the
** denormals. x lies in [-104, 89]. */
typedef struct v_exp_parts {
  float expm1_r, scale1, scale2;
} v_exp_parts;

MOONI_INLINE v_exp_parts v_exp_split(float x) {
  float t = x * 1.44269504f;
  int32_t n = (int32_t)(t + v_select(t < 0, -0.5f, 0.5f));
  float r = x - (float)n * 0.693145752f; /* ln2 in two parts; every product with the first is exact */
  r -= (float)n * 1.42860677e-6f;
  int32_t half = n >> 1;
  return (v_exp_parts){v_expm1_near_0(r), v_from_bits((half + 127) * (1 << 23)),
                       v_from_bits((n - half + 127) * (1 << 23))};
}

/* e^x, 1 ulp; 0 and infinity beyond the range, NaN for NaN. */
MOONI_INLINE float v_exp(float x) {
  v_exp_parts e = v_exp_split(v_clamp(x, -104, 89));
  float y = (e.expm1_r * e.scale1 + e.scale1) * e.scale2;
  return v_select(x != x, x, y);
}

/* e^x - 1, 2 ulp also near 0. */
MOONI_INLINE float v_expm1(float x) {
  v_exp_parts e = v_exp_split(v_clamp(x, -104, 89));
  float scale = e.scale1 * e.scale2;
  float y = e.expm1_r * scale + (scale - 1);
  return v_select(x != x, x, v_select(x > 88.7228394f, INFINITY, y));
}

/* ln x, 1 ulp: x = m 2^e with m in [0.707, 1.414], ln m = 2 atanh((m - 1) / (m + 1)). */
MOONI_INLINE float v_log(float x) {
  bool denormal = x < 1.17549435e-38f;
  float lifted = v_select(denormal, x * 8388608.f, x);
  int32_t bits = (int32_t)((uint32_t)v_bits(lifted) - 0x3f3504f3u); /* may wrap, for a negative x */
  int32_t e = bits >> 23;
  float m = v_from_bits((bits & 0x7fffff) + 0x3f3504f3);
  float exponent = (float)e - v_select(denormal, 23, 0);
  float f = m - 1, s = f / (2 + f), q = s * s;
  float p = 1.f / 9;
  p = p * q + 1.f / 7;
  p = p * q + 1.f / 5;
  p = p * q + 1.f / 3;
  /* ln m = f - s (f - 2 q p): the leading term is exact */
  float tail = exponent * 1.42860677e-6f - s * (f - 2 * q * p);
  float y = exponent * 0.693145752f + (f + tail);
  y = v_select(x == 0, -INFINITY, y);
  y = v_select(x < 0, NAN, y);
  return v_select(!(x <= 3.40282347e38f), x, y); /* infinity and NaN */
}

MOONI_INLINE float v_abs(float x) { return v_from_bits(v_bits(x) & 0x7fffffff); }
MOONI_INLINE float v_sign(float x) { return x > 0 ? 1 : x < 0 ? -1 : x; /* NaN and 0 stay */ }
MOONI_INLINE float v_relu(float x) { return x < 0 ? 0 : x; /* NaN stays */ }
MOONI_INLINE float v_sigmoid(float x) { return 1 / (1 + v_exp(-x)); }

MOONI_INLINE float v_tanh(float x) {
  float e = v_expm1(-2 * v_abs(x)); /* in [-1, 0] */
  float y = -e / (2 + e);
  return v_select(x < 0, -y, y);
}

/* e^-a for a >= 0, 1 ulp; beyond 87.5, where it would be denormal, e^-87.5; NaN for NaN. A conversion to an integer
** would lose NaN, so it rounds by adding 1.5 2^23, which leaves the integer in the lowest bits. */
MOONI_INLINE float v_exp_minus(float a) {
  const float shift = 12582912;
  float x = -v_select(a > 87.5f, 87.5f, a), shifted = x * 1.44269504f + shift, n = shifted - shift;
  float r = x - n * 0.693145752f; /* as in v_exp_split */
  r -= n * 1.42860677e-6f;
  float scale = v_from_bits((int32_t)(((uint32_t)v_bits(shifted) + 127) << 23));
  return v_expm1_near_0(r) * scale + scale;
}

/* 1 / (1 + e^-z), 2 ulp, but at least e^-87.5. Next to v_log1p_exp_minus(|z|) it costs only one more division. */
MOONI_INLINE float v_sigmoid_by_abs(float z) {
  float u = v_exp_minus(v_abs(z));
  return v_select(z < 0, u, 1) / (1 + u);
}

/* ln(1 + e^-a) for a >= 0, 2 ulp: with u = e^-a in [0, 1] it is u + u^2 times a polynomial, fitted to a relative error
** of 3e-8. */
MOONI_INLINE float v_log1p_exp_minus(float a) {
  float u = v_exp_minus(a);
  float p = 0.00536473704f;
  p = p * u - 0.0300654440f;
  p = p * u + 0.0792039717f;
  p = p * u - 0.137537549f;
  p = p * u + 0.191536329f;
  p = p * u - 0.248571581f;
  p = p * u + 0.333213220f;
  p = p * u - 0.499996479f;
  return u + u * u * p;
}

/* ln(1 + e^x) */
MOONI_INLINE float v_softplus(float x) { return v_relu(x) + v_log1p_exp_minus(v_abs(x)); }

/* The square root of x, 2 ulp, for x that is 0 or a positive normal number: Newton's and then Halley's step for the
** inverse root, from a guess by the exponent. The processor's vector of roots takes longer. */
MOONI_INLINE float v_root(float x) {
  float y = v_from_bits(0x5f377800 - (v_bits(x) >> 1));
  y *= 1.50042973f - 0.499548360f * (x * y) * y; /* constants fitted; error 9e-4 */
  float root = x * y, r = 1 - root * y;
  return v_select(x > 3.40282347e38f, x, root + root * r * (0.5f + 0.375f * r));
}

/* e^(a^2) erfc(a) for a >= 0: t times a polynomial in t = 1 / (1 + a / 2), fitted by weighted least squares on
** Chebyshev points of a in [0, 10]; relative error 2e-8 before rounding. */
MOONI_INLINE float v_erfcx(float a) {
  float t = 1 / (1 + 0.5f * a);
  float p = 0.0135346493f;
  p = p * t - 0.129614055f;
  p = p * t + 0.442811131f;
  p = p * t - 0.687045813f;
  p = p * t + 0.434151888f;
  p = p * t - 0.104528479f;
  p = p * t + 0.227445513f;
  p = p * t + 0.238288224f;
  p = p * t + 0.282894015f;
  p = p * t + 0.282062888f;
  return p * t;
}

/* The normal distribution function. */
MOONI_INLINE float v_normal_cdf(float x) {
  float a = v_abs(x) * 0.707106781f;
  float tail = 0.5f * v_erfcx(v_select(a < 10, a, 10)) * v_exp(-0.5f * x * x);
  float y = v_select(x > 0, 1 - tail, tail);
  return v_select(x != x, x, y);
}

MOONI_INLINE float v_normal_pdf(float x) { return 0.398942280f * v_exp(-0.5f * x * x); }

#endif
