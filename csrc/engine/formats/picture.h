/* picture.h - which format a picture's file has. */
#ifndef MOONI_PICTURE_H
#define MOONI_PICTURE_H

#include <stddef.h>
#include <stdint.h>

/* "PNG", "JPEG", ... by the first bytes of a file; NULL if they are of no known format. 32 bytes are enough. */
enum { MOONI_PICTURE_BEGIN = 32 };
const char *mooni_picture_kind(const uint8_t *bytes, size_t size);

#endif
