/* bind_detector.h - nets and detectors from files (bind_detector.c). */
#ifndef MOONGLASS_BIND_DETECTOR_H
#define MOONGLASS_BIND_DETECTOR_H

#include "bind_handle.h"

/* Push the detector of an archive, or its net if it has none; or nil, message, code. path: of its file, for messages,
** or NULL. before: the context's memory before the archive was read. Returns how many values. */
int bind_load_archive(lua_State *L, const moon_archive *archive, const char *path, size_t before);

#endif
