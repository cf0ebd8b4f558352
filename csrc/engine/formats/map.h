/* map.h - tensors on mapped files. */
#ifndef MOONI_MAP_H
#define MOONI_MAP_H

#include "../core/parts.h"
#include "file.h"

/* The file from byte `at` on as a tensor of bytes on a mapping; shape must end where the file ends. Not charged to the
** context. *out is NULL, with MOON_OK, if the system will not map the file: then read it. May keep the reader's file.
** MOON_ESHAPE, MOON_ENOMEM. */
moon_status mooni_map_tensor(mooni_reader *r, moon_tensor **out, size_t at, int rank, const size_t *shape);

/* Do what mooni_gather does, for a tensor on a large mapped file, without making the file resident. False, with nothing
** done, for any other tensor. Any number of workers may gather at once. */
bool mooni_map_gather(mooni_columns dst, const moon_tensor *x, const uint32_t *order, size_t first, size_t count,
                      float scale);

#endif
