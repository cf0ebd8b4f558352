/* map.c - large files as tensors without a copy. The mapping is private: writing to the tensor changes this process's
** pages, never the file.
**
** Mapped memory counts as resident once it is touched, whole huge pages at a time, and shuffled rows touch all of it.
** So the rows of a batch are not read through a large mapping but from its file: that is as fast, keeps nothing
** resident, and lets the disk fetch many rows at once. Rows on pages that were written to come from memory. The
** kernel's page table (Linux: /proc/self/pagemap) tells which; without it all rows come from memory. */
#define _GNU_SOURCE /* preadv2 */
#include "map.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../core/ctx.h"
#include "../core/error.h"
#include "../core/memory.h"
#include "../core/tensor.h"
#include "../kernels/table.h"

enum {
  READ_FROM = 256 << 20, /* bytes: smaller files are read through the mapping */
  BLOCK = 256,           /* rows requested before we wait for the first missing one */
  PIECE = 4096           /* bytes read at a time */
};

/* Never changes after it is made, so several workers may gather from it at once. */
typedef struct mooni_map {
  moon_ctx *ctx;
  uint8_t *base;             /* of a part of the file */
  size_t bytes, page, start; /* start: of that part in the file */
  int fd, entries;           /* the file, and the page table: a uint64_t for each page */
  pid_t owner;               /* the process of that page table: after a fork it is not the child's */
} mooni_map;

#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0
#endif

/* ---- making and releasing ---- */

static void close_files(mooni_map *map) {
  if (map->fd >= 0) close(map->fd);
  if (map->entries >= 0) close(map->entries);
}

static void release(void *ud) {
  mooni_map *map = ud;
  munmap(map->base, map->bytes);
  close_files(map);
  mooni_free(map->ctx, map);
}

/* Keep the file and its page table open, for a large part of a file. Without them rows come from memory. */
static void open_files(mooni_map *map, const mooni_reader *r) {
#if defined(__linux__)
  if (map->bytes < READ_FROM) return;
  map->entries = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  if (map->entries >= 0) map->fd = fcntl(r->fd, F_DUPFD_CLOEXEC, 0);
#else
  (void)map, (void)r;
#endif
}

moon_status mooni_map_tensor(const mooni_reader *r, moon_tensor **out, moon_dtype dtype, size_t at, int rank,
                             const size_t *shape) {
  moon_ctx *ctx = r->ctx;
  size_t page = (size_t)sysconf(_SC_PAGESIZE), start = at / page * page, bytes = mooni_element_size(dtype);
  for (int i = 0; i < rank; i++) bytes *= shape[i];
  bytes += at - start;
  mooni_map *map = mooni_alloc(ctx, sizeof *map);
  if (!map) return mooni_nomem(ctx, sizeof *map);
  /* No reserve: otherwise the kernel would demand room for a copy of the whole file. */
  void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, r->fd, (off_t)start);
  if (base == MAP_FAILED) {
    mooni_free(ctx, map);
    *out = NULL;
    return MOON_OK;
  }
  *map = (mooni_map){ctx, base, bytes, page, start, -1, -1, getpid()};
  moon_status status = moon_tensor_wrap(ctx, out, dtype, rank, shape, map->base + (at - start), release, map);
  if (status != MOON_OK) {
    release(map);
    return status;
  }
  open_files(map, r);
  if (map->fd >= 0) (*out)->storage->map = map;
  return MOON_OK;
}

/* ---- rows ---- */

/* Might bytes at..at+size-1 differ from the file's? */
static bool is_written(const mooni_map *map, size_t at, size_t size) {
  const uint64_t present = (uint64_t)1 << 63, swapped = (uint64_t)1 << 62, of_file = (uint64_t)1 << 61;
  uint64_t entries[64];
  size_t page = ((uintptr_t)map->base + at) / map->page;
  size_t left = ((uintptr_t)map->base + at + size - 1) / map->page + 1 - page;
  while (left) {
    size_t n = left < MOONI_COUNT(entries) ? left : MOONI_COUNT(entries);
    if (pread(map->entries, entries, n * sizeof *entries, (off_t)(page * sizeof *entries)) !=
        (ssize_t)(n * sizeof *entries))
      return true;
    for (size_t i = 0; i < n; i++)
      if ((entries[i] & (present | swapped)) && !(entries[i] & of_file)) return true;
    page += n;
    left -= n;
  }
  return false;
}

static ssize_t read_piece(const mooni_map *map, uint8_t *piece, size_t size, size_t at, bool wait) {
  ssize_t n;
  do {
#ifdef RWF_NOWAIT
    n = wait ? pread(map->fd, piece, size, (off_t)(map->start + at))
             : preadv2(map->fd, &(struct iovec){piece, size}, 1, (off_t)(map->start + at), RWF_NOWAIT);
#else
    n = wait ? pread(map->fd, piece, size, (off_t)(map->start + at)) : -1;
#endif
  } while (n < 0 && wait && errno == EINTR);
  return n;
}

/* Some columns of rows on the mapping. */
typedef struct strip {
  const uint8_t *from; /* the first row's */
  size_t step, width;  /* bytes from row to row; elements of a row */
  bool floats;         /* else bytes, to be divided by scale */
  float scale;
} strip;

static size_t strip_bytes(const strip *s) { return s->floats ? s->width * sizeof(float) : s->width; }

static void copy_row(const mooni_map *map, float *dst, const uint8_t *row, const strip *s) {
  if (s->floats)
    memcpy(dst, row, s->width * sizeof *dst);
  else
    map->ctx->k->from_bytes(dst, row, s->width, s->scale);
}

/* dst [width] = a row's bytes as floats. False if some are not in memory yet; with wait, if the file has become
** shorter. */
static bool read_bytes(const mooni_map *map, float *dst, size_t at, size_t width, float scale, bool wait) {
  uint8_t piece[PIECE];
  for (size_t done = 0; done < width;) {
    size_t n = width - done < PIECE ? width - done : PIECE;
    if (read_piece(map, piece, n, at + done, wait) != (ssize_t)n) return false;
    map->ctx->k->from_bytes(dst + done, piece, n, scale);
    done += n;
  }
  return true;
}

static bool read_row(const mooni_map *map, float *dst, size_t at, const strip *s, bool wait) {
  if (!s->floats) return read_bytes(map, dst, at, s->width, s->scale, wait);
  return read_piece(map, (uint8_t *)dst, strip_bytes(s), at, wait) == (ssize_t)strip_bytes(s);
}

/* dst [count x width] = the strip of at most BLOCK rows. A request for missing pages makes the kernel fetch
** them, so all rows are requested before we wait for any. */
static void gather_block(const mooni_map *map, float *dst, size_t stride, const strip *s, const uint32_t *order,
                         size_t first, size_t count) {
  uint16_t missing[BLOCK];
  size_t misses = 0;
  for (size_t i = 0; i < count; i++) {
    const uint8_t *row = s->from + (order ? order[first + i] : first + i) * s->step;
    size_t at = (size_t)(row - map->base);
    if (is_written(map, at, strip_bytes(s)))
      copy_row(map, dst + i * stride, row, s);
    else if (!read_row(map, dst + i * stride, at, s, false))
      missing[misses++] = (uint16_t)i;
  }
  for (size_t k = 0; k < misses; k++) {
    size_t i = missing[k];
    const uint8_t *row = s->from + (order ? order[first + i] : first + i) * s->step;
    if (!read_row(map, dst + i * stride, (size_t)(row - map->base), s, true)) copy_row(map, dst + i * stride, row, s);
  }
}

/* Do the rows lie one behind the other? */
static bool is_run(const uint32_t *order, size_t first, size_t count) {
  size_t i = 1;
  while (order && i < count && order[first + i] == order[first] + i) i++;
  return !order || i >= count;
}

bool mooni_map_gather(mooni_columns dst, const moon_tensor *x, const uint32_t *order, size_t first, size_t count,
                      float scale) {
  const mooni_map *map = x->storage->map;
  if (!map || map->owner != getpid()) return false;
  if (dst.from == dst.to) return true;
  size_t element = mooni_element_size(x->dtype);
  strip s = {.from = (const uint8_t *)moon_tensor_data(x) + dst.from * element,
             .step = mooni_row_step(x) * element,
             .width = dst.to - dst.from,
             .floats = x->dtype == MOON_FLOAT32,
             .scale = scale};
  bool whole = strip_bytes(&s) == s.step && dst.stride == s.width;
  for (size_t done = 0, n; done < count; done += n) {
    n = count - done < BLOCK ? count - done : BLOCK;
    float *to = dst.p + done * dst.stride + dst.from;
    if (whole && is_run(order, first + done, n)) { /* as one long row */
      strip all = s;
      all.width *= n;
      gather_block(map, to, all.width, &all, order, first + done, 1);
    } else {
      gather_block(map, to, dst.stride, &s, order, first + done, n);
    }
  }
  return true;
}
