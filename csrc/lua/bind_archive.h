/* bind_archive.h - named tensors and texts, between Lua tables and the engine's archives (bind_archive.c). An archive
** has no handle: the function that works on it owns it. */
#ifndef MOONGLASS_BIND_ARCHIVE_H
#define MOONGLASS_BIND_ARCHIVE_H

#include "bind_handle.h"

/* An empty archive. */
moon_archive *bind_new_archive(lua_State *L);

/* The archive of a table {name = tensor} and, if it is not nil, a table {key = text}, each in the order of the names.
** Errors begin with `name`. */
moon_archive *bind_read_archive(lua_State *L, const char *name, int tensors, int metadata);

/* Push a table {name = tensor}, a table {key = text} and the list of the tensors' names in the archive's order. */
void bind_push_archive(lua_State *L, const moon_archive *archive);

#endif
