// strange.cpp - a host in C++17: the rows of a CSV file that a detector finds strangest. Nothing is released by hand.
//
//   strange DETECTOR.safetensors ROWS.csv COUNT
#include <moonglass.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <vector>

#include "owned.h"

namespace {

struct Row {
  float score;
  std::size_t line;
};

// A row without a number has no score (NaN): it comes first.
bool stranger(const Row &a, const Row &b) {
  const float x = std::isnan(a.score) ? INFINITY : a.score, y = std::isnan(b.score) ? INFINITY : b.score;
  return x != y ? x > y : a.line < b.line;
}

// Keep the `count` strangest rows, in this order.
void keep(std::vector<Row> &rows, std::size_t count) {
  const std::size_t n = std::min(count, rows.size());
  std::partial_sort(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(n), rows.end(), stranger);
  rows.resize(n);
}

// The first n rows of a tensor, without a copy.
Owned<moon_tensor> first(const moon_ctx *ctx, moon_tensor *t, std::size_t n) {
  const std::size_t shape[] = {n, moon_tensor_rank(t) == 2 ? moon_tensor_shape(t)[1] : 1};
  moon_tensor *view = nullptr;
  check(ctx, moon_tensor_view(&view, t, 0, moon_tensor_rank(t), shape));
  return Owned<moon_tensor>(view);
}

// The file goes through a block of rows, so memory does not grow with it.
std::vector<Row> strangest(moon_ctx *ctx, moon_detector *detector, const char *path, std::size_t count) {
  constexpr std::size_t block = 1024;
  const std::size_t shape[] = {block, moon_detector_columns(detector)};
  moon_csv *opened = nullptr;
  check(ctx, moon_detector_open_csv(detector, &opened, path));
  const Owned<moon_csv> csv(opened);
  const auto x = make(ctx, moon_tensor_new, MOON_FLOAT32, 2, shape);
  const auto scores = make(ctx, moon_tensor_new, MOON_FLOAT32, 1, shape);
  std::vector<std::size_t> lines(block);
  moon_csv_set_lines(csv.get(), lines.data());

  std::vector<Row> rows;
  std::size_t n = 0;
  for (;;) {
    check(ctx, moon_csv_read(csv.get(), x.get(), nullptr, &n));
    if (n == 0) return rows;
    check(ctx, moon_detector_score(detector, first(ctx, scores.get(), n).get(), first(ctx, x.get(), n).get(), 0));
    for (std::size_t i = 0; i < n; i++) rows.push_back({moon_tensor_float(scores.get())[i], lines[i]});
    keep(rows, count);
  }
}

void run(const char *model, const char *path, std::size_t count) {
  const auto ctx = make_context();
  const auto detector = make(ctx.get(), moon_detector_load, model);
  for (const Row &row : strangest(ctx.get(), detector.get(), path, count))
    std::printf("line %zu\t%.9g\n", row.line, static_cast<double>(row.score));
  if (std::fflush(stdout) != 0) throw std::runtime_error("cannot write to the standard output");
}

} // namespace

int main(int argc, char **argv) {
  const int count = argc == 4 ? std::atoi(argv[3]) : 0;
  if (count < 1) {
    std::fputs("usage: strange DETECTOR.safetensors ROWS.csv COUNT\n", stderr);
    return 2;
  }
  try {
    run(argv[1], argv[2], static_cast<std::size_t>(count));
    return 0;
  } catch (const std::exception &e) {
    std::fprintf(stderr, "strange: %s\n", e.what());
    return 1;
  }
}
