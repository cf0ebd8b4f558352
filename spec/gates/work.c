/* work.c - a fixed piece of work, some number of times, for counting its instructions (gates.lua).
**
**   work step N    N training steps: batches of 32 rows of bytes through 784-128-32-128-784, Adam, cross-entropy
**   work row N     N predictions of a single row by the same net
**
** Prints the instruction set of the kernels and the configuration of BLIS, which the counts depend on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../csrc/moonglass.h"

enum { LAYERS = 4, BATCH = 32 };
static const size_t sizes[LAYERS + 1] = {784, 128, 32, 128, 784};

static moon_ctx *ctx;

static void check(moon_status status) {
  if (status == MOON_OK) return;
  fprintf(stderr, "work: %s\n", ctx ? moon_error(ctx) : moon_status_name(status));
  exit(1);
}

static moon_net *make_net(void) {
  moon_layer *layers[LAYERS];
  moon_net *net;
  for (size_t i = 0; i < LAYERS; i++) {
    moon_option options[] = {{.name = "in", .kind = MOON_COUNT, .number = (double)sizes[i]},
                             {.name = "out", .kind = MOON_COUNT, .number = (double)sizes[i + 1]},
                             {.name = "activation", .kind = MOON_TEXT, .text = i + 1 < LAYERS ? "relu" : "sigmoid"}};
    check(moon_layer_new(ctx, &layers[i], "dense", options, 3));
  }
  check(moon_net_new(ctx, &net, layers, LAYERS));
  for (size_t i = 0; i < LAYERS; i++) moon_layer_release(layers[i]);
  return net;
}

/* Rows of a dataset, like those of MNIST: most bytes are zero. */
static void steps(moon_net *net, size_t count) {
  moon_tensor *x;
  moon_dataset *data;
  moon_loss *loss;
  moon_optim *adam;
  check(moon_tensor_new(ctx, &x, MOON_UINT8, 2, (size_t[]){BATCH, sizes[0]}));
  for (size_t i = 0; i < moon_tensor_numel(x); i += 5) moon_tensor_byte(x)[i] = (uint8_t)(i * 37);
  check(moon_dataset_new(ctx, &data, x, NULL));
  check(moon_loss_new(ctx, &loss, "bce", NULL, 0));
  check(moon_optim_new(ctx, &adam, "adam", NULL, 0));
  for (size_t i = 0; i < count; i++) check(moon_net_step_rows(net, NULL, data, 0, BATCH, loss, adam));
  moon_optim_release(adam);
  moon_loss_release(loss);
  moon_dataset_release(data);
  moon_tensor_release(x);
}

static void rows(moon_net *net, size_t count) {
  moon_tensor *x, *y;
  check(moon_tensor_new(ctx, &x, MOON_FLOAT32, 2, (size_t[]){1, sizes[0]}));
  check(moon_tensor_new(ctx, &y, MOON_FLOAT32, 2, (size_t[]){1, sizes[LAYERS]}));
  check(moon_tensor_uniform(x, 0, 1));
  for (size_t i = 0; i < count; i++) check(moon_net_predict(net, y, x, 0));
  moon_tensor_release(y);
  moon_tensor_release(x);
}

int main(int argc, char **argv) {
  size_t count = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
  if (!count || (strcmp(argv[1], "step") && strcmp(argv[1], "row"))) {
    fprintf(stderr, "usage: work step|row N\n");
    return 2;
  }
  check(moon_ctx_new(&ctx, &(moon_config){.threads = 1, .seed = 1}));
  moon_net *net = make_net();
  if (!strcmp(argv[1], "step"))
    steps(net, count);
  else
    rows(net, count);
  moon_build build;
  moon_build_info(ctx, &build);
  printf("%s, BLIS %s %s\n", build.simd, build.blis, build.blis_config);
  moon_net_release(net);
  moon_ctx_release(ctx);
  return 0;
}
