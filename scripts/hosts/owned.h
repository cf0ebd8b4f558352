/* owned.h - what hosts in C++17 need to use moonglass.h without releasing by hand: a unique_ptr owns what a constructor
** returns; a status that is not MOON_OK becomes an exception with the engine's message. */
#ifndef OWNED_H
#define OWNED_H

#include <moonglass.h>

#include <memory>
#include <new>
#include <stdexcept>
#include <utility>

struct Release {
  void operator()(moon_ctx *p) const { moon_ctx_release(p); }
  void operator()(moon_net *p) const { moon_net_release(p); }
  void operator()(moon_tensor *p) const { moon_tensor_release(p); }
  void operator()(moon_detector *p) const { moon_detector_release(p); }
  void operator()(moon_csv *p) const { moon_csv_close(p); }
};

template <class T> using Owned = std::unique_ptr<T, Release>;

inline void check(const moon_ctx *ctx, moon_status status) {
  if (status != MOON_OK) throw std::runtime_error(moon_error(ctx));
}

// The object that constructor(ctx, &out, arguments...) makes.
template <class T, class... Parameters, class... Arguments>
Owned<T> make(moon_ctx *ctx, moon_status (*constructor)(moon_ctx *, T **, Parameters...), Arguments &&...arguments) {
  T *out = nullptr;
  check(ctx, constructor(ctx, &out, std::forward<Arguments>(arguments)...));
  return Owned<T>(out);
}

inline Owned<moon_ctx> make_context() {
  moon_ctx *ctx = nullptr;
  if (moon_ctx_new(&ctx, nullptr) != MOON_OK) throw std::bad_alloc();
  return Owned<moon_ctx>(ctx);
}

#endif
