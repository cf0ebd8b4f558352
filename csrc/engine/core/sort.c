/* sort.c - a heap sort (J. W. J. Williams, Algorithm 232, 1964; built bottom-up: R. W. Floyd, Algorithm 245). */
#include "sort.h"

#include <string.h>

typedef struct sorting {
  char *list;
  size_t size;
  mooni_before *before;
  const void *ud;
} sorting;

static bool is_before(const sorting *s, size_t i, size_t k) {
  return s->before(s->list + i * s->size, s->list + k * s->size, s->ud);
}

static void swap(const sorting *s, size_t i, size_t k) {
  char room[64], *a = s->list + i * s->size, *b = s->list + k * s->size;
  for (size_t left = s->size, n; left; left -= n, a += n, b += n) {
    n = left < sizeof room ? left : sizeof room;
    memcpy(room, a, n);
    memcpy(a, b, n);
    memcpy(b, room, n);
  }
}

/* In the heap of n elements each stands behind its children: move the root down until that holds. */
static void sift_down(const sorting *s, size_t root, size_t n) {
  for (size_t child; (child = 2 * root + 1) < n; root = child) {
    if (child + 1 < n && is_before(s, child, child + 1)) child++;
    if (!is_before(s, root, child)) return;
    swap(s, root, child);
  }
}

void mooni_sort(void *list, size_t n, size_t size, mooni_before *before, const void *ud) {
  const sorting s = {list, size, before, ud};
  for (size_t i = n / 2; i--;) sift_down(&s, i, n);
  for (size_t i = n; i-- > 1;) {
    swap(&s, 0, i);
    sift_down(&s, 0, i);
  }
}
