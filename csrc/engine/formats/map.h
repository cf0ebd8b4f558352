/* map.h - tensors on mapped files. */
#ifndef MOONI_MAP_H
#define MOONI_MAP_H

#include "../core/parts.h"
#include "file.h"

/* Bytes: what is smaller is copied, and so safe if the file is cut short later. */
enum { MOONI_MAP_FROM = 1 << 20 };

/* The elements from byte `at` of the file on as a tensor on a mapping of that part. shape must be within the file, and
** floats at a multiple of 4. Not charged to the context. *out is NULL, with MOON_OK, if the system will not map the
** file: then read it. MOON_ESHAPE, MOON_ENOMEM. */
moon_status mooni_map_tensor(const mooni_reader *r, moon_tensor **out, moon_dtype dtype, size_t at, int rank,
                             const size_t *shape);

/* Do what mooni_gather does, for a tensor on a large mapped file, without making the file resident. False, with nothing
** done, for any other tensor. Any number of workers may gather at once. */
bool mooni_map_gather(mooni_columns dst, const moon_tensor *x, const uint32_t *order, size_t first, size_t count,
                      float scale);

#endif
