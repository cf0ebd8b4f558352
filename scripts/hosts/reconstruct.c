/* reconstruct.c - a host without Lua: the reconstruction of a picture by a saved autoencoder.
**
**   reconstruct MODEL.safetensors IN.png OUT.png
**
** The picture must have as many pixels as the net has inputs; colours become grey. The pixels of both pictures stay in
** this program's memory: the engine uses it without a copy. */
#include <inttypes.h>
#include <moonglass.h>
#include <stdio.h>
#include <stdlib.h>

#include "digest.h"

typedef struct job {
  moon_ctx *ctx;
  moon_net *net;
  moon_tensor *image, *x, *y, *picture, *error;
  size_t height, width;
  unsigned char *grey; /* the input, [height x width] */
  float *rebuilt;      /* the reconstruction, [height x width] */
  float mse;
} job;

static int complain(const char *message) {
  fprintf(stderr, "reconstruct: %s\n", message);
  return 1;
}

/* Luma as in ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B. */
static unsigned char luma(const unsigned char *rgb) {
  return (unsigned char)((299u * rgb[0] + 587u * rgb[1] + 114u * rgb[2] + 500u) / 1000u);
}

/* image [h x w] or [h x w x channels] into grey; alpha, the last of 2 or 4 channels, is ignored. */
static void to_grey(job *j) {
  const unsigned char *pixel = moon_tensor_byte(j->image);
  size_t channels = moon_tensor_rank(j->image) == 3 ? moon_tensor_shape(j->image)[2] : 1;
  for (size_t i = 0; i < j->height * j->width; i++, pixel += channels) j->grey[i] = channels < 3 ? *pixel : luma(pixel);
}

/* The net, the picture, and the program's buffers. 0, or 1 after an error message. */
static int load(job *j, const char *model, const char *path) {
  if (moon_net_load(j->ctx, &j->net, model) != MOON_OK || moon_png_read(j->ctx, &j->image, path) != MOON_OK)
    return complain(moon_error(j->ctx));
  j->height = moon_tensor_shape(j->image)[0], j->width = moon_tensor_shape(j->image)[1];
  size_t pixels = j->height * j->width, inputs = moon_net_inputs(j->net);
  if (inputs && inputs != pixels) {
    fprintf(stderr, "reconstruct: %s has %zu x %zu pixels, expected %zu as the net has inputs\n", path, j->height,
            j->width, inputs);
    return 1;
  }
  j->grey = malloc(pixels);
  j->rebuilt = malloc(pixels * sizeof *j->rebuilt);
  if (!j->grey || !j->rebuilt) return complain("out of memory");
  to_grey(j);
  return 0;
}

/* rebuilt = net(grey / 255), and its error. Nothing is copied: the tensors are views of this program's memory. */
static moon_status run(job *j) {
  const size_t row[] = {1, j->height * j->width}, image[] = {j->height, j->width}, one[] = {1};
  moon_status status = moon_tensor_wrap(j->ctx, &j->x, MOON_UINT8, 2, row, j->grey, NULL, NULL);
  if (!status) status = moon_tensor_wrap(j->ctx, &j->y, MOON_FLOAT32, 2, row, j->rebuilt, NULL, NULL);
  if (!status) status = moon_tensor_wrap(j->ctx, &j->error, MOON_FLOAT32, 1, one, &j->mse, NULL, NULL);
  if (!status) status = moon_tensor_view(&j->picture, j->y, 0, 2, image);
  if (!status) status = moon_net_predict(j->net, j->y, j->x, 0);
  if (!status) status = moon_net_errors(j->net, j->error, j->x, 0);
  return status;
}

static int reconstruct(job *j, char **path) {
  if (load(j, path[0], path[1]) != 0) return 1;
  if (run(j) != MOON_OK || moon_png_write(j->picture, path[2]) != MOON_OK) return complain(moon_error(j->ctx));
  printf("mean squared error %.6f\n", j->mse);
  printf("digest %016" PRIx64 "\n", digest(j->rebuilt, j->height * j->width * sizeof *j->rebuilt));
  return fflush(stdout) == 0 ? 0 : complain("cannot write to the standard output");
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fputs("usage: reconstruct MODEL.safetensors IN.png OUT.png\n", stderr);
    return 2;
  }
  job j = {0};
  if (moon_ctx_new(&j.ctx, NULL) != MOON_OK) return complain("out of memory");
  int status = reconstruct(&j, argv + 1);
  moon_tensor_release(j.error);
  moon_tensor_release(j.picture);
  moon_tensor_release(j.y);
  moon_tensor_release(j.x);
  moon_tensor_release(j.image);
  moon_net_release(j.net);
  moon_ctx_release(j.ctx);
  free(j.rebuilt);
  free(j.grey);
  return status;
}
