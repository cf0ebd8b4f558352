// embed.cpp - a host in C++17: the errors of a file of images, row by row. Nothing is released by hand.
//
//   embed MODEL.safetensors IMAGES-idx3-ubyte
#include <moonglass.h>

#include <cinttypes>
#include <cstdio>
#include <stdexcept>
#include <vector>

#include "digest.h"
#include "owned.h"

namespace {

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
