// embed.cpp - a host in C++17: the errors of a file of images, row by row. Nothing is released by hand.
//
//   embed MODEL.safetensors IMAGES-idx3-ubyte
//
// A unique_ptr owns what a constructor of moonglass.h returns, and releases it. A status that is not MOON_OK becomes an
// exception with the engine's message.
#include <moonglass.h>

#include <cinttypes>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "digest.h"

namespace {

struct Release {
  void operator()(moon_ctx *p) const { moon_ctx_release(p); }
  void operator()(moon_net *p) const { moon_net_release(p); }
  void operator()(moon_tensor *p) const { moon_tensor_release(p); }
};

template <class T> using Owned = std::unique_ptr<T, Release>;

void check(const moon_ctx *ctx, moon_status status) {
  if (status != MOON_OK) throw std::runtime_error(moon_error(ctx));
}

// The object that constructor(ctx, &out, arguments...) makes.
template <class T, class... Parameters, class... Arguments>
Owned<T> make(moon_ctx *ctx, moon_status (*constructor)(moon_ctx *, T **, Parameters...), Arguments &&...arguments) {
  T *out = nullptr;
  check(ctx, constructor(ctx, &out, std::forward<Arguments>(arguments)...));
  return Owned<T>(out);
}

Owned<moon_ctx> make_context() {
  moon_ctx *ctx = nullptr;
  if (moon_ctx_new(&ctx, nullptr) != MOON_OK) throw std::bad_alloc();
  return Owned<moon_ctx>(ctx);
}

// A tensor on the vector's memory, which must outlive it.
Owned<moon_tensor> wrap(moon_ctx *ctx, std::vector<float> &data, const std::vector<std::size_t> &shape) {
  return make(ctx, moon_tensor_wrap, MOON_FLOAT32, static_cast<int>(shape.size()), shape.data(), data.data(), nullptr,
              nullptr);
}

// Images of any shape as a matrix, a row each.
Owned<moon_tensor> as_rows(const moon_ctx *ctx, moon_tensor *images) {
  const std::size_t n = moon_tensor_rank(images) ? moon_tensor_shape(images)[0] : 0;
  if (n == 0) throw std::runtime_error("there are no rows in the file");
  const std::size_t shape[] = {n, moon_tensor_numel(images) / n};
  moon_tensor *rows = nullptr;
  check(ctx, moon_tensor_view(&rows, images, 0, 2, shape));
  return Owned<moon_tensor>(rows);
}

void run(const char *model, const char *path) {
  const auto ctx = make_context();
  const auto net = make(ctx.get(), moon_net_load, model);
  const auto images = make(ctx.get(), moon_idx_load, path);
  const auto x = as_rows(ctx.get(), images.get());
  const std::size_t rows = moon_tensor_shape(x.get())[0], outputs = moon_net_outputs(net.get());
  if (outputs == 0) throw std::runtime_error("the net has no layer that says how wide its output is");

  std::vector<float> output(rows * outputs), error(rows);
  const auto y = wrap(ctx.get(), output, {rows, outputs});
  const auto errors = wrap(ctx.get(), error, {rows});
  check(ctx.get(), moon_net_predict(net.get(), y.get(), x.get(), 0));
  check(ctx.get(), moon_net_errors(net.get(), errors.get(), x.get(), 0));

  for (const float e : error) std::printf("%.9g\n", static_cast<double>(e));
  std::printf("digest %016" PRIx64 "\n", digest(output.data(), output.size() * sizeof(float)));
  if (std::fflush(stdout) != 0) throw std::runtime_error("cannot write to the standard output");
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 3) {
    std::fputs("usage: embed MODEL.safetensors IMAGES-idx3-ubyte\n", stderr);
    return 2;
  }
  try {
    run(argv[1], argv[2]);
    return 0;
  } catch (const std::exception &e) {
    std::fprintf(stderr, "embed: %s\n", e.what());
    return 1;
  }
}
