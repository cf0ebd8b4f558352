/* sort.h - sorting in place. */
#ifndef MOONI_SORT_H
#define MOONI_SORT_H

#include <stdbool.h>
#include <stddef.h>

/* Does a stand before b? */
typedef bool mooni_before(const void *a, const void *b, const void *ud);

/* Sort n elements of `size` bytes. It takes no memory, and about n log n comparisons whatever the order is. The C
** library's qsort promises neither, and a hostile file may have a million entries in its worst order. Elements of which
** none stands before the other come in any order. */
void mooni_sort(void *list, size_t n, size_t size, mooni_before *before, const void *ud);

#endif
